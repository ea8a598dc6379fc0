"""Settings of encryption and identity: complete or refused, and the same to every client."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from pydantic import SecretStr

from streams import credentials
from streams.core.errors import BrokerError, SettingsError
from streams.credentials import TokenSource, credentials_of
from streams.settings import Settings

USER: dict[str, Any] = {"kafka_username": "pipeline", "kafka_password": "s3cret"}


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            {"kafka_security_protocol": "SASL_SSL"},
            "KAFKA_SECURITY_PROTOCOL=SASL_SSL with KAFKA_SASL_MECHANISM=SCRAM-SHA-512 needs "
            "KAFKA_USERNAME and KAFKA_PASSWORD.",
        ),
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER", **USER},
            "KAFKA_SECURITY_PROTOCOL=SASL_SSL with KAFKA_SASL_MECHANISM=OAUTHBEARER needs "
            "KAFKA_TOKEN_URL.",
        ),
        (
            USER,
            "KAFKA_USERNAME is set, but KAFKA_SECURITY_PROTOCOL=PLAINTEXT shows it to nobody: set "
            "SASL_SSL, or unset the user.",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_key_file": "key.pem"},
            "KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE belong together: set both.",
        ),
        (
            {"kafka_certificate_file": "own.pem", "kafka_key_file": "key.pem"},
            "KAFKA_CERTIFICATE_FILE is set, but KAFKA_SECURITY_PROTOCOL=PLAINTEXT shows it to "
            "nobody: set SSL or SASL_SSL, or unset the file.",
        ),
        (
            {"services_ca_file": "pyproject.toml"},
            "SERVICES_CA_FILE must name certificates in PEM form, which pyproject.toml has not.",
        ),
        (
            {
                "kafka_security_protocol": "SSL",
                "kafka_certificate_file": "none.pem",
                "kafka_key_file": "none.pem",
            },
            "KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE must name a certificate and its private "
            "key, without a password, in PEM form: none.pem, none.pem.",
        ),
    ],
)
def test_what_is_missing_or_contradicts_is_one_sentence(
    written: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        credentials_of(Settings(**written))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("KAFKA_SECURITY_PROTOCOL", "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER"),
        ("KAFKA_TOKEN_URL", "written as https://login.example.org/oauth2/token"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(
    monkeypatch: pytest.MonkeyPatch, variable: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, "s3cret")
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert str(caught.value) == f"{variable} must be {sentence}."


def test_nothing_set_means_the_authorities_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVICES_CA_FILE", "")
    found = credentials_of(Settings(kafka_security_protocol="SSL"))
    assert found.context is not None
    assert found.context.verify_mode is ssl.CERT_REQUIRED
    assert found.context.check_hostname


def test_every_client_trusts_the_same_file(monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    settings = Settings(
        kafka_security_protocol="SASL_SSL",
        services_ca_file=ca_file,
        **USER,
    )
    monkeypatch.setattr(credentials, "_current", credentials_of(settings))
    assert credentials.kafka_settings() == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(ca_file),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "pipeline",
        "sasl.password": "s3cret",
    }
    assert credentials.registry_settings() == {"ssl.ca.location": str(ca_file)}
    assert credentials.clickhouse_arguments("https") == {"ca_cert": str(ca_file)}
    assert credentials.clickhouse_arguments("http") == {}
    checked = {"sslrootcert": str(ca_file), "sslmode": "verify-full"}
    assert credentials.postgres_arguments({"host": "db"}) == checked
    assert credentials.postgres_arguments({"sslmode": "disable"})["sslmode"] == "disable"
    assert credentials.postgres_arguments({"sslrootcert": "other.pem"}) == {}


def test_settings_show_no_secret() -> None:
    shown = repr(
        Settings(
            kafka_password=SecretStr("m4rked"),
            postgres_dsn="postgresql://user:m4rked@host/db",
            clickhouse_dsn="clickhouse://user:m4rked@host/db",
            schema_registry_url="http://user:m4rked@host/",
            api_keys=SecretStr("one:m4rked:1"),
        )
    )
    assert "m4rked" not in shown


class _Tokens:
    """A token server in this process, as far as the one call that is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, life: float, status: int = 200) -> None:
        self.asked: list[tuple[object, object]] = []
        self._answer = (status, life)
        monkeypatch.setattr(httpx, "post", self._post)

    def _post(self, url: str, *, data: object, auth: object, **_: object) -> httpx.Response:
        self.asked.append((data, auth))
        status, life = self._answer
        content = {"access_token": f"token-{len(self.asked)}", "expires_in": life}
        return httpx.Response(status, json=content)


def _source() -> TokenSource:
    settings = Settings(
        kafka_token_url="https://login.example.org/token", kafka_token_scope="kafka", **USER
    )
    return TokenSource(settings, ssl.create_default_context())


def test_a_token_is_asked_for_once_in_its_life(monkeypatch: pytest.MonkeyPatch) -> None:
    server = _Tokens(monkeypatch, life=3600)
    source = _source()
    assert [source.token()[0] for _ in range(3)] == ["token-1"] * 3
    grant = {"grant_type": "client_credentials", "scope": "kafka"}
    assert server.asked == [(grant, ("pipeline", "s3cret"))]


def test_a_token_at_its_end_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    _Tokens(monkeypatch, life=0)
    source = _source()
    assert [source.token()[0] for _ in range(2)] == ["token-1", "token-2"]


def test_a_refused_client_is_named_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    _Tokens(monkeypatch, life=1, status=401)
    with pytest.raises(BrokerError, match=r"login\.example\.org refuses client pipeline") as caught:
        _source().token()
    assert "s3cret" not in str(caught.value)
