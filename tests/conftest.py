"""What several test files use."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def browser():
    "Headless Chromium, closed after each file."
    from chromium import opened

    with opened() as b:
        yield b


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    "The sdist and the wheel, built as a release is: the wheel from the sdist."
    folder = tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT / "sentinel", folder / "clone" / "sentinel", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "settings.ini", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, folder / "clone" / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "out", folder / "clone"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.rmtree(folder / "clone")
    return next((folder / "out").glob("*.tar.gz")), next((folder / "out").glob("*.whl"))
