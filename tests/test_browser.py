"""The page in a real browser: every tab, at two sizes, in light and dark, with hostile text, and with many visitors."""
import json
import os
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import opened

from sentinel.server.run import process

WORD = "W" * 300  # wider than any screen, with nowhere to break it
BAD = f"<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>\u202eabc\u2067 ${{1+1}} {WORD}"
# Elements of the page's own that stand out of the window, and in no box that scrolls
OUT = """() => [...document.querySelectorAll('.sn *')].filter(e => {
  const at = e.getBoundingClientRect();
  if (!at.width || at.right <= innerWidth + 1 && at.left >= -1) return false;
  for (let box = e.parentElement; box && !box.matches('body'); box = box.parentElement)
    if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
  return true; }).map(e => e.outerHTML.slice(0, 200))"""
# Nothing moves any more: neither a colour that fades in nor anything else that comes to an end
STILL = "() => document.getAnimations().every(a => a.playState != 'running' || a.effect.getComputedTiming().endTime == Infinity)"
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
SHOTS = os.environ.get("SENTINEL_SHOTS", "")  # a folder for screenshots


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    "The address of `sentinel serve`, as a user starts it."
    folder = tmp_path_factory.mktemp("served")
    with process("--page", "--log", str(folder / "live.db")) as (url, _):
        yield url


class Visit:
    "One visitor: notes requests to other hosts, errors of the console, and answers that failed."

    def __init__(self, browser, url, size="desk", theme="light", query="", door="", before=""):
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        self.page, self.wrong, self.name, self.url = self.context.new_page(), [], f"{size}-{theme}", url
        self.page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else self.wrong.append(r.url))
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        if before:  # a script of the visitor's own, who does not wait for the page
            self.context.add_init_script(before)
        self.page.goto(f"{url}/web/?__theme={theme}{query}", wait_until="commit" if before else "load")
        if door:
            self.come_in(door)
        if not before:
            self.page.wait_for_selector("#live-ask", state="attached")

    def come_in(self, token):
        "Try the door with a wrong token, and then with the right one."
        for given in ("wrong", token):
            self.page.fill("#token", given)
            self.page.keyboard.press("Enter")
            if given == "wrong":
                self.page.get_by_text("This is not the token.").wait_for()
                self.wrong = [w for w in self.wrong if "401" not in w]  # the console tells it, too
                self.looked_at("door")

    def tab(self, name):
        "Open a tab; on a phone it may be behind the menu."
        tab = self.page.get_by_role("tab", name=name, exact=True)
        if not tab.first.is_visible():
            self.page.locator(".overflow-menu > button").first.click()
            self.page.locator(".overflow-dropdown button", has_text=name).click()
        else:
            tab.first.click()

    def says(self, where, text):
        "Wait until a text is there."
        self.page.wait_for_function("([at, text]) => document.querySelector(at)?.textContent.includes(text)", arg=[where, text])

    def on_board(self, tab, who, decisions):
        "Wait until the scoreboard has a line."
        self.says("#sn-board tr", "where")
        line = "([...x]) => [...document.querySelectorAll('#sn-board tr')].some(r => x.every((t, k) => r.cells[k].textContent == t))"
        self.page.wait_for_function(line, arg=[tab, who, str(decisions)])

    def looked_at(self, what):
        "No foreign request, no error, no serious fault of accessibility; a screenshot where one is wanted."
        self.page.wait_for_function("!document.querySelector('.progress-text, .generating, .pending')")
        self.page.mouse.move(0, 0)
        self.page.wait_for_function(STILL)
        found = Axe().run(self.page).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        assert not serious, (what, serious)
        assert not self.wrong, (what, self.wrong)
        assert self.page.title() == "SENTINEL"
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"{what}: the page is {wide} pixels wider than the window"
        assert not (out := self.page.evaluate(OUT)), (what, out)
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{what}-{self.name}.png", full_page=True)


