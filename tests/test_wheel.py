"""From a wheel in an empty environment to the page in a browser, as a user who installs it sees it."""
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chromium import opened

from sentinel.server.address import listening, ready

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SECONDS = 15  # from the command to a verdict on the page


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    "An empty environment in an empty folder, with the wheel and its extra `serve`, and the bytecode that pip leaves."
    there = tmp_path_factory.mktemp("wheel")
    quiet = dict(check=True, capture_output=True, text=True)
    subprocess.run([BIN / "uv", "venv", "-q", "--python", sys.executable, there / "env"], **quiet)
    into = ["--python", there / "env" / "bin" / "python", "-c", ROOT / "constraints.txt"]
    subprocess.run([BIN / "uv", "pip", "install", "-q", *into, f"{built[1]}[serve]"], **quiet)
    # Of ten thousand files the server needs three thousand: it is quicker to load it once than to compile them all
    loads = "import sentinel.server.run, sentinel.app.page, sentinel.live.app, sentinel.live.oversee"
    subprocess.run([there / "env" / "bin" / "python", "-c", loads], cwd=there, env={"PATH": os.environ["PATH"]}, **quiet)
    return there


def waited(pid):
    "Seconds in which a process was ready to run, and the cores were at work for others; 0 where that is not counted."
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def test_a_wheel_serves_a_page_that_answers_in_time(installed, tmp_path):
    "The clock runs from the command on. What other processes have taken from the server is not its own time."
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    bare = {"PATH": f"{installed}/env/bin:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = [installed / "env" / "bin" / "sentinel", "serve", "--port", str(port)]
    with opened() as browser:
        page = browser.new_page()
        start = time.monotonic()
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with subprocess.Popen(command, cwd=tmp_path, env=bare, **quiet) as server:
            try:
                ready(f"http://127.0.0.1:{port}", server, 60)
                served = time.monotonic() - start
                page.goto(f"http://127.0.0.1:{port}/web")
                page.fill("#live-action textarea", "DROP TABLE users")
                page.click("#live-ask")
                page.wait_for_function("document.querySelector('#live-card .sn-big')?.textContent == 'BLOCK'")
                took, lost = time.monotonic() - start, waited(server.pid)
                page.close()
            finally:
                server.terminate()
            assert server.wait(15) == 0
    print(f"serves after {served:.1f} s, a verdict on the page after {took:.1f} s, {lost:.1f} s of them lost to others")
    assert took - lost < SECONDS, (took, lost)
    asks = [installed / "env" / "bin" / "python", "-c", "import sentinel; print(sentinel.__file__)"]
    where = subprocess.run(asks, cwd=tmp_path, env=bare, capture_output=True, text=True, check=True).stdout
    assert where.startswith(str(installed))  # and not from the checkout
