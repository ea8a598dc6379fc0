"""WRI power plants: change detection, guards, and reading rows of every release."""

import gzip
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.config import HttpConfig
from producers.connector import Pull, PullRequest, RawItem
from producers.errors import TruncatedError, UnexpectedAnswerError, UnreachableError
from producers.http import HttpSource
from producers.run import Envelope
from producers.sources.wri_powerplants import COLUMNS, WriConfig, WriPowerPlantsConnector
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payloads import PowerPlant
from streams.core.records import Mapped, RawRecord
from tests.avro.values import values
from tests.producers.golden import assert_golden, outcome, payloads

URL = "https://bucket.example/plants.zip"
TODAY = date(2024, 7, 1)
HTTP = HttpConfig(requests_per_minute=60_000, attempts=2)


def connector(location: str | Path, minimum_rows: int = 0) -> WriPowerPlantsConnector:
    return WriPowerPlantsConnector(
        WriConfig(location=str(location), minimum_rows=minimum_rows, http=HTTP)
    )


def csv_of(count: int, header: str = ",".join(COLUMNS)) -> bytes:
    blanks = "," * (len(COLUMNS) - 8)
    rows = [f"NOR,Norway,Toy {i},TOY{i:07d},{i + 1}.0,61.1,8.5,Hydro{blanks}" for i in range(count)]
    return "\r\n".join([header, *rows, ""]).encode()


def zipped(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "x,y\r\n")
        archive.writestr("folder/global_power_plant_database.csv", content)
    return path