def live(v):
    v.page.fill("#live-action textarea", f"kubectl delete namespace shop # {BAD}")
    v.page.fill("#live-context textarea", BAD)
    for field in ("tool", "target"):
        v.page.fill(f"#live-{field} textarea, #live-{field} input", BAD)
    v.page.click("#live-ask")
    v.page.wait_for_function("document.querySelector('#live-card .sn-big')?.textContent == 'BLOCK'")
    card = v.page.inner_text("#live-card")
    assert "<script>" in card and "⟨U+202E⟩" in card and "⟨U+2067⟩" in card and WORD in card.replace("\n", "")
    assert "kubectl delete namespace shop" in v.page.inner_text("#live-history")
    v.page.get_by_text("how it came about").click()
    v.looked_at("live-hostile")
    v.page.get_by_text("Copy as agent code").click()
    v.page.get_by_label("requests", exact=True).check()
    v.page.wait_for_function("document.querySelector('#live-code textarea').value.includes('import requests')")
    v.page.get_by_role("button", name="DROP TABLE users").click()
    v.page.wait_for_function("document.querySelector('#live-action textarea').value == 'DROP TABLE users'")
    for policy, decision in (("permissive", "APPROVE"), ("cautious", "BLOCK")):  # in staging
        v.page.click("#live-policy input")
        v.page.get_by_role("option", name=policy, exact=True).click()
        v.page.click("#live-ask")
        v.page.wait_for_function(f"document.querySelector('#live-card .sn-big')?.textContent == '{decision}'")
        assert policy in v.page.inner_text("#live-card")
    v.looked_at("live")


def replay(v):
    v.tab("Replay")
    v.page.click("#replay-go")
    v.page.wait_for_selector("#replay-left svg rect")
    v.on_board("Replay", "naive", 1)  # the picture was there before; now the button has been answered
    assert "Proposal 1 of" in v.page.inner_text("#replay-left") and "What the world does" in v.page.inner_text("#replay-right")
    v.page.evaluate("document.activeElement.blur()")
    v.page.keyboard.press("ArrowRight")
    v.page.wait_for_function("document.querySelector('#replay-left').textContent.includes('Proposal 2 of')")
    v.page.wait_for_function("document.querySelector('#replay-scores').textContent.includes('2 decisions')")
    v.on_board("Replay", "naive", 2)
    v.looked_at("replay")
    return v.page.input_value("#replay-link textarea, #replay-link input")


def explorer(v):
    v.tab("API explorer")
    v.page.click("#api-live-oversee-go")
    v.says("#api-live-oversee-answer", "catastrophic")
    v.page.fill("#api-live-oversee-body textarea", BAD)
    v.page.wait_for_function("document.querySelector('#api-live-oversee-curl textarea').value.includes('<script>')")
    v.page.click("#api-live-oversee-go")
    v.says("#api-live-oversee-answer", "this is no JSON")
    asked = {"action_description": f"ls {BAD}", "context": BAD, "proposed_target": BAD}
    v.page.fill("#api-live-oversee-body textarea", json.dumps(asked))
    v.page.click("#api-live-oversee-go")
    v.says("#api-live-oversee-answer", "findings")
    v.looked_at("explorer-hostile")
    v.page.get_by_role("button", name="GET /live/stats").first.click()
    v.page.click("#api-live-stats-go")
    v.says("#api-live-stats-answer", '"verdicts"')
    assert f"curl -sS {v.url}/live/stats" in v.page.input_value("#api-live-stats-curl textarea")
    v.page.click("#api-send")
    v.says("#api-frames", "observation")
    v.page.get_by_label("step", exact=True).check()
    v.page.wait_for_function("document.querySelector('#api-frame textarea').value.includes('decision')")
    told = json.dumps({"type": "step", "data": {"decision": "flag", "justification": BAD}})
    v.page.fill("#api-frame textarea", told)
    v.page.click("#api-send")
    v.on_board("API explorer", "you", 1)
    assert "<script>" in v.page.inner_text("#api-frames") and "\\u202e" in v.page.inner_text("#api-frames")
    v.looked_at("explorer")


