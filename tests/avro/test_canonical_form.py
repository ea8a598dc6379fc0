"""Two texts are one schema when records are read the same by both."""

import json

from streams.avro.contracts import canonical_form, canonical_json, contract


def test_words_spelling_and_order_of_keys_do_not_matter() -> None:
    schema = contract("dead_letters").latest
    reworded = {"fields": schema["fields"], **schema, "doc": "In other words."}
    assert canonical_form(json.dumps(reworded, indent=2)) == canonical_form(canonical_json(schema))


def test_another_schema_has_another_form() -> None:
    first, latest = map(canonical_json, contract("dead_letters").versions)
    assert canonical_form(first) != canonical_form(latest)


def test_what_is_no_schema_stays_as_it_is() -> None:
    assert canonical_form("no schema") == "no schema"
