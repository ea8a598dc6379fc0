"""How this process is let in by Kafka, registry, PostgreSQL and ClickHouse: TLS, names, tokens.

The settings of it are turned into the words of each client here and nowhere else. Like those of
proxies they hold for the whole process: `use_credentials` at its start, every client asks after it.
"""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from streams.core.errors import BrokerError, SettingsError
from streams.settings import Settings

_TOKEN_SECONDS: Final = 10.0
_RENEWED_SHARE: Final = 0.8
"""Of the life of a token, after which a new one is fetched."""

_DEFAULT_LIFE_SECONDS: Final = 300.0
"""Life of a token whose server does not say how long it lives."""


class TokenSource:
    """Access tokens by OAuth 2's client credentials grant. Safe to use from several threads.

    Args:
        settings: Name the server, the client and its secret.
        context: How the server's certificate is checked.
    """

    def __init__(self, settings: Settings, context: ssl.SSLContext) -> None:
        self._settings = settings
        self._context = context
        self._guard = threading.Lock()
        self._token = ""
        self._renewed_at = 0.0
        self._expires_at = 0.0

    def token(self) -> tuple[str, float]:
        """A token and when it expires, seconds since the epoch.

        Raises:
            BrokerError: the server gives none.
        """
        with self._guard:
            if time.time() >= self._renewed_at:
                self._fetch()
            return self._token, self._expires_at

    def _fetch(self) -> None:
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        if settings.kafka_token_scope:
            form["scope"] = settings.kafka_token_scope
        client = (settings.kafka_username, settings.kafka_password.get_secret_value())
        try:
            answer = httpx.post(
                settings.kafka_token_url,
                data=form,
                auth=client,
                verify=self._context,
                timeout=_TOKEN_SECONDS,
            )
        except httpx.HTTPError as error:
            raise self._error(f"does not answer ({error})") from error
        if not answer.is_success:
            # What else it says may repeat the secret.
            raise self._error(f"refuses client {settings.kafka_username} ({answer.status_code})")
        try:
            given: Mapping[str, Any] = answer.json()
            token = str(given["access_token"])
            life = float(given.get("expires_in", _DEFAULT_LIFE_SECONDS))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._error("gives no access_token") from error
        self._token, self._expires_at = token, time.time() + life
        self._renewed_at = time.time() + life * _RENEWED_SHARE

    def _error(self, what: str) -> BrokerError:
        address = urlsplit(self._settings.kafka_token_url)
        return BrokerError(
            f"The token server {address.hostname} {what}. Check KAFKA_TOKEN_URL, KAFKA_USERNAME, "
            "KAFKA_PASSWORD and SERVICES_CA_FILE."
        )


@dataclass(frozen=True, slots=True)
class Credentials:
    """What this process shows to services, and how it checks theirs.

    Attributes:
        settings: As they were read.
        context: Checks the certificates of services; has this client's own, too. None when the
            settings name nothing that Python's own TLS checks.
        tokens: Where tokens come from; None unless the mechanism is OAUTHBEARER.
    """

    settings: Settings
    context: ssl.SSLContext | None
    tokens: TokenSource | None

    @property
    def is_kafka_encrypted(self) -> bool:
        """Whether Kafka is spoken to by TLS."""
        return _is_encrypted(self.settings)

    @property
    def is_kafka_named(self) -> bool:
        """Whether Kafka is told a user, by SASL."""
        return _is_named(self.settings)


_current: Credentials | None = None


def use_credentials(settings: Settings) -> None:
    """Let every client of this process, from now on, show what settings say.

    Raises:
        SettingsError: one is missing, contradicts another, or names a file that cannot be used.
    """
    global _current
    _current = credentials_of(settings)


def current_credentials() -> Credentials | None:
    """What `use_credentials` was given; None before: nothing is shown, nothing encrypted."""
    return _current


def credentials_of(settings: Settings) -> Credentials:
    """The credentials in settings, checked as far as that can be without a service.

    Raises:
        SettingsError: one is missing, contradicts another, or names a file that cannot be used.
    """
    _require_complete(settings)
    is_token = _is_named(settings) and settings.kafka_sasl_mechanism == _TOKENS
    if not (is_token or _is_encrypted(settings) or settings.services_ca_file):
        return Credentials(settings, None, None)  # reading the usual authorities takes a while
    context = _context(settings)
    return Credentials(settings, context, TokenSource(settings, context) if is_token else None)


