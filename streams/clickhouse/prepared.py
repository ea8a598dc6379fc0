"""SQL that prepares what is read often: a version and a row as JSON, an asset's name and place.

The sink computes these while it inserts, from the fields of a landing; a migration computes them
from the columns of stored rows. So expressions take the SQL of each value by its column's name.
"""

from collections.abc import Mapping

from streams.clickhouse.gas_days import DAY_COLUMNS, series_id
from streams.clickhouse.table import Column, quoted
from streams.clickhouse.tables import SERIES_KINDS, KindTables

ISO_TIMES = {"date_time_output_format": "iso"}
"""Setting of every statement that makes or reads JSON: times as 2026-01-31T05:00:00.000Z."""

Values = Mapping[str, str]
"""Column name → SQL of its value."""

# What NFKD leaves in one piece.
_LETTERS = ("łøđðħıŋ", "loddhin")
_LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}

_OPTIONAL = {"country_code", "status"}


def body(kind: KindTables, values: Values) -> str:
    """A version as a JSON object: kind, then every column of its versions but `topic_id`.

    The version is a text there: it has more digits than a JSON number keeps.

    Args:
        kind: Storage of the kind.
        values: Of every column to show; others are left out.
    """
    shown = {
        column.name: values[column.name]
        for column in kind.versions.columns
        if column.name in values and column.name != "topic_id"
    }
    return json_object(shown, f'"kind":"{kind.kind}",')


def row(kind: KindTables, values: Values) -> str:
    """What lists show of an asset, or a series of a gas day, as a JSON object.

    The version is a text there, as in `body`.

    Args:
        kind: Storage of the kind.
        values: Of the columns of `latest`; one that is left out has its default.
    """
    columns = kind.latest.columns
    known = {one.name: values.get(one.name) or _default(one, values) for one in columns}
    if kind.kind not in SERIES_KINDS:
        return json_object({name: known[name] for name in kind.shown})
    whose = series_id(known["scope"], known["terminal_id"], known["entity_id"])
    return json_object({"series_id": whose} | {name: known[name] for name in DAY_COLUMNS})


def _default(column: Column, values: Values) -> str:
    if column.default:
        return values.get(column.default, column.default)
    return f"defaultValueOfTypeName({quoted(column.type)})"


def appended(text: str, values: Values) -> str:
    """A JSON object, the SQL of its text given, with further members, if any, at its end."""
    if not values:
        return text
    return f"concat(substring({text}, 1, length({text}) - 1), {_members(values, ',')}, '}}')"


def json_object(values: Values, head: str = "") -> str:
    """SQL of a JSON object of some values, at least one, as text."""
    # A third of the time of toJSONString over one tuple (measured).
    return f"concat({_members(values, f'{{{head}')}, '}}')"


def _members(values: Values, before: str) -> str:
    parts = []
    for name, sql in values.items():
        value = f"toString({sql})" if name == "version" else sql
        parts += [quoted(f'{before}"{name}":'), f"ifNull(toJSONString({value}), 'null')"]
        before = ","
    return ", ".join(parts)


def folded(text: str) -> str:
    """A text in lower case without accents, so that Łódź and lodz are one word.

    Other scripts keep their letters.
    """
    sql = f"replaceRegexpAll(normalizeUTF8NFKD(lowerUTF8({text})), '\\\\p{{Mn}}', '')"
    sql = f"translateUTF8({sql}, {quoted(_LETTERS[0])}, {quoted(_LETTERS[1])})"
    for ligature, letters in _LIGATURES.items():
        sql = f"replaceAll({sql}, {quoted(ligature)}, {quoted(letters)})"
    return sql


def asset(kind: KindTables, values: Values) -> dict[str, str]:
    """Columns of `store_assets` of a kind of assets.

    Args:
        kind: Storage of the kind.
        values: Of every column of its versions, and `body` where it is there already; fields the
            writer did not know are left out.
    """
    payload = {column.name: column for column in kind.payload}
    ends = "from_name" in payload
    name = _text(values, "name")
    if ends:
        start, end = _text(values, "from_name"), _text(values, "to_name")
        both = f"if(concat({start}, {end}) = '', '', concat({start}, ' - ', {end}))"
        name = f"if({name} = '', {both}, {name})"
    aliases = values.get("aliases") if "aliases" in payload else None
    names = f"arrayStringConcat(arrayConcat([{name}], {aliases}), '\\n')" if aliases else name
    place = "from_" if ends else ""
    found = {
        "kind": quoted(kind.kind),
        **{name: _text(values, name) for name in sorted(_OPTIONAL) if name in payload},
        "name": name,
        "latitude": values.get(f"{place}latitude"),
        "longitude": values.get(f"{place}longitude"),
        "to_latitude": values.get("to_latitude"),
        "to_longitude": values.get("to_longitude"),
        "capacity_mw": values.get("capacity_mw"),
        "search_text": folded(names),
        "body": values.get("body") or body(kind, values),
    }
    same = ("record_id", "record_status", "replaced_by", "version", "known_at")
    return {name: values[name] for name in same if name in values} | {
        name: sql for name, sql in found.items() if sql is not None
    }


def _text(values: Values, name: str) -> str:
    return f"ifNull({values[name]}, '')" if name in values else "''"
