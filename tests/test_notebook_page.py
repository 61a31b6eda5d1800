"""The tutorial with buttons in a real notebook page: JupyterLab serves it, Chromium runs its cells and presses."""
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).parent.parent
GAME = ROOT / "nbs" / "tutorials" / "01_you_are_the_overseer.ipynb"
TOKEN = "a-token-for-one-test"
QUIET = ("--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}",
         "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
SHOTS = os.environ.get("SENTINEL_SHOTS", "")  # a folder for screenshots


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "The address of a JupyterLab that has a copy of the tutorial and keeps whatever it writes to itself."
    home = tmp_path_factory.mktemp("lab")
    (home / "books").mkdir()
    shutil.copy(GAME, home / "books")
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    env = {**os.environ, **{k: str(home / k.lower()) for k in own}}
    with open(home / "log", "w") as log:
        p = subprocess.Popen([sys.executable, "-m", "jupyterlab", *QUIET, f"--ServerApp.root_dir={home / 'books'}"], env=env, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 30
            while not (found := list((home / "jupyter_runtime_dir").glob("jpserver-*.json"))):
                assert p.poll() is None and time.monotonic() < until, (home / "log").read_text()[-2000:]
                time.sleep(0.1)
            yield json.loads(found[0].read_text())["url"].rstrip("/")
        finally:
            p.terminate()
            p.wait(20)


def preferred(lab, what, value):
    "Change a setting, as the page itself would."
    body = json.dumps({"raw": json.dumps(value)}).encode()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    at = f"{lab}/lab/api/settings/@jupyterlab/apputils-extension:{what}"
    urllib.request.urlopen(urllib.request.Request(at, body, headers, method="PUT"), timeout=10).close()


def themed(page, theme):
    "Change the theme, as a user does."
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Theme", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(f"JupyterLab {theme}", exact=True).click()
    page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=f"JupyterLab {theme}")


def test_the_game_is_played_in_a_notebook(lab, browser):
    preferred(lab, "notification", {"fetchNews": "false"})
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page, foreign = context.new_page(), []
    page.on("request", lambda r: None if r.url.startswith((lab, "data:", "blob:")) else foreign.append(r.url))
    page.goto(f"{lab}/doc/tree/{GAME.name}?token={TOKEN}")
    page.get_by_text("(ipykernel) | Idle").wait_for()  # until then the menus are drawn anew
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    board = page.locator(".widget-vbox, .jupyter-widget-vbox").filter(has=page.get_by_role("button", name="approve", exact=True)).last
    board.get_by_role("button", name="escalate", exact=True).wait_for()
    assert [b.inner_text() for b in board.get_by_role("button").all()] == ["approve", "flag", "block", "escalate"]
    assert "Proposal 1 of 5" in board.inner_text() and "What the world does" not in board.inner_text()
    for k, (theme, button, colour) in enumerate((("Light", "block", "rgb(255, 255, 255)"), ("Dark", "approve", "rgb(22, 27, 34)")), 1):
        if theme == "Dark":
            themed(page, theme)
        page.wait_for_timeout(500)  # sooner, nobody has seen the proposal
        board.get_by_role("button", name=button, exact=True).click()
        board.get_by_text(f"Decision {k} of 10").wait_for()
        told = board.inner_text()
        assert "What the world does" in told and "always-block" in told and "mean reward" in told
        board.scroll_into_view_if_needed()
        assert page.evaluate("getComputedStyle(document.querySelector('.jupyter-widgets .sentinel')).backgroundColor") == colour
        found = Axe().run(page, context=".jupyter-widgets .sentinel").response["violations"]
        assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{SHOTS}/tutorial-{theme.lower()}.png")
    assert not foreign
    context.close()
