"""The pipeline's page as it is answered, without scripts, while nobody else answers."""

from html import unescape

import httpx


def test_every_stage_is_there_and_what_is_not_known_is_said(server: httpx.Client) -> None:
    answer = server.get("/pipeline")
    text = unescape(answer.text)
    assert answer.status_code == 200
    for part in (
        "normalize-wri_powerplants",
        "reconcile",
        "make poll SOURCE=alsi_lng",
        "dead_letters",
    ):
        assert part in text
    assert "Part of this is not known at the moment." in text
    assert "waiting: not known" in text


def test_a_record_that_cannot_be_followed_says_why_and_how_else(server: httpx.Client) -> None:
    answer = server.get("/pipeline?trace=ES_BARCELONA&day=2025-10-01")
    assert answer.status_code == 200
    assert "It could not be followed." in answer.text
    assert "make trace ID=ES_BARCELONA DAY=2025-10-01" in answer.text
    assert "data-refresh" not in answer.text


def test_a_raw_record_needs_kafka_and_a_raw_topic(server: httpx.Client) -> None:
    assert server.get("/records/raw.wri_powerplants/0/1").status_code == 503
    wrong = server.get("/records/schema.ids/0/1")
    assert wrong.status_code == 404
    assert "schema.ids is no raw topic" in wrong.text
