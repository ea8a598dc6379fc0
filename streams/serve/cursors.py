"""Cursors: opaque texts that say where the next page begins, bound to the list they are of."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.requests import Request

from streams.serve.problems import ProblemError, wrong_parameters

LONGEST: Final = 2000
PATTERN: Final = r"^[A-Za-z0-9_-]+$"


def written(place: Any) -> str:
    """A place as text for a URL."""
    return urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def read(parameter: str, text: str) -> Any:
    """The place of a text.

    Raises:
        ProblemError: it is none of ours.
    """
    try:
        return orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError) as error:
        raise foreign(parameter) from error


def foreign(parameter: str) -> ProblemError:
    """A text is no cursor of this list."""
    allowed = "what an answer to the same list, filters and sort gave, unchanged"
    return wrong_parameters([(parameter, allowed)])


def digest(what: Mapping[str, Any]) -> str:
    """A few letters that tell lists apart: a cursor of one must not be used with another."""
    text = orjson.dumps(what, option=orjson.OPT_SORT_KEYS, default=str)
    return blake2b(text, digest_size=6).hexdigest()


def next_page(request: Request, cursor: str, parameter: str = "cursor") -> str:
    """Address of the next page: the same request from a cursor on."""
    asked = [one for one in request.query_params.multi_items() if one[0] != parameter]
    return f"{request.url.path}?{urlencode([*asked, (parameter, cursor)])}"


def link_to(following: str | None) -> dict[str, str]:
    """Headers that name the next page (RFC 8288); none where there is none."""
    return {"Link": f'<{following}>; rel="next"'} if following else {}
