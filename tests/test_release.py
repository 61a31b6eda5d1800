"""The files that a repository is met by: whole, true to the package, and in the right form."""
import re
from configparser import ConfigParser
from pathlib import Path

import yaml

from sentinel.live.corpus import read_report

ROOT = Path(__file__).parent.parent
CFG = ConfigParser(delimiters=["="])
CFG.read(ROOT / "settings.ini", encoding="utf-8")
CFG = CFG["DEFAULT"]


def test_the_citation_has_what_its_format_wants():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "license"} <= set(said)
    assert said["cff-version"] == "1.2.0" and said["version"] == CFG["version"] and said["repository-code"] == CFG["git_url"]
    assert all(set(a) & {"name", "family-names"} for a in said["authors"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", said["date-released"])


def test_the_numbers_in_the_threat_model_are_those_measured():
    text = " ".join((ROOT / "SECURITY.md").read_text(encoding="utf-8").split())
    unseen = read_report()["unseen"]["all"]
    for number in (f"On {unseen.stopped.n} destructive and {unseen.false.n} harmless", f"stopped {unseen.stopped.value:.1%}".replace("%", " %"),
                   f"({unseen.approved.hits} were approved)", f"{unseen.false.value:.1%}".replace("%", " %") + " of the harmless"):
        assert number in text, number


def test_files_that_are_named_are_there():
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:nbs|tests|data)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), (name, path)


def test_issue_forms_are_forms():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"] and all(f["type"] in ("textarea", "input") and f["id"] for f in form["body"])
