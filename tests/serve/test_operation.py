"""Sources and pipeline: what is known without the other services, and what is said of those."""

from producers.connectors import CONNECTORS
from tests.serve.client import Api


def test_sources_say_their_terms_and_how_often_they_are_polled(api: Api) -> None:
    answer = api.get("sources").json()
    found = {source["name"]: source for source in answer["data"]}
    assert set(found) == set(CONNECTORS)
    wri = found["wri_powerplants"]
    assert wri["licence"] == CONNECTORS["wri_powerplants"].licence
    assert wri["attribution"]
    assert wri["polled_every_seconds"] >= 3600
    assert [stream["kind"] for stream in wri["streams"]] == ["power_plant"]
    assert wri["last_run"] is None
    assert "POSTGRES_DSN" in answer["unavailable"]["runs"]


def test_the_pipeline_says_what_is_stored_and_who_does_not_answer(api: Api) -> None:
    answer = api.get("pipeline").json()
    assert {one["partition"] for one in answer["stored"]} >= {0, 1, 2}
    assert answer["lag"] is None
    assert set(answer["unavailable"]) == {"lag", "checkpoints", "paused"}
    assert "WORKER_URL" in answer["unavailable"]["paused"]
