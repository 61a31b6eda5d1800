"""`make soak`: the slow cells of the notebooks, and what goes with them. Writes a receipt of what ran to data/soak.json.

A notebook that has a slow cell is run whole, each in a process of its own, one after the other.
"""
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "onnxruntime", "numpy")


def slow_notebooks():
    "Notebooks with a cell that `make test` leaves out."
    for path in sorted((ROOT / "nbs").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any("#| slow" in "".join(c["source"]) for c in cells if c["cell_type"] == "code"):
            yield path.relative_to(ROOT).as_posix()


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()


def soaked(path):
    "Run one file with its slow cells: {passed, seconds, said}."
    start = time.time()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NB_FLAGS": "slow"}, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:])
    return {"passed": done.returncode == 0, "seconds": round(time.time() - start), "said": done.stdout.strip().splitlines()[-1]}


def main():
    wanted, ran = sys.argv[1:] or [*slow_notebooks(), "tests/soak_job.py"], {}
    for path in wanted:
        print(path, "...", flush=True)
        ran[path] = soaked(path)
        print(f"  {ran[path]['said']}", flush=True)
    receipt = {"revision": git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else ""),
               "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
               "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
               "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}, "ran": ran}
    if not sys.argv[1:]:
        (ROOT / "data" / "soak.json").write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(r["passed"] for r in ran.values()))


if __name__ == "__main__":
    main()
