"""The pictures of the page in the docs, written into figures/page.

Each is one window of a browser at `sentinel serve`, as a visitor sees it who has used the tab.
"""
import argparse
import io
import tempfile
from pathlib import Path

from chromium import opened
from PIL import Image
from test_browser import SIZES, Visit

from sentinel.server.run import process

FOLDER = Path(__file__).parent.parent / "figures" / "page"
SHOWN = [("desk", "light"), ("phone", "dark")]


def live(v):
    v.page.get_by_role("button", name="kubectl delete namespace shop").click()
    v.page.wait_for_function("document.querySelector('#live-action textarea').value.includes('namespace')")
    v.page.click("#live-ask")
    v.says("#live-card .sn-big", "BLOCK")
    return "#live-card"


def replay(v):
    v.tab("Replay")
    v.page.click("#replay-go")
    v.page.wait_for_selector("#replay-left svg rect")
    v.on_board("Replay", "naive", 1)  # the picture was there before; now the button has been answered
    v.page.evaluate("document.activeElement.blur()")
    for step in (2, 3):
        v.page.keyboard.press("ArrowRight")
        v.says("#replay-left", f"Proposal {step} of")
    return "#replay-scores"


def explorer(v):
    v.tab("API explorer")
    v.page.click("#api-live-oversee-go")
    v.says("#api-live-oversee-answer", "catastrophic")
    return ""


def game(v):
    v.tab("You are the Overseer")
    v.page.click("#game-start")
    v.page.wait_for_selector("#game-table svg rect")
    v.page.evaluate("document.activeElement.blur()")
    for k, key in enumerate("13", 1):
        v.page.keyboard.press(key)
        v.says("#game-score", f"You: {k} decisions")
    return "#game-table"


def picture(v, at):
    "What there is to see, as WebP: at a desk the top of the page, on a phone a window from an element on."
    v.page.wait_for_function("!document.querySelector('.progress-text, .generating, .pending')")
    v.page.mouse.move(0, 0)
    if v.name.startswith("phone"):
        v.page.evaluate("at => at ? document.querySelector(at).scrollIntoView() : scrollTo(0, 0)", at)
        v.page.wait_for_timeout(500)
        shot = v.page.screenshot()
    else:
        v.page.wait_for_timeout(500)
        tall = min(1250, v.page.evaluate("document.documentElement.scrollHeight"))
        shot = v.page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": SIZES["desk"][0], "height": tall})
    out = io.BytesIO()
    Image.open(io.BytesIO(shot)).save(out, "WEBP", quality=75, method=6)
    return out.getvalue()


def main():
    given = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    given.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    given.add_argument("--all", action="store_true", help="every size and theme")
    how = given.parse_args()
    how.folder.mkdir(parents=True, exist_ok=True)
    looks = [(s, t) for s in SIZES for t in ("light", "dark")] if how.all else SHOWN
    with (tempfile.TemporaryDirectory() as logs, opened() as browser,
          process("--page", "--log", f"{logs}/live.db", port=8000) as (url, _)):
        for size, theme in looks:
            v = Visit(browser, url, size, theme)
            for walk in (live, replay, explorer, game):
                path = how.folder / f"{walk.__name__}-{v.name}.webp"
                path.write_bytes(picture(v, walk(v)))
                print(path, path.stat().st_size)
            v.context.close()


if __name__ == "__main__":
    main()
