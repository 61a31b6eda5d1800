"""What a repository is met by, and what leaves it: true to what was measured, in the right form, pinned, and nothing in it that does not belong there."""
import json
import re
import tarfile
import zipfile
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path

import pytest
import yaml

from sentinel.live.corpus import read_report
from sentinel.publishing import CANARY
from sentinel.world.splits import SIZES

ROOT = Path(__file__).parent.parent
CFG = ConfigParser(delimiters=["="])
CFG.read(ROOT / "settings.ini", encoding="utf-8")
CFG = CFG["DEFAULT"]


def words(path):
    "A file's text, on one line."
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


def stored(path):
    return json.loads((ROOT / "data" / path).read_text(encoding="utf-8"))


def percent(x, digits=1):
    return f"{x:.{digits}%}".replace("%", " %")


# What one is met by


def test_the_citation_has_what_its_format_wants():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "license"} <= set(said)
    assert said["cff-version"] == "1.2.0" and said["version"] == CFG["version"] and said["repository-code"] == CFG["git_url"]
    assert all(set(a) & {"name", "family-names"} for a in said["authors"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", said["date-released"])


def test_the_numbers_in_the_threat_model_are_those_measured():
    text, unseen, shield = words("SECURITY.md"), read_report()["unseen"]["all"], stored("corpora/shield/matrix.json")
    rate = lambda r, digits=1: f"{percent(r['hits'] / r['n'], digits)} of {r['n']:,}"
    for number in (f"On {unseen.stopped.n} destructive and {unseen.false.n} harmless", f"stopped {percent(unseen.stopped.value)}",
                   f"({unseen.approved.hits} were approved)", f"{percent(unseen.false.value)} of the harmless",
                   rate(shield["inside"]), rate(shield["outside"]), rate(shield["parts"]["fresh"][0]), rate(shield["false"], 2)):
        assert number in text, number


def test_files_that_are_named_are_there():
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md", "sentinel/assets/nano/README.md"):
        for path in re.findall(r"`((?:nbs|tests|data)/[\w./-]+)`", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), (name, path)


def test_issue_forms_are_forms():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"] and all(f["type"] in ("textarea", "input") and f["id"] for f in form["body"])
        for field in form["body"]:  # a comma that is not quoted makes a key of what comes after it
            assert set(field["attributes"]) <= {"label", "description", "placeholder", "render"}, field
            assert set(field) <= {"type", "id", "attributes", "validations"}, field


# Cards

CARDS = {"dataset": "data/README.md", "model": "sentinel/assets/nano/README.md", "space": "sentinel/README.md"}


@pytest.mark.parametrize("path", CARDS.values(), ids=CARDS)
def test_a_card_has_its_front_matter_and_the_canary(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "apache-2.0"
    assert CANARY in body and body.lstrip().startswith("# ")


def test_the_card_of_the_splits_says_what_was_certified():
    text, found = (ROOT / CARDS["dataset"]).read_text(encoding="utf-8"), stored("certificate.json")
    assert f"its first {found['train_scenarios']:,} scenarios" in " ".join(text.split())
    assert [f["split"] for f in yaml.safe_load(text.split("---\n")[1])["configs"][0]["data_files"]] == list(SIZES)
    rows = {r[0]: r for r in (re.split(r" *\| *", line.strip("| ")) for line in text.splitlines() if line.startswith("|"))}
    for split, s in found["splits"].items():
        row = rows[split]
        assert (row[1], row[3], row[4], row[5]) == (str(s["scenarios"]), str(s["families"]), str(s["families_shared"]), s["digest"])
        assert s["texts_shared"] == s["lines_shared"] == 0
    assert found["splits"]["ood"]["names_shared"] == found["splits"]["ood"]["topologies_shared"] == 0
    told = {r["what"]: str(r["value"]) for name in ("rollout", "table") for r in stored(f"stress/{name}.json")}
    assert f"{told['harm labels that change without the hour'].split()[0]} of {int(told['heldout_1k: decisions']):,} harm labels" in text
    for card in ("dataset", "model"):
        table = told["heldout_1k: F1 of the table, 13,000 decisions"].split()[0]
        assert f"A table of {told['rows of the table']} rows" in words(CARDS[card]) and f"F1 {table}" in words(CARDS[card])


def test_the_card_of_nano_says_what_was_measured():
    text = (ROOT / CARDS["model"]).read_text(encoding="utf-8")
    between = lambda x: f"{x[0]:.3f} [{x[1]:.3f}, {x[2]:.3f}]"
    for split in SIZES:
        kept = next(s for s in stored(f"nano/{split}/summary.json") if s["preview"] == "none")
        o = kept["slices"]["overall"]
        row = [split, str(o["n"]), between(o["f1"]), between(o["harm_averted"]), f"{between(kept['pairs'])} of {kept['pairs'][3]}",
               f"{o['auroc']:.3f}", f"{o['ece']:.3f}"]
        assert f"| {' | '.join(row)} |" in text and kept["grader"] in text, row
    changed = {r["change"]: f"{r['f1'][0]:.2f}" for r in stored("stress/nano.json")}
    sentences = ", ".join(changed[f"rationale: {k}"] for k in ("next", "follows")) + f" or {changed['rationale: team']}"
    assert f"from {changed['as it is']} to {sentences}; names in another spelling, to {changed['names: dotted']}" in words(CARDS["model"])


# Workflows

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAY_WRITE = {("docs", "pages"): {"pages", "id-token"}, ("release", "pypi"): {"id-token"}}  # all others only read


def faults(name, text):
    "What is wrong with a workflow, in words."
    flow, out = yaml.safe_load(text), []
    for line in text.splitlines():
        used = re.search(r"\buses:\s*(.*)", line)
        if used and not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", used[1]):
            out.append(f"not pinned: {used[1]}")
    if flow.get("permissions") != {"contents": "read"}:
        out.append("may do more than read")
    if "pull_request_target" in flow[True]:  # YAML reads the word `on` so
        out.append("runs strangers' code with rights")
    for job, what in flow["jobs"].items():
        rights = {k for k, v in what.get("permissions", {}).items() if v != "read"}
        if rights - MAY_WRITE.get((name, job), set()):
            out.append(f"{job} may write: {sorted(rights)}")
        if not what.get("timeout-minutes"):
            out.append(f"{job} has no end")
        for step in what["steps"]:
            if "${{" in step.get("run", ""):
                out.append(f"{job}: a value is put into a command")
            if step.get("uses", "").startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
                out.append(f"{job} keeps its credentials")
        around = {k: v for k, v in what.items() if k != "steps"} | {"all": flow.get("env")}
        if "secrets." in json.dumps(around):
            out.append(f"{job}: every step knows a secret")
    return out


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_is_pinned_and_may_do_little(path):
    assert faults(path.stem, path.read_text(encoding="utf-8")) == []


def test_there_are_four_workflows_and_the_pythons_are_those_of_the_package():
    assert [p.stem for p in WORKFLOWS] == ["docs", "hub", "release", "tests"]
    pythons = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert pythons == re.findall(r"Python :: (3\.\d+)", (ROOT / "setup.py").read_text(encoding="utf-8"))


def test_one_version_of_an_action_everywhere():
    used = {line.split("uses:")[1].strip() for p in WORKFLOWS for line in p.read_text().splitlines() if "uses:" in line}
    assert len(used) == len({u.split("@")[0] for u in used}) == 7


@pytest.mark.parametrize("old, new, fault", [
    ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd  # v6.0.2", "@v6", "not pinned"),
    ("  # v6.0.2", "", "not pinned"),
    ("permissions: {contents: read}", "permissions: write-all", "more than read"),
    ("    timeout-minutes: 30\n", "    timeout-minutes: 30\n    permissions: {contents: write}\n", "may write"),
    ("    timeout-minutes: 30\n", "", "no end"),
    ('publish "$WHAT"', "publish ${{ inputs.what }}", "put into a command"),
    ("with: {persist-credentials: false}", "with: {fetch-depth: 0}", "keeps its credentials"),
    ("    environment: hub\n", '    environment: hub\n    env: {HF_TOKEN: "${{ secrets.HF_TOKEN }}"}\n', "every step knows"),
    ("  workflow_dispatch:\n", "  pull_request_target:\n  workflow_dispatch:\n", "strangers"),
])
def test_a_fault_of_a_workflow_is_found(old, new, fault):
    text = (ROOT / ".github" / "workflows" / "hub.yml").read_text(encoding="utf-8")
    assert old in text and fault in " ".join(faults("hub", text.replace(old, new, 1)))


# The distributions

MOST = 12_000_000  # bytes
ALLOWED = re.compile(r"(sentinel|sentinel_oversight|openenv_sentinel-[\d.]+\.dist-info|openenv_sentinel\.egg-info)/"
                     r"|(LICENSE|README\.md|PKG-INFO|MANIFEST\.in|setup\.(py|cfg)|settings\.ini|pyproject\.toml|constraints\.txt)$")


def strange(names):
    "Names in a distribution that do not belong there."
    return [n for n in names if not ALLOWED.match(n) or re.search(r"__pycache__|\.(pyc|db|key|env|ipynb|sqlite)$|/\.env|/tests?/", n)]


@pytest.fixture(scope="module")
def dist(built):
    "(names in the sdist, names in the wheel, the wheel)."
    tar, wheel = built
    assert max(tar.stat().st_size, wheel.stat().st_size) < MOST
    with tarfile.open(tar) as t:
        inside = [m.name.partition("/")[2] for m in t.getmembers() if m.isfile()]
    return inside, zipfile.ZipFile(wheel).namelist(), wheel


def test_nothing_is_in_a_distribution_that_does_not_belong_there(dist):
    sdist, wheel, _ = dist
    assert strange(sdist) == strange(wheel) == []
    planted = ["tests/test_x.py", "sentinel/live.db", "sentinel/.env", "data/heldout.jsonl", "sentinel/__pycache__/x.pyc"]
    assert strange([*wheel, *planted]) == planted


def test_everything_is_in_a_distribution_that_belongs_there(dist):
    sdist, wheel, _ = dist
    wanted = {p.relative_to(ROOT).as_posix() for p in (ROOT / "sentinel").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    wanted -= {"sentinel/.dockerignore"} | {n for n in wanted if n.startswith("sentinel/assets/sentinel_oversight/")}
    assert {"sentinel/assets/nano/nano.onnx", "sentinel/assets/nano/README.md", "sentinel/assets/shield/CARD.md"} <= wanted
    assert wanted - set(wheel) == set() and wanted - set(sdist) == set()
    assert "sentinel_oversight/__init__.py" in wheel


def test_a_wheel_says_what_it_is(dist):
    with zipfile.ZipFile(dist[2]) as wheel:
        read = lambda name: wheel.read(next(n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))).decode()
        said, commands = message_from_string(read("METADATA")), read("entry_points.txt")
    assert (said["Name"], said["Version"], said["License-Expression"] or said["License"]) == (CFG["lib_name"], CFG["version"], "Apache-2.0")
    assert {u.split(",")[0] for u in said.get_all("Project-URL")} >= {"Documentation", "Changes", "Issues"}
    assert "sentinel = sentinel.cli.main:app" in commands and "sentinel-hook = " in commands
    assert {"nano", "serve", "live", "train", "eval"} <= set(said.get_all("Provides-Extra"))