def game(v):
    v.tab("You are the Overseer")
    v.page.click("#game-start")
    v.page.wait_for_selector("#game-table svg rect")
    assert "What the world does" not in v.page.inner_text("#game-table")
    v.page.evaluate("document.activeElement.blur()")
    for k, key in enumerate("1234", 1):
        v.page.keyboard.press(key)
        v.page.wait_for_function(f"document.querySelector('#game-score').textContent.includes('You: {k} decisions')")
    assert "What the world does" in v.page.inner_text("#game-reveal") and "evidence" in v.page.inner_text("#game-score")
    v.on_board("You are the Overseer", "you", 4)
    v.on_board("Replay", "naive", 2)  # what was done in another tab is still there
    v.looked_at("game")


def every_tab(browser, url, folder, size, theme):
    v = Visit(browser, url, size, theme)
    for walk in (live, replay, explorer, game):
        walk(v)
    v.context.close()


def clock(browser, url, folder, motion):
    "The clock of the game runs, begins anew with each proposal, stops at the end, and moves nothing."
    context = browser.new_context(reduced_motion=motion)
    page, told = context.new_page(), "document.querySelector('#game-clock')?.textContent.trim()"
    page.goto(f"{url}/web/?tab=game")
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


def door(browser, _, folder):
    "Nothing of the page is seen without the token; behind the door the page's own requests bring it."
    with patch.dict(os.environ, SENTINEL_TOKEN="a long token"), process("--page", "--log", str(folder / "live.db")) as (url, _):
        v = Visit(browser, url, door="a long token")
        v.page.fill("#live-action textarea", "DROP TABLE users")
        v.page.click("#live-ask")
        v.says("#live-card .sn-big", "BLOCK")
        v.tab("API explorer")
        v.page.click("#api-live-oversee-go")
        v.says("#api-live-oversee-answer", "catastrophic")
        assert "Bearer $SENTINEL_TOKEN" in v.page.input_value("#api-live-oversee-curl textarea")
        v.page.click("#api-send")
        v.says("#api-frames", "observation")
        assert "a long token" not in v.page.content()
        v.looked_at("behind-the-door")
        v.context.close()


WAYS = {f"test_every_tab[{size}-{theme}]": partial(every_tab, size=size, theme=theme) for size in SIZES for theme in ("light", "dark")}
WAYS |= {f"test_the_clock_of_the_game_runs[{motion}]": partial(clock, motion=motion) for motion in ("no-preference", "reduce")}
WAYS["test_with_a_token_the_page_has_a_door"] = door


@pytest.fixture(scope="module")
def walk(request, served, tmp_path_factory):
    "What came of a test that is a long way through the page. They wait a lot, so three go at a time, each in a browser of its own."

    def walked(way):
        with opened() as browser:
            way(browser, served, folder=tmp_path_factory.mktemp("walk"))

    with ThreadPoolExecutor(3) as pool:
        begun = {item.name: pool.submit(walked, WAYS[item.name]) for item in request.session.items if item.name in WAYS}
        yield lambda test: begun[test.name].result()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_tab(walk, request, size, theme):
    walk(request.node)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_clock_of_the_game_runs(walk, request, motion):
    walk(request.node)


def test_with_a_token_the_page_has_a_door(walk, request):
    walk(request.node)


@pytest.fixture(scope="module")
def replayed(browser, served):
    "A visitor who has played a scenario, and the link to it."
    v = Visit(browser, served)
    yield v, replay(v)
    v.context.close()


def test_a_link_shows_the_same_and_a_wrong_one_breaks_nothing(browser, served, replayed):
    _, link = replayed
    assert re.fullmatch(rf"{served}/web/\?tab=replay&task=war_room&seed=42&split=train&one=naive&other=evidence&step=1", link)
    other = Visit(browser, served, query="&" + link.partition("?")[2])
    other.page.wait_for_function("document.querySelector('#replay-left')?.textContent.includes('Proposal 2 of')")
    bad = Visit(browser, served, "phone", query=f"&tab=replay&task=%3Cscript%3E{quote(BAD)}&seed=1e9")
    bad.page.get_by_text("The link does not work").wait_for()
    assert "<script>" in bad.page.inner_text("#replay-note")
    bad.looked_at("wrong-link")
    for v in (other, bad):
        v.context.close()


