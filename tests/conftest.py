"""What several test files use."""
import pytest


@pytest.fixture(scope="module")
def browser():
    "Headless Chromium. Closed after each file: while it runs, the thread cannot run another event loop."
    from chromium import FLAGS, chromium
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield b
        b.close()
