"""Columns of a tracker's row by meaning: each tracker and release spells the names its own way."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from producers.formats.asset_status import reported
from producers.formats.reading import UnreadableNumberError
from producers.formats.reading import number as read_number
from producers.formats.text_repair import repaired

_APART = re.compile(r"[^a-z0-9]+")
_NOBODY = re.compile(r"unknown \[unknown ?%\]", re.IGNORECASE)
_UNIT_IN_ALIAS = re.compile(r"\s*\((?:unit|units|phase|phases)\b[^)]*\)?", re.IGNORECASE)
_COMMA_OUTSIDE_BRACKETS = re.compile(r"[,;](?![^(]*\))")


@lru_cache(maxsize=4096)
def plain_name(column: str) -> str:
    """Lower snake case: `GEM unit/phase ID` is gem_unit_phase_id, `type_fields.fuel` is fuel."""
    return _APART.sub("_", column.removeprefix("type_fields.").lower()).strip("_")


class Columns:
    """One row. The first of several names with something reported counts."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._texts = {plain_name(name): text for name, text in columns.items()}

    def text(self, *names: str) -> str | None:
        """Text, its damage repaired; None when not reported."""
        for name in names:
            found = reported(self._texts.get(name))
            if found is not None:
                return reported(repaired(found))
        return None

    def number(self, *names: str) -> float | None:
        """Number; None when not reported.

        Raises:
            UnreadableNumberError: something else is there.
        """
        for name in names:
            found = reported(self._texts.get(name))
            if found is not None:
                return read_number(found.replace(",", ""), name)
        return None

    def year(self, *names: str) -> int | None:
        """Year; None when not reported. Of a date or a range the first year counts.

        Raises:
            UnreadableNumberError: something else is there.
        """
        text = self.text(*names)
        if text is None:
            return None
        match = re.match(r"(\d{4})(?:\.0)?(?=$|[^\d])", text)
        if match is None:
            raise UnreadableNumberError(names[0], text)
        return int(match[1])

    def aliases(self, name: str, *columns: str) -> tuple[str, ...]:
        """Further names than `name`, sorted; names of single units lose the unit."""
        found = set()
        for column in columns:
            for part in _COMMA_OUTSIDE_BRACKETS.split(self.text(column) or ""):
                alias = reported(_UNIT_IN_ALIAS.sub("", part))
                if alias:
                    found.add(alias)
        return tuple(sorted(found - {name}))

    def parties(self, *names: str) -> str | None:
        """Owners or operators as one text; the API gives a JSON list of names and shares."""
        text = self.text(*names)
        if text is None or _NOBODY.fullmatch(text):
            return None
        if not text.startswith("["):
            return text
        try:
            parties = json.loads(text)
        except ValueError:
            return text
        return "; ".join(filter(None, map(_party, parties))) or None


def _party(party: object) -> str:
    if not isinstance(party, dict):
        return reported(str(party)) or ""
    name, share = reported(str(party.get("name") or "")), party.get("ownership_share")
    if name is None:
        return ""
    return name if share in (None, "") else f"{name} [{share}%]"
