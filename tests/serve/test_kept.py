"""Answers are asked for once as long as the data are the same."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from streams.serve import kept as module
from streams.serve.addresses import TILES
from streams.serve.data_version import DataVersion
from streams.serve.kept import Kept
from streams.serve.pool import Reader
from tests.serve.client import Api


class Asked:
    """Counts how often it is asked, and answers with the number."""

    def __init__(self, version: DataVersion) -> None:
        self.kept, self.version, self.times = Kept(version), version, 0
        self.meanwhile: Callable[[], None] = lambda: None

    def get(self, key: str = "key") -> bytes | None:
        return asyncio.run(self.kept.get(key, self._ask))

    async def _ask(self) -> bytes | None:
        self.times += 1
        self.meanwhile()
        return b"%d" % self.times


@pytest.fixture
def asked() -> Asked:
    version = DataVersion(Reader("chdb:///nowhere"))
    version.current = "one"
    return Asked(version)


def test_an_answer_is_asked_for_once_for_each_version(asked: Asked) -> None:
    assert [asked.get(), asked.get(), asked.get("other")] == [b"1", b"1", b"2"]
    asked.version.current = "two"
    assert [asked.get(), asked.get()] == [b"3", b"3"]


def test_nothing_is_kept_that_may_be_older_than_its_version(asked: Asked) -> None:
    asked.meanwhile = lambda: setattr(asked.version, "current", "two")
    assert asked.get() == b"1"
    asked.meanwhile = lambda: None
    assert [asked.get(), asked.get()] == [b"2", b"2"]
    asked.version.current = None
    assert [asked.get(), asked.get()] == [b"3", b"4"]


def test_what_is_kept_is_bounded(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 2)
    assert [asked.get(key) for key in "abc"] == [b"1", b"2", b"3"]
    assert [asked.get("c"), asked.get("a")] == [b"3", b"4"]


def test_lists_sums_and_tiles_are_kept(
    api: Api, server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = Reader.answer

    async def counted(self: Reader, query: object, output_format: str) -> bytes:
        asked.append(output_format)
        return await answer(self, query, output_format)  # type: ignore[arg-type]

    monkeypatch.setattr(Reader, "answer", counted)
    for address in ("power-plants?limit=2&sort=-capacity_mw", "power-plants?group_by=country"):
        asked.clear()
        assert api.data(address) == api.data(address) != []
        assert len(asked) == 1
    asked.clear()
    drawn = [
        server.get(f"{TILES}/0/0/0.mvt{kinds}").content for kinds in ("", "", "?kind=substation")
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(asked) == 2
