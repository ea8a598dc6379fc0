"""What filters leave, what each word counts, and what the list and the downloads say."""

from dataclasses import replace

from streams.clickhouse.map_queries import MapAsset
from streams.clickhouse.place import Box
from streams.serve.page import map_view
from streams.serve.page.map_selection import Wanted, meets, select, voltage_class

PLANT = MapAsset(
    "p1",
    "power_plant",
    "One",
    "ES",
    "operating",
    "wind",
    None,
    50.0,
    "ac",
    41.0,
    2.0,
    None,
    None,
    ["a"],
)
LARGE = replace(PLANT, record_id="p2", name="Two", fuel="gas", capacity_mw=400.0, source_ids=["b"])
PLANNED = replace(PLANT, record_id="p3", status="construction", capacity_mw=7.5)
NOWHERE = replace(PLANT, record_id="p4", latitude=None, longitude=None, capacity_mw=None)
LINE = replace(
    PLANT,
    record_id="l1",
    kind="transmission_line",
    fuel=None,
    voltage_kv=400.0,
    capacity_mw=None,
    to_latitude=48.0,
    to_longitude=11.0,
)
ALL = (PLANT, LARGE, PLANNED, NOWHERE, LINE)


def _ids(wanted: Wanted) -> list[str]:
    return [one.record_id for one in select(ALL, wanted).assets]


def test_the_largest_come_first_and_those_without_a_capacity_last() -> None:
    assert _ids(Wanted()) == ["p2", "p1", "p3", "l1", "p4"]


def test_hits_keep_the_order_of_the_search() -> None:
    assert _ids(Wanted(text="x", hits=["l1", "unknown", "p1"])) == ["l1", "p1"]


def test_words_of_one_filter_add_and_filters_narrow() -> None:
    words = {"fuel": frozenset({"wind", "gas"}), "status": frozenset({"operating"})}
    assert _ids(Wanted(words)) == ["p2", "p1", "p4"]


def test_a_count_says_what_would_be_there_if_the_word_were_chosen_instead() -> None:
    found = select(ALL, Wanted({"fuel": frozenset({"wind"})}))
    assert found.counts["fuel"] == {"wind": 3, "gas": 1}
    assert found.counts["status"] == {"operating": 2, "construction": 1}
    assert found.counts["source"] == {"a": 3}
    assert found.counts["voltage"] == {}


def test_operating_and_planned_are_added_up_apart() -> None:
    found = select(ALL, Wanted())
    assert (found.operating_mw, found.planned_mw, found.without_place) == (450.0, 7.5, 1)


def test_a_line_meets_a_box_that_it_only_crosses() -> None:
    assert meets(Box(5, 44, 6, 45), LINE)
    assert not meets(Box(5, 49, 6, 50), LINE)
    assert not meets(Box(-180, -90, 180, 90), NOWHERE)


def test_a_box_may_cross_the_antimeridian() -> None:
    suva = replace(PLANT, latitude=-18.1, longitude=178.4)
    assert meets(Box(170, -30, -170, 0), suva)
    assert not meets(Box(170, -30, -170, 0), replace(suva, longitude=20.0))


def test_classes_of_voltage_have_no_gap() -> None:
    voltages = (0, 199.9, 200, 299.9, 300, 499.9, 500, 1100)
    classes = [voltage_class(one) for one in voltages]
    assert classes == ["0-199"] * 2 + ["200-299"] * 2 + ["300-499"] * 2 + ["500"] * 2
    assert voltage_class(None) == ""


def test_the_selection_is_in_the_address() -> None:
    wanted = Wanted({"fuel": frozenset({"wind", "gas"})}, Box(-10, 35, 5, 45), "río")
    assert wanted.query(page="2") == ("fuel=gas&fuel=wind&q=r%C3%ADo&bbox=-10%2C35%2C5%2C45&page=2")


def test_a_chosen_word_that_nothing_has_can_be_taken_away_again() -> None:
    wanted = Wanted({"source": frozenset({"gone"})})
    sources = next(one for one in map_view.facets(wanted, select(ALL, wanted)) if one.chosen)
    assert [(one.word, one.count, one.chosen) for one in sources.options] == [
        ("a", 4, False),
        ("b", 1, False),
        ("gone", 0, True),
    ]


def test_downloads_ask_the_api_for_the_same_selection() -> None:
    wanted = Wanted(
        {"status": frozenset({"operating"}), "voltage": frozenset({"300-499"})},
        Box(-10, 35, 25, 55),
    )
    (lines,) = map_view.downloads(wanted, [LINE])
    assert lines.address.endswith(
        "/transmission-lines?status=operating&min_voltage_kv=300&max_voltage_kv=499.999"
        "&bbox=-10%2C35%2C25%2C55&"
    )
    assert lines.wider == ""


def test_a_download_that_has_more_than_the_list_says_so() -> None:
    substation = replace(LINE, kind="substation", to_latitude=None, to_longitude=None)
    (one,) = map_view.downloads(Wanted({"voltage": frozenset({"500"})}), [substation])
    assert one.wider == "with every voltage"
