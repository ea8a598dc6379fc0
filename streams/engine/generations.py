"""Which generation runs and which one grows beside it, from the one topic that says so."""

from typing import Final, Literal, get_args

from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.core.errors import StateError
from streams.core.foreign import ForeignRecords
from streams.core.versions import MAX_GENERATION
from streams.kafka.decoded_reader import read_value
from streams.kafka.topic_admin import has_open_transaction
from streams.kafka.topic_reader import read_all
from streams.topics import GENERATIONS

Role = Literal["running", "next"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

FIRST_GENERATION: Final = 1

GENERATION_HEADER: Final = "generation"
"""Header of the records that a switch publishes, with the number of the generation."""


def generations(bootstrap: str, registry: Registry) -> dict[Role, avro.Generation]:
    """The running generation and the next one; without an entry the first one runs.

    Raises:
        BrokerError, TopicMismatchError, RegistryError: it could not be read.
    """
    decoder = topic_decoder(registry, GENERATIONS, avro.Generation)
    last = {record.key: record for record in read_all(bootstrap, GENERATIONS.name)}
    foreign = ForeignRecords()
    found: dict[Role, avro.Generation] = {}
    for role in ROLES:
        record = last.get(role.encode())
        if record is not None and record.value is not None:
            entry = read_value(record, decoder, foreign)
            if entry is not None:
                found[role] = entry
    return found


def running_generation(bootstrap: str, registry: Registry) -> int:
    """Number of the generation that runs; errors as those of `generations`."""
    running = generations(bootstrap, registry).get("running")
    return FIRST_GENERATION if running is None else running["generation"]


def require_running(bootstrap: str, registry: Registry, generation: int) -> None:
    """Check that a generation runs and that no other is about to.

    A switch opens its transaction in this topic before it fences every partition. So who has
    fenced a partition and asks then either sees the switch, or is fenced by it.

    Raises:
        StateError: another one runs, or a switch to one has begun.
        BrokerError, TopicMismatchError, RegistryError: it could not be read.
    """
    # First whether one has begun: what ends after that is seen below.
    if has_open_transaction(bootstrap, GENERATIONS.name):
        raise StateError(
            "A switch to another generation has begun: start this worker again when `make rebuild "
            "SWITCH=1` has ended. When that was killed, run it again, or `make rebuild DROP=1`."
        )
    running = running_generation(bootstrap, registry)
    if running != generation:
        raise StateError(
            f"Generation {running} runs now, this worker began with generation {generation}: start "
            "it again."
        )


def next_number(running: int) -> int:
    """Number of the generation after one.

    Raises:
        StateError: versions have no room for it.
    """
    if running >= MAX_GENERATION:
        raise StateError(f"Generation {running} is the last that versions have room for.")
    return running + 1
