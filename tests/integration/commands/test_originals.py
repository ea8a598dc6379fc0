"""A dead letter is redriven from the record that it is about, or not at all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from streams.commands.originals import originals
from streams.core.dead_letters import DeadLetter
from streams.core.record_size import Content
from streams.core.records import RawCoordinates
from streams.core.redrive import REDRIVEN_FROM
from streams.kafka.topic_admin import ensure_topics
from streams.kafka.topic_writer import TopicWriter
from streams.local.stack import LocalStack
from streams.topics import Topic

pytestmark = pytest.mark.integration

TOPIC = Topic("raw.of_originals", partitions=2)


def dead(partition: int, offset: int, value: bytes, topic: str = TOPIC.name) -> DeadLetter:
    return DeadLetter(
        RawCoordinates(topic, partition, offset),
        "source",
        None,
        "normalize",
        "bad_avro",
        "Broken.",
        datetime(2026, 5, 3, tzinfo=UTC),
        Content(b"key", value, (("run", b"1"),)),
    )


def test_only_what_the_raw_topic_has_at_its_coordinates_is_redriven(stack: LocalStack) -> None:
    bootstrap = stack.kafka.bootstrap
    ensure_topics(bootstrap, [TOPIC], 1)
    with TopicWriter(bootstrap, [TOPIC.name]) as writer:
        for number in range(6):
            headers = [("run", b"1"), (REDRIVEN_FROM, b"nonsense")][: 1 + number % 2]
            writer.send(TOPIC.name, b"key", b"%d" % number, partition=number % 2, headers=headers)
        writer.finish()
    whole = dead(1, 0, b"1")
    chosen = [
        dead(0, 1, b"2"),
        dead(0, 2, b"of an earlier topic of this name"),
        dead(0, 7, b"beyond the end"),
        whole,
        replace(dead(1, 1, b"3"), content=Content(b"key", b"", ()).fitting()),
        dead(0, 0, b"x", "normalized.assets"),
    ]
    found = list(originals(bootstrap, chosen, {TOPIC.name}))
    assert [one for one, _ in found] == chosen
    assert [record and record.value for _, record in found] == [b"2", None, None, b"1", None, None]
    assert [record.headers for _, record in found if record] == [(("run", b"1"),)] * 2
