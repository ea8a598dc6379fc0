"""Proxies and certificates of every HTTP client, from the variables that each reads in its own way.

httpx, requests and clickhouse-connect take them from the environment and differ in what they
understand: one ends with `NO_PROXY=[::1]`, two ignore networks, none leaves out this machine by
itself. So they are read once, at the start of a process, and written back into its environment in
the form that all of them, and its children, understand.
"""

import os
import re
import ssl
from collections.abc import Iterable
from ipaddress import IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

from streams.core.errors import SettingsError

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_SCHEMES: Final = ("http", "https", "all")
_PROXY_SCHEMES: Final = frozenset({"http", "https", "socks5h"})
_HOST: Final = re.compile(r"\.?[\w-][\w.-]*(:\d+)?")
_BRACKETS: Final = re.compile(r"\[(?P<address>[^\]]+)\](:\d+)?")


def prepare_proxies(addresses: Iterable[str]) -> None:
    """Make every HTTP client of this process, and of its children, use the same proxies.

    Args:
        addresses: Addresses this process may ask. Of these, what is on this machine or in a network
            of `NO_PROXY` is asked directly, besides the usual names of this machine.

    Raises:
        SettingsError: a variable cannot be used; names it and what it may be, never its value,
            which may hold a password.
    """
    _require_certificates()
    proxies = getproxies()  # of the system's settings, too, where the environment has none (macOS)
    for scheme in _SCHEMES:
        if proxies.get(scheme):
            os.environ[f"{scheme}_proxy"] = _proxy(f"{scheme.upper()}_PROXY", proxies[scheme])
    if any(proxies.get(name) for name in (*_SCHEMES, "no")):
        os.environ["no_proxy"] = asked_directly(proxies.get("no", ""), addresses)


def asked_directly(no_proxy: str, addresses: Iterable[str]) -> str:
    """`NO_PROXY` as every client understands it, with this machine.

    Raises:
        SettingsError: an entry is neither host, domain, address nor network.
    """
    entries: list[str] = []
    networks = [ip_network("127.0.0.0/8")]
    for written in filter(None, re.split(r"[\s,]+", no_proxy)):
        if written == "*":
            return "*"
        entry = written.rpartition("://")[2].removeprefix("*")
        if brackets := _BRACKETS.fullmatch(entry):
            entry = str(brackets["address"])
        try:
            network = ip_network(entry, strict=False)
        except ValueError:
            if not _HOST.fullmatch(entry):
                raise SettingsError(
                    "NO_PROXY must be written as hosts, domains, addresses and networks, apart by "
                    "commas, for example localhost,.example.com,[::1],10.0.0.0/8."
                ) from None
        else:
            networks.append(network)
            if isinstance(network, IPv6Network) and "/" in entry:
                continue  # httpx ends with it; what is in it follows below
        entries.append(entry)
    hosts = filter(None, map(_ip_host, addresses))
    inside = [host for host in hosts if any(ip_address(host) in network for network in networks)]
    return ",".join(dict.fromkeys((*entries, *_LOCAL, *inside)))


def proxy_of(url: str) -> str | None:
    """The proxy by which an address is asked, None when it is asked directly."""
    parts = urlsplit(url)
    names = (parts.hostname or "", parts.netloc.rpartition("@")[2])
    if any(map(proxy_bypass, names)):
        return None
    proxies: dict[str, str] = getproxies_environment()
    return proxies.get(parts.scheme) or proxies.get("all")


def _proxy(variable: str, written: str) -> str:
    address = written if "://" in written else f"http://{written}"
    # The proxy resolves names for every client, not for some; desktops write `socks://`.
    address = re.sub("^socks5?://", "socks5h://", address)
    try:
        parts = urlsplit(address)
        usable = parts.scheme in _PROXY_SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{variable} must be written as http://host:port, https://host:port or "
            "socks5://host:port."
        )
    return address


def _ip_host(address: str) -> str | None:
    """The host of an address that is an IP address."""
    try:
        host = urlsplit(address).hostname
        return str(ip_address(host)) if host else None
    except ValueError:
        return None


def _require_certificates() -> None:
    read: dict[str, bool] = {}
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        path = os.environ.get(name)
        # Most name the same file, and reading it takes a while.
        if path and path not in read:
            read[path] = _holds_certificates(Path(path))
        if path and not read[path]:
            raise SettingsError(
                f"{name} must name certificates in PEM form, which {path} has not: correct the "
                "variable, or unset it to trust the usual authorities."
            )
    # One reads the first of these, one the second.
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    for name, other in (names, names[::-1]):
        if (path := os.environ.get(other)) and Path(path).is_file():
            os.environ.setdefault(name, path)


def _holds_certificates(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # SSLError is one
        return False
    return True
