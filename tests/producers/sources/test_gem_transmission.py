"""GEM and transmission: change detection, delisting scopes, ids, and rows of every list."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import httpx
import openpyxl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.config import CONFIG_FOLDER, load_config
from producers.connector import Pull, PullRequest, RawItem
from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.http import HttpSource
from producers.run import Envelope
from producers.sources.gem_transmission.config import STREAMS, GemConfig
from producers.sources.gem_transmission.connector import GemTransmissionConnector
from streams.avro.codec import AvroRecord
from streams.avro.contracts import contract
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.payloads import (
    LngInventory,
    LngTerminal,
    PowerPlant,
    Substation,
    TransmissionLine,
)
from streams.core.records import Mapped, RawRecord
from streams.core.regions import region_of
from streams.core.validate import validate
from tests.avro.values import values
from tests.producers.golden import (
    FALSE_ALARMS,
    GOLDEN,
    TOLERANCES,
    assert_golden,
    doubted,
    outcome,
)

TODAY = date(2025, 7, 1)
UNITS = "tracker,gem_location_id,gem_unit_id,country,plant_name,unit_name,fuel,capacity_mw,status"
NODES = (
    "bus_id,station_id,voltage,dc,symbol,under_construction,tags,x,y\n"
    "1,1,380,f,Substation,f,,2.5,46.6\n2,2,380,f,Substation,f,,2.6,46.7\n"
)
LINES = (
    "line_id,bus0,bus1,voltage,circuits,length,underground,under_construction,tags,geometry\n"
    "10,1,2,380,1,20000,False,False,,\n"
)
LINKS = (
    "link_id,bus0,bus1,length,underground,under_construction,tags,geometry\n20,1,9,20000,f,f,,\n"
)


def units(*rows: str) -> str:
    return "\n".join([UNITS, *rows, ""])


def unit(index: int, capacity: str = "50", tracker: str = "GCPT") -> str:
    return f"{tracker},L{index},G{index},France,Plant {index},1,coal,{capacity},operating"


class Lists:
    """Local lists of all streams, and the pulls over them."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        for name, text in (("units", units(unit(1))), ("buses", NODES), ("lines", LINES)):
            self.write(f"{name}.csv", text)
        self.write("links.csv", LINKS)
        self.variables = {
            "GEM_STREAMS": "power_units substations transmission_lines",
            "GEM_ASSET_TYPES": "none",
            "GEM_POWER_FILE": str(folder / "units.csv"),
            "GEM_GEOTHERMAL_FILE": "none",
            "GEM_AFRICA_FILE": "none",
            "GEM_GRID_LOCATION": str(folder / "<file>.csv"),
            "GEM_GRID_MINIMUM_ROWS": "1",
            "GEM_REQUESTS_PER_MINUTE": "60000",
            **variables,
        }

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def configure_units(self, *files: Mapping[str, str]) -> None:
        """Configure the files of power units."""
        config = yaml.safe_load((CONFIG_FOLDER / "gem_transmission.yaml").read_text())
        config["power_units"]["files"] = list(files)
        path = self.write("gem_transmission.yaml", yaml.safe_dump(config))
        self.variables["CONFIG_PATH"] = str(path)

    def pull(
        self,
        checkpoint: Mapping[str, str] | None = None,
        limit: int | None = None,
        accept_loss: bool = False,
        answer: Callable[[httpx.Request], httpx.Response] | None = None,
        reread: frozenset[str] = frozenset(),
    ) -> tuple[list[RawItem], Pull]:
        config = load_config("gem_transmission", GemConfig, self.variables)
        connector = GemTransmissionConnector(config)
        request = PullRequest(
            checkpoint or {}, TODAY, limit=limit, accept_loss=accept_loss, reread=reread
        )
        pull = Pull(dict(request.checkpoint))
        transport = httpx.MockTransport(answer or (lambda request: httpx.Response(404)))
        with HttpSource(config.http, transport=transport) as http:
            return list(connector.pull_or_subscribe(http, request, pull)), pull


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path)


def ids(items: list[RawItem]) -> list[str]:
    return [item.record_id for item in items]


def mapped(item: RawItem) -> Mapped:
    config = load_config("gem_transmission", GemConfig, {})
    connector = GemTransmissionConnector(config)
    found = connector.map_to_schema(Envelope(connector, "test").observed(item))
    assert isinstance(found, Mapped), found
    return found


def test_every_stream_is_complete_on_its_own(lists: Lists) -> None:
    items, pull = lists.pull()
    assert ids(items) == ["G1", "bus:1", "bus:2", "line:10", "link:20"]
    assert pull.complete_streams == {"power_units", "substations", "transmission_lines"}
    assert not pull.complete


def test_unchanged_lists_yield_nothing(lists: Lists) -> None:
    _, first = lists.pull()
    items, second = lists.pull(first.checkpoint)
    assert (items, second.unchanged, second.complete_streams) == ([], True, set())
    assert second.checkpoint == first.checkpoint


def test_a_stream_to_be_read_again_is_yielded_whole_though_unchanged(lists: Lists) -> None:
    _, first = lists.pull()
    items, second = lists.pull(first.checkpoint, reread=frozenset({"transmission_lines"}))
    assert ids(items) == ["line:10", "link:20"]
    assert second.complete_streams == {"transmission_lines"}
    assert second.checkpoint == first.checkpoint


def test_only_the_streams_of_a_changed_list_are_read_again(lists: Lists) -> None:
    _, first = lists.pull()
    lists.write("lines.csv", LINES.replace("20000", "21000"))
    items, second = lists.pull(first.checkpoint)
    assert ids(items) == ["line:10", "link:20"]
    assert second.complete_streams == {"transmission_lines"}
    assert not second.unchanged


