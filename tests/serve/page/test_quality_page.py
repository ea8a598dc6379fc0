"""Quality as it is answered: from the source down to the rule, the dead letters and the record."""

from html import unescape

import httpx

from streams.clickhouse.client import ClickHouse
from tests.bench.serving_data import TOPIC_ID
from tests.serve.data import OF_SCORED
from tests.sink.engine import loader_of
from tests.sink.records import batch, dead_letter, framed, outcome

SOURCE = OF_SCORED["source_id"]


def test_a_source_has_its_scores_with_the_trend_and_what_to_do(server: httpx.Client) -> None:
    text = unescape(server.get("/quality").text)
    for part in (
        f'<a href="/quality/{SOURCE}">',
        "<strong>80.0</strong>",
        "polyline",
        f'make dlq-redrive ARGS="--source {SOURCE} --rule unknown_fuel --dry-run"',
        "Has a source changed its form?",
    ):
        assert part in text


def test_a_source_leads_to_its_rules(server: httpx.Client) -> None:
    text = server.get(f"/quality/{SOURCE}").text
    assert f'<a href="/quality/{SOURCE}/capacity_missing">' in text
    assert "Open dead letters" in text


def test_a_rule_leads_to_dead_letters_and_records(server: httpx.Client) -> None:
    rejected = unescape(server.get(f"/quality/{SOURCE}/unknown_fuel").text)
    assert '/501" title=' in rejected
    assert ">r501</a>" in rejected
    assert f'make dlq ARGS="--source {SOURCE} --rule unknown_fuel --detail"' in rejected
    flagged = server.get(f"/quality/{SOURCE}/capacity_missing").text
    assert ">r500</a>" in flagged
    assert "The capacity is not reported." in flagged


def test_what_was_accepted_since_is_not_open(server: httpx.Client, clickhouse: ClickHouse) -> None:
    loader = loader_of(clickhouse, TOPIC_ID)
    letters = [dead_letter(502, rule_id="unknown_unit", record_id="r502", **OF_SCORED)]
    accepted = [outcome(offset=502, **OF_SCORED)]
    for topic, records in (("dead_letters", letters), ("record.outcomes", accepted)):
        loader.load(batch(topic, [framed(topic, one) for one in records], first_offset=50))
    assert "accepted since" in server.get(f"/quality/{SOURCE}/unknown_unit").text
    assert "unknown_unit" not in server.get("/quality").text


def test_what_nobody_knows_is_answered_with_a_page(server: httpx.Client) -> None:
    assert server.get("/quality/nobody").status_code == 404
    assert server.get(f"/quality/{SOURCE}/no_such_rule").status_code == 404
    quiet = server.get(f"/quality/{SOURCE}/eic_check_character")
    assert "No record fails it" in quiet.text
