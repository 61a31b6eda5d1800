"""The wire as somebody else meets it: a script, a notebook's kernel, a supervisor that stops the server; and who may import what."""
import ast
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sentinel.server.run import process, running

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sentinel"
TWO_LINES = """
from sentinel import SentinelEnv
env = SentinelEnv(base_url="{url}")
env.reset(task_id="war_room", seed=42)
"""
AFTER = "print(env.state().seed, env.step('block').reward)"


@pytest.fixture(scope="module")
def url():
    with running() as address:
        yield address


FORKED = """
import os, sys
sys.stdout.flush()
if not os.fork(): print("child", env.reset(seed=5).observation.seen.step, env.state().seed, flush=True); os._exit(0)
os.wait()
print("parent", env.state().seed)
"""


def test_two_bare_lines_in_a_script(url, tmp_path):
    "And after a fork, where the child has a loop and an episode of its own."
    script = tmp_path / "script.py"
    script.write_text(TWO_LINES.format(url=url) + AFTER + FORKED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stdout.split() == ["42", "3.0", "child", "0", "5", "parent", "42"], done.stderr


def test_two_bare_lines_in_the_cell_of_a_notebook(url):
    "A real kernel, whose cells run inside an event loop. OpenEnv's own client never sends such a reset."
    cells = [TWO_LINES.format(url=url), AFTER, "got = await env.reset(seed=3); print((await env.state()).seed)", "print(env.state().seed)",
             "from openenv.core import GenericEnvClient\nother = GenericEnvClient(base_url='%s')\nsaid = other.reset(seed=5)" % url,
             "print(other.step({'decision': 'block'}).observation['metadata'])"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    said = ["".join(o.get("text", "") for o in c.outputs if o.get("name") == "stdout").strip() for c in book.cells]
    assert said[1:4] == ["42 3.0", "3", "3"]
    assert "there is no episode" in said[5]  # the planted case: what happens to those who do not send


def test_a_stopped_server_finishes_what_it_has_begun():
    "SIGTERM in the middle of many steps: every frame is answered whole, or the goodbye (1012) is, and the exit code is 0."
    with process() as (address, server):
        answered, goodbye = [], []

        def play():
            with connect(address.replace("http", "ws") + "/ws") as ws:
                try:
                    while True:
                        ws.send(json.dumps({"type": "reset", "data": {"task_id": "war_room", "seed": 1}}))
                        answered.append(json.loads(ws.recv())["type"])
                        for _ in range(15):
                            ws.send('{"type": "step", "data": {"decision": "block"}}')
                            answered.append(json.loads(ws.recv())["type"])
                except ConnectionClosed as e:
                    goodbye.append(e.rcvd.code if e.rcvd else None)

        threads = [threading.Thread(target=play) for _ in range(8)]
        for t in threads:
            t.start()
        time.sleep(1)
        server.send_signal(signal.SIGTERM)
        for t in threads:
            t.join(15)
        assert server.wait(15) == 0
    assert len(answered) > 100 and set(answered) == {"observation"} and goodbye == [1012] * 8


def test_what_needs_no_server_loads_none():
    "How quick the import is, is tested in test_package."
    program = "import sys, sentinel; sentinel.Episode, sentinel.evaluate, sentinel.http_overseer; print('openenv' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "False"


def imports(path):
    "Modules that a file imports, anywhere in it; our own as they stand below the package."
    parts, found = ["sentinel", *path.relative_to(PACKAGE).with_suffix("").parts][:-1], set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        if isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            found.add(".".join([*base, *(node.module or "").split(".")]).strip("."))
    return found


def forbidden(path):
    "What a file of the package imports and should not."
    found, name = imports(path), path.relative_to(PACKAGE).as_posix()
    floor = name.split("/")[0].removesuffix(".py")
    rules = [(floor in ("ground", "world", "oversight", "training"), "openenv"), (floor == "server", "sentinel.client"),
             (floor in ("client", "calls", "models"), "sentinel.server"), (floor in ("server", "client", "models"), "sentinel.training"),
             (floor == "doors" and name != "doors/trl.py", "sentinel.training"), (floor not in ("cli", "doors", "app"), "gradio")]
    return sorted(f"{name}: {m}" for applies, bad in rules if applies for m in found if m == bad or m.startswith(bad + "."))


def test_who_may_import_what(tmp_path):
    files = [p for p in PACKAGE.rglob("*.py") if "assets" not in p.parts]
    assert [bad for p in files for bad in forbidden(p)] == []
    assert any(m.startswith("openenv") for p in files for m in imports(p))  # it sees what there is
    assert {m.split(".")[0] for m in imports(PACKAGE / "models.py")} - set(sys.stdlib_module_names) == {"openenv", "pydantic", "pydantic_core", "sentinel"}


@pytest.mark.parametrize("name, line, found", [
    ("oversight/turns.py", "from openenv.core import EnvClient", "oversight/turns.py: openenv.core"),
    ("server/gate.py", "from ..client import connect", "server/gate.py: sentinel.client"),
    ("client.py", "from .server.options import Options", "client.py: sentinel.server.options"),
    ("doors/gymnasium.py", "def f():\n    from ..training.rft import taught", "doors/gymnasium.py: sentinel.training.rft"),
])
def test_a_forbidden_import_is_found(name, line, found, tmp_path, monkeypatch):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((PACKAGE / name).read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert found in forbidden(path)
