"""Checks across scopes: parts against totals, whatever the order the reports come in."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from streams.core.aggregates import EMPTY, Day, Report, changed_verdicts, evaluate_totals
from streams.core.records import EPOCH
from tests.core.series import TOLERANCES

DAY = date(2026, 3, 2)


def report(
    entity_id: str,
    inventory_gwh: float | None,
    *,
    scope: str = "country",
    country: str | None = None,
    virtual: bool = False,
    reports: bool = True,
    version: int = 1,
) -> Report:
    return Report(
        "alsi_lng_inventory",
        f"{entity_id}/{DAY}",
        entity_id,
        scope,
        country or (entity_id if scope == "country" else None),
        virtual,
        DAY,
        reports,
        inventory_gwh if reports else None,
        None,
        EPOCH,
        version,
    )


def day_of(*reports: Report) -> Day:
    return Day({one.record_id: one for one in reports}, {})


def flags(day: Day, previous: Day = EMPTY) -> dict[str, tuple[str, ...]]:
    found = evaluate_totals(day, previous, TOLERANCES)
    return {record_id.partition("/")[0]: ids for record_id, ids in found.items()}


CODES = ("BE", "DE", "ES", "FI", "FR", "GR", "HR", "IT", "LT", "NL")
COUNTRIES = [report(code, 100.0) for code in CODES]


def test_countries_that_add_up_to_the_eu_are_fine() -> None:
    assert flags(day_of(report("eu", 1000.0, scope="eu"), *COUNTRIES)) == {}


def test_countries_above_the_eu_contradict_it_even_when_some_are_missing() -> None:
    found = flags(day_of(report("eu", 150.0, scope="eu"), *COUNTRIES[:2]))
    assert found == {"eu": ("totals_disagree",)}


def test_countries_below_the_eu_contradict_it_only_when_nearly_all_report() -> None:
    eu = report("eu", 1500.0, scope="eu")
    assert flags(day_of(eu, *COUNTRIES)) == {"eu": ("totals_disagree",)}
    assert flags(day_of(eu, *COUNTRIES[:9])) == {}


def test_terminals_above_their_country_contradict_it_but_a_virtual_tank_does_not() -> None:
    spain = report("ES", 100.0)
    real = report("a", 90.0, scope="terminal", country="ES")
    virtual = report("v", 90.0, scope="terminal", country="ES", virtual=True)
    elsewhere = report("f", 500.0, scope="terminal", country="FR")
    assert flags(day_of(spain, real, virtual, elsewhere)) == {}
    more = report("b", 30.0, scope="terminal", country="ES")
    assert flags(day_of(spain, real, more)) == {"ES": ("totals_disagree",)}


def test_a_day_on_which_many_stop_reporting_is_flagged() -> None:
    eu = report("eu", None, scope="eu")
    assert flags(day_of(eu, *COUNTRIES[:6]), day_of(*COUNTRIES)) == {"eu": ("reporters_dropped",)}
    assert flags(day_of(eu, *COUNTRIES[:8]), day_of(*COUNTRIES)) == {}
    silent = [report(country.entity_id, 1.0, reports=False) for country in COUNTRIES[6:]]
    assert flags(day_of(eu, *COUNTRIES[:6], *silent), day_of(*COUNTRIES)) != {}


def test_an_older_version_of_a_report_changes_nothing() -> None:
    day = EMPTY.with_report(report("ES", 100.0, version=2))
    assert day.with_report(report("ES", 50.0, version=1)) is day
    assert day.with_report(report("ES", 50.0, version=3)) is not day


def test_only_changed_flags_are_sent_and_their_end_too() -> None:
    before = {"a": ("x",), "b": ("x",), "c": ("x",)}
    after = {"a": ("x",), "b": ("x", "y")}
    assert list(changed_verdicts(before, after)) == [("b", ("x", "y")), ("c", ())]


reports = st.builds(
    report,
    st.sampled_from(["BE", "DE", "ES", "FI", "FR"]),
    st.sampled_from([None, 50.0, 100.0, 900.0]),
    reports=st.booleans(),
    version=st.integers(1, 9),
)


@given(st.lists(reports, unique_by=lambda each: (each.entity_id, each.version)), st.data())
def test_any_order_of_reports_gives_the_same_verdicts(
    found: list[Report], data: st.DataObject
) -> None:
    eu = report("eu", 300.0, scope="eu")
    verdicts = []
    for order in (found, data.draw(st.permutations(found))):
        day = EMPTY.with_report(eu)
        for one in order:
            day = day.with_report(one)
        verdicts.append(evaluate_totals(day, EMPTY, TOLERANCES))
    assert verdicts[0] == verdicts[1]


def test_a_day_survives_its_avro_form() -> None:
    day = Day(day_of(*COUNTRIES).reports, {f"ES/{DAY}": ("totals_disagree",)})
    assert Day.from_avro(day.to_avro()) == day
