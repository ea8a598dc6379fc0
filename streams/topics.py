"""Every topic of the product, declared once. Nothing relies on broker auto-creation."""

from dataclasses import dataclass, replace
from typing import Literal

DAY_MS = 86_400_000
KEEP_FOR_EVER = -1

TOMBSTONES_KEPT = (("delete.retention.ms", str(14 * DAY_MS)),)
"""For readers that were away for a while: without the tombstone they would keep what is gone."""

PARTITIONS = 4
"""Partitions of every partitioned topic; stateful topics never change it in place."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One declared topic.

    Attributes:
        name: Topic name.
        partitions: Number of partitions, fixed for the topic's life.
        cleanup: `delete` or `compact`.
        retention_ms: Age limit of a `delete` topic; -1 keeps for ever.
        config: Further broker settings.
        contract: Folder below `avro/` whose schema frames the values; default the topic's name.
        key: What the keys of its records say, for people.
    """

    name: str
    partitions: int = PARTITIONS
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = KEEP_FOR_EVER
    config: tuple[tuple[str, str], ...] = ()
    contract: str = ""
    key: str = ""

    @property
    def contract_name(self) -> str:
        """Folder of the contract below `avro/`."""
        return self.contract or self.name

    @property
    def is_changelog(self) -> bool:
        """Whether it holds the state of a stage, which a rebuild makes again."""
        return self.contract.startswith("state.")

    def broker_config(self) -> dict[str, str]:
        """Settings sent to the broker when the topic is created, and compared ever after.

        Size never ends what time keeps, and times are those of the writers: what is restored or
        redriven has that of its original.
        """
        settings = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "retention.bytes": str(KEEP_FOR_EVER),
            "message.timestamp.type": "CreateTime",
        }
        return settings | dict(self.config)

    def subject(self) -> str:
        """Registry subject of the values (TopicNameStrategy)."""
        return f"{self.name}-value"


def raw_topic(connector_name: str) -> Topic:
    """Raw topic of one connector: kept for ever, never compacted."""
    return Topic(f"raw.{connector_name}", key="source record id")


NORMALIZED_ASSETS = Topic("normalized.assets", retention_ms=30 * DAY_MS, key="source:record")
NORMALIZED_OBSERVATIONS = Topic(
    "normalized.observations", retention_ms=30 * DAY_MS, key="source:entity"
)
LNG_GAS_DAYS = Topic("lng.gas_days", partitions=1, retention_ms=30 * DAY_MS, key="gas day")
"""One partition: a gas day is compared with the one before, whatever the entity."""
MARKET_INFRASTRUCTURE = Topic(
    "market.infrastructure",
    cleanup="compact",
    config=(("min.compaction.lag.ms", str(30 * DAY_MS)),),
    key="canonical id",
)
DECISIONS = Topic("reconcile.decisions", partitions=1, cleanup="compact", key="kind, both entities")
"""Manual decisions, kept for ever; one partition, so its log is their order."""

CANDIDATES = Topic(
    "reconcile.candidates",
    cleanup="compact",
    config=TOMBSTONES_KEPT,
    key="region, kind, both entities",
)
"""Pairs of which scores cannot tell; a tombstone when one is open no more."""

RESUMES = Topic("pipeline.resumes", partitions=1, cleanup="compact", key="raw topic:partition")
"""What lets paused partitions go on."""

REPLAYS = Topic("pipeline.replays", partitions=1, cleanup="compact", key="replay id")
"""Who replayed which raw records when, and what it changed; kept for ever."""

GENERATIONS = Topic("pipeline.generations", partitions=1, cleanup="compact", key="running or next")
"""Which generation runs, and which one grows beside it: the one place that says so."""

SCHEMA_IDS = Topic("schema.ids", partitions=1, cleanup="compact", key="subject:id")
"""Which ids the registry gave to the schemas of this deployment, kept for ever."""

RECORD_OUTCOMES = Topic(
    "record.outcomes", retention_ms=90 * DAY_MS, key="raw topic:partition:offset"
)
QUALITY_COUNTS = Topic(
    "quality.counts",
    partitions=1,
    cleanup="compact",
    key="source, window, partition of the outcomes",
)
"""What each partition of the outcomes counts of a window; one partition, so one worker adds up."""
QUALITY_SCORES = Topic(
    "quality.scores", partitions=1, cleanup="compact", key="source, dimension, window"
)
DEAD_LETTERS = Topic("dead_letters", key="raw topic:partition:offset")


NEXT = "next."
"""How the topics of the next generation begin, changelogs aside."""


def of_next_generation(topic: Topic) -> Topic:
    """The topic that the next generation has in place of one, as long as it grows."""
    return replace(topic, name=f"{NEXT}{topic.name}", contract=topic.contract_name)


def changelog_topic(app_id: str, table: str, contract: str, partitions: int = PARTITIONS) -> Topic:
    """Compacted changelog of one state table; partitions equal those of the table's input."""
    return Topic(
        f"{app_id}-{table}-changelog",
        partitions,
        cleanup="compact",
        config=TOMBSTONES_KEPT,
        contract=contract,
    )
