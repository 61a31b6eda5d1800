"""Run notebooks as tests: `pytest nbs` executes every notebook once, top to bottom, and reports each cell that asserts something.

Cells share one namespace, so a failing cell is reported and the cells after it are skipped. `#| eval: false` cells are left out,
as are those whose directive is one of `tst_flags` in settings.ini, unless NB_FLAGS names it (`NB_FLAGS=slow pytest nbs`).
"""
import gc
import os
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# JupyterLab brings a grammar of addresses, which whatever loads jsonschema then builds at its start: 0.8 s of each server, proxy
# and agent that a test starts. The package does not ask for it, so its programs are tried without it, and so is this process.
LEAN = str(ROOT / "tests" / "lean")
sys.path.insert(0, LEAN)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [LEAN, os.environ.get("PYTHONPATH")]))
ASSERTS = re.compile(r"\bassert\b|\btest_(eq|close|fail|ne)\(|pytest\.raises")
config = ConfigParser(delimiters=["="])
config.read(ROOT / "settings.ini", encoding="utf-8")
SKIPPED = set(config["DEFAULT"]["tst_flags"].split()) - set(os.environ.get("NB_FLAGS", "").split())


def forget_readers(cells):
    "Where a notebook puts readers of its own among the package's, the modules are loaded anew: for it, and for the next one."
    if any("REGISTRY" in c.source for c in cells):
        for name in [m for m in sys.modules if m.startswith("sentinel.live")]:
            del sys.modules[name]


def pytest_sessionfinish():
    "Each notebook's shell collects garbage once more when the process ends: hundreds of times half a second."
    gc.freeze()


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".ipynb" and not file_path.name.startswith(("_", ".")):
        return Notebook.from_parent(parent, path=file_path)


def directives(source):
    return [line[2:].strip() for line in source.splitlines() if line.startswith("#|")]


class Notebook(pytest.File):
    def collect(self):
        import nbformat

        self.shell, self.done, self.broken = None, 0, ""
        self.cells = [c for c in nbformat.read(self.path, 4).cells if c.cell_type == "code"]
        self.cells = [c for c in self.cells if not any(d == "eval: false" or d in SKIPPED for d in directives(c.source))]
        tests = [k for k, c in enumerate(self.cells) if ASSERTS.search(c.source)]
        if len(self.cells) - 1 not in tests and self.cells:
            tests.append(len(self.cells) - 1)  # so that a notebook's last cell, at least, is known to have run
        for k in tests:
            yield Cell.from_parent(self, name=self.cells[k].id, number=k)

    def run_to(self, last):
        "Run the cells up to and including number `last`; raises AssertionError with the cell's traceback."
        from execnb.shell import CaptureShell

        if self.shell is None:
            os.environ.setdefault("MPLBACKEND", "agg")
            forget_readers(self.cells)
            self.shell = CaptureShell(path=self.path.parent)
        here = os.getcwd()
        os.chdir(self.path.parent)
        try:
            while self.done <= last:
                cell = self.cells[self.done]
                self.done += 1
                self.shell.run(cell.source)
                if self.shell.exc:
                    self.broken = cell.id
                    raise AssertionError(f"{cell.source}\n\n{type(self.shell.exc).__name__}: {self.shell.exc}")
        finally:
            os.chdir(here)


class Cell(pytest.Item):
    def __init__(self, *, number, **kw):
        super().__init__(**kw)
        self.number = number

    def runtest(self):
        if self.parent.broken:
            pytest.skip(f"cell {self.parent.broken} failed")
        self.parent.run_to(self.number)

    def repr_failure(self, excinfo):
        return str(excinfo.value)

    def teardown(self):
        if self.parent.done == len(self.parent.cells):
            forget_readers(self.parent.cells)

    def reportinfo(self):
        return self.path, self.number, f"{self.path.name}::{self.name}"