def test_a_stream_that_cannot_be_read_keeps_its_checkpoint_and_stops_no_other(lists: Lists) -> None:
    _, first = lists.pull()
    lists.write("units.csv", "<html>moved</html>")
    lists.write("buses.csv", NODES.replace("46.6", "46.5"))
    items, second = lists.pull(first.checkpoint)
    assert set(second.failures) == {"power_units"}
    assert ids(items) == ["bus:1", "bus:2", "line:10", "link:20"]
    assert second.checkpoint["power_units"] == first.checkpoint["power_units"]
    assert second.complete_streams == {"substations", "transmission_lines"}


def test_a_limited_stream_is_not_complete(lists: Lists) -> None:
    items, pull = lists.pull(limit=2)
    assert len(items) == 2
    assert pull.complete_streams == {"power_units"}
    assert set(pull.checkpoint) == {"power_units"}


def test_a_list_that_lost_a_fifth_of_its_rows_is_taken_for_cut_short(lists: Lists) -> None:
    lists.write("units.csv", units(*(unit(index) for index in range(10))))
    _, first = lists.pull()
    lists.write("units.csv", units(*(unit(index) for index in range(7))))
    items, second = lists.pull(first.checkpoint)
    assert isinstance(second.failures["power_units"], TruncatedError)
    assert items == []


def test_an_id_on_two_rows_gives_two_records_of_one_plant(lists: Lists) -> None:
    lists.write("units.csv", units(unit(1, "1500"), unit(1, "300")))
    items, _ = lists.pull()
    assert ids(items)[:2] == ["G1", "G1~2"]
    plants = [mapped(item) for item in items[:2]]
    assert {plant.entity_id for plant in plants} == {"L1/GCPT"}
    assert [plant.payload.units[0].unit_id for plant in plants] == ["G1", "G1~2"]  # type: ignore[union-attr]


def test_a_unit_of_an_earlier_list_is_not_read_from_a_later_one(lists: Lists) -> None:
    more = lists.write("more.csv", units(unit(1, "999"), unit(2)))
    lists.variables["GEM_AFRICA_FILE"] = str(more)
    lists.variables["CONFIG_PATH"] = str(_without_minimum(lists.folder))
    items, _ = lists.pull()
    assert [(item.record_id, item.item["columns"]["capacity_mw"]) for item in items[:2]] == [
        ("G1", "50"),
        ("G2", "50"),
    ]


def _without_minimum(folder: Path) -> Path:
    ours = Path("producers/config/gem_transmission.yaml").read_text(encoding="utf-8")
    path = folder / "gem_transmission.yaml"
    path.write_text(ours.replace("minimum_rows: 3000", "minimum_rows: 1"), encoding="utf-8")
    return path


def test_rows_of_other_trackers_in_a_map_file_are_left_out(lists: Lists) -> None:
    lists.write("units.csv", units(unit(1), unit(2, tracker="GCMT"), unit(3, tracker="GGIT-lng")))
    assert ids(lists.pull()[0])[:2] == ["G1", "bus:1"]


def test_a_line_carries_its_ends_and_a_missing_node_is_no_end(lists: Lists) -> None:
    items, _ = lists.pull()
    line, link = (mapped(item).payload for item in items[3:])
    assert isinstance(line, TransmissionLine)
    assert isinstance(link, TransmissionLine)
    assert (line.from_node_id, line.from_latitude, line.to_node_id) == ("bus:1", 46.6, "bus:2")
    assert (line.length_km, line.country_code, line.country_codes) == (20.0, "FR", ("FR",))
    assert (link.to_node_id, link.to_latitude, link.direct_current) == ("bus:9", None, True)


def test_records_carry_the_terms_of_their_list(lists: Lists) -> None:
    terms = {item.stream: item.credit.licence for item in lists.pull()[0] if item.credit}
    assert terms["transmission_lines"] == "CC-BY-4.0"
    ours = Path("producers/config/gem_transmission.yaml").read_text(encoding="utf-8")
    before, _, after = ours.partition("\ngrid:\n  licence: CC-BY-4.0")
    path = lists.folder / "gem_transmission.yaml"
    path.write_text(f"{before}\ngrid:\n  licence: ODbL-1.0{after}", encoding="utf-8")
    lists.variables["CONFIG_PATH"] = str(path)
    terms = {item.stream: item.credit.licence for item in lists.pull()[0] if item.credit}
    assert terms == {
        "power_units": "CC-BY-4.0",
        "substations": "ODbL-1.0",
        "transmission_lines": "ODbL-1.0",
    }


class Api:
    """The API with one type of asset."""

    def __init__(self, count: int, total: int | None = None) -> None:
        self.assets = [_asset(index) for index in range(count)]
        self.total = count if total is None else total
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = {key: texts[0] for key, texts in parse_qs(urlsplit(str(request.url)).query).items()}
        self.asked.append(query)
        offset = int(query["offset"])
        page = self.assets[offset : offset + int(query["limit"])]
        known = query["asset_type"] in ("coal-plant", "bioenergy-plant")
        total = self.total if known else 0
        return httpx.Response(
            200, json={"total": total, "count": len(page), "results": page if known else []}
        )


def _asset(index: int) -> dict[str, object]:
    return {
        "asset_id": f"G{index}",
        "location_id": f"L{index}",
        "asset_name": f"Plant {index}",
        "project_name": f"Plant {index}",
        "unit_name": "1",
        "country": "France",
        "capacity_value": 50,
        "capacity_unit": "MW",
        "operating_status": "operating",
        "operating_sub_status": "operating",
        "owners": [],
        "type_fields": {"fuel": "coal", "start_year": None},
    }


