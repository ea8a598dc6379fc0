"""Quality of the sources: scores with their trend, and failures by rule."""

from datetime import timedelta

import pytest

from streams.clickhouse.client import ClickHouse
from tests.bench.serving_data import TOPIC_ID
from tests.serve.client import Api
from tests.sink.engine import loader_of
from tests.sink.records import OBSERVED_AT, batch, framed, outcome, score


@pytest.fixture(scope="module", autouse=True)
def _scores(clickhouse: ClickHouse) -> None:
    loader = loader_of(clickhouse, TOPIC_ID)
    days = [OBSERVED_AT + timedelta(days=day) for day in range(3)]
    scores = [
        score(value=value)
        | {"window_start": day, "window_end": day + timedelta(days=1), "dimension": dimension}
        for dimension in ("validity", "total")
        for day, value in zip(days, (90.0, 80.0, 95.0), strict=True)
    ]
    outcomes = [
        outcome(
            offset=10 * number + record,
            record_time=day,
            flags=["capacity_odd"] if record < failed else [],
        )
        for number, (day, failed) in enumerate(zip(days, (1, 4, 2), strict=True))
        for record in range(10)
    ]
    for topic, records in (("quality.scores", scores), ("record.outcomes", outcomes)):
        assert loader.load(batch(topic, [framed(topic, one) for one in records])).rejected == 0


def test_scores_come_with_their_change(api: Api) -> None:
    rows = api.data("data-quality?source=wri_powerplants&dimension=validity")
    assert [(row["score"], row["previous_score"], row["score_change"]) for row in rows] == [
        (95.0, 80.0, 15.0),
        (80.0, 90.0, -10.0),
        (90.0, None, None),
    ]
    assert len(api.data("data-quality?source=wri_powerplants")) == 6
    (one,) = api.data(
        "data-quality?source=wri_powerplants&dimension=total&start_date=2026-01-02&end_date=2026-01-02"
    )
    assert (one["score"], one["previous_score"]) == (80.0, 90.0)


def test_failures_are_counted_by_rule_with_the_share_before(api: Api) -> None:
    rows = api.data("data-quality/rules?source=wri_powerplants")
    found = [(row["failed_count"], row["failed_pct"], row["previous_failed_pct"]) for row in rows]
    assert found == [(2, 20.0, 40.0), (4, 40.0, 10.0), (1, 10.0, None)]
    assert {row["rule_id"] for row in rows} == {"capacity_odd"}
    assert {row["record_count"] for row in rows} == {10}
    csv = api.get(
        "data-quality/rules?source=wri_powerplants&format=csv&start_date=2026-01-03"
    ).text.splitlines()
    assert len(csv) == 2


def test_an_unknown_dimension_is_named_with_those_there_are(api: Api) -> None:
    answer = api.get("data-quality?dimension=beauty")
    assert answer.status_code == 400
    assert "timeliness" in answer.json()["errors"][0]["allowed"]
