"""The public API of Global Energy Monitor: every unit of an asset type, spooled to a file.

`GET /assets` answers `{total, count, results[]}`, at most 500 rows a page; an unknown asset type is
answered with total 0, not with an error. No key, no documented limit. Spooling lets a pull be
checked as a whole before its first row is used, and compared with the one before.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from producers.errors import TruncatedError, UnexpectedAnswerError
from producers.formats.reading import json_text
from producers.formats.tracker_files import Row
from producers.http import HttpSource, bare_address

log = logging.getLogger(__name__)

LARGEST_PAGE = 500
_PASSES = 3


ASSETS: Final = "/assets"
"""Path of the lists below the address of the API."""


@dataclass(frozen=True, slots=True)
class Spool:
    """All units of one asset type, one a line, as texts.

    Attributes:
        digest: First 16 hex digits of the SHA-256 of the units in sorted order.
        whole: False when reading stopped at a limit.
    """

    path: Path
    location: str
    asset_type: str
    digest: str
    rows: int
    whole: bool


def spool_assets(
    http: HttpSource, base_url: str, asset_type: str, folder: Path, limit: int | None = None
) -> Spool:
    """Read every page of an asset type, or as many as hold `limit` units.

    A page begins with the last unit of the one before. When it does not, or the total differs, the
    list has moved: a unit that slipped to a page already read would be lost. All is read again.

    Raises:
        UnexpectedAnswerError: total 0, or another shape of answer.
        TruncatedError: the list kept moving, or has fewer different units than its total.
        SourceError: see `HttpSource.get_json`.
    """
    url = f"{base_url.rstrip('/')}{ASSETS}"
    path = folder / f"{asset_type}.jsonl"
    for _ in range(_PASSES):
        spool = _pass(http, url, asset_type, path, limit)
        if spool is not None:
            return spool
        log.info("%s: %s changed while it was read, reading again", bare_address(url), asset_type)
    raise TruncatedError(
        f"{bare_address(url)} gave other units of {asset_type} than it counts, {_PASSES} times: "
        "the list changed while it was read. Run again."
    )


def _pass(
    http: HttpSource, url: str, asset_type: str, path: Path, limit: int | None
) -> Spool | None:
    """One reading of all pages; None when the list has moved."""
    seen: set[bytes] = set()
    received, last = 0, ""
    total: int | None = None
    with path.open("w", encoding="utf-8") as file:
        while total is None or (received < total and (limit is None or received < limit)):
            counted, rows = _page(http, url, asset_type, max(0, received - 1))
            lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows]
            if total is not None and (counted != total or lines[:1] != [last]):
                return None
            new = lines if total is None else lines[1:]
            total = counted
            if not new:
                break
            received, last = received + len(new), new[-1]
            for line in new:
                key = hashlib.sha256(line.encode()).digest()
                if key not in seen:
                    seen.add(key)
                    texts = _texts(json.loads(line))
                    file.write(json.dumps(texts, ensure_ascii=False) + "\n")
    whole = received >= total or limit is None or received < limit
    if whole and len(seen) < total:
        return None
    digest = hashlib.sha256(b"".join(sorted(seen))).hexdigest()[:16]
    return Spool(path, bare_address(url), asset_type, digest, len(seen), whole)


def read_spool(spool: Spool) -> Iterator[Row]:
    """Every row as texts; numbers as the API wrote them, keys of `type_fields` as own columns."""
    with spool.path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _texts(asset: dict[str, Any]) -> Row:
    fields = asset.pop("type_fields", None) or {}
    row = {key: json_text(value) or "" for key, value in asset.items()}
    return row | {f"type_fields.{key}": json_text(value) or "" for key, value in fields.items()}


def _page(
    http: HttpSource, url: str, asset_type: str, offset: int
) -> tuple[int, list[dict[str, Any]]]:
    answer = http.get_json(
        url,
        {
            "asset_type": asset_type,
            "include_type_fields": "true",
            "limit": LARGEST_PAGE,
            "offset": offset,
        },
    )
    total, rows = answer.get("total"), answer.get("results")
    if not isinstance(total, int) or not isinstance(rows, list):
        raise UnexpectedAnswerError(
            f"{bare_address(url)} answered without `total` and `results`, but with "
            f"{', '.join(answer) or 'nothing'}. Check `power_units.api.base_url`."
        )
    if total == 0:
        raise UnexpectedAnswerError(
            f"{bare_address(url)} knows no units of asset_type {asset_type!r}: it answers an "
            "unknown type like an empty one. Check `power_units.api.asset_types`; "
            "/catalog/metadata lists the trackers."
        )
    return total, [row for row in rows if isinstance(row, dict)]
