"""Ship unloadings from the mass balance."""

import csv
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.payloads import LngInventory
from streams.core.unloading import NOT_DERIVED, GasDayBalance, ShipUnloading, unloading_gwh

DAY = GasDayBalance(date(2026, 4, 29), "confirmed", 32627.2, 4896.68, 4406.6)
NEXT = GasDayBalance(date(2026, 4, 30), "confirmed", 32128.99, 4819.36, 4411.5)


def test_what_left_the_tanks_less_than_was_sent_out_came_from_ships() -> None:
    """Real EU days: the tanks lost 498 GWh while 4,407 GWh went out."""
    found = unloading_gwh(DAY, NEXT)
    assert found is not None
    assert found.unloading_gwh == pytest.approx(32128.99 - 32627.2 + 4406.6)
    assert found.method == "mass_balance_energy"
    assert found.uncertainty_gwh == pytest.approx(101, abs=1)


def test_an_estimated_day_is_less_certain() -> None:
    confirmed = unloading_gwh(DAY, NEXT)
    estimated = unloading_gwh(DAY, replace(NEXT, status="estimated"))
    assert confirmed is not None
    assert estimated is not None
    assert estimated.unloading_gwh == confirmed.unloading_gwh
    assert estimated.uncertainty_gwh > 5 * confirmed.uncertainty_gwh


@pytest.mark.parametrize("energy", [None, 13095.31, 143638.81], ids=["none", "part", "unit slip"])
def test_without_a_plausible_energy_the_volume_is_balanced(energy: float | None) -> None:
    """Energy is missing for some operators before 2019; single days are wrong by a factor."""
    found = unloading_gwh(DAY, replace(NEXT, inventory_gwh=energy))
    assert found is not None
    assert found.method == "mass_balance_volume"
    assert found.unloading_gwh == pytest.approx((4819.36 - 4896.68) * 6.65 + 4406.6)


def test_a_balance_below_zero_is_kept() -> None:
    """A reloaded ship takes LNG out of the tanks without a send-out."""
    found = unloading_gwh(replace(DAY, send_out_gwh_per_day=0.0), NEXT)
    assert found is not None
    assert found.unloading_gwh < 0


@pytest.mark.parametrize(
    ("day", "next_day"),
    [
        (replace(DAY, send_out_gwh_per_day=None), NEXT),
        (DAY, replace(NEXT, inventory_gwh=None, inventory_thousand_m3_lng=None)),
        (replace(DAY, inventory_gwh=None, inventory_thousand_m3_lng=None), NEXT),
        (replace(DAY, inventory_gwh=None), replace(NEXT, inventory_thousand_m3_lng=None)),
        (DAY, replace(NEXT, status="no_data")),
        (replace(DAY, status="no_data"), NEXT),
        (DAY, replace(NEXT, gas_day=date(2026, 5, 1))),
        (NEXT, DAY),
    ],
    ids=[
        "no send-out",
        "no next inventory",
        "no inventory",
        "nothing in common",
        "next has no data",
        "no data",
        "a gap",
        "backwards",
    ],
)
def test_a_missing_ingredient_gives_nothing(day: GasDayBalance, next_day: GasDayBalance) -> None:
    assert unloading_gwh(day, next_day) is None


GWH = st.floats(0, 60_000)


@given(GWH, GWH, st.floats(0, 6_000))
def test_the_balance_closes(before: float, after: float, send_out: float) -> None:
    """Inventory, plus unloading, minus send-out is the next inventory: nothing is lost."""
    day = GasDayBalance(DAY.gas_day, "confirmed", before, None, send_out)
    found = unloading_gwh(day, GasDayBalance(NEXT.gas_day, "confirmed", after, None, None))
    assert found is not None
    assert before + found.unloading_gwh - send_out == pytest.approx(after, abs=1e-6)
    assert found.uncertainty_gwh >= 0


def test_the_fields_are_those_of_the_payload() -> None:
    fields = ShipUnloading(1.0, 0.1, "mass_balance_energy").to_avro()
    assert fields.keys() == NOT_DERIVED.keys()
    assert fields.keys() <= set(LngInventory.field_names())


@pytest.mark.real_data
def test_real_days_since_2019_hardly_ever_show_a_clear_loss(real_data: Path) -> None:
    """Europe reloads little: 1 day in 60 lies more than two uncertainties below zero."""
    with (real_data / "alsi" / "eu_daily_2012_2026.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["gasDayStart"] >= "2019"]
    days = [
        GasDayBalance(
            date.fromisoformat(row["gasDayStart"]),
            "confirmed" if row["status"] == "C" else "estimated",
            float(row["inventory_gwh"]),
            float(row["inventory_lng"]),
            float(row["sendOut"]),
        )
        for row in rows
    ]
    found = [unloading_gwh(day, after) for day, after in pairwise(days)]
    assert all(found)
    losses = [
        one for one in found if one is not None and one.unloading_gwh < -2 * one.uncertainty_gwh
    ]
    assert len(losses) < len(found) / 60
    total = sum(one.unloading_gwh for one in found if one is not None)
    sent_out = sum(day.send_out_gwh_per_day or 0 for day in days[:-1])
    assert total == pytest.approx(sent_out, rel=0.01), "over years, what came in went out"
    assert days[-1].gas_day - days[0].gas_day == timedelta(days=len(days) - 1)
