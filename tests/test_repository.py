"""What holds for the repository: notebooks are clean and exported, small enough to read, and the README and the docs come from them."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
BIN = Path(sys.executable).parent


def copy(to):
    "A copy of the sources, to run nbdev in without touching the checkout."
    for name in ("nbs", "sentinel", "data", "figures", "tests"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    for name in ("settings.ini", "pyproject.toml", "README.md", "constraints.txt"):
        shutil.copy(ROOT / name, to / name)
    return to


def same(a, b, pattern):
    return {p.relative_to(a).as_posix() for p in a.rglob(pattern) if p.read_bytes() != (b / p.relative_to(a)).read_bytes()}


def test_exported_and_clean(tmp_path):
    "nbdev_export and nbdev_clean change nothing."
    made = copy(tmp_path)
    subprocess.run([BIN / "nbdev_export"], cwd=made, check=True)
    assert same(made / "sentinel", ROOT / "sentinel", "*.py") == set()
    subprocess.run([BIN / "nbdev_clean"], cwd=made, check=True)
    assert same(made / "nbs", ROOT / "nbs", "*.ipynb") == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_readable(path):
    "A title, prose before code, and no output that is an error or a warning."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    for cell in cells:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error" and output.get("name") != "stderr", "".join(cell["source"])[:80]
    assert path.stat().st_size < 500_000


def test_no_leftovers():
    "No unused imports, unused or undefined names."
    subprocess.run([BIN / "ruff", "check", "--no-cache", "--select", "F", "--exclude", "_modidx.py", "sentinel", "tests", "conftest.py", "setup.py"], cwd=ROOT, check=True)


def test_readme_comes_from_its_notebook(tmp_path):
    from sentinel.site import readme

    assert readme(copy(tmp_path)) == (ROOT / "README.md").read_text(encoding="utf-8")


def test_script_comes_from_its_notebook(tmp_path):
    from sentinel.site import script

    assert script(copy(tmp_path)) == (ROOT / "sentinel" / "assets" / "production_l4.py").read_text(encoding="utf-8")


def test_docs_build(tmp_path):
    "The site builds offline, has a page for every notebook, and its pages link to pages that exist."
    made = copy(tmp_path)
    subprocess.run([sys.executable, "-m", "sentinel.site", "build"], cwd=made, check=True, capture_output=True)
    pages = list((made / "_docs").rglob("*.html"))
    assert len(pages) >= len(NOTEBOOKS)
    for page in pages:
        if page.name == "404.html":
            continue
        for link in re.findall(r'href="([^"#:?]+\.html)', page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), (page.name, link)


RETIRED = {"world": {"look", "TASKS", "stream", "check", "judge", "Task", "SOFT"}, "oversight": {"audit", "rest", "Turn", "method"},
           "training": {"Task", "quick_halves", "box", "Questions"}}


def test_retired_names_are_defined_nowhere():
    "Public ones of the world at their definition, as well as the twins by tense and the words with two meanings."
    for floor, names in RETIRED.items():
        for path in (ROOT / "sentinel" / floor).glob("*.py"):
            listed = re.search(r"__all__ = \[(.*?)\]", path.read_text(encoding="utf-8"), re.S)
            assert not names & set(re.findall(r"'(\w+)'", listed[1] if listed else "")), path.name


def test_schemas_come_from_the_code(tmp_path):
    from sentinel.site import schemas

    (tmp_path / "sentinel" / "assets").mkdir(parents=True)
    names = schemas(tmp_path)
    assert len(names) == 2
    for name in names:
        made = (tmp_path / "sentinel" / "assets" / name).read_text(encoding="utf-8")
        assert made == (ROOT / "sentinel" / "assets" / name).read_text(encoding="utf-8")


def test_tables_come_from_the_code(tmp_path):
    from sentinel.site import tables

    (tmp_path / "sentinel" / "assets" / "policies").mkdir(parents=True)
    names = tables(tmp_path)
    assert len(names) == 2
    for name in names:
        made = (tmp_path / "sentinel" / "assets" / name).read_text(encoding="utf-8")
        assert made == (ROOT / "sentinel" / "assets" / name).read_text(encoding="utf-8"), "python -m sentinel.site tables writes it"


def test_a_source_distribution_builds_and_installs(tmp_path):
    "From a clone to a tar, from the tar into an empty environment, and there it runs, the small model's files included."
    sources = copy(tmp_path / "clone")
    for name in ("setup.py", "MANIFEST.in", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    quiet = dict(check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path / "dist", sources], **quiet)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], **quiet)
    python = tmp_path / "env" / "bin" / "python"
    tar = next((tmp_path / "dist").glob("*.tar.gz"))
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", tar], **quiet)
    run = lambda *a: subprocess.run([python, "-m", "sentinel", *a], cwd=tmp_path, text=True, **quiet).stdout
    assert "sentinel 0." in run("--version") and "evidence" in run("demo") and "profile nano" in run("receipt", "nano")
    where = "from importlib.resources import files; print(*(p.name for p in files('sentinel.assets.nano').iterdir()))"
    found = subprocess.run([python, "-c", where], cwd=tmp_path, text=True, **quiet).stdout
    assert "nano.onnx" in found and "model.safetensors" in found


OLD_PYTHON = """#!/bin/sh
case "$1" in --version) echo Python 3.9.7;; -c) exit 1;; -m) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac
"""


def test_a_wrong_python_is_said_and_nothing_is_left_behind(tmp_path):
    for name in ("Makefile", "constraints.txt", "settings.ini", "setup.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    old = tmp_path / "python3.9"
    old.write_text(OLD_PYTHON)
    old.chmod(0o755)
    before = sorted(p.name for p in tmp_path.iterdir())
    for goal in ("demo", "test"):
        done = subprocess.run(["make", f"PYTHON={old}", goal], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode and "needs Python 3.11 to 3.13" in done.stderr and "3.9.7" in done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == before
    subprocess.run([old, "-m", "venv"], cwd=tmp_path, check=True)  # one that was left behind by somebody else
    subprocess.run(["make", f"PYTHON={sys.executable}", "PIP=true", ".venv/eval"], cwd=tmp_path, check=True, capture_output=True)
    said = subprocess.run([tmp_path / ".venv" / "bin" / "python", "--version"], capture_output=True, text=True).stdout
    assert said.split()[1] == sys.version.split()[0]
