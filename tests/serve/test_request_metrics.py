"""What the API measures: each answer by its route as declared, whatever was asked."""

from prometheus_client.parser import text_string_to_metric_families

from streams.serve.addresses import PREFIX
from tests.serve.client import Api


def answered(api: Api) -> dict[tuple[str, str], float]:
    """Number of answers by route and status."""
    page = api.client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    return {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if sample.name == "api_request_seconds_count"
    }


def test_answers_are_counted_by_route_and_status_and_not_by_what_was_asked(api: Api) -> None:
    before = answered(api)
    api.get("power-plants?limit=1")
    api.get("power-plants?limit=2")
    api.get("power-plants?limit=none")
    api.get("no-such-resource/one")
    api.get("no-such-resource/other")
    after = answered(api)
    new = {key: count - before.get(key, 0) for key, count in after.items()}
    assert new[f"{PREFIX}/power-plants", "200"] == 2
    assert new[f"{PREFIX}/power-plants", "400"] + new.get((f"{PREFIX}/power-plants", "422"), 0) == 1
    assert new["none", "404"] == 2


def test_a_stream_of_events_is_not_measured(api: Api) -> None:
    before = answered(api)
    headers = {"Accept": "text/event-stream"}
    with api.client.stream("GET", f"{PREFIX}/changes", headers=headers) as events:
        assert next(events.iter_lines()) is not None
    after = answered(api)
    route = f"{PREFIX}/changes"
    assert after.get((route, "200"), 0) == before.get((route, "200"), 0)
