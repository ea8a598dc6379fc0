"""How soon people see the page: each view in headless Chromium, without a graphics card.

Bytes are those on the wire, Plotly.js apart after the first visit, because browsers keep it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.bench.serving import Served
from tests.bench.serving_control import ServingProcess, Spent, filled, one_process
from tests.bench.serving_data import Size, asset_ids, terminal_id

SIZE: Final = Size(lines=11_000)

_MAP_SECONDS, _MAP_BYTES = 5.0, 2_500_000
_FILTER_SECONDS: Final = 1.5
_VIEW_SECONDS, _VIEW_BYTES = 1.0, 500_000
_DEADLINE_SECONDS: Final = 120.0
_READY: Final = "() => document.body.matches('[data-ready=light]')"
_DRAWN: Final = """() => document.body.matches('[data-ready=light]') &&
    document.querySelector('#map[data-state=drawn] .canvas')
        ?._fullLayout.map._subplot.map.loaded()"""
"""Not only handed to the map: every point and line is on it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    seconds: float
    wire_bytes: int
    limit: str

    def without_goal(self, what: str, load: str) -> Served:
        return Served(what, load, self._text(), "", None, self.limit)

    def served(self, what: str, load: str, seconds: float, most_bytes: int | None) -> Served:
        goal = f"under {seconds:g} s"
        reached = self.seconds < seconds
        if most_bytes is not None:
            goal += f", at most {most_bytes / 1000:,.0f} kB"
            reached &= self.wire_bytes <= most_bytes
        return Served(what, load, self._text(), goal, reached, self.limit)

    def _text(self) -> str:
        return f"{self.seconds:.2f} s, {self.wire_bytes / 1000:,.0f} kB"


class _Visitor:
    """Somebody with one browser window, who keeps what may be kept."""

    def __init__(self, server: ServingProcess, context: BrowserContext) -> None:
        self._server = server
        self.page: Page = context.new_page()
        self._wire_bytes = 0
        watching = context.new_cdp_session(self.page)
        watching.send("Network.enable")
        watching.on("Network.loadingFinished", self._loaded)

    def opens(self, view: str, drawn: str) -> _Seen:
        """Goes to an address and waits until it is drawn."""
        return self._seen(lambda: self.page.goto(self._server.url + view), drawn)

    def checks(self, label: str) -> _Seen:
        """Checks one more box of the map's filters."""
        return self._seen(lambda: self.page.get_by_label(label).check(), _DRAWN)

    def _seen(self, do: Callable[[], object], drawn: str) -> _Seen:
        self._wire_bytes = 0
        spent, began = Spent(self._server), time.perf_counter()
        do()
        self.page.wait_for_function(drawn, polling="raf")
        seconds = time.perf_counter() - began
        return _Seen(seconds, self._wire_bytes, spent.limit())

    def _loaded(self, event: dict[str, Any]) -> None:
        self._wire_bytes += int(event["encodedDataLength"])


def looked_at(home: Path, browser: str) -> Iterator[str | Served]:
    """Fill an engine, serve it and look at every view; says what it does meanwhile.

    Args:
        home: Directory of the data.
        browser: Path of Chromium.

    Raises:
        InfrastructureError: merges do not come down to a few parts, or the process has ended.
        playwright.sync_api.TimeoutError: a view is not drawn within two minutes.
    """
    home.mkdir(parents=True, exist_ok=True)
    directory = home / "clickhouse"
    with one_process() as filling:
        yield filling.submit(filled, directory, SIZE).result()
    with ServingProcess(directory) as server, _context(browser) as context:
        visitor = _Visitor(server, context)
        yield from _map(visitor)
        yield from _views(visitor)


def _map(visitor: _Visitor) -> Iterator[Served]:
    size = f"{SIZE.assets:,} points and {SIZE.lines:,} lines"
    for state in ("first visit", "again"):
        seen = visitor.opens("/", _DRAWN)
        yield seen.served(f"map of {size}", state, _MAP_SECONDS, _MAP_BYTES)
    for label in ("Power plant", "Transmission line"):
        seen = visitor.checks(label)
        yield seen.served("a filter redraws it", f"“{label}” as well", _FILTER_SECONDS, None)


def _views(visitor: _Visitor) -> Iterator[Served]:
    asking_kafka = {"an asset": f"/assets/{asset_ids(SIZE)[0]}", "pipeline": "/pipeline"}
    for what, view in asking_kafka.items():
        # There is none here: the first visitor waits until that is known, and others do not.
        seen = visitor.opens(view, _READY)
        yield seen.without_goal(what, "first visit, Kafka does not answer")
    views = {
        "LNG": "/lng",
        "one terminal": f"/lng/{terminal_id(0)}",
        "changes": "/changes",
        "quality": "/quality",
    }
    for what, view in (views | asking_kafka).items():
        for state in ("first visit", "again"):
            load = "Kafka does not answer" if what in asking_kafka else state
            yield visitor.opens(view, _READY).served(what, load, _VIEW_SECONDS, _VIEW_BYTES)


@contextmanager
def _context(path: str) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        context = launched.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme="light"
        )
        context.set_default_timeout(_DEADLINE_SECONDS * 1000)
        yield context
        launched.close()