@pytest.fixture
def api_lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path, GEM_STREAMS="power_units", GEM_ASSET_TYPES="coal-plant")


def test_the_api_is_paged_by_offset_up_to_the_total(api_lists: Lists) -> None:
    api = Api(1_201)
    items, pull = api_lists.pull(answer=api)
    assert [int(query["offset"]) for query in api.asked] == [0, 499, 998]
    assert ids(items) == [f"G{index}" for index in range(1_201)]
    assert pull.complete_streams == {"power_units"}


def test_a_slash_behind_the_address_of_the_api_changes_nothing(tmp_path: Path) -> None:
    variables = {"GEM_STREAMS": "power_units", "GEM_ASSET_TYPES": "coal-plant"}
    lists = Lists(tmp_path, **variables, GEM_BASE_URL="https://gem.example/")
    api, asked = Api(3), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return api(request)

    items, _ = lists.pull(answer=answer)
    assert (len(items), asked) == (3, ["/assets"])


def test_a_limited_pull_asks_for_no_more_pages_than_it_needs(api_lists: Lists) -> None:
    api = Api(1_201)
    items, pull = api_lists.pull(limit=3, answer=api)
    assert (len(items), len(api.asked)) == (3, 1)
    assert (pull.complete_streams, pull.checkpoint) == (set(), {})


def test_an_unchanged_api_and_file_yield_nothing(api_lists: Lists) -> None:
    api = Api(3)
    _, first = api_lists.pull(answer=api)
    api.assets.reverse()
    assert api_lists.pull(first.checkpoint, answer=api)[0] == []
    api.assets[0]["capacity_value"] = 51
    items, second = api_lists.pull(first.checkpoint, answer=api)
    assert len(items) == 3
    assert second.complete_streams == {"power_units"}


def test_an_unknown_asset_type_is_named_not_taken_for_empty(api_lists: Lists) -> None:
    api_lists.variables["GEM_ASSET_TYPES"] = "cole-plant"
    _, pull = api_lists.pull(answer=Api(3))
    assert isinstance(pull.failures["power_units"], UnexpectedAnswerError)
    assert "'cole-plant'" in str(pull.failures["power_units"])


@pytest.mark.parametrize("total", [4, 2_000])
def test_pages_that_do_not_add_up_are_refused(api_lists: Lists, total: int) -> None:
    _, pull = api_lists.pull(answer=Api(3, total=total))
    assert "Run again" in str(pull.failures["power_units"])


@pytest.mark.parametrize("added", [False, True], ids=["removed", "removed and one added"])
def test_a_list_that_moves_while_it_is_read_is_read_again(api_lists: Lists, added: bool) -> None:
    """A unit of the first page goes: the 500th slips to it and would be on no page that is read."""
    api = Api(1_201)

    class Moves:
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = api(request)
            if len(api.asked) == 1:
                del api.assets[7]
                api.assets += [_asset(5_000)] if added else []
                api.total = len(api.assets)
            return answer

    items, pull = api_lists.pull(answer=Moves())
    expected = {f"G{index}" for index in range(1_201) if index != 7} | (
        {"G5000"} if added else set()
    )
    assert set(ids(items)) == expected
    assert pull.complete_streams == {"power_units"}


def test_an_api_that_lost_most_of_its_units_delists_none(api_lists: Lists) -> None:
    """Its total is as small as its list, so nothing else shows that units are missing."""
    _, first = api_lists.pull(answer=Api(100))
    items, cut = api_lists.pull(first.checkpoint, answer=Api(79))
    assert "fewer than 80" in str(cut.failures["power_units"])
    assert (items, cut.complete_streams, cut.checkpoint) == ([], set(), first.checkpoint)
    items, less = api_lists.pull(first.checkpoint, answer=Api(80))
    assert (len(items), less.complete_streams) == (80, {"power_units"})


def test_overlapping_pages_give_each_unit_once_or_are_refused(api_lists: Lists) -> None:
    api = Api(600)
    api.assets[500] = api.assets[499]
    _, pull = api_lists.pull(answer=api)
    assert isinstance(pull.failures["power_units"], TruncatedError)


def test_a_unit_is_the_same_from_the_api_and_from_a_file(lists: Lists, tmp_path: Path) -> None:
    from_file = lists.pull()[0][0]
    (tmp_path / "api").mkdir()
    other = Lists(tmp_path / "api", GEM_STREAMS="power_units", GEM_ASSET_TYPES="coal-plant")
    api = Api(2)
    from_api = next(item for item in other.pull(answer=api)[0] if item.record_id == "G1")
    assert from_file.record_id == from_api.record_id
    assert mapped(from_file) == mapped(from_api)


LNG = "id,name,unit-name,status,areas,capacity-table,start-year,tracker-display"


@pytest.mark.parametrize(
    ("capacity", "mtpa"),
    [
        ("2.0 MTPA of natural gas", 2.0),
        ("1.3 mtpa of LNG", 1.3),
        ("13.6 bcm/y of gas", 10.0),
        ("", None),
    ],
)
def test_capacities_of_terminals_are_million_tonnes_a_year(
    lists: Lists, capacity: str, mtpa: float | None
) -> None:
    row = f"T000101,Toy FSRU,T1,idle,Algeria;,{capacity},--,LNG import terminal"
    lists.variables |= {
        "GEM_STREAMS": "lng_terminals",
        "GEM_LNG_FILE": str(lists.write("lng.csv", f"{LNG}\n{row}\n")),
        "GEM_LNG_MINIMUM_ROWS": "1",
    }
    found = mapped(lists.pull()[0][0])
    assert isinstance(found.payload, LngTerminal)
    terminal = found.payload
    assert found.entity_id == "T0001"
    assert (terminal.capacity_mtpa, terminal.units[0].capacity_mtpa) == (mtpa, mtpa)
    assert (terminal.status, terminal.terminal_type, terminal.floating, terminal.country_code) == (
        "mothballed",
        "import",
        True,
        "DZ",
    )


