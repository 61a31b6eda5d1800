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

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "openenv", "gradio", "pandas", "numpy", "sklearn", "matplotlib", "transformers", "typer", "rich")


def python(code, **env):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light():
    "Neither the package nor the floors below training pull in anything heavy."
    code = "import sys, sentinel; sentinel.classify; sentinel.walk; sentinel.scenarios_of; sentinel.Episode; sentinel.overseer_named; print([m for m in %r if m in sys.modules])"
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


def test_tables_do_not_depend_on_the_hash_seed(tmp_path):
    "Two processes with different hash seeds write the same bytes."
    for seed in ("1", "2"):
        python(f"from sentinel.oversight.evaluation import evaluate; evaluate(['random', 'policy_aware', 'evidence'], 'heldout', ('none', 'full'), {str(tmp_path / seed)!r})", PYTHONHASHSEED=seed)
    files = sorted(p.name for p in (tmp_path / "1").iterdir())
    assert len(files) == 7
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_a_broken_endpoint_makes_an_invalid_run(tmp_path):
    "A server that always answers 500: coverage 0, no F1, the table says so, exit code 1."

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [sys.executable, "-m", "sentinel", "evaluate", "--overseer", f"openai:m@http://127.0.0.1:{server.server_port}/v1", "--preview", "none", "--retries", "0"]
    try:
        table, data = (subprocess.run([*command, "--format", f], capture_output=True, text=True, cwd=tmp_path) for f in ("table", "json"))
    finally:
        server.shutdown()
    overall = json.loads(data.stdout)[0]["slices"]["overall"]
    assert table.returncode == data.returncode == 1
    assert "INVALID" in table.stdout
    assert overall["coverage"][0] == 0 and overall["f1"] == [None, None, None]


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
