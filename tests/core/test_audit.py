"""Conservation closes exactly when every raw record has one outcome for each output kind."""

from streams.core.audit import AuditCounts, NewestVersion, Published
from streams.core.live_assets import SourceRecord
from streams.core.records import Outcome, RawCoordinates

TOPICS = {"raw.wri_powerplants": "wri_powerplants"}


def at(offset: int) -> RawCoordinates:
    return RawCoordinates("raw.wri_powerplants", 0, offset)


def audit_counts(
    raw: int, *outcomes: tuple[int, Outcome], dead: tuple[int, ...] = ()
) -> AuditCounts:
    found = AuditCounts({at(offset): "wri_powerplants" for offset in range(raw)})
    for offset, outcome in outcomes:
        found.add_outcome(at(offset), "power_plant", outcome)
    found.dead_letters.update(at(offset) for offset in dead)
    return found


def test_closes_when_every_record_has_its_outcome() -> None:
    audit = audit_counts(3, (0, "changed"), (1, "unchanged"), (2, "rejected"), dead=(2,)).close(
        TOPICS
    )
    assert audit.problems == ()
    (source,) = audit.sources
    assert (source.raw, source.accepted, source.dead_letters) == (3, 2, 1)


def test_lost_record_is_named() -> None:
    (problem,) = audit_counts(2, (0, "changed")).close(TOPICS).problems
    assert problem == "1 raw record without an outcome: raw.wri_powerplants:0:1"


def test_invented_outcome_is_named() -> None:
    (problem,) = audit_counts(1, (0, "changed"), (9, "changed")).close(TOPICS).problems
    assert "of a raw record that does not exist: raw.wri_powerplants:0:9" in problem


def test_outcome_published_twice_is_named_even_when_it_is_the_same() -> None:
    (problem,) = audit_counts(1, (0, "changed"), (0, "changed")).close(TOPICS).problems
    assert "several outcomes" in problem


def test_rejection_and_dead_letter_need_each_other() -> None:
    assert "without a dead letter" in audit_counts(1, (0, "rejected")).close(TOPICS).problems[0]
    audit = audit_counts(1, (0, "changed"), dead=(0,)).close(TOPICS)
    assert "was not rejected" in audit.problems[0]


def test_dead_letters_of_other_topics_are_not_raw_records() -> None:
    found = audit_counts(1, (0, "changed"))
    found.dead_letters.add(RawCoordinates("normalized.assets", 0, 5))
    assert found.close(TOPICS).problems == ()


def test_rebuild_decides_again_without_a_problem() -> None:
    found = audit_counts(1, (0, "changed"))
    found.add_outcome(at(0), "power_plant", "unchanged", generation=2)
    audit = found.close(TOPICS)
    assert audit.problems == ()
    assert audit.sources[0].outcomes == {"unchanged": 1}


def test_one_version_with_two_contents_is_named() -> None:
    record = SourceRecord("wri_powerplants", "P1")
    newest = {"id": NewestVersion(1, "current", "power_plant", frozenset({record}), 7)}
    assert list(Published(newest=newest).problems({record})) == []
    twice = Published(newest=newest, ambiguous=frozenset({"id"}))
    assert list(twice.problems({record})) == [
        "1 canonical record with two contents at one version: id"
    ]
