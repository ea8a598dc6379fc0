"""Names and pairs as reconciliation compares them."""

import pytest

from streams.core.reconcile.block import own_keys, reached_keys
from streams.core.reconcile.prepare import comparable, party_words, prepare
from streams.core.reconcile.score import score
from tests.core.reconcile.builders import gem, gppd


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ŚWINOUJŚCIE Power Station", "Swinoujscie"),
        ("Ağaçören Santrali", "agacoren"),
        ("Tihange II", "tihange 2"),
        ("Usina Hidroeletrica de Itaipu", "ITAIPU"),
    ],
)
def test_case_script_and_generic_words_do_not_count(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


def test_a_name_of_generic_words_alone_keeps_them() -> None:
    name = comparable("Power Station")
    assert name is not None
    assert name.sorted_words == "power station"


def test_neighbours_meet_across_the_date_line() -> None:
    west = prepare([gppd("W1", "Example", longitude=179.99)])
    east = prepare([gem("G1", "L1/GCPT", "Example", 450, longitude=-179.99)])
    assert own_keys(east) & reached_keys(west)
    assert score(west, east) is not None


def test_a_record_without_position_meets_by_its_rare_words() -> None:
    placed = prepare([gppd("W1", "Tihange")])
    nowhere = prepare([gem("G1", "L1/GNPT", "TIHANGE 2", 450, latitude=None, longitude=None)])
    assert own_keys(nowhere) & reached_keys(placed)


def test_another_number_and_fuel_weigh_more_than_a_common_fence() -> None:
    first = prepare([gppd("W1", "Example 2")])
    same = prepare([gem("G1", "L1/GCPT", "Example 2", 450)])
    sibling = prepare([gem("G2", "L2/GOGPT", "Example 3", 90, primary_fuel="hydro")])
    assert (score(first, same) or 0) > (score(first, sibling) or 0)
    assert score(first, sibling) is None


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("Rades A power station", {"a"}),
        ("Big Cajun I", {"1"}),
        ("Tihange II", {"2"}),
        ("Hatanagi Daiichi", {"1"}),
        ("A Coruna", set()),
        ("E Street", set()),
        ("B", set()),
    ],
)
def test_a_letter_or_a_roman_number_at_the_end_tells_units_apart(
    name: str, marks: set[str]
) -> None:
    found = comparable(name)
    assert found is not None
    assert found.numbers == marks


def test_a_sibling_by_letter_is_far_from_the_same_unit_without_one() -> None:
    first = prepare([gppd("W1", "Example A")])
    sibling = prepare([gem("G1", "L1/GCPT", "Example B", 450)])
    unmarked = prepare([gem("G1", "L1/GCPT", "Example", 450)])
    assert (score(first, sibling) or 0) < (score(first, unmarked) or 0) - 2


@pytest.mark.parametrize(
    ("code", "name"),
    [("LOGROSA", "Logrosan"), ("PORTO SCUSO", "Portoscuso"), ("CORONI2", "Coronil 2")],
)
def test_a_code_without_position_meets_the_name_it_was_cut_from(code: str, name: str) -> None:
    placed = prepare([gppd("W1", name)])
    nowhere = prepare([gem("G1", "L1/GNPT", code, 450, latitude=None, longitude=None)])
    assert own_keys(nowhere) & reached_keys(placed)


def test_a_unit_that_was_given_up_is_no_part_of_the_capacity_of_the_others() -> None:
    given_up = gem("G2", "L1/GCPT", "Example", 550, status="cancelled")
    assert prepare([gem("G1", "L1/GCPT", "Example", 450), given_up]).capacities == (450.0,)
    assert prepare([given_up]).capacities == (550.0,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PT Cahaya Listrik Tbk [60.5%]; Acme Power Co Ltd [39.5%]", {"cahaya", "listrik", "acme"}),
        ("Comisión Federal de Electricidad", {"comision", "federal", "cfe"}),
        ("Iraq's Ministry of Electricity", {"iraq", "ime"}),
        ("Power Company Ltd", set()),
    ],
)
def test_an_owner_is_its_words_but_those_of_law_and_trade_and_its_initials(
    text: str, words: set[str]
) -> None:
    assert party_words(text) == words
