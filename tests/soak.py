"""`make soak`: the slow cells of the notebooks, and what goes with them. Writes a receipt of what ran to data/soak.json.

A notebook that has a slow cell is run whole, each in a process of its own, one after the other. Named files alone are run
if there are any (`python tests/soak.py nbs/oversight/31_bench.ipynb`), and take their place in the receipt.
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
ALSO = ("tests/soak_job.py", "tests/test_image.py", "tests/test_live_kill.py")  # the image is installed by its own step here
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
    "Run one file with its slow cells: {passed, seconds, said, revision, when}."
    start, revision = time.time(), git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NB_FLAGS": "slow"}, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:])
    return {"passed": done.returncode == 0, "seconds": round(time.time() - start), "said": done.stdout.strip().splitlines()[-1],
            "revision": revision, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def main():
    every, wanted, receipt = [*slow_notebooks(), *ALSO], sys.argv[1:], ROOT / "data" / "soak.json"
    if odd := [path for path in wanted if path not in every]:
        sys.exit(f"soak: {odd[0]} has nothing slow: choose among {', '.join(every)}")
    told = {"machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
            "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}}
    before = json.loads(receipt.read_text(encoding="utf-8")) if wanted and receipt.exists() else {}
    same = all(before.get(k) == told[k] for k in told)  # what ran elsewhere, or with other libraries, says nothing about here
    ran = {path: before["ran"][path] for path in every if same and path in before["ran"]}
    for path in wanted or every:
        print(path, "...", flush=True)
        ran[path] = soaked(path)
        print(f"  {ran[path]['said']}", flush=True)
    told["ran"] = ran
    receipt.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(r["passed"] for r in ran.values()))


if __name__ == "__main__":
    main()
