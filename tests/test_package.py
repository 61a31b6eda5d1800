"""What holds for the package as a whole: it starts quickly, says one version, and every name it offers is there."""
import json
import os
import subprocess
import sys
import threading
from configparser import ConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import sentinel
from sentinel.oversight.grader import version
from sentinel.oversight.rows import read_rows, regrade

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "openenv", "gradio", "pandas", "numpy", "sklearn", "matplotlib", "transformers", "typer", "rich")


def python(code, **env):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light():
    "Neither the package nor the floors below training pull in anything heavy."
    names = "classify walk scenarios_of Episode overseer_named".split()
    code = f"import sys, sentinel; [getattr(sentinel, n) for n in {names}]; print([m for m in {HEAVY} if m in sys.modules])"
    assert python(code) == "[]"


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


def test_tables_do_not_depend_on_the_hash_seed(tmp_path):
    "Two processes with different hash seeds write the same bytes, and the decisions are those that are stored."
    for seed in ("1", "2"):
        names, out = ["random", "policy_aware", "evidence"], str(tmp_path / seed)
        python(f"from sentinel import evaluate; evaluate({names}, 'heldout', ('none', 'full'), {out!r})", PYTHONHASHSEED=seed)
    files = sorted(p.name for p in (tmp_path / "1").iterdir())
    assert len(files) == 13
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
        if name != "summary.json":
            assert read_rows(tmp_path / "1" / name) == read_rows(ROOT / "data" / "decisions" / name), name


def test_stored_tables_are_graded_by_this_grader():
    tables = [p for p in (ROOT / "data").rglob("*.parquet") if p.name not in ("log.parquet", "train.parquet")]
    assert len(tables) > 40
    for path in tables:
        rows = read_rows(path)
        assert {r["grader"] for r in rows} == {version()} and all(r["decision"] or r["no_verdict"] for r in rows), path
    for path in tables[::6]:
        if not path.stem.endswith("-pairs"):
            rows = read_rows(path)
            assert regrade(rows) == rows, path


@pytest.mark.parametrize("preview", ["none", "full"])
def test_the_small_model_says_what_is_stored(preview):
    "The same decisions; risk within a hundred-thousandth on any machine."
    from sentinel.oversight.decisions import items_of
    from sentinel.oversight.nano import nano_overseer

    stored = read_rows(ROOT / "data" / "nano" / "heldout" / f"heldout-{preview}-nano.parquet")
    items, overseer = items_of("heldout", preview), nano_overseer(justify=False)
    for k in range(0, 650, 20):
        verdict, row = overseer([items[k].observation])[0], stored[k]
        assert verdict.decision == row["decision"] and abs(verdict.risk - row["risk"]) < 1e-5


class Broken(BaseHTTPRequestHandler):
    "Answers 500, whatever it is asked."
    asked = 0

    def do_POST(self):
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def broken():
    "A server that is no use: (its class, its address)."
    kind = type("Once", (Broken,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kind, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def evaluated(url, tmp_path, *options):
    command = [sys.executable, "-m", "sentinel", "evaluate", "--overseer", f"openai:m@{url}", "--preview", "none", "--retries", "0"]
    return subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path)


def test_a_broken_endpoint_is_asked_once_and_named(broken, tmp_path):
    kind, url = broken
    done = evaluated(url, tmp_path)
    assert (done.returncode, done.stdout, kind.asked) == (2, "", 1)
    assert done.stderr.count("\n") == 1 and "500" in done.stderr


def test_a_broken_endpoint_makes_an_invalid_run(broken, tmp_path):
    "Whoever goes on all the same gets coverage 0, no F1, a table that says so, and exit code 1."
    _, url = broken
    table, data = (evaluated(url, tmp_path, "--keep-going", "--limit", "40", "--format", f) for f in ("table", "json"))
    overall = json.loads(data.stdout)[0]["slices"]["overall"]
    assert table.returncode == data.returncode == 1
    assert "INVALID" in table.stdout
    assert overall["coverage"][0] == 0 and overall["f1"] == [None, None, None]


def test_command_line_as_a_process(tmp_path):
    "Exit codes, one-line errors and an output file, through a real process."
    run = lambda *a: subprocess.run([sys.executable, "-m", "sentinel", *a], capture_output=True, text=True, cwd=tmp_path)
    assert "scenario" in run("-h").stdout and run("--version").stdout == f"sentinel {sentinel.__version__}\n"
    bad = run("scenario", "--task", "nope")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    unwritable = run("scenario", "--out", "/dev/null/x.json")
    assert unwritable.returncode == 2 and unwritable.stderr.startswith("sentinel: ")
    assert run("scenario", "--seed", "3", "--out", "deep/x.json").returncode == 0
    assert (tmp_path / "deep" / "x.json").read_text().startswith("{")
