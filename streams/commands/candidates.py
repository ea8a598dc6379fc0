"""Undecided pairs for people: what speaks for each, and the commands that decide it."""

from collections.abc import Iterable, Iterator

from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.errors import SettingsError
from streams.core.foreign import ForeignRecords
from streams.core.reconcile.in_words import decide_command
from streams.core.reconcile.score import KINDS
from streams.kafka.decoded_reader import read_value
from streams.kafka.topic_reader import read_all
from streams.kafka.used_schemas import open_registry
from streams.settings import Settings
from streams.topics import CANDIDATES


def open_candidates(settings: Settings) -> list[avro.MatchCandidate]:
    """Pairs that are undecided now, those nearest to the threshold first.

    What an older generation of the pipeline left is not among them.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: they could not be read.
    """
    bootstrap, foreign = settings.kafka_bootstrap, ForeignRecords()
    with open_registry(bootstrap, settings.schema_registry_url) as registry:
        decoder = topic_decoder(registry, CANDIDATES, avro.MatchCandidate)
        last = {record.key: record for record in read_all(bootstrap, CANDIDATES.name)}
        values = [
            read_value(record, decoder, foreign)
            for record in last.values()
            if record.value is not None
        ]
    return current(value for value in values if value is not None)


def current(candidates: Iterable[avro.MatchCandidate]) -> list[avro.MatchCandidate]:
    """Those of the newest generation, nearest to the threshold first."""
    found = list(candidates)
    generation = max((one["generation"] for one in found), default=0)
    return sorted(
        (one for one in found if one["generation"] == generation),
        key=lambda one: (abs(one["match_score"] - one["threshold"]), _pair(one)),
    )


def of_kind(candidates: Iterable[avro.MatchCandidate], kind: str) -> list[avro.MatchCandidate]:
    """Those of a kind; all when it is empty.

    Raises:
        SettingsError: no such kind is matched.
    """
    if kind and kind not in KINDS:
        raise SettingsError(f"{kind!r} is not matched across sources; one of {sorted(KINDS)}.")
    return [one for one in candidates if kind in ("", one["kind"])]


def lines(candidate: avro.MatchCandidate) -> Iterator[str]:
    """A candidate for people, and the two commands that decide it, ready to be pasted."""
    one, other = _pair(candidate)
    state = "joined for now" if candidate["joined"] else "apart for now"
    yield f"{candidate['kind']} {one} and {other}: {candidate['match_score']:+.2f}, {state}"
    evidence = ", ".join(f"{part['evidence']} {part['weight']:+.2f}" for part in candidate["parts"])
    yield f"  {evidence}"
    if candidate["would_decide"]:
        yield f"  not said by both: {', '.join(candidate['would_decide'])}"
    for verdict in ("must-link", "cannot-link"):
        yield f"  {decide_command(verdict, candidate['kind'], one, other)}"


def _pair(candidate: avro.MatchCandidate) -> tuple[str, str]:
    return (
        f"{candidate['one_source_id']}:{candidate['one_entity_id']}",
        f"{candidate['other_source_id']}:{candidate['other_entity_id']}",
    )
