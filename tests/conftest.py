"""What several test files use."""
import pytest


@pytest.fixture(scope="module")
def browser():
    "Headless Chromium, closed after each file."
    from chromium import opened

    with opened() as b:
        yield b
