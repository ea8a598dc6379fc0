"""`make screenshot`: the picture of the README, from what runs here.

make run                # in another terminal, until it says that everything runs
make screenshot
"""

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from streams.settings import PROJECT_ROOT, settings
from tests.browser import HOW_TO_GET, chromium

PICTURE: Final = PROJECT_ROOT / ".github" / "page.jpg"
MOST_BYTES: Final = 300_000

_VIEW: Final = "/?at=46.5,6.5,3.6&kind=power_plant&kind=lng_terminal&kind=transmission_line"
_SECONDS: Final = 120.0


def take(address: str, picture: Path) -> int:
    """Save the picture of a running product; returns its bytes, at most `MOST_BYTES`."""
    path = chromium()
    if path is None:
        sys.exit(HOW_TO_GET)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": 1280, "height": 720}, color_scheme="light", reduced_motion="reduce"
        )
        page.set_default_timeout(_SECONDS * 1000)
        page.goto(address + _VIEW)
        page.wait_for_selector("body[data-ready=light] #map[data-state=drawn]")
        picture.parent.mkdir(exist_ok=True)
        for quality in (85, 75, 65, 55, 45):
            page.screenshot(path=picture, type="jpeg", quality=quality)
            if picture.stat().st_size <= MOST_BYTES:
                break
        browser.close()
    return picture.stat().st_size


if __name__ == "__main__":
    found = sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{settings().api_port}"
    taken = take(found.rstrip("/"), PICTURE)
    sys.stdout.write(f"{PICTURE.relative_to(PROJECT_ROOT)}: {taken:,} bytes\n")
    sys.exit(taken > MOST_BYTES)
