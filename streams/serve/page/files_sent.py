"""Files that browsers are sent as they are, at addresses that change with what is in them."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from plotly.offline import get_plotlyjs

from streams.serve.page.palette import swatches

ADDRESS: Final = "/page/files"

_TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "world.geojson": "application/geo+json",
    "plotly.js": "text/javascript; charset=utf-8",
}
_PLOTLY: Final = "plotly.js"


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file; `compressed` is its body by gzip."""

    media_type: str
    body: bytes
    compressed: bytes


@cache
def address_of(name: str) -> str:
    """Where a file is: another address for another content, so that it may be kept for ever."""
    if name == _PLOTLY:
        return f"{ADDRESS}/{version('plotly')}/{name}"
    return f"{ADDRESS}/{blake2b(_body(name), digest_size=8).hexdigest()}/{name}"


@cache
def file_at(address: str) -> SentFile | None:
    """The file at an address; None: there is none. Compresses it the first time."""
    for name, media_type in _TYPES.items():
        if address == address_of(name):
            body = _body(name)
            return SentFile(media_type, body, gzip.compress(body, 9))
    return None


def _body(name: str) -> bytes:
    if name == _PLOTLY:
        text: str = get_plotlyjs()
        return text.encode()
    body = (files("streams.serve.page") / "files" / name).read_bytes()
    return body + swatches().encode() if name == "page.css" else body
