"""What a setting means to those who use it, however it is written."""

import pytest
from confluent_kafka.admin import AdminClient
from faust.transport.drivers.aiokafka import server_list
from faust.utils.urls import urllist

from streams.core.errors import SettingsError
from streams.engine.app import faust_settings
from streams.settings import Settings


@pytest.mark.parametrize(
    ("written", "servers"),
    [
        ("one:9092,other:9093", ["one:9092", "other:9093"]),
        (" one:9092 , other:9093 ", ["one:9092", "other:9093"]),
        ("one:9092 other:9093", ["one:9092", "other:9093"]),
        ("one:9092,", ["one:9092"]),
        (",one:9092,,other:9093", ["one:9092", "other:9093"]),
        ("PLAINTEXT://one:9092,plaintext://other:9093", ["one:9092", "other:9093"]),
        ("[::1]:9092", ["[::1]:9092"]),
        ("PLAINTEXT://[2001:db8::1]:9092", ["[2001:db8::1]:9092"]),
    ],
)
def test_bootstrap_servers_mean_the_same_to_every_client(
    monkeypatch: pytest.MonkeyPatch, written: str, servers: list[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", written)
    settings = Settings()
    of_faust = faust_settings(settings, settings.data_dir, settings.worker_port, batch_records=1)
    assert server_list(urllist(of_faust["broker"]), 0) == servers
    assert settings.kafka_bootstrap == ",".join(servers)
    AdminClient({"bootstrap.servers": settings.kafka_bootstrap})


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        ",",
        "one",
        "one:",
        ":9092",
        "one:0",
        "one:65536",
        "SSL://one:9093",
        "one:9092/",
        "::1:9092",
        "one;9092",
        "http://one:9092",
    ],
)
def test_bootstrap_servers_that_a_client_would_misread_are_refused(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", written)
    with pytest.raises(SettingsError, match=r"^KAFKA_BOOTSTRAP must be written as .*:9092\.$"):
        Settings()


@pytest.mark.parametrize(
    ("written", "urls"),
    [
        ("", ["http://127.0.0.1:7001"]),
        ("http://one:6066", ["http://one:6066"]),
        ("http://one:6066, https://other:6076", ["http://one:6066", "https://other:6076"]),
    ],
)
def test_every_worker_that_is_named_is_asked(written: str, urls: list[str]) -> None:
    assert Settings(worker_url=written, worker_port=7001).worker_urls() == urls