class Bucket:
    """A bucket with one file that can be replaced."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.bodies_sent = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        etag = f'"{hashlib.sha256(self.content).hexdigest()[:8]}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        self.bodies_sent += 1
        return httpx.Response(200, content=self.content, headers={"etag": etag})


class Run:
    """One pull and what came of it."""

    def __init__(
        self,
        source: WriPowerPlantsConnector,
        checkpoint: Mapping[str, str] | None = None,
        bucket: Bucket | None = None,
        limit: int | None = None,
        reread: frozenset[str] = frozenset(),
    ) -> None:
        request = PullRequest(checkpoint or {}, TODAY, limit=limit, reread=reread)
        self.items: list[RawItem] = []
        self.pull = Pull(dict(request.checkpoint))
        transport = httpx.MockTransport(bucket or Bucket(b""))
        with HttpSource(source.config.http, transport=transport) as http:
            self.items.extend(source.pull_or_subscribe(http, request, self.pull))


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "plain"])
def test_a_local_file_is_read_zipped_or_plain(tmp_path: Path, as_zip: bool) -> None:
    path = tmp_path / "release"
    if as_zip:
        zipped(path, csv_of(5))
    else:
        path.write_bytes(csv_of(5))
    run = Run(connector(path))
    assert [item.record_id for item in run.items] == [f"TOY{i:07d}" for i in range(5)]
    assert run.pull.complete
    assert run.pull.expected == 5
    assert {item.release for item in run.items} == {hashlib.sha256(csv_of(5)).hexdigest()[:16]}


def test_every_column_is_kept_as_text_and_empty_is_null(tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_bytes(csv_of(1))
    item = Run(connector(tmp_path / "plants.csv")).items[0].item
    assert list(item) == [*COLUMNS, "extra"]
    assert (item["capacity_mw"], item["owner"], item["extra"]) == ("1.0", None, {})


def test_an_unchanged_file_yields_nothing_and_is_not_sent_again() -> None:
    bucket = Bucket(csv_of(5))
    first = Run(connector(URL), bucket=bucket)
    second = Run(connector(URL), first.pull.checkpoint, bucket)
    assert (len(first.items), len(second.items)) == (5, 0)
    assert second.pull.unchanged
    assert not second.pull.complete
    assert second.pull.checkpoint == first.pull.checkpoint
    assert bucket.bodies_sent == 1
    again = Run(connector(URL), first.pull.checkpoint, bucket, reread=frozenset({"plants"}))
    assert (again.items, again.pull.checkpoint) == (first.items, first.pull.checkpoint)
    assert again.pull.complete


def test_the_same_csv_in_another_zip_yields_nothing_but_moves_the_etag(tmp_path: Path) -> None:
    bucket = Bucket(csv_of(5))
    first = Run(connector(URL), bucket=bucket)
    bucket.content = zipped(tmp_path / "again.zip", csv_of(5)).read_bytes()
    second = Run(connector(URL), first.pull.checkpoint, bucket)
    assert second.items == []
    assert second.pull.unchanged
    assert second.pull.checkpoint["etag"] != first.pull.checkpoint["etag"]


def test_a_new_release_is_read_whole() -> None:
    bucket = Bucket(csv_of(5))
    first = Run(connector(URL), bucket=bucket)
    bucket.content = csv_of(6)
    second = Run(connector(URL), first.pull.checkpoint, bucket)
    assert len(second.items) == 6
    assert second.pull.complete
    assert second.pull.checkpoint["release"] != first.pull.checkpoint["release"]


def test_an_etag_of_another_address_is_not_sent() -> None:
    bucket = Bucket(csv_of(5))
    first = Run(connector(URL), bucket=bucket)
    previous = first.pull.checkpoint | {"location": "https://elsewhere.example/plants.zip"}
    Run(connector(URL), previous, bucket)
    assert bucket.bodies_sent == 2


def test_a_limited_pull_is_never_complete_and_leaves_the_checkpoint() -> None:
    run = Run(connector(URL), {"rows": "5"}, Bucket(csv_of(5)), limit=3)
    assert len(run.items) == 3
    assert not run.pull.complete
    assert run.pull.checkpoint == {"rows": "5"}


def test_too_few_rows_are_refused_before_the_first_is_yielded() -> None:
    source = connector(URL, minimum_rows=6)
    request = PullRequest({}, TODAY)
    with HttpSource(HTTP, transport=httpx.MockTransport(Bucket(csv_of(5)))) as http:
        items = source.pull_or_subscribe(http, request, Pull({}))
        with pytest.raises(TruncatedError, match="has 5 rows, fewer than 6"):
            next(items)


def test_a_release_that_lost_a_fifth_is_taken_for_cut_short() -> None:
    with pytest.raises(TruncatedError, match="fewer than 80"):
        Run(connector(URL), {"rows": "100"}, Bucket(csv_of(79)))
    assert len(Run(connector(URL), {"rows": "100"}, Bucket(csv_of(80))).items) == 80


def test_a_damaged_or_cut_zip_is_refused(tmp_path: Path) -> None:
    content = zipped(tmp_path / "plants.zip", csv_of(500)).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (content[: len(content) // 2], bytes(flipped)):
        with pytest.raises(TruncatedError, match="zip"):
            Run(connector(URL), bucket=Bucket(damaged))


def test_a_last_row_that_ends_early_is_refused() -> None:
    run_of_cut = csv_of(5)[:-20]
    with pytest.raises(TruncatedError, match="ends early"):
        Run(connector(URL), bucket=Bucket(run_of_cut))


@pytest.mark.parametrize(
    "content",
    [b"<html><body>moved</body></html>", b"", b"a,b\r\n1,2\r\n", b'a,"' + b"x" * 200_000],
    ids=["html", "empty", "other csv", "endless cell"],
)
def test_anything_but_the_plant_database_is_unexpected(content: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        Run(connector(URL), bucket=Bucket(content))


def test_a_zip_without_a_csv_is_unexpected(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        archive.writestr("README.txt", "nothing here")
    with pytest.raises(UnexpectedAnswerError, match="without a CSV"):
        Run(connector(tmp_path / "docs.zip"))


def test_a_missing_local_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"nothing\.csv"):
        Run(connector(tmp_path / "nothing.csv"))


def test_columns_of_other_releases_and_surplus_cells_are_kept(tmp_path: Path) -> None:
    header = ",".join(COLUMNS).replace("wepp_id", "future_id")
    content = (
        csv_of(1, header).replace(b"\r\n", b",surplus\r\n").replace(b"_2017,surplus", b"_2017")
    )
    (tmp_path / "plants.csv").write_bytes(content.replace(b"Hydro,,,,,,,,,,", b"Hydro,,,,,,,,,77,"))
    item = Run(connector(tmp_path / "plants.csv")).items[0].item
    assert item["extra"] == {"future_id": "77", "column_37": "surplus"}
    assert item["wepp_id"] is None


def test_a_byte_order_mark_and_bytes_that_are_no_utf_8_do_not_stop_a_release(
    tmp_path: Path,
) -> None:
    content = csv_of(1).replace(b"Toy 0", b"Toy \xff")
    (tmp_path / "plants.csv").write_bytes(b"\xef\xbb\xbf" + content)
    item = Run(connector(tmp_path / "plants.csv")).items[0].item
    assert (item["country"], item["name"]) == ("NOR", "Toy ÿ")


@pytest.mark.parametrize("payload", payloads("wri_powerplants", ".csv"), ids=lambda path: path.stem)
def test_recorded_files_become_what_was_reviewed(payload: Path) -> None:
    run = Run(connector(payload))
    assert_golden(payload, outcome(connector(payload), run.items))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    values(contract("raw.wri_powerplants").parsed(), {}),
    st.sampled_from(["Hydro", "Wave and Tidal", None]),
    st.sampled_from(["33.0", "1e-300", "nan", None]),
)
def test_reading_never_fails_on_anything_the_contract_allows(
    record: AvroRecord, fuel: str | None, capacity: str | None
) -> None:
    if record["item"] is not None:
        record["item"] |= {"primary_fuel": fuel, "capacity_mw": capacity}
        record["item"] |= {"latitude": None, "longitude": None, "other_fuel1": None}
    result = WriPowerPlantsConnector.map_to_schema(
        RawRecord.from_avro(cast(avro.RawRecord, record))
    )
    assert isinstance(result, Mapped | Rejected)


PAGES = [b"<html><body>moved</body></html>", b'{"message": "no such file"}', b"", b"id,name\n1,x\n"]


@pytest.mark.parametrize("page", PAGES)
def test_another_page_is_named_as_one_and_asked_for_again(page: bytes) -> None:
    bucket = Bucket(page)
    with pytest.raises(UnexpectedAnswerError, match="no plant database") as caught:
        Run(connector(URL, minimum_rows=25_000), bucket=bucket)
    assert "minimum_rows" not in str(caught.value)
    assert bucket.bodies_sent == 3


def test_a_damaged_zip_is_asked_for_again_and_named_by_its_address(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "release.zip", csv_of(500)).read_bytes()
    damaged = whole[:300] + bytes(60) + whole[360:]
    bucket = Bucket(damaged)
    with pytest.raises(TruncatedError, match="damaged zip") as caught:
        Run(connector(URL), bucket=bucket)
    assert str(caught.value).startswith(URL)

    class Heals(Bucket):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            self.content = whole
            return answer

    assert len(Run(connector(URL), bucket=Heals(damaged)).items) == 500


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings_are_read_by_their_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "plants.csv"
    path.write_bytes(csv_of(5).decode().encode(encoding))
    run = Run(connector(path, minimum_rows=5))
    assert [item.record_id for item in run.items] == [f"TOY{i:07d}" for i in range(5)]
    assert run.pull.expected == 5


@pytest.mark.parametrize("form", ["gzip", "titles", "upper case", "a note below"])
def test_the_database_is_read_in_every_form_that_people_save_it_in(
    tmp_path: Path, form: str
) -> None:
    content = csv_of(3)
    if form == "gzip":
        content = gzip.compress(content)
    elif form == "titles":
        content = b"Global Power Plant Database\r\n\r\n" + content
    elif form == "upper case":
        content = csv_of(3, ",".join(COLUMNS).upper())
    else:
        content += b"Source: World Resources Institute\r\n"
    path = tmp_path / "plants"
    path.write_bytes(content)
    items = Run(connector(path)).items
    assert [item.record_id for item in items][:3] == ["TOY0000000", "TOY0000001", "TOY0000002"]
    assert items[2].item["capacity_mw"] == "3.0"


def test_a_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plants.csv.gz"
    path.write_bytes(gzip.compress(csv_of(30))[:-9])
    with pytest.raises(TruncatedError, match="damaged gzip"):
        Run(connector(path))


def test_years_in_words_cost_the_year_not_the_plant(tmp_path: Path) -> None:
    text = csv_of(1).decode().replace("Hydro,,,,", "Hydro,,,,presumed", 1)
    (tmp_path / "plants.csv").write_text(text)
    source = connector(tmp_path / "plants.csv")
    (item,) = Run(source).items
    found = source.map_to_schema(Envelope(source, "run").observed(item))
    assert isinstance(found, Mapped)
    assert found.flags == ("year_unreadable",)


def test_the_year_within_a_date_is_the_year_of_the_capacity(tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_bytes(csv_of(1))
    source = connector(tmp_path / "plants.csv")
    (item,) = Run(source).items
    observed = Envelope(source, "run").observed(item)
    cell = {"year_of_capacity_data": "2026-05-03"}
    found = source.map_to_schema(replace(observed, item={**(observed.item or {}), **cell}))
    assert isinstance(found, Mapped)
    assert found.flags == ()
    assert isinstance(found.payload, PowerPlant)
    assert found.payload.capacity_year == 2026
