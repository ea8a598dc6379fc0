"""Confidence intervals: what they resample, and that nobody reads chance as progress."""

from dataclasses import dataclass, field

from tests.score.scoring import Counts, Record, RecordPair, components, intervals


@dataclass
class Clusters:
    """Predicted pairs, as the scoring script offers them."""

    pairs: set[RecordPair]

    def partners(self, record: Record, source: str) -> set[Record]:
        sides = [pair if pair[0] == record else pair[::-1] for pair in self.pairs if record in pair]
        return {other for _, other in sides if other[0] == source}


@dataclass
class Truth:
    ok: set[RecordPair]
    hard: set[RecordPair] = field(default_factory=set)
    disputed: set[RecordPair] = field(default_factory=set)


def pair(one: int, other: int) -> RecordPair:
    return ("A", str(one)), ("B", str(other))


def test_pairs_of_one_site_are_one_component() -> None:
    truth = Truth({pair(1, 1), pair(1, 2), pair(3, 3)})
    found = components(Clusters({pair(1, 1), pair(1, 9), pair(7, 7)}), truth)
    assert sorted(found, key=lambda one: one.truth) == [Counts(1, 0, 0), Counts(2, 2, 1)]


def test_a_disputed_pair_is_neither_a_hit_nor_an_error() -> None:
    truth = Truth({pair(1, 1)}, disputed={pair(1, 2)})
    assert components(Clusters({pair(1, 1), pair(1, 2)}), truth) == [Counts(1, 1, 1)]


def test_the_interval_narrows_with_more_components_and_is_the_same_again() -> None:
    few, many = ([Counts(1, 1, 1), Counts(1, 1, 0)] * size for size in (10, 1_000))
    assert intervals(few) == intervals(few)
    widths = [intervals(one)["F1"].high - intervals(one)["F1"].low for one in (few, many)]
    assert widths[0] > 5 * widths[1]
    assert intervals(many)["F1"].value == 0.5
