"""What holds for the package as a whole: it starts quickly, says one version, and every name it offers is there."""
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import sentinel

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "openenv", "gradio", "pandas", "numpy", "sklearn", "matplotlib", "transformers", "typer", "rich")


def python(code, **env):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light():
    "Neither the package nor the whole world floor pulls in anything heavy."
    code = "import sys, sentinel; sentinel.classify; sentinel.walk; sentinel.scenarios_of; print([m for m in %r if m in sys.modules])"
    assert python(code % (HEAVY,)) == "[]"


def test_import_is_quick():
    "Counted in CPU time of a fresh process, the interpreter's own start taken off."
    code = "import time; t = time.process_time(); import sentinel; print(time.process_time() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.3


def test_every_name_is_there():
    for name in sentinel.__all__:
        assert getattr(sentinel, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sentinel.nothing


def test_one_version():
    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    assert config["DEFAULT"]["version"] == sentinel.__version__


def test_command_line_as_a_process(tmp_path):
    "Exit codes, one-line errors and an output file, through a real process."
    run = lambda *a: subprocess.run([sys.executable, "-m", "sentinel", *a], capture_output=True, text=True, cwd=tmp_path)
    assert "scenario" in run("--help").stdout
    bad = run("scenario", "--task", "nope")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    unwritable = run("scenario", "--out", "/dev/null/x.json")
    assert unwritable.returncode == 2 and unwritable.stderr.startswith("sentinel: ")
    assert run("scenario", "--seed", "3", "--out", "deep/x.json").returncode == 0
    assert (tmp_path / "deep" / "x.json").read_text().startswith("{")