def test_files_are_made_for_one_visitor(replayed, tmp_path):
    v, _ = replayed
    with v.page.expect_download() as got:
        v.page.click("#replay-export")
    got.value.save_as(tmp_path / "replay.html")
    assert "<table>" in (tmp_path / "replay.html").read_text(encoding="utf-8")


def test_the_keyboard_reaches_everything(browser, served):
    v = Visit(browser, served)
    v.page.focus("#live-action textarea")
    seen = []
    for _ in range(30):
        v.page.keyboard.press("Tab")
        seen.append(v.page.evaluate("document.activeElement.closest('[id^=live-]')?.id || document.activeElement.tagName"))
    assert {"live-context", "live-tool", "live-target", "live-ask"} <= set(seen)
    v.page.focus("#live-action textarea")
    v.page.fill("#live-action textarea", "ls")
    v.page.focus("#live-ask")
    v.page.keyboard.press("Enter")
    v.page.wait_for_function("document.querySelector('#live-card .sn-big')?.textContent == 'APPROVE'")
    v.context.close()


def sockets_open(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as said:
        return float(re.search(rb"^sentinel_sockets_open (\S+)", said.read(), re.M)[1])


def test_the_session_of_a_visitor_who_leaves_is_closed(browser, served):
    v = Visit(browser, served)
    v.tab("API explorer")
    before = sockets_open(served)
    v.page.click("#api-send")
    v.says("#api-frames", "observation")
    assert sockets_open(served) == before + 1
    v.context.close()
    until = time.monotonic() + 30
    while sockets_open(served) > before:
        assert time.monotonic() < until, "the socket is still open"
        time.sleep(0.2)


def judged(url):
    with urllib.request.urlopen(f"{url}/live/stats", timeout=10) as said:
        return json.load(said)["verdicts"]


def test_one_who_presses_on_does_not_keep_another_waiting(browser, served):
    "The longest question that the page takes, of the slowest text, again and again past the button that waits."
    pusher, other = Visit(browser, served), Visit(browser, served)
    worst, before = ("A=x; B=$A$A; " * 700)[:8_000], judged(served)
    pusher.page.fill("#live-action textarea", worst)
    asks = lambda r: "/queue/join" in r.url and r.post_data_json["data"][0] is None  # it begins with the history
    with pusher.page.expect_request(asks) as sent:
        pusher.page.click("#live-ask")
    headers = {"content-type": "application/json"}
    again = "([url, body, headers]) => { for (let k = 0; k < 14; k++) fetch(url, {method: 'POST', body, headers}) }"
    pusher.page.evaluate(again, [sent.value.url, sent.value.post_data, headers])
    other.page.fill("#live-action textarea", "ls")
    start = time.monotonic()
    other.page.click("#live-ask")
    other.says("#live-card .sn-big", "APPROVE")
    waited = time.monotonic() - start
    assert waited < 5, waited
    pusher.says("#live-card .sn-big", "APPROVE")
    # the first and the other's; what came while the first was judged was not begun, what came after it may have been
    assert before + 2 <= judged(served) < before + 8
    other.page.fill("#live-action textarea", worst + "more")
    other.page.click("#live-ask")
    other.says("#live-card", "8,000 characters at once")
    for v in (pusher, other):
        v.context.close()


# A page of Gradio asks for a frame, and for another, for ever: at 60 a second, twenty pages keep a core busy with nothing
SLOW = """window.requestAnimationFrame = drawn => setTimeout(() => drawn(performance.now()), 200)
window.cancelAnimationFrame = clearTimeout"""


def test_twenty_visitors_keep_their_own(browser, served):
    visits = []
    for k in range(20 + 2):  # two are still on their way when one asks
        if k < 20:
            visits.append(Visit(browser, served, before=SLOW))
        if k >= 2:
            visits[k - 2].page.fill("#live-action textarea", f"rm -rf /srv/visitor-{k - 2:02}")
            visits[k - 2].page.click("#live-ask")
    for k, v in enumerate(visits):
        v.page.wait_for_function(f"document.querySelector('#live-history').textContent.includes('visitor-{k:02}')")
        assert set(re.findall(r"visitor-(\d\d)", v.page.inner_text("#live-history"))) == {f"{k:02}"}
        assert not v.wrong
    for v in visits:
        v.context.close()
