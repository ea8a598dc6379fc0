"""The unit of a column, from its name: names of measures end with it."""

from typing import Final

_SUFFIXES: Final = (
    ("_gwh_per_day", "GWh/d"),
    ("_kwh_per_m2_day", "kWh/m2/day"),
    ("_thousand_m3_lng", "10^3 m3 LNG"),
    ("_gwh", "GWh"),
    ("_kwh", "kWh"),
    ("_mw", "MW"),
    ("_kw", "kW"),
    ("_kv", "kV"),
    ("_km", "km"),
    ("_m", "m"),
    ("_mtpa", "Mt/a"),
    ("_pct", "%"),
    ("latitude", "degrees north, WGS84"),
    ("longitude", "degrees east, WGS84"),
)


def unit_of(column: str) -> str | None:
    """Unit of a column; None for texts, times, counts and years."""
    return next((unit for suffix, unit in _SUFFIXES if column.endswith(suffix)), None)