def kafka_settings() -> dict[str, Any]:
    """What a client of librdkafka is given besides its address.

    Raises:
        BrokerError: the token server gives no token.
    """
    if _current is None:
        return {}
    settings, tokens = _current.settings, _current.tokens
    found: dict[str, Any] = {"security.protocol": settings.kafka_security_protocol}
    if _current.is_kafka_encrypted:
        files = {
            "ssl.ca.location": settings.services_ca_file,
            "ssl.certificate.location": settings.kafka_certificate_file,
            "ssl.key.location": settings.kafka_key_file,
        }
        found |= {name: str(path) for name, path in files.items() if path is not None}
    if tokens is not None:
        tokens.token()  # a server that gives none is said here, in one sentence
        found |= {"sasl.mechanism": _TOKENS, "oauth_cb": lambda _config: tokens.token()}
    elif _current.is_kafka_named:
        found |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    return found


def registry_settings() -> dict[str, Any]:
    """What the client of the registry is given besides its address."""
    ca_file = _ca_file()
    return {} if ca_file is None else {"ssl.ca.location": ca_file}


def clickhouse_arguments(interface: str) -> dict[str, Any]:
    """What the client of ClickHouse is given besides its address, for `http` or `https`."""
    ca_file = _ca_file()
    return {} if ca_file is None or interface != "https" else {"ca_cert": ca_file}


def postgres_arguments(written: Mapping[str, Any]) -> dict[str, str]:
    """What the client of PostgreSQL is given besides its address.

    With `SERVICES_CA_FILE` its certificate and its name are checked, unless the address says
    otherwise (`sslmode=`, `sslrootcert=`). A socket of this machine is never encrypted.

    Args:
        written: The parts of the address.
    """
    ca_file = _ca_file()
    if ca_file is None or "sslrootcert" in written:
        return {}
    return {"sslrootcert": ca_file, "sslmode": str(written.get("sslmode", "verify-full"))}


def certificate_advice(said: str) -> str:
    """What to check besides the address, when a client says that it did not take a certificate."""
    if "certificate" not in said:
        return ""
    return (
        " Its certificate must be signed by who is in SERVICES_CA_FILE, and have the name of the "
        "address."
    )


_TOKENS: Final = "OAUTHBEARER"


def _ca_file() -> str | None:
    path = None if _current is None else _current.settings.services_ca_file
    return None if path is None else str(path)


def _is_named(settings: Settings) -> bool:
    return settings.kafka_security_protocol.startswith("SASL")


def _is_encrypted(settings: Settings) -> bool:
    return settings.kafka_security_protocol.endswith("SSL")


def _require_complete(settings: Settings) -> None:
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    wanted = {}
    if _is_named(settings):
        wanted = {
            "KAFKA_USERNAME": settings.kafka_username,
            "KAFKA_PASSWORD": settings.kafka_password.get_secret_value(),
        }
        if mechanism == _TOKENS:
            wanted["KAFKA_TOKEN_URL"] = settings.kafka_token_url
    if missing := [name for name, value in wanted.items() if not value]:
        raise SettingsError(
            f"KAFKA_SECURITY_PROTOCOL={protocol} with KAFKA_SASL_MECHANISM={mechanism} needs "
            f"{' and '.join(missing)}."
        )
    if settings.kafka_username and not _is_named(settings):
        raise SettingsError(
            f"KAFKA_USERNAME is set, but KAFKA_SECURITY_PROTOCOL={protocol} shows it to nobody: "
            "set SASL_SSL, or unset the user."
        )
    if (settings.kafka_certificate_file is None) != (settings.kafka_key_file is None):
        raise SettingsError("KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE belong together: set both.")
    if settings.kafka_certificate_file and not _is_encrypted(settings):
        raise SettingsError(
            f"KAFKA_CERTIFICATE_FILE is set, but KAFKA_SECURITY_PROTOCOL={protocol} shows it to "
            "nobody: set SSL or SASL_SSL, or unset the file."
        )


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.services_ca_file)
    except OSError:  # SSLError is one
        raise SettingsError(
            "SERVICES_CA_FILE must name certificates in PEM form, which "
            f"{settings.services_ca_file} has not."
        ) from None
    if settings.kafka_certificate_file is None or settings.kafka_key_file is None:
        return context
    try:
        # Never asks for the password of a key: nobody is there to answer.
        context.load_cert_chain(
            settings.kafka_certificate_file, settings.kafka_key_file, password=b""
        )
    except OSError:
        raise SettingsError(
            "KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE must name a certificate and its private "
            "key, without a password, in PEM form: "
            f"{settings.kafka_certificate_file}, {settings.kafka_key_file}."
        ) from None
    return context
