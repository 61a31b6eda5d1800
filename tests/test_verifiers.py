"""The door to verifiers, in an environment of its own: it wants another `mcp` than OpenEnv does."""
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sentinel import Episode, generate_scenario

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PINNED = "verifiers==0.4.0"
SAID = {"decision": "block", "justification": "Blocked: it would lose the unflushed writes of the database."}


class Model(BaseHTTPRequestHandler):
    "An OpenAI-compatible endpoint: blocks everything, and does not make sense every third time."
    asked = 0

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        wanted = json.loads(self.rfile.read(length))
        turns = sum(m["role"] == "user" for m in wanted["messages"])
        text = "I am not sure." if turns % 3 == 0 else json.dumps(SAID)
        type(self).asked += 1
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
                 "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        if wanted.get("stream"):
            piece = {**whole, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}
            body, kind = f"data: {json.dumps(piece)}\n\ndata: [DONE]\n\n".encode(), "text/event-stream"
        else:
            body, kind = json.dumps(whole).encode(), "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    "An environment with verifiers and this package, without OpenEnv."
    folder = tmp_path_factory.mktemp("verifiers")
    run = lambda *a: subprocess.run([*map(str, a)], capture_output=True, text=True)
    done = run(BIN / "uv", "venv", "-q", "--python", sys.executable, folder / "env")
    if not done.returncode:
        python = folder / "env" / "bin" / "python"
        done = run(BIN / "uv", "pip", "install", "-q", "--python", python, PINNED, "uv", "typer>=0.12", "rich>=13")
    if done.returncode:
        pytest.skip(f"{PINNED} cannot be installed here: {done.stderr.strip().splitlines()[-1][:200]}")
    done = run(BIN / "uv", "pip", "install", "-q", "--python", python, "--no-deps", ROOT)
    assert not done.returncode, done.stderr
    return folder


def test_vf_eval_plays_episodes_and_pays_what_the_grader_says(place):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {**os.environ, "PATH": f"{place / 'env' / 'bin'}:{os.environ['PATH']}", "PRIME_API_KEY": "none"}
    command = [place / "env" / "bin" / "vf-eval", "sentinel-oversight", "-n", "3", "-m", "m", "--no-push", "-o", place / "out",
               "--client.base-url", f"http://127.0.0.1:{server.server_port}/v1", "--env.taskset.split", "dev",
               "--env.taskset.task-id", "action_screen", "--env.overseer.harness.id", "null", "--env.overseer.runtime.type", "subprocess"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=env, cwd=place, timeout=300)
    server.shutdown()
    traces = sorted((place / "out").rglob("traces.jsonl"))
    assert not done.returncode and traces, (done.stdout + done.stderr)[-3000:]
    rows = [json.loads(line) for line in traces[0].read_text(encoding="utf-8").splitlines()]
    found = {}
    for row in rows:
        for trace in row.get("traces", [row]):
            found[trace["task"]["data"]["seed"]] = trace
    assert set(found) == {0, 1, 2} and Model.asked == 15
    for seed, trace in found.items():
        e, earned = Episode(generate_scenario("action_screen", seed, "dev")), []
        while not e.done:
            turned = e.decide(SAID if (e.step + 1) % 3 else {"decision": None, "reason": "no JSON"})
            earned.append(turned.grade)
        right = sum(g.binary or 0 for g in earned) / 5
        assert trace["rewards"]["right"]["score"] == pytest.approx(right)
        assert trace["metrics"]["coverage"] == pytest.approx(4 / 5)
        assert trace["metrics"]["shaped"] == pytest.approx(sum(g.shaped or 0 for g in earned) / 5)
        told = json.dumps(trace["task"])
        assert "label" not in told and "catastrophic_actions" not in told


def test_a_wrong_tier_is_said_in_one_line(place):
    program = ("from sentinel_oversight import SentinelTaskset as T; from sentinel.doors.verifiers import SentinelConfig as C\n"
               "print(sum(1 for _ in T(C(split='heldout'))))\nlist(T(C(split='dev', task_id='war')))")
    done = subprocess.run([place / "env" / "bin" / "python", "-c", program], capture_output=True, text=True, cwd=place)
    assert done.stdout.strip() == "50" and "unknown task_id 'war'" in done.stderr.splitlines()[-1]
