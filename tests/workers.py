"""`python tests/workers.py`: what a second worker brings on one PostgreSQL. Writes data/runs/live-workers.json.

The load comes from wrk (Debian's package), eight connections that send the commands of the dev corpus one after the other.
One worker and two are measured in turn, some rounds of each. Needs some ninety seconds, and a machine that does nothing else.
"""
import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from postgres import fresh, server
from sqlalchemy import create_engine, text

from sentinel.ground import write_whole
from sentinel.live.audit import verify
from sentinel.live.costs import lines_in
from sentinel.server.address import listening, ready

ROOT = Path(__file__).parent.parent
RECEIPT = ROOT / "data" / "runs" / "live-workers.json"
BARS = {"cpu": 1.15, "throughput": 1.2}  # of two workers by one: at most, at least; and no waiting for locks
LOAD = """local bodies, k = {{ {} }}, 0
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
request = function() k = k % #bodies + 1; return wrk.format(nil, "/live/oversee", nil, bodies[k]) end
"""


def load(folder):
    "A script for wrk that sends the commands of the dev corpus."
    lines = lines_in(ROOT / "data" / "corpora" / "commands" / "dev.jsonl")
    bodies = [json.dumps({"action_description": x, "environment": "production"}) for x in lines if "]==]" not in x]
    path = folder / "load.lua"
    path.write_text(LOAD.format(", ".join(f"[==[{b}]==]" for b in bodies)))
    return path


def processor_seconds(pid):
    "Of a process and its children, so far."
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split() for p in (pid, *children)]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


class Waits(threading.Thread):
    "Looks every twentieth of a second whether a connection waits for a lock."
    def __init__(self, where):
        super().__init__()
        self.where, self.over, self.seen, self.looks = where, threading.Event(), 0, 0

    def run(self):
        engine = create_engine(self.where)
        said = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        while not self.over.wait(0.05):
            with engine.connect() as c:
                self.seen += c.execute(said).scalar_one()
                self.looks += 1
        engine.dispose()


def measured(workers, where, seconds, folder):
    "One round: {verdicts a second, processor milliseconds a verdict, lock waits seen, of how many looks}."
    with listening("127.0.0.1", 0) as free:
        port = str(free.getsockname()[1])
    url, key = f"http://127.0.0.1:{port}", folder / "anchors"
    command = [sys.executable, "-m", "sentinel", "serve", "--live", "--port", port, "--workers", str(workers),
               "--anchors", str(key), "--log-level", "error"]
    os.environ["SENTINEL_LOG_KEY"] = "a key for measuring only"
    env = {**os.environ, "SENTINEL_LOG_URL": where}
    wrk = lambda s: subprocess.run(["wrk", "-t1", "-c8", f"-d{s}s", "--latency", "-s", load(folder), url],
                                   check=True, capture_output=True, text=True).stdout
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        try:
            ready(url, process)
            wrk(4)
            before, waits = processor_seconds(process.pid), Waits(where)
            waits.start()
            said = wrk(seconds)
            waits.over.set()
            waits.join()
            spent = processor_seconds(process.pid) - before
        finally:
            process.terminate()
    assert "Non-2xx" not in said and process.returncode == 0, said
    done = int(re.search(r"(\d+) requests in", said)[1])
    assert verify(where, anchors=key) == []
    key.unlink()
    return {"workers": workers, "verdicts_a_second": round(done / seconds, 1), "cpu_ms": round(1000 * spent / done, 3),
            "p99": re.search(r"99%\s+(\S+)", said)[1], "lock_waits": waits.seen, "looks": waits.looks}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of a round")
    parser.add_argument("--rounds", type=int, default=3, help="with one worker, and with two")
    parser.add_argument("--out", type=Path, default=RECEIPT, help="file for the numbers")
    how, rounds = parser.parse_args(), []
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not there: apt-get install wrk")
    with server() as base, tempfile.TemporaryDirectory() as folder:
        for k in range(how.rounds):
            for workers in (1, 2):
                rounds.append(measured(workers, fresh(base, f"round{k}_{workers}"), how.seconds, Path(folder)))
                print(rounds[-1], flush=True)
    ratio = lambda name: round(median(r[name] / o[name] for o, r in zip(rounds[::2], rounds[1::2])), 3)
    told = {"machine": {"processor": platform.machine(), "cores": os.cpu_count()}, "python": platform.python_version(),
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rounds": rounds, "throughput": ratio("verdicts_a_second"),
            "cpu": ratio("cpu_ms"), "lock_waits": sum(r["lock_waits"] for r in rounds)}
    told["met"] = {"cpu": told["cpu"] <= BARS["cpu"], "throughput": told["throughput"] >= BARS["throughput"],
                   "lock_waits": not told["lock_waits"]}
    write_whole(how.out, json.dumps(told, indent=1) + "\n")
    print(f"two workers by one: throughput {told['throughput']}, processor time a verdict {told['cpu']}; "
          f"waits for locks: {told['lock_waits']}; met: {told['met']}")


if __name__ == "__main__":
    main()
