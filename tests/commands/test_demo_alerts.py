"""Which alert rules fire on the metrics of simulated days."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.commands.demo import LEAST_DAYS, event_days
from streams.commands.demo_alerts import Alert, AlertHistory, samples_of

START = datetime(2026, 5, 1, 20, tzinfo=UTC)
LOW = frozenset({Alert("QualityLow", "wri_powerplants")})


def page(score: float, day: int = 0) -> str:
    published = START.timestamp() + day * 86400
    return f"""
# TYPE connector_up gauge
connector_up{{source_id="alsi_lng_inventory"}} 1
# TYPE connector_data_quality_score gauge
connector_data_quality_score{{source_id="wri_powerplants"}} {score}
# TYPE connector_last_event_time gauge
connector_last_event_time{{source_id="alsi_lng_inventory"}} {published}
# TYPE consumer_lag_records gauge
consumer_lag_records{{group="g",topic="t",partition="0"}} 0
# TYPE of_no_rule gauge
of_no_rule 1
"""


@pytest.mark.prometheus
@pytest.mark.usefixtures("promtool_path")
def test_prometheus_says_on_which_days_a_rule_fires(tmp_path: Path) -> None:
    """Time is that of the days: nothing is stale while there are news every day."""
    history = AlertHistory(tmp_path, START)
    assert history.evaluated_by_prometheus
    fired = []
    for score, published in [(99, 0), (60, 1), (99, 2), (99, 2), (99, 2)]:
        history.add_day(samples_of(page(score, published)))
        fired.append(history.fired())
    stale = frozenset({Alert("SourceStale", "alsi_lng_inventory")})
    assert fired == [frozenset(), LOW, frozenset(), stale, stale]
    # Days of long ago are left out, and times are told from the first one that is not.
    for day in range(5, 14):
        history.add_day(samples_of(page(99, day)))
    assert history.fired() == frozenset()


def test_without_prometheus_rules_of_the_simplest_form_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    history = AlertHistory(tmp_path, START)
    assert not history.evaluated_by_prometheus
    fired = []
    for score in (99, 79.9, 80):
        history.add_day(samples_of(page(score)))
        fired.append(history.fired())
    assert fired == [frozenset(), LOW, frozenset()]


@pytest.mark.parametrize("days", [LEAST_DAYS, 10, 30, 60])
def test_every_event_has_a_day_of_its_own_from_the_first_to_the_last(days: int) -> None:
    found = event_days(days)
    assert sorted(found.values()) == list(range(LEAST_DAYS))
    assert (min(found), max(found)) == (0, days - 1)