GOLDEN_STREAMS = {
    "lng": ("lng_terminals", {"GEM_LNG_FILE": "{path}", "GEM_LNG_MINIMUM_ROWS": "1"}),
    "power": ("power_units", {"GEM_POWER_FILE": "{path}"}),
    "grid": ("substations transmission_lines", {"GEM_GRID_LOCATION": "{path}/<file>.csv"}),
    "projects": ("transmission_projects", {"GEM_PROJECTS_LOCATION": "{path}/<plan>_<work>.csv"}),
}


@pytest.mark.parametrize(
    "payload",
    sorted(
        path
        for path in (GOLDEN / "gem_transmission").glob("*")
        if not path.name.endswith(".expected.json")
    ),
    ids=lambda path: path.name,
)
def test_recorded_lists_become_what_was_reviewed(payload: Path, tmp_path: Path) -> None:
    streams, variables = GOLDEN_STREAMS[payload.name.partition("_")[0]]
    found = {name: text.replace("{path}", str(payload)) for name, text in variables.items()}
    lists = Lists(tmp_path, **(found | {"GEM_STREAMS": streams}))
    items, pull = lists.pull()
    assert pull.failures == {}
    connector = GemTransmissionConnector(load_config("gem_transmission", GemConfig, {}))
    assert_golden(payload, outcome(connector, items))


COLUMNS = (
    *("gem_unit_id", "combo_id", "name", "status", "capacity_mw", "capacity_text", "owner"),
    *("latitude", "longitude", "bus_id", "line_id", "start_year", "other_ids"),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    values(contract("raw.gem_transmission").parsed(), {}),
    st.sampled_from(["gem_tracker", "gem_api", "grid_bus", "grid_line", "grid_link", "x"]),
    st.sampled_from(["power_units", "lng_terminals", "transmission_lines"]),
    st.dictionaries(
        st.sampled_from(COLUMNS),
        st.sampled_from(["T1", "operating", "1.5", "nan", "1e400", "--", "[1", "[null]", "a:b"]),
    ),
)
def test_reading_never_fails_on_anything_the_contract_allows(
    record: AvroRecord, form: str, stream: str, columns: dict[str, str]
) -> None:
    if record["item"] is not None:
        record["item"]["form"] = form
        record["item"]["columns"] |= columns
        record["stream"] = stream
    found = GemTransmissionConnector.map_to_schema(
        RawRecord.from_avro(cast(avro.RawRecord, record))
    )
    assert isinstance(found, Mapped | Rejected)


@pytest.mark.real_data
@pytest.mark.soak
def test_every_real_row_is_read_or_rejected_for_a_named_reason(
    real_data: Path, tmp_path: Path
) -> None:
    gem, transmission = real_data / "gem", real_data / "transmission"
    lists = Lists(
        tmp_path,
        GEM_STREAMS=" ".join(STREAMS),
        GEM_LNG_FILE=str(gem / "gem_lng_units_complete.csv.gz"),
        GEM_POWER_FILE=str(gem / "gem_units_complete.csv.gz"),
        GEM_GRID_LOCATION=str(transmission / "entsoegridkit" / "<file>.csv"),
        GEM_PROJECTS_LOCATION=str(transmission / "projects" / "<plan>_<work>.csv"),
    )
    items, pull = lists.pull()
    assert pull.complete
    assert Counter(item.stream for item in items) == {
        "power_units": 37_698,
        "lng_terminals": 1_291,
        "transmission_lines": 11_151 + 62,
        "substations": 8_807,
        "transmission_projects": 250,
    }
    assert len({item.record_id for item in items}) == len(items)
    connector = GemTransmissionConnector(load_config("gem_transmission", GemConfig, {}))
    envelope = Envelope(connector, "test")
    rejected: Counter[tuple[str, str]] = Counter()
    zero: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    plants, terminals = set(), set()
    for item in items:
        raw = envelope.observed(item)
        found = connector.map_to_schema(raw)
        if isinstance(found, Mapped):
            found = validate(found, raw, TOLERANCES)
        if isinstance(found, Rejected):
            rejected[item.stream, found.rule_id] += 1
            continue
        zero[item.stream] += "capacity_not_positive" in found.flags
        flagged[item.stream] += bool(doubted(found))
        if isinstance(found.payload, PowerPlant):
            plants.add(found.entity_id.partition("/")[0])
        elif isinstance(found.payload, LngTerminal):
            terminals.add(found.entity_id)
    assert not rejected
    assert +zero == {"power_units": 36, "lng_terminals": 7}
    for stream, rows in Counter(item.stream for item in items).items():
        assert flagged[stream] <= rows * FALSE_ALARMS, (stream, flagged[stream])
    assert len(terminals) >= 770
    assert len(plants) > 17_500


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "dataset", "count"),
    [
        ("geothermal_2025-03-18.csv", "GGTPT", 771),
        ("africa_energy_2024-11-05.geojson.gz", "", 3_084),
    ],
)
def test_real_map_files_are_read(
    real_data: Path, tmp_path: Path, name: str, dataset: str, count: int
) -> None:
    variable = "GEM_GEOTHERMAL_FILE" if dataset else "GEM_AFRICA_FILE"
    lists = Lists(tmp_path, GEM_STREAMS="power_units", GEM_POWER_FILE="none")
    lists.variables[variable] = str(real_data / "gem" / name)
    items, pull = lists.pull()
    assert pull.failures == {}
    assert len(items) == count
    assert all(mapped(item).payload for item in items[:200])


