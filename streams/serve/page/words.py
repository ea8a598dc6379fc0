"""Words, numbers and times for people: units beside figures, thousands apart, ages in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

KINDS: Final[Mapping[str, str]] = {
    "power_plant": "Power plant",
    "lng_terminal": "LNG terminal",
    "renewable_resource": "Renewable resource",
    "renewable_project": "Renewable project",
    "substation": "Substation",
    "transmission_line": "Transmission line",
    "transmission_project": "Transmission project",
    "lng_inventory": "LNG gas day",
}

VOLTAGES: Final[Mapping[str, str]] = {
    "0-199": "below 200 kV",
    "200-299": "200 to 299 kV",
    "300-499": "300 to 499 kV",
    "500": "500 kV and more",
}

_UNITS: Final = (
    ("_kwh_per_m2_day", "kWh/m²/day"),
    ("_gwh_per_day", "GWh/d"),
    ("_thousand_m3_lng", "10³ m³ LNG"),
    ("_gwh", "GWh"),
    ("_kwh", "kWh"),
    ("_mtpa", "Mt/a"),
    ("_mw", "MW"),
    ("_kw", "kW"),
    ("_kv", "kV"),
    ("_km", "km"),
    ("_pct", "%"),
    ("_m_per_s", "m/s"),
)

_ENDINGS: Final = {"latitude": "°", "longitude": "°"}


def unit_of(name: str) -> str:
    """Unit of a field, from its name; empty: none."""
    for ending, unit in (*_UNITS, *_ENDINGS.items()):
        if name.endswith(ending):
            return unit
    return ""


def field_label(name: str) -> str:
    """A field's name as words, without its unit."""
    for ending, _ in _UNITS:
        if name.endswith(ending):
            name = name.removesuffix(ending)
            break
    return _spelled(name)


def _spelled(name: str) -> str:
    shorts = {"eic": "EIC", "id": "id", "dtmi": "DTMI", "dtrs": "DTRS", "lng": "LNG", "ids": "ids"}
    shorts |= {"ghi": "GHI", "dni": "DNI", "wkt": "WKT", "wepp": "WEPP", "ac": "AC", "url": "URL"}
    words = [shorts.get(word, word) for word in name.split("_")]
    return f"{words[0][:1].upper()}{words[0][1:]} {' '.join(words[1:])}".strip()


def word_label(facet: str, word: str) -> str:
    """A word of a filter as people read it."""
    if facet == "kind":
        return KINDS.get(word, word)
    if facet == "voltage":
        return VOLTAGES.get(word, word)
    if facet == "source":
        return word
    return _spelled(word.replace("-", "_"))


def number(value: float | None, digits: int | None = None) -> str:
    """A number with thousands apart; a dash where there is none.

    Args:
        value: The number.
        digits: After the point; None: as many as matter, at most two.
    """
    if value is None:
        return "–"
    if digits is None:
        digits = 0 if abs(value) >= 1000 or value == int(value) else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if value < 0 else text


def share(pct: float | None) -> str:
    """A percentage to the hundredth; what is above nothing is never shown as nothing."""
    return "< 0.01" if pct is not None and 0 < pct < 0.005 else number(pct, 2)


def rate(per_second: float | None) -> str:
    """Records a second; a dash: not known."""
    if per_second is None:
        return "–"
    return f"{number(per_second, 0 if per_second >= 10 else 1)}/s"


def moment(value: datetime | str | None) -> str:
    """A time to the minute, UTC; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return f"{value:%Y-%m-%d %H:%M} UTC"


def age(value: datetime | str | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    if value is None:
        return "not known"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    seconds = (now - value).total_seconds()
    if seconds < 0:
        return "in the future"
    return f"{span(seconds)} ago" if seconds >= _SPANS[-1][0] else "less than a minute ago"


def until(value: datetime | None, now: datetime) -> str:
    """How long until then; `due` when it is past."""
    if value is None:
        return "not known"
    seconds = (value - now).total_seconds()
    return f"in {span(max(seconds, _SPANS[-1][0]))}" if seconds > 0 else "due"


_SPANS: Final = (
    (31_557_600, "year"),
    (2_629_800, "month"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
)


def span(seconds: float) -> str:
    """A time of a minute or more in its largest unit."""
    size, name = next((size, name) for size, name in _SPANS if seconds >= size)
    count = int(seconds // size)
    return f"{count} {name}{'s' if count > 1 else ''}"


def value(found: Any, name: str = "") -> str:
    """A value of a field; a dash where there is none. A year has no thousands."""
    match found:
        case None | "" | []:
            return "–"
        case bool():
            return "yes" if found else "no"
        case int() | float() if name.endswith("year"):
            return f"{found:g}"
        case int() | float():
            return number(found)
        case list():
            return ", ".join(value(one) for one in found)
        case dict():
            return ", ".join(f"{key} {value(one, key)}" for key, one in found.items() if one)
    return str(found)


def readable(text: str) -> str:
    """A text without the characters that XML does not take."""
    return "".join(one for one in text if one >= " " and one not in "\ufffe\uffff")
