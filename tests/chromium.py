"""Where the browser is that the tests drive; installed from the system's packages where that can be done."""
import os
import shutil
import subprocess
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run"]


def chromium():
    "The path of a browser. Raises RuntimeError, in one line, if there is none and none can be installed."
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = dict(capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        subprocess.run(["apt-get", "update", "-q"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-dejavu-core"], **quiet)
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    raise RuntimeError("the browser tests need Chromium: install the package chromium of your system")


@contextmanager
def opened():
    "Headless Chromium. While it is open, its thread cannot run another event loop."
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()