SHARED = "combo_id,name,status,country,lat,lng,capacity_text,facility_type"
HOME = "T043100,Toy East,operating,India,20.8,87.0,5 MTPA,LNG import terminal"


@pytest.mark.parametrize(
    ("row", "entity"),
    [
        ("T043103,Toy West,proposed,Croatia,45.2,14.5,3 MTPA,LNG import terminal", "T0431/HR"),
        ("T043101,Toy East,proposed,India,20.9,87.1,3 MTPA,LNG import terminal", "T0431"),
        ("T043101,Toy East,proposed,India,8.1,77.5,3 MTPA,LNG import terminal", "T0431/T043101"),
        ("T043101,Toy East,proposed,India,45.2,14.5,3 MTPA,LNG import terminal", "T0431/europe"),
        ("T043101,Toy East,proposed,Bangladesh,21.2,87.2,3 MTPA,LNG import terminal", "T0431"),
        ("T043101,Toy East,proposed,Bangladesh,--,--,3 MTPA,LNG import terminal", "T0431"),
        ("T043101,Toy East,proposed,Croatia,text,14.5,3 MTPA,LNG import terminal", None),
    ],
    ids=["far abroad", "near", "same country", "other region", "border", "no place", "unreadable"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_an_id_of_two_places_is_two_terminals(
    lists: Lists, row: str, entity: str | None, order: int
) -> None:
    rows = "\n".join([HOME, row][::order])
    lists.variables |= {
        "GEM_STREAMS": "lng_terminals",
        "GEM_LNG_FILE": str(lists.write("lng.csv", f"{SHARED}\n{rows}\n")),
        "GEM_LNG_MINIMUM_ROWS": "1",
    }
    items = {item.record_id: item for item in lists.pull()[0]}
    assert mapped(items.pop("T043100")).entity_id == "T0431"
    (other,) = items.values()
    if entity is not None:
        assert mapped(other).entity_id == entity


def test_a_site_id_of_two_places_is_two_plants(lists: Lists) -> None:
    header = f"{UNITS},latitude,longitude"
    here, there = f"{unit(1)},48.5,2.5", f"{unit(2).replace('L2', 'L1')},-22.3,166.5"
    lists.write("units.csv", f"{header}\n{here}\n{there.replace('France', 'New Caledonia')}\n")
    items = [item for item in lists.pull()[0] if item.stream == "power_units"]
    assert [mapped(item).entity_id for item in items] == ["L1/GCPT", "L1/GCPT/NC"]


@pytest.mark.real_data
def test_no_terminal_of_the_real_list_is_in_two_regions(real_data: Path, tmp_path: Path) -> None:
    lists = Lists(tmp_path, GEM_STREAMS="lng_terminals")
    lists.variables["GEM_LNG_FILE"] = str(real_data / "gem" / "gem_lng_units_complete.csv.gz")
    regions: dict[str, set[int]] = {}
    connector = GemTransmissionConnector(load_config("gem_transmission", GemConfig, {}))
    for item in lists.pull()[0]:
        found = connector.map_to_schema(Envelope(connector, "test").observed(item))
        if isinstance(found, Mapped) and not isinstance(found.payload, LngInventory):
            place = region_of(*found.payload.position)
            regions.setdefault(found.entity_id, set()).add(place)
    assert {entity for entity, places in regions.items() if len(places) > 1} == set()
    assert {"T0431", "T0431/HR"} <= regions.keys()


def test_a_list_whose_form_changed_is_refused_and_the_others_are_read(lists: Lists) -> None:
    lists.write("units.csv", units(*map(unit, range(1, 11))))
    _, first = lists.pull()
    renamed = units(*map(unit, range(1, 11))).replace("gem_unit_id", "GEM phase code")
    lists.write("units.csv", renamed)
    lists.write("lines.csv", LINES.replace("20000", "30000"))
    items, second = lists.pull(first.checkpoint)
    said = str(second.failures.pop("power_units"))
    assert second.failures == {}
    assert "10 of 10 rows cannot be read: missing_id (gem_unit_id) 10" in said
    assert "looked for in" in said
    assert "GEM phase code" in said
    assert {item.stream for item in items} == {"transmission_lines"}
    assert second.checkpoint["power_units"] == first.checkpoint["power_units"]
    accepted, third = lists.pull(first.checkpoint, accept_loss=True)
    assert third.failures == {}
    assert sum(item.stream == "power_units" for item in accepted) == 10


WORKBOOKS = {
    # Header of each tracker's own workbook, and what a row of it must give.
    "GCPT": ("GEM unit/phase ID,GEM location ID,Country/Area,Plant name,Unit name,"
             "Plant name (other),Plant name (local),Owner,Capacity (MW),Status,Start year,"
             "Retired year,Combustion technology,Coal type,Latitude,Longitude,Location accuracy",
             "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,"
             "Subcritical,bituminous,20,80,exact"),
    "GOGPT": ("GEM unit ID,GEM location ID,Country/Area,Plant name,Unit name,Other plant names,"
              "Plant name (local script),Owner(s),Capacity (MW),Status,Start year,Retired year,"
              "Turbine/Engine Technology,Fuel,Latitude,Longitude,Location accuracy",
              "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,combined cycle,"
              "fossil gas: natural gas,20,80,exact"),
    "GNPT": ("GEM unit ID,GEM location ID,Country/Area,Project Name,Unit Name,OtherEnglishNames,"
             "Project Name in Local Language / Script,Owner,Capacity (MW),Status,Start Year,"
             "Retirement Year,Reactor Type,Latitude,Longitude,Location Accuracy",
             "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,"
             "boiling water reactor,20,80,exact"),
    "GWPT": ("GEM phase ID,GEM location ID,Country/Area,Project Name,Phase Name,Other Name(s),"
             "Project Name in Local Language / Script,Owner,Capacity (MW),Status,Unit start year,"
             "Retired year,Installation Type,Latitude,Longitude,Location accuracy",
             "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,Onshore,20,80,exact"),
    "GSPT": ("GEM phase ID,GEM location ID,Country/Area,Project Name,Phase Name,Other Name(s),"
             "Project Name in Local Language / Script,Owner,Capacity (MW),Status,Start year,"
             "Retired year,Technology Type,Latitude,Longitude,Location accuracy",
             "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,Assumed PV,20,80,exact"),
    "GGTPT": ("GEM unit ID,GEM location ID,Country/Area,Project Name,Unit Name,Other Name(s),"
              "Project Name in Local Language / Script,Owner,Unit Capacity (MW),Status,Start year,"
              "Retired year,Type,Latitude,Longitude,Location accuracy",
              "G1,L1,India,Toy,1,Other,Local,Owner,100,retired,1980,2015,flash steam,20,80,exact"),
}  # fmt: skip


@pytest.mark.parametrize("tracker", WORKBOOKS)
def test_every_tracker_is_read_by_the_columns_of_its_own_workbook(
    lists: Lists, tracker: str
) -> None:
    header, row = WORKBOOKS[tracker]
    own = {"location": str(lists.write("own.csv", f"{header}\n{row}\n")), "dataset": tracker}
    lists.configure_units(own)
    (item,) = [one for one in lists.pull()[0] if one.stream == "power_units"]
    found = mapped(item)
    assert found.entity_id == f"L1/{tracker}"
    plant = found.payload
    assert isinstance(plant, PowerPlant)
    assert plant.technology == row.split(",")[header.split(",").index(TECHNOLOGY_COLUMNS[tracker])]
    assert (plant.commissioning_year, plant.retired_year) == (1980.0, 2015)
    assert (plant.aliases, plant.owner) == (("Local", "Other"), "Owner")
    assert plant.position_accuracy == "exact"


TECHNOLOGY_COLUMNS = {
    "GCPT": "Combustion technology",
    "GOGPT": "Turbine/Engine Technology",
    "GNPT": "Reactor Type",
    "GWPT": "Installation Type",
    "GSPT": "Technology Type",
    "GGTPT": "Type",
}


def test_columns_that_nobody_reads_and_fields_that_no_row_has_are_named(
    lists: Lists, caplog: pytest.LogCaptureFixture
) -> None:
    header, row = WORKBOOKS["GCPT"]
    renamed = header.replace("Combustion technology", "Boiler kind")
    rows = "\n".join(row.replace("G1", f"G{index}") for index in range(100))
    lists.configure_units({"location": str(lists.write("own.csv", f"{renamed}\n{rows}\n")),
                           "dataset": "GCPT"})  # fmt: skip
    with caplog.at_level("INFO"):
        lists.pull()
    assert (
        "columns nobody reads, with their rows: Boiler kind (100), Coal type (100)" in caplog.text
    )
    assert "technology is null in all of 100 rows" in caplog.text


OSM_NODES = (
    "bus_id,voltage,dc,symbol,under_construction,tags,x,y,country,geometry\n"
    "way/1-380,380,f,Substation,f,way/1,6.11,46.22,CH,\n"
    "way/2-320,320,t,Converter Station,f,way/2,4.0,51.3,UK,\n"
)
OSM_LINKS = (
    "link_id,bus0,bus1,voltage,p_nom,length,underground,under_construction,tags,geometry\n"
    "relation/9-320,way/1-380,way/2-320,320,1000.0,250000,t,f,relation/9,\n"
)


def test_the_extract_of_openstreetmap_has_country_and_capacity_in_columns(lists: Lists) -> None:
    """The position alone puts a station at the border into the wrong country."""
    lists.write("buses.csv", OSM_NODES)
    lists.write("lines.csv", LINES.replace("10,1,2,", "10,way/1-380,way/2-320,"))
    lists.write("links.csv", OSM_LINKS)
    found = {item.record_id: mapped(item).payload for item in lists.pull()[0]}
    node, link = found["bus:way/1-380"], found["link:relation/9-320"]
    assert isinstance(node, Substation)
    assert node.country_code == "CH"
    assert isinstance(link, TransmissionLine)
    assert (link.capacity_mw, link.length_km, link.underground) == (1000.0, 250.0, True)
    assert link.country_codes == ("CH", "GB")


REGIONAL = {
    "About": "Field,Meaning,Source\nStatus,x,y",
    "Coal Plants": "GEM unit/phase ID,GEM location ID,Country,Plant name,Status,Capacity (MW),"
    "Combustion technology\nG1,L1,Kenya,Toy,operating,50,CFB",
    "Solar": "GEM phase ID,GEM location ID,Country/Area,Project Name,Status,Capacity (MW),"
    "Technology Type,Capacity Rating\nG2,L2,Kenya,Sun,announced,20,PV,MWp/dc",
    "Hydropower": "GEM unit ID,GEM location ID,Country 1,Country 2,Project Name,Status,"
    "Capacity (MW),Project Name (local lang/script)\nG3,L3,Ghana,Togo,Dam,operating,9,Bwawa",
    "Bioenergy": "GEM phase ID,GEM location ID,Country,Project name,Operating status,"
    "Capacity (MW),Fuel 1,Fuel 2\n"
    "G4,L4,Kenya,Bio,operating,5,bioenergy - refuse (municipal),bioenergy - biogas",
    "Nuclear": "GEM unit ID,GEM location ID,Country,Project Name,Status,Capacity (MW),"
    "Reactor Type,Commercial Operation Date\n"
    "G5,L5,Kenya,Atom,operating,900,fast reactor,1984-04-04",
    "LNG Terminals": "ComboID,TerminalID,Country,TerminalName,Status,CapacityInMtpa,"
    "StartYearEarliest,OtherLanguageName\nT000101,T0001,Kenya,Pwani,operating,3,2021,Pwani",
    "Gas Pipelines": "ProjectID,Fuel,Countries,PipelineName,Status,Owner,Parent,Wiki,Capacity,"
    "LengthKm\n" + "\n".join(f"P{n},Gas,Kenya,Pipe,x,a,b,c,1,2" for n in range(40)),
}
"""A regional workbook: one sheet for each tracker, each with columns of its own."""


def test_every_power_tracker_of_a_regional_workbook_is_read(lists: Lists) -> None:
    book = openpyxl.Workbook()
    for name, text in REGIONAL.items():
        sheet = book.create_sheet(name)
        for line in text.splitlines():
            sheet.append(line.split(","))
    path = lists.folder / "region.xlsx"
    book.save(path)
    lists.variables |= {"GEM_STREAMS": "power_units", "GEM_POWER_FILE": str(path)}
    found = {item.record_id: mapped(item) for item in lists.pull()[0]}
    assert {key: one.entity_id for key, one in found.items()} == {
        "G1": "L1/GCPT",
        "G2": "L2/GSPT",
        "G3": "L3/GHPT",
        "G4": "L4/GBPT",
        "G5": "L5/GNPT",
    }
    plants = {key: one.payload for key, one in found.items() if isinstance(one.payload, PowerPlant)}
    assert plants["G2"].capacity_rating == "dc"
    assert (plants["G3"].country_code, plants["G3"].aliases) == ("GH", ("Bwawa",))
    assert (plants["G4"].primary_fuel, plants["G4"].other_fuels) == ("waste", ("biomass",))
    assert (plants["G5"].commissioning_year, plants["G5"].technology) == (1984.0, "fast reactor")
    lists.variables |= {"GEM_STREAMS": "lng_terminals", "GEM_LNG_FILE": str(path)}
    lists.variables["GEM_LNG_MINIMUM_ROWS"] = "1"
    (item,) = lists.pull()[0]
    terminal = mapped(item).payload
    assert isinstance(terminal, LngTerminal)
    assert (terminal.name, terminal.capacity_mtpa, terminal.start_year) == ("Pwani", 3.0, 2021)


@pytest.mark.parametrize("tracker", WORKBOOKS)
def test_a_trackers_own_file_needs_nobody_to_say_which_it_is(lists: Lists, tracker: str) -> None:
    header, row = WORKBOOKS[tracker]
    lists.configure_units({"location": str(lists.write("own.csv", f"{header}\n{row}\n"))})
    (item,) = [one for one in lists.pull()[0] if one.stream == "power_units"]
    assert mapped(item).entity_id == f"L1/{tracker}"


@pytest.mark.parametrize(("stream", "word"), [("power_units", "GOIT"), ("lng_terminals", "GGIT")])
def test_a_list_whose_rows_are_all_of_another_tracker_is_refused(
    lists: Lists, stream: str, word: str
) -> None:
    """Every row would be left out, and nothing of the list would ever be read again."""
    lng = f"{LNG},tracker\nT000101,Toy,T1,idle,Algeria,1,--,LNG import terminal,"
    texts = {
        "power_units": (units(unit(1)), units(unit(1, tracker=word))),
        "lng_terminals": (f"{lng}GGIT-lng\n", f"{lng}{word}\n"),
    }
    variable = {"power_units": "GEM_POWER_FILE", "lng_terminals": "GEM_LNG_FILE"}[stream]
    lists.variables |= {"GEM_STREAMS": stream, "GEM_LNG_MINIMUM_ROWS": "1"}
    lists.variables[variable] = str(lists.write("list.csv", texts[stream][0]))
    _, first = lists.pull()
    assert first.complete_streams == {stream}
    lists.write("list.csv", texts[stream][1])
    items, second = lists.pull(first.checkpoint)
    assert (items, second.checkpoint) == ([], first.checkpoint)
    assert f"all of them of other trackers than {stream}" in str(second.failures[stream])
    assert word in str(second.failures[stream])


@pytest.mark.parametrize("page", ["404: Not Found", '{"message": "Not Found"}'])
def test_another_page_in_place_of_a_list_is_named_in_every_stream(lists: Lists, page: str) -> None:
    _, first = lists.pull()
    for name in ("units.csv", "buses.csv"):
        lists.write(name, page)
    items, second = lists.pull(first.checkpoint)
    assert items == []
    assert set(second.failures) == {"power_units", "substations", "transmission_lines"}
    for error in second.failures.values():
        assert "Not Found" in str(error)
        assert "minimum_rows" not in str(error)


def test_lines_are_not_read_while_their_nodes_cannot_be(lists: Lists) -> None:
    """Each line would lose both ends, and say that it has none."""
    nodes = NODES + "".join(f"{n},{n},380,f,Substation,f,,2.5,46.6\n" for n in range(3, 130))
    lists.write("buses.csv", nodes)
    _, first = lists.pull()
    lists.write("buses.csv", nodes.replace("bus_id", "name"))
    items, second = lists.pull(first.checkpoint)
    assert items == []
    assert set(second.failures) == {"substations", "transmission_lines"}
    assert "missing_id (bus_id)" in str(second.failures["transmission_lines"])


def test_a_grid_extract_that_was_saved_again_is_read_alike(lists: Lists) -> None:
    """With the usual quote, other spellings of booleans, and names in capitals."""
    whole = "line_id,bus0,bus1,voltage,circuits,length,underground,under_construction,tags,geometry"
    lists.write("lines.csv", f"{whole}\n10,1,2,380,1,20000,False,True,,'LINESTRING (1 2, 3 4)'\n")
    expected = next(mapped(one) for one in lists.pull()[0] if one.record_id == "line:10")
    saved = f'{whole.upper()}\n10,1,2,380,1,20000,no,1,,"LINESTRING (1 2, 3 4)"\n'
    lists.write("lines.csv", saved)
    found = next(mapped(one) for one in lists.pull()[0] if one.record_id == "line:10")
    assert found == expected
    assert isinstance(found.payload, TransmissionLine)
    assert found.payload.status == "construction"
    assert found.payload.geometry_wkt == "LINESTRING (1 2, 3 4)"


def test_a_row_that_a_list_has_twice_to_the_letter_is_read_once(lists: Lists) -> None:
    lists.write("units.csv", units(unit(1), unit(2), unit(1), unit(2, capacity="60")))
    items, pull = lists.pull()
    assert ids(items)[:3] == ["G1", "G2", "G2~2"]
    assert pull.left_out == {"repeated": 1}


def test_a_status_that_no_row_has_any_more_is_named(
    lists: Lists, caplog: pytest.LogCaptureFixture
) -> None:
    rows = units(*map(unit, range(110))).replace(",status", ",phase state")
    lists.write("units.csv", rows)
    lists.pull()
    assert "status and technology" in caplog.text
    assert "null in all of 110 rows" in caplog.text


def test_rows_that_are_no_items_are_counted_by_reason(lists: Lists) -> None:
    lists.write("units.csv", units(unit(1), unit(2), unit(3, tracker="GOIT")))
    own = {"location": str(lists.write("own.csv", units(unit(2), unit(4))))}
    lists.configure_units({"location": "${GEM_POWER_FILE}"}, own)
    items, pull = lists.pull()
    assert sum(item.stream == "power_units" for item in items) == 3
    assert pull.left_out == {"other_tracker": 1, "in_an_earlier_list": 1}


def test_fewer_lists_than_before_need_a_word_of_a_person(lists: Lists) -> None:
    own = {"location": str(lists.write("own.csv", units(unit(2))))}
    lists.configure_units({"location": "${GEM_POWER_FILE}"}, own)
    _, first = lists.pull()
    assert first.failures == {}
    lists.configure_units({"location": "${GEM_POWER_FILE}"})
    _, second = lists.pull(first.checkpoint)
    assert "1 lists are configured where 2 were read" in str(second.failures["power_units"])
    _, third = lists.pull(first.checkpoint, accept_loss=True)
    assert third.failures == {}


def test_an_asset_type_left_out_needs_a_word_although_a_file_is_added(api_lists: Lists) -> None:
    api_lists.variables["GEM_ASSET_TYPES"] = "coal-plant bioenergy-plant"
    api = Api(3)
    _, first = api_lists.pull(answer=api)
    assert first.failures == {}
    api_lists.variables["GEM_ASSET_TYPES"] = "coal-plant"
    own = api_lists.write("own.csv", units(unit(8), unit(9)))
    api_lists.configure_units({"location": "${GEM_POWER_FILE}"}, {"location": str(own)})
    items, second = api_lists.pull(first.checkpoint, answer=api)
    assert (items, second.complete_streams) == ([], set())
    assert "bioenergy-plant of the API was read before" in str(second.failures["power_units"])
    items, third = api_lists.pull(first.checkpoint, answer=api, accept_loss=True)
    assert (third.failures, third.complete_streams) == ({}, {"power_units"})


def test_two_sheets_of_one_workbook_are_two_lists_in_every_run(
    lists: Lists, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for name, rows in (("20 MW+", range(1, 9)), ("1-20 MW", range(9, 11))):
        sheet = book.create_sheet(name)
        for line in units(*map(unit, rows)).splitlines():
            sheet.append(line.split(","))
    book.save(tmp_path / "book.xlsx")
    location = str(tmp_path / "book.xlsx")
    lists.configure_units(*({"location": location, "sheet": name} for name in book.sheetnames[1:]))
    lists.variables["GEM_STREAMS"] = "power_units"
    items, first = lists.pull()
    assert (len(items), first.failures) == (10, {})
    again, second = lists.pull(first.checkpoint)
    assert (again, second.failures, second.unchanged) == ([], {}, True)
    book["20 MW+"]["H3"] = "77"
    book.save(tmp_path / "book.xlsx")
    changed, third = lists.pull(second.checkpoint)
    assert (len(changed), third.failures) == (10, {})


def test_the_packed_and_the_plain_file_are_the_same_release(lists: Lists) -> None:
    _, first = lists.pull()
    packed = lists.folder / "units.csv.gz"
    packed.write_bytes(gzip.compress((lists.folder / "units.csv").read_bytes()))
    lists.variables["GEM_POWER_FILE"] = str(packed)
    entries = json.loads(lists.pull()[1].checkpoint["power_units"])
    assert entries[0]["digest"] == json.loads(first.checkpoint["power_units"])[0]["digest"]
