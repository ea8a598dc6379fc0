"""The page in a real browser: nothing fails, everybody can use it, links restore what was seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    Route,
    ViewportSize,
    sync_playwright,
)

pytestmark = pytest.mark.browser

VIEWS = (
    "/?open=plant-1",
    "/lng",
    "/lng/ES_BARCELONA",
    "/assets/plant-1",
    "/changes?since=2020-01-01",
    "/quality",
    "/quality/gem_transmission",
    "/pipeline",
)
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
READY = "body[data-ready=light]"
DRAWN = "#map[data-state=drawn]"


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Browser]:
    """One browser for all; it draws maps without a graphics card."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@dataclass
class Seen:
    """A page, and what went wrong on it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(message.text)

    def error(self, error: Error) -> None:
        self.wrong.append(str(error))

    def failed(self, request: Request) -> None:
        self.wrong.append(f"{request.url}: {request.failure}")

    def answered(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.url}: {response.status}")


class Visitor:
    """Opens views the way people do, in a browser that reaches nothing but the server."""

    def __init__(self, browser: Browser, server: httpx.Client) -> None:
        self._origin = str(server.base_url).rstrip("/")
        # One for all: it keeps Plotly.js.
        self._context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
        self._context.set_default_timeout(60_000)
        self._context.route("**/*", self._only_here)

    def _only_here(self, route: Route) -> None:
        if route.request.url.startswith((self._origin, "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    @contextmanager
    def at(self, view: str, *, motion: bool = False) -> Iterator[Seen]:
        """A view that is ready, for somebody who wants no motion unless `motion`."""
        seen = Seen(self._context.new_page())
        page = seen.page
        if motion:
            page.emulate_media(reduced_motion="no-preference")
        page.on("console", seen.console)
        page.on("pageerror", seen.error)
        page.on("requestfailed", seen.failed)
        page.on("response", seen.answered)
        try:
            page.goto(self._origin + view)
            page.wait_for_selector(READY)
            yield seen
        finally:
            page.close()


@pytest.fixture(scope="module")
def visitor(browser: Browser, server: httpx.Client) -> Visitor:
    return Visitor(browser, server)


def _query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_drawn_without_errors_and_anybody_can_use_it(visitor: Visitor, view: str) -> None:
    with visitor.at(view) as seen:
        _is_usable(seen)
        seen.page.set_viewport_size(PHONE)
        seen.page.emulate_media(color_scheme="dark")
        seen.page.wait_for_selector("body[data-ready=dark]")
        _is_usable(seen)


def _is_usable(seen: Seen) -> None:
    figures = seen.page.locator("[data-figure]")
    states = [figures.nth(n).get_attribute("data-state") for n in range(figures.count())]
    assert set(states) <= {"drawn"}
    result = Axe().run(seen.page)
    assert result.violations_count == 0, result.generate_report()
    assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert seen.wrong == []


def test_a_filter_changes_list_and_address_and_back_restores_them(visitor: Visitor) -> None:
    with visitor.at("/") as seen:
        page = seen.page
        page.get_by_label("Transmission line").check()
        page.wait_for_selector("#sum:has-text('1 asset')")
        page.wait_for_selector(READY)
        assert _query(page) == {"kind": ["transmission_line"]}
        page.go_back()
        page.wait_for_selector("#sum:has-text('304 assets')")
        assert not page.get_by_label("Transmission line").is_checked()
        assert seen.wrong == []


def test_a_name_is_found_and_opened_by_keyboard(visitor: Visitor) -> None:
    with visitor.at("/") as seen:
        page = seen.page
        page.get_by_label("Search by name").focus()
        page.keyboard.type("lodz polnoc")
        page.wait_for_selector("#suggestions li")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_selector("#opened:has-text('Łódź Północ')")
        page.wait_for_selector(READY)
        assert _query(page)["open"] == ["plant-2"]
        assert _query(page)["at"] == ["51.790,19.450,9.0"]
        shared = page.url
        page.keyboard.press("Escape")
        assert seen.wrong == []
    with visitor.at(shared.partition(str(urlsplit(shared).netloc))[2]) as again:
        assert again.page.locator("#opened").inner_text().startswith("Łódź Północ")
        canvas = again.page.locator("#map canvas").first
        assert canvas.is_visible()


def test_the_map_moves_by_keyboard_and_what_it_shows_can_be_chosen(visitor: Visitor) -> None:
    with visitor.at("/?at=51.8,19.1,9&kind=power_plant") as seen:
        page = seen.page
        page.locator("#map canvas.maplibregl-canvas").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_url(
            lambda url: "at=51.8%2C19.1%2C9&" not in url and "at=51.8,19.1" not in url
        )
        assert float(_query(page)["at"][0].split(",")[1]) > 19.1
        page.locator("#facet-bbox summary").click()
        page.get_by_role("button", name="What the map shows").click()
        page.wait_for_selector("#sum:has-text('1 asset')")
        west, south, east, north = map(float, _query(page)["bbox"][0].split(","))
        assert west < 19.45 < east
        assert south < 51.79 < north
        assert seen.wrong == []


def test_every_control_shows_that_it_has_the_focus(visitor: Visitor) -> None:
    with visitor.at("/lng/ES_BARCELONA") as seen:
        page = seen.page
        unseen = []
        for _ in range(12):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "() => { const one = document.activeElement; const style = getComputedStyle(one);"
                " return [one.outerHTML.slice(0, 80), style.outlineStyle, style.outlineWidth]; }"
            )
            if focused[1] == "none" or focused[2] == "0px":
                unseen.append(focused[0])
        assert unseen == []


def test_a_click_on_the_map_opens_the_asset(visitor: Visitor) -> None:
    with visitor.at("/?at=51.79,19.45,8") as seen:
        page = seen.page
        canvas = page.locator("#map canvas.maplibregl-canvas")
        box = canvas.bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(middle[0] + 30, middle[1])
        page.mouse.move(*middle, steps=5)
        page.wait_for_selector("#map .hoverlayer .hovertext")
        page.mouse.click(*middle)
        page.wait_for_selector("#opened:has-text('Łódź Północ')")
        assert seen.wrong == []


def test_a_box_is_drawn_with_the_mouse(visitor: Visitor) -> None:
    with visitor.at("/?at=51.79,19.45,8&kind=power_plant") as seen:
        page = seen.page
        page.locator("#facet-bbox summary").click()
        page.get_by_role("button", name="Draw on the map").click()
        box = page.locator("#map canvas.maplibregl-canvas").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 60, y - 60)
        page.mouse.down()
        page.mouse.move(x + 60, y + 60, steps=5)
        page.mouse.up()
        page.wait_for_selector("#sum:has-text('1 asset')")
        west, south, east, north = map(float, _query(page)["bbox"][0].split(","))
        assert west < 19.45 < east
        assert south < 51.79 < north
        assert seen.wrong == []


def _animated(page: Page) -> int:
    """Animations that run on a page."""
    count: int = page.evaluate("document.getAnimations().length")
    return count


def test_nothing_moves_for_who_wants_no_motion(visitor: Visitor) -> None:
    slow = "document.querySelector('[data-figure]').dataset.state = 'loading'"
    for motion in (True, False):
        with visitor.at("/lng/ES_BARCELONA", motion=motion) as seen:
            seen.page.evaluate(slow)
            assert (_animated(seen.page) > 0) is motion


def test_old_figures_say_so_while_the_server_is_away_and_are_new_again(visitor: Visitor) -> None:
    with visitor.at("/pipeline") as seen:
        page = seen.page
        page.clock.install()
        page.reload()
        page.wait_for_selector(READY)
        page.route("**/pipeline", lambda route: route.abort())
        page.clock.fast_forward(5_000)
        page.wait_for_selector("body[data-stale]")
        assert "these figures are old" in page.locator("#looked").inner_text()
        page.unroute("**/pipeline")
        page.clock.fast_forward(5_000)
        page.wait_for_selector("body:not([data-stale])")
        assert "old" not in page.locator("#looked").inner_text()


def test_who_reads_the_pipeline_can_hold_it_by_keyboard(visitor: Visitor) -> None:
    with visitor.at("/pipeline") as seen:
        page = seen.page
        asked: list[str] = []
        page.clock.install()
        page.reload()
        page.wait_for_selector(READY)
        hold = page.get_by_role("button", name="Stop refreshing")
        hold.focus()
        page.keyboard.press("Enter")
        assert hold.get_attribute("aria-pressed") == "true"
        page.on("request", lambda request: asked.append(request.url))
        page.clock.fast_forward(30_000)
        assert asked == []
        with page.expect_request("**/pipeline"):
            page.keyboard.press("Enter")
        assert hold.get_attribute("aria-pressed") == "false"


def test_a_figure_that_does_not_come_says_what_to_do(visitor: Visitor) -> None:
    with visitor.at("/lng/ES_BARCELONA") as seen:
        page = seen.page
        page.route("**/figures/**", lambda route: route.abort())
        page.reload()
        page.wait_for_selector("[data-figure][data-state=failed]")
        assert "Reload the page" in page.locator("[data-figure] .waiting").first.inner_text()
        assert Axe().run(page).violations_count == 0


@pytest.mark.parametrize(
    ("view", "heading"),
    [("/assets/nobody", "There is nothing here"), ("/changes?since=yesterday", "does not work")],
)
def test_a_wrong_address_is_a_page_that_leads_back(
    visitor: Visitor, view: str, heading: str
) -> None:
    with visitor.at(view) as seen:
        page = seen.page
        assert heading in page.locator("h1").inner_text()
        assert Axe().run(page).violations_count == 0
        page.get_by_role("link", name="Back to the map").press("Enter")
        page.wait_for_selector(DRAWN)


def test_what_was_chosen_is_in_the_address_and_back_restores_it(visitor: Visitor) -> None:
    with visitor.at("/changes?since=2020-01-01") as seen:
        page = seen.page
        page.get_by_label("Kind", exact=True).focus()
        page.keyboard.type("Power")
        page.get_by_role("button", name="Show").press("Enter")
        page.wait_for_url("**kind=power_plant*")
        page.wait_for_selector(READY)
        assert page.get_by_label("Kind", exact=True).input_value() == "power_plant"
        page.go_back()
        page.wait_for_selector(READY)
        assert page.get_by_label("Kind", exact=True).input_value() == ""
        assert _query(page) == {"since": ["2020-01-01"]}
        assert seen.wrong == []


def test_quality_is_followed_by_keyboard_down_to_a_rule(visitor: Visitor) -> None:
    with visitor.at("/quality") as seen:
        page = seen.page
        page.locator("main table a").first.press("Enter")
        page.wait_for_url("**/quality/*")
        page.wait_for_selector(READY)
        page.go_back()
        page.wait_for_url("**/quality")
        page.wait_for_selector(READY)
        assert seen.wrong == []
