"""The clock of the page's game in a real browser: it runs, begins anew with each proposal, stops at the end, and moves nothing."""
import re

import pytest

from sentinel.server.run import process


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with process("--page", "--log", str(tmp_path_factory.mktemp("game") / "live.db")) as (url, _):
        yield url


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_clock_of_the_game_runs(browser, served, motion):
    context = browser.new_context(reduced_motion=motion)
    page, told = context.new_page(), "document.querySelector('#game-clock')?.textContent.trim()"
    page.goto(f"{served}/web/?tab=game")
    page.wait_for_selector("#game-start")
    assert page.evaluate(told) == ""  # nothing to decide, no time to count
    page.click("#game-task input")
    page.get_by_role("option", name="action_screen").click()
    page.click("#game-start")
    page.wait_for_selector("#game-table svg rect")
    page.wait_for_function(f"parseInt({told}) >= 2")
    moving = page.evaluate("document.querySelector('#game-clock').getAnimations({subtree: true}).length")
    assert moving == 0
    for k, word in enumerate(("approve", "block", "flag", "escalate", "block"), 1):
        page.wait_for_timeout(300)
        page.click(f"#game-{word}")
        page.wait_for_function(f"document.querySelector('#game-score').textContent.includes('You: {k} decisions')")
        counted = float(re.search(r"in ([\d.]+) s\.", page.inner_text("#game-reveal"))[1])
        assert counted >= (2 if k == 1 else 0.3) and counted < 60, counted  # by the server
        if k == 1:
            page.wait_for_function(f"{told} == '0 s' || {told} == '1 s'")  # anew
    page.wait_for_function(f"{told} == ''")
    assert "is over" in page.inner_text("#game-table")
    context.close()
