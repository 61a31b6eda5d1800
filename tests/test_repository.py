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
    for name in ("nbs", "sentinel", "data", "figures"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    for name in ("settings.ini", "pyproject.toml", "README.md"):
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
    "No cell over about 40 lines, prose before code, and no output that is an error or a warning."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    for cell in cells:
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= 44 or cell["cell_type"] == "markdown", lines[:2]
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error" and output.get("name") != "stderr", lines[:2]
    assert path.stat().st_size < 500_000


def test_no_leftovers():
    "No unused imports, unused or undefined names."
    subprocess.run([BIN / "ruff", "check", "--no-cache", "--select", "F", "--exclude", "_modidx.py", "sentinel", "tests", "conftest.py", "setup.py"], cwd=ROOT, check=True)


def test_modules_are_short():
    for path in (ROOT / "sentinel").rglob("*.py"):
        if path.name != "_modidx.py":
            assert len(path.read_text().splitlines()) <= 400, path.name


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


def test_no_floor_imports_upwards():
    "Imports only go down: world imports itself, oversight itself and world, training these three."
    for floor, allowed in (("world", {"world"}), ("oversight", {"world", "oversight"}), ("training", {"world", "oversight", "training"})):
        for path in (ROOT / "sentinel" / floor).glob("*.py"):
            for module in re.findall(r"^\s*(?:from|import) sentinel\.(\w+)", path.read_text(), re.M):
                assert module in allowed, (path.name, module)
