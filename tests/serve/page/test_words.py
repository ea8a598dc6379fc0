"""Numbers, units and times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.serve.page.words import age, field_label, number, share, unit_of, value

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "shown"),
    [(None, "–"), (0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (0.126, "0.13"), (-2.5, "−2.50")],
)
def test_a_number_has_as_many_digits_as_matter(given: float | None, shown: str) -> None:
    assert number(given) == shown


def test_the_unit_of_a_field_is_in_its_name() -> None:
    assert unit_of("send_out_gwh_per_day") == "GWh/d"
    assert unit_of("inventory_thousand_m3_lng") == "10³ m³ LNG"
    assert (unit_of("status"), field_label("dtmi_gwh"), field_label("facility_eic")) == (
        "",
        "DTMI",
        "Facility EIC",
    )


def test_an_age_is_in_the_largest_unit_that_fits() -> None:
    assert age(NOW - timedelta(days=800), NOW) == "2 years ago"
    assert age(NOW - timedelta(hours=1), NOW) == "1 hour ago"
    assert age("2026-02-28T23:59:00.000Z", NOW) == "1 minute ago"
    assert age(None, NOW) == "not known"


def test_a_value_of_any_field_is_text() -> None:
    assert value([{"issuer": "WEPP", "id": "7"}, None]) == "issuer WEPP, id 7, –"
    assert (value(True), value([]), value(2330)) == ("yes", "–", "2,330")
    assert (value(2019, "capacity_year"), value(1999.5, "commissioning_year")) == ("2019", "1999.5")
    assert value({"year": 2018, "generation_gwh": 1808.2}) == "year 2018, generation_gwh 1,808"


def test_a_small_share_is_not_shown_as_none() -> None:
    assert (share(0), share(0.004), share(0.26), share(None)) == ("0.00", "< 0.01", "0.26", "–")
