"""Which address is asked by a proxy: the same for every HTTP client, however it is written."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import certifi
import httpx
import pytest
import requests

from producers.config import HttpConfig
from producers.errors import SourceError
from producers.http import HttpSource
from streams.avro.codec import Registry
from streams.clickhouse.client import ClickHouse
from streams.core.errors import SettingsError, SinkError
from streams.proxies import asked_directly, prepare_proxies
from tests.proxy_server import running_proxy

VARIABLES = re.compile(r".*_PROXY|SSL_CERT_.*|.*_CA_BUNDLE", re.IGNORECASE)
ONCE = HttpConfig(requests_per_minute=60_000, attempts=1)


@pytest.fixture(autouse=True)
def no_variables() -> Iterator[None]:
    """None of this machine, and what a test changes is taken back."""
    before = dict(os.environ)
    for name in filter(VARIABLES.fullmatch, before):
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def ask_every_client(host: str) -> None:
    """With what is used: sources, schema registry, ClickHouse, downloads of components."""
    with HttpSource(ONCE) as source, suppress(SourceError):
        source.get_json(f"http://{host}/source")
    with Registry(f"http://{host}/registry") as registry:
        assert registry.writer_schema(7) is None
    with suppress(SinkError):
        ClickHouse(f"http://{host}/clickhouse")
    with suppress(requests.RequestException):
        requests.get(f"http://{host}/component", timeout=10)


@pytest.mark.parametrize("local", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_directly_and_what_is_remote_by_the_proxy(local: str) -> None:
    with running_proxy() as proxy, running_proxy() as server:
        os.environ["HTTP_PROXY"] = f"http://{proxy.address}"
        port = server.server_address[1]
        prepare_proxies([f"http://{local}:{port}/registry"])
        ask_every_client(f"{local}:{port}")
        assert proxy.asked == []
        assert len(server.asked) >= 4
        ask_every_client("remote.example:8123")
        hosts = {
            httpx.URL(asked).path.split("/")[1]: httpx.URL(asked).host for asked in proxy.asked
        }
        assert set(hosts.values()) == {"remote.example"}
        assert {"source", "registry", "component", ""} <= set(hosts)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
@pytest.mark.parametrize("variable", ["ALL_PROXY", "http_proxy"])
def test_a_socks_proxy_serves_every_client(scheme: str, variable: str) -> None:
    with running_proxy(socks=True) as proxy:
        os.environ[variable] = f"{scheme}://{proxy.address}"
        prepare_proxies([])
        ask_every_client("remote.example:8123")
        assert set(proxy.asked) == {"remote.example:8123"}
        assert len(proxy.asked) >= 4


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", "127.0.0.9:8081"),
        ("[fd00::7]", "[fd00::7]:8081"),
        ("fd00::7", "[fd00::7]:8081"),
        ("[fd00::7]:8081", "[fd00::7]:8081"),
        ("fd00::/8", "[fd00::7]:8081"),
        ("10.20.0.0/16", "10.20.30.40:8081"),
        ("10.20.30.40", "10.20.30.40:8081"),
        ("*", "somewhere.example:8081"),
        ("*.example", "somewhere.example:8081"),
        (".example", "somewhere.example:8081"),
        ("one.invalid somewhere.example", "somewhere.example:8081"),
    ],
)
def test_every_way_of_writing_no_proxy_means_the_same_to_every_client(
    no_proxy: str, host: str
) -> None:
    os.environ |= {"http_proxy": "http://127.0.0.1:1", "NO_PROXY": no_proxy}
    url = f"http://{host}"
    prepare_proxies([url, "http://10.99.0.1/", "not an address ["])
    with httpx.Client() as client:
        pool = client._transport_for_url(httpx.URL(url))._pool  # type: ignore[attr-defined]
        assert "Proxy" not in type(pool).__name__
        other = client._transport_for_url(httpx.URL("http://other.invalid"))
        assert no_proxy == "*" or "Proxy" in type(other._pool).__name__  # type: ignore[attr-defined]
    assert requests.utils.get_environ_proxies(url) == {}


def test_no_proxy_stays_what_it_was_where_nothing_is_to_be_said() -> None:
    prepare_proxies(["http://127.0.0.1:8081"])
    assert not any(map(VARIABLES.fullmatch, os.environ))


@pytest.mark.parametrize("entry", ["<local>", "a/b", "[::1", "http://"])
def test_an_entry_of_no_proxy_that_nobody_understands_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError, match=r"^NO_PROXY must be written as .*\.$"):
        asked_directly(f"localhost,{entry}", [])


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value", ["ftp://s3cret@proxy:1", "http://s3cret@proxy:x", "socks4://a:1", "http://"]
)
def test_a_proxy_that_no_client_can_use_is_refused(variable: str, value: str) -> None:
    os.environ[variable] = value
    with pytest.raises(SettingsError, match=rf"^{variable.upper()} must be written as") as refused:
        prepare_proxies([])
    assert "s3cret" not in str(refused.value)


def test_certificates_that_one_client_is_given_serve_all() -> None:
    os.environ["SSL_CERT_FILE"] = certifi.where()
    prepare_proxies([])
    assert os.environ["REQUESTS_CA_BUNDLE"] == certifi.where()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_are_missing_or_none_are_refused(tmp_path: Path, variable: str) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (empty, tmp_path / "missing.pem"):
        os.environ[variable] = str(path)
        with pytest.raises(SettingsError, match=rf"^{variable} must name .*unset it"):
            prepare_proxies([])
