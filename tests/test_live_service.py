"""The live service as its operators run it: two workers on one PostgreSQL, many clients, and not a verdict lost or told twice."""
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from postgres import server
from sqlalchemy import text

from sentinel.live.access import new_token
from sentinel.live.audit import verify
from sentinel.live.database import open_engine
from sentinel.server.address import listening, ready

ACTIONS = {"approve": "kubectl get pods -n shop-{}", "block": "DROP TABLE users_{}"}
KEY = "a key for tests, long enough"


def ask(url, token, data=None):
    "The text of an answer."
    body = json.dumps(data).encode() if data else None
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    with urlopen(Request(url, body, headers), timeout=30) as answer:
        return answer.read().decode()


def workers_of(pid):
    "The workers of a supervisor, by process id."
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(c) for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()}


def counted(metrics, name="sentinel_verdicts_total"):
    "The sum of a counter over its labels."
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def rows_by_chain(where):
    "{chain of verdicts: its rows} of a log."
    engine = open_engine(where, readonly=True)
    with engine.connect() as c:
        found = dict(c.execute(text("SELECT chain, count(*) FROM verdicts GROUP BY chain")).tuples().all())
    engine.dispose()
    return found


@pytest.fixture
def service(tmp_path, monkeypatch):
    "Two workers on PostgreSQL: (address, token, URL of the log, process, file of its log lines)."
    monkeypatch.setenv("SENTINEL_LOG_KEY", KEY)
    monkeypatch.delenv("SENTINEL_TOKEN", raising=False)
    token, lines = new_token(tmp_path / "tokens.json", "agent", ["admin"]), tmp_path / "lines"
    with listening("127.0.0.1", 0) as free:
        port = str(free.getsockname()[1])
    with server() as where, open(lines, "w") as stream:
        options = ["--port", port, "--workers", "2", "--tokens", tmp_path / "tokens.json", "--anchors", tmp_path / "anchors"]
        command = [sys.executable, "-m", "sentinel", "serve", "--live", *map(str, options)]
        env = {**os.environ, "SENTINEL_LOG_URL": where}
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=stream) as process:
            try:
                ready(f"http://127.0.0.1:{port}", process)
                yield f"http://127.0.0.1:{port}", token, where, process, lines
            finally:
                process.kill()


def started(lines, n, seconds=30):
    "Wait until so many workers have said that they are up."
    until = time.monotonic() + seconds
    while lines.read_text().count("startup complete") < n:
        assert time.monotonic() < until, lines.read_text()
        time.sleep(0.05)


def test_two_workers_on_postgresql(service, tmp_path):
    url, token, where, process, lines = service
    started(lines, 2)
    words = [a.format(k) for k in range(200) for a in ACTIONS.values()]

    def client(n):
        "Every eighth request."
        data = [{"action_description": w, "environment": "production"} for w in words[n::8]]
        return [json.loads(ask(f"{url}/live/oversee", token, d)) for d in data]

    with ThreadPoolExecutor(8) as pool:
        verdicts = [v for part in pool.map(client, range(8)) for v in part]
    assert len({v["verdict_id"] for v in verdicts}) == 400 and all(v["logged"] for v in verdicts)
    stats, metrics = json.loads(ask(f"{url}/live/stats", token)), [ask(f"{url}/metrics", token) for _ in range(4)]
    assert (stats["verdicts"], stats["decision"]) == (400, {"approve": 200, "block": 200})
    assert [counted(m) for m in metrics] == [400] * 4  # whichever worker tells them
    assert counted(metrics[0], "sentinel_verdict_seconds_count") == 400
    chains = rows_by_chain(where)
    assert len(chains) == 2 and min(chains.values()) >= 20, chains  # both workers have decided
    assert verify(where, anchors=tmp_path / "anchors") == []

    # a worker that dies is replaced, and what it had counted stays
    first = workers_of(process.pid)
    os.kill(min(first), signal.SIGKILL)
    started(lines, 3)
    assert len(workers_of(process.pid) - first) == 1
    again = [json.loads(ask(f"{url}/live/oversee", token, {"action_description": "ls"}))["decision"] for _ in range(20)]
    assert again == ["approve"] * 20 and counted(ask(f"{url}/metrics", token)) == 420

    # a signal: what was begun is finished, exit code 0, and the log is whole
    with ThreadPoolExecutor(8) as pool:
        last = [pool.submit(ask, f"{url}/live/oversee", token, {"action_description": f"ls {k}"}) for k in range(8)]
        last[0].result()
        process.send_signal(signal.SIGTERM)
        answered = [f.result() for f in last if not f.exception()]
    assert process.wait(20) == 0 and all(json.loads(a)["logged"] for a in answered)
    assert answered and sum(rows_by_chain(where).values()) == 420 + len(answered)  # no row without its answer
    assert verify(where, anchors=tmp_path / "anchors") == []
    said = [json.loads(line) for line in lines.read_text().splitlines()]  # all of them JSON
    assert {"listening", "stopped"} <= {s["event"] for s in said}
    assert not any(x in lines.read_text() for x in (token, KEY, "Traceback", str(tmp_path)))

    # the planted case: a row that was changed is found
    engine, blocked = open_engine(where), next(v["verdict_id"] for v in verdicts if v["decision"] == "block")
    with engine.begin() as c:
        c.execute(text("UPDATE verdicts SET decision = 'approve' WHERE verdict_id = :v"), {"v": blocked})
    engine.dispose()
    assert [f.what for f in verify(where, anchors=tmp_path / "anchors")] == ["changed"]


def test_counters_are_summed():
    assert counted('sentinel_verdicts_total{decision="block"} 1.0\nsentinel_verdicts_total{} 2.0\nother 5.0') == 3
