"""A server that is killed in the middle: what it has answered is in its log, and the chains hold. `NB_FLAGS=slow`: ten times 1,000."""
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
from sqlalchemy import text

from sentinel.live.audit import verify
from sentinel.live.database import open_engine
from sentinel.server.address import listening, ready

SLOW = "slow" in os.environ.get("NB_FLAGS", "").split()
KILLS, VERDICTS, CLIENTS = (10, 1000, 8) if SLOW else (1, 150, 4)


def names_in(where):
    "The names of all verdicts in a log."
    engine = open_engine(where, readonly=True)
    with engine.connect() as c:
        found = set(c.execute(text("SELECT verdict_id FROM verdicts")).scalars())
    engine.dispose()
    return found


def killed(where, folder, n):
    "Start a server, ask it by several clients, and kill it when `n` verdicts have come back: their names."
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sentinel", "serve", "--live", "--port", str(port), "--log", str(where)]
    answered, over, url = [], Event(), f"http://127.0.0.1:{port}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("SENTINEL_")}
    with open(folder / "lines", "ab") as lines, subprocess.Popen(command, env=env, stdout=lines, stderr=lines, cwd=folder) as process:
        ready(url, process)

        def client(number):
            with httpx.Client(timeout=30) as c:
                while not over.is_set():
                    try:
                        said = c.post(f"{url}/live/oversee", json={"action_description": f"ls /srv/{number}"}).json()
                    except (httpx.HTTPError, ValueError):  # killed
                        return
                    answered.append(said["verdict_id"])

        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(client, k) for k in range(CLIENTS)]
            until = time.monotonic() + 120
            while len(answered) < n and time.monotonic() < until:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            over.set()
            for one in running:
                one.result()
        process.wait()
    return answered


def test_a_killed_server_loses_no_answer(tmp_path):
    answered, where = [], tmp_path / "live.db"
    for _ in range(KILLS):
        answered += killed(where, tmp_path, VERDICTS // 2)
    kept = names_in(where)
    assert len(answered) >= KILLS * VERDICTS // 2 and set(answered) <= kept
    assert len(kept) <= len(answered) + KILLS * CLIENTS  # what was durable, and not answered any more
    assert verify(where) == []
    engine = open_engine(where)  # the planted case: an answer whose row is gone
    with engine.connect().execution_options(writes=True) as c, c.begin():
        c.execute(text("DELETE FROM verdicts WHERE verdict_id = :name"), {"name": answered[3]})
    engine.dispose()
    assert not set(answered) <= names_in(where) and verify(where) != []
