"""The record of a replay: who replayed what, when, with which code, and what it changed."""

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal
from uuid import uuid4

from streams.avro.codec import Encoder, Registry
from streams.avro.topic_codecs import topic_encoder
from streams.commands.code_version import code_version
from streams.core import contract_types as avro
from streams.core.differences import Differences
from streams.core.replay import Effect, ReplayCounts, Selection
from streams.kafka.topic_writer import TopicWriter
from streams.settings import Settings
from streams.tolerance_file import OWN_FILE
from streams.topics import REPLAYS

Status = Literal["running", "interrupted", "complete"]


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """What is known of a replay when it begins.

    Attributes:
        encoder: Of its topic.
        tolerances_sha256: Digest of the tolerances, hex.
        generation: Of the state it is compared with; of a rebuild the new one.
        source_ids: Sources of the raw records.
    """

    bootstrap: str
    encoder: Encoder[avro.Replay]
    tolerances_sha256: str
    generation: int
    source_ids: Sequence[str]
    selection: Selection
    replay_id: str
    started_at: datetime

    @classmethod
    def of(
        cls,
        settings: Settings,
        registry: Registry,
        generation: int,
        source_ids: Sequence[str],
        selection: Selection,
    ) -> "ReplayRecord":
        """Of a replay that begins now.

        Raises:
            RegistryError: its contract is not registered.
        """
        tolerances = (settings.tolerances_file or OWN_FILE).read_bytes()
        return cls(
            settings.kafka_bootstrap,
            topic_encoder(registry, REPLAYS, avro.Replay),
            sha256(tolerances).hexdigest(),
            generation,
            source_ids,
            selection,
            uuid4().hex,
            datetime.now(UTC),
        )

    def write(self, status: Status, counts: ReplayCounts, differences: Differences) -> None:
        """Publish it as it is now; the last one counts.

        Raises:
            BrokerError, TopicMismatchError: it could not be written.
        """
        with TopicWriter(self.bootstrap, [REPLAYS.name]) as writer:
            writer.send(REPLAYS.name, *self.message(status, differences, counts))
            writer.finish()

    def message(
        self, status: Status, differences: Differences, counts: ReplayCounts | None = None
    ) -> tuple[bytes, bytes]:
        """Key and value of it as it is now; a rebuild counts no raw records."""
        counts = counts or ReplayCounts()
        effects = counts.effects
        record: avro.Replay = {
            "replay_id": self.replay_id,
            "status": status,
            "started_at": self.started_at,
            "ended_at": None if status == "running" else datetime.now(UTC),
            "started_by": _user(),
            "code_version": code_version(),
            "tolerances_sha256": self.tolerances_sha256,
            "generation": self.generation,
            "source_ids": sorted(self.source_ids),
            "fetched_from": self.selection.fetched_from,
            "fetched_to": self.selection.fetched_to,
            "record_id": self.selection.record_id,
            "sent_count": counts.sent,
            "unchanged_count": effects[Effect.UNCHANGED],
            "changed_count": effects[Effect.CHANGED],
            "accepted_count": effects[Effect.ACCEPTED],
            "withdrawn_count": effects[Effect.WITHDRAWN],
            "rejected_count": effects[Effect.REJECTED],
            "superseded_count": effects[Effect.SUPERSEDED],
            "undecided_count": effects[Effect.UNDECIDED],
            "too_large_count": effects[Effect.TOO_LARGE],
            "canonical_added_count": differences.added.total(),
            "canonical_changed_count": differences.changed.total(),
            "canonical_gone_count": differences.gone.total(),
            "changed_fields": [
                {"kind": changed.kind, "field": changed.field, "record_count": count}
                for changed, count in sorted(differences.fields.items())
            ],
        }
        return self.replay_id.encode(), self.encoder.encode(record)


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
