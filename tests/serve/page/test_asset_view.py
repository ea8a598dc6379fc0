"""Where fields come from, flags in words, and what changed when."""

from datetime import UTC, datetime
from typing import Any

from streams.core.all_rules import RULES
from streams.core.topic_record import TopicRecord
from streams.serve.page import asset_view

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _version(**changes: Any) -> dict[str, Any]:
    member = {"observed_at": "2026-01-01T12:00:00.000Z"}
    return {
        "kind": "power_plant",
        "record_id": "p1",
        "record_status": "current",
        "version": "1",
        "known_at": "2026-01-01T12:00:00.000Z",
        "source_ids": ["a", "b"],
        "flags": [],
        "links": [],
        "members": [member | {"source_id": "a"}, member | {"source_id": "b"}],
        "provenance": [
            {
                "member": 1,
                "rule": "priority",
                "fields": ["name", "capacity_mw"],
                "losing": [
                    {"field": "capacity_mw", "member": 0, "value": "40.5"},
                    {"field": "name", "member": 0, "value": '"Cut off he'},
                ],
            }
        ],
        "name": "One",
        "capacity_mw": 50,
        "owner": None,
        "units": [{"unit_id": "1"}],
    } | changes


def test_each_field_has_its_source_its_reason_and_who_says_otherwise() -> None:
    name, capacity = asset_view.fields(_version())
    assert (capacity.value, capacity.source_id, capacity.rule) == (
        50,
        "b",
        "its source comes first",
    )
    assert [(one.value, one.source_id) for one in capacity.losing] == [(40.5, "a")]
    assert name.losing[0].value == '"Cut off he'


def test_what_nobody_reports_is_named_apart() -> None:
    assert asset_view.missing(_version()) == ["owner"]
    assert list(asset_view.tables(_version())) == ["units"]


def test_flags_are_sentences_with_the_reason_of_the_rule() -> None:
    known, unknown = asset_view.flags(_version(flags=["capacity_missing", "of_tomorrow"]))
    rule = RULES["capacity_missing"]
    assert (known.sentence, known.reference) == (rule.sentence, rule.reference)
    assert unknown.rule_id == "of_tomorrow"


def test_history_is_what_differs_between_versions() -> None:
    old, same = _version(), _version(version="2")
    new = _version(version="3", capacity_mw=60, flags=["capacity_missing"])
    last, middle, first = asset_view.history([new, same, old])
    assert [(one.name, one.before, one.after) for one in last.changes] == [
        ("capacity_mw", 50, 60),
        ("flags", [], ["capacity_missing"]),
    ]
    assert (middle.changes, middle.first, first.first) == ([], False, True)


def test_history_of_units_is_told_unit_by_unit() -> None:
    kept = {"unit_id": "1", "name": None, "capacity_mw": 50, "status": "operating"}
    gone = {"unit_id": "2", "name": "B", "capacity_mw": 10, "status": "operating"}
    came = {"unit_id": "3", "name": None, "capacity_mw": 20, "status": "construction"}
    old = _version(units=[kept, gone])
    new = _version(units=[kept | {"status": "retired"}, came])
    assert asset_view.history([new, old])[0].changes == [
        asset_view.Change("units", {"status": "operating"}, {"status": "retired"}, "1"),
        asset_view.Change(
            "units", {"name": "B", "capacity_mw": 10, "status": "operating"}, None, "2"
        ),
        asset_view.Change("units", None, {"capacity_mw": 20, "status": "construction"}, "3"),
    ]


def test_history_of_what_has_no_name_is_what_came_and_went() -> None:
    one, other = {"starts_at": "2026-01-01", "planned": True}, {"starts_at": "2026-02-01"}
    old, new = _version(unavailabilities=[one]), _version(unavailabilities=[one, other])
    assert asset_view.history([new, old])[0].changes == [
        asset_view.Change("unavailabilities", None, other, "")
    ]


def test_a_withdrawal_is_a_change() -> None:
    gone = _version(record_status="withdrawn")
    step = asset_view.history([gone, _version()])[0]
    assert [one.name for one in step.changes] == ["record_status"]


def test_an_entity_of_several_records_is_named_once() -> None:
    members = [{"source_id": "a", "entity_id": one} for one in ("1", "1", "2")]
    assert asset_view.entities(_version(members=members)) == ["a:1", "a:2"]


def test_decisions_by_hand_are_those_about_its_entities_the_last_of_a_pair_counts() -> None:
    members = [{"source_id": "a", "entity_id": "1"}, {"source_id": "b", "entity_id": "2"}]
    asset = _version(members=members)

    def decided(key: str, verdict: str, other: str, kind: str = "power_plant") -> TopicRecord:
        said = {
            "verdict": verdict,
            "kind": kind,
            "one_source_id": "a",
            "one_entity_id": "1" if key != "foreign" else "9",
            "other_source_id": "c",
            "other_entity_id": other,
            "reason": "Looked at the map.",
            "decided_at": NOW,
        }
        return TopicRecord("reconcile.decisions", 0, 1, NOW, key, (), 1, None, said, None)

    known = [
        decided("pair", "must-link", "3"),
        decided("foreign", "must-link", "3"),
        decided("other kind", "must-link", "3", kind="substation"),
        decided("pair", "cannot-link", "3"),
    ]
    withdrawn = TopicRecord("reconcile.decisions", 0, 9, NOW, "pair", (), None, None, None, None)
    assert asset_view.decisions(asset, [*known, withdrawn]) == []
    (one,) = asset_view.decisions(asset, known)
    assert (one.verdict, one.one, one.other) == ("cannot-link", "a:1", "c:3")


def test_a_line_is_where_it_begins_and_is_named_by_its_ends() -> None:
    line: dict[str, Any] = {"record_id": "l1", "name": None, "from_name": "A", "to_name": None}
    line |= {"from_latitude": 1.0, "from_longitude": 2.0, "to_latitude": 3.0}
    assert asset_view.position(line) == (1.0, 2.0)
    assert asset_view.name_of(line) == "A - ?"
    assert asset_view.position(_version()) is None
