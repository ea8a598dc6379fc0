"""Topics, offsets and lag on the real broker."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
import stamina
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from streams.__main__ import app
from streams.core.errors import BrokerError, TopicMismatchError
from streams.kafka.lag_collector import LagCollector
from streams.kafka.topic_admin import (
    Difference,
    GroupProgress,
    PartitionId,
    alter_settings,
    committed_offsets,
    end_offsets,
    ensure_topics,
    has_open_transaction,
    lag,
    remaking,
    require_topics,
    topic_differences,
    topic_uuids,
)
from streams.kafka.topic_reader import read_all
from streams.local.stack import LocalStack
from streams.settings import Settings
from streams.topics import Topic, changelog_topic

pytestmark = pytest.mark.integration


@pytest.fixture
def bootstrap(stack: LocalStack) -> str:
    """The broker."""
    return stack.kafka.bootstrap


@pytest.fixture
def topic(bootstrap: str) -> Topic:
    """An empty topic."""
    found = declared()
    ensure_topics(bootstrap, [found], 1)
    return found


@pytest.fixture
def group() -> str:
    """A group nobody has used."""
    return f"group-{uuid4().hex}"


def transaction(bootstrap: str, topic: Topic, records: int) -> Producer:
    """Begin a transaction and write so many records to partition 0; left open."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": uuid4().hex})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(records):
        producer.produce(topic.name, b"value", str(number).encode(), partition=0)
    producer.flush(30)
    return producer


def close(bootstrap: str, topic: Topic, end: Callable[[float], None]) -> None:
    """Commit or abort, and wait for the marker, which the broker writes after its answer."""
    end(30)
    deadline = time.monotonic() + 30
    while has_open_transaction(bootstrap, topic.name):
        assert time.monotonic() < deadline, "no marker"
        time.sleep(0.05)


def declared(name: str | None = None, partitions: int = 2) -> Topic:
    """A compacted topic of a new name."""
    return Topic(name or f"test-{uuid4().hex}", partitions=partitions, cleanup="compact")


def publish(bootstrap: str, topic: Topic, records: int) -> None:
    """Write outside of any transaction, to partition 0."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for number in range(records):
        producer.produce(topic.name, b"value", str(number).encode(), partition=0)
    assert producer.flush(30) == 0


def commit(bootstrap: str, group: str, topic: Topic, offset: int) -> None:
    """Commit as a consumer does that has read up to the offset."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic.name, 0, offset)], asynchronous=False)
    consumer.close()


def lag_of(bootstrap: str, group: str, topic: Topic) -> int:
    """Lag of partition 0; the others are empty."""
    found = lag(bootstrap, group, [topic.name])
    assert set(found) == {PartitionId(topic.name, number) for number in range(topic.partitions)}
    assert found[PartitionId(topic.name, 1)] == 0
    return found[PartitionId(topic.name, 0)]


def test_missing_topics_are_created_as_declared_and_only_once(bootstrap: str) -> None:
    topics = [declared(), declared(partitions=3)]
    assert set(ensure_topics(bootstrap, topics, 1)) == {topic.name for topic in topics}
    assert ensure_topics(bootstrap, topics, 1) == ()
    assert set(end_offsets(bootstrap, [topic.name for topic in topics])) == {
        PartitionId(topic.name, number) for topic in topics for number in range(topic.partitions)
    }


def test_a_created_topic_can_be_written_to_at_once(bootstrap: str) -> None:
    found = declared(partitions=8)
    ensure_topics(bootstrap, [found], 1)
    publish(bootstrap, found, 1)
    assert len(list(read_all(bootstrap, found.name))) == 1


def test_several_processes_may_create_topics_at_once(bootstrap: str) -> None:
    topics = [declared() for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(ensure_topics, bootstrap, topics, 1) for _ in range(4)]
        created = [name for job in jobs for name in job.result()]
    assert sorted(created) == sorted(topic.name for topic in topics)


def test_another_partition_count_names_the_topic_and_what_makes_it_again(
    bootstrap: str, topic: Topic
) -> None:
    other = declared(topic.name, partitions=5)
    said = rf"{topic.name} has 2 .* declared are 5.*`make topic-remake TOPIC={topic.name}`"
    for require in (lambda: ensure_topics(bootstrap, [other], 1), lambda: check(bootstrap, other)):
        with pytest.raises(TopicMismatchError, match=said):
            require()
    assert len(end_offsets(bootstrap, [topic.name])) == 2
    changelog = changelog_topic(topic.name, "stage", "state.applied", 3)
    ensure_topics(bootstrap, [changelog], 1)
    with pytest.raises(TopicMismatchError, match="Stop the workers, then run `make rebuild`"):
        check(bootstrap, changelog_topic(topic.name, "stage", "state.applied", 2))


def check(bootstrap: str, topic: Topic) -> None:
    """What a worker does before it reads."""
    require_topics(bootstrap, [topic])


def test_nothing_uses_a_topic_that_is_being_made_again(bootstrap: str, topic: Topic) -> None:
    check(bootstrap, topic)
    ensure_topics(bootstrap, [declared(remaking(topic.name))], 1)
    for require in (lambda: ensure_topics(bootstrap, [topic], 1), lambda: check(bootstrap, topic)):
        with pytest.raises(TopicMismatchError, match="is being made again"):
            require()


def test_another_clean_up_policy_names_the_fix(bootstrap: str, topic: Topic) -> None:
    """Compaction would eat records that are kept for ever."""
    with pytest.raises(TopicMismatchError, match=r"cleanup\.policy compact, declared is delete"):
        ensure_topics(bootstrap, [Topic(topic.name, partitions=2)], 1)


def test_another_retention_is_the_operators_choice(
    bootstrap: str, topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    longer = Topic(topic.name, partitions=2, cleanup="compact", retention_ms=1000)
    assert ensure_topics(bootstrap, [longer], 1) == ()
    assert f"{topic.name} has retention.ms=-1, declared is 1000" in caplog.text


def test_what_differs_is_named_with_what_fixes_it(bootstrap: str, topic: Topic) -> None:
    lag_ms = ("min.compaction.lag.ms", "1000")
    other = Topic(topic.name, 3, retention_ms=2000, config=(lag_ms,))
    changelog = changelog_topic(topic.name, "stage", "state.applied", 3)
    ensure_topics(bootstrap, [replace(changelog, partitions=1)], 1)
    missing = declared()
    assert topic_differences(bootstrap, [topic], 1) == ()
    found = topic_differences(bootstrap, [other, changelog, missing], 2)
    fix = "make topics ARGS=--fix"
    reassign = "kafka-reassign-partitions --execute"
    assert found == (
        Difference(other.name, "partitions", "3", "2", f"make topic-remake TOPIC={other.name}"),
        Difference(other.name, "replicas", "2", "1", reassign),
        Difference(other.name, "cleanup.policy", "delete", "compact", fix),
        Difference(other.name, "retention.ms", "2000", "-1", fix),
        Difference(other.name, "min.compaction.lag.ms", "1000", "0", fix),
        Difference(changelog.name, "partitions", "3", "1", "make rebuild"),
        Difference(changelog.name, "replicas", "2", "1", reassign),
        Difference(missing.name, "topic", missing.name, None, "make topics"),
    )
    alter_settings(bootstrap, found)
    assert [one for one in topic_differences(bootstrap, [other], 1) if one.is_setting] == []


def test_the_command_says_what_differs_and_alters_it(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = stack.kafka.bootstrap
    settings = Settings(kafka_bootstrap=bootstrap, app_id=f"app-{uuid4().hex}")
    monkeypatch.setattr("streams.__main__.settings", lambda: settings)

    def topics(option: str) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["topics", option])
        return ended.exit_code, ended.output

    missing = f"{settings.app_id}-reconcile-changelog: is missing"
    code, said = topics("--check")
    assert (code, missing in said) == (1, True)
    assert topics("--fix")[0] == 0
    assert topics("--check") == (0, "Every topic is as declared.\n")
    shorter = Difference("dead_letters", "retention.ms", "3600000", "-1", "")
    alter_settings(bootstrap, [shorter])
    line = "dead_letters: retention.ms 3600000, declared is -1: `make topics ARGS=--fix`\n"
    assert topics("--check") == (1, line)
    code, said = topics("--fix")
    assert (code, line in said) == (0, True)
    assert topics("--check")[0] == 0


def test_too_few_brokers_name_the_setting(bootstrap: str) -> None:
    with pytest.raises(BrokerError, match="REPLICATION_FACTOR"):
        ensure_topics(bootstrap, [declared()], 3)


def test_a_missing_topic_is_named(bootstrap: str, topic: Topic) -> None:
    for ask in (topic_uuids, end_offsets):
        with pytest.raises(TopicMismatchError, match="no topic nowhere; `make topics`"):
            ask(bootstrap, [topic.name, "nowhere"])


def test_a_recreated_topic_has_another_identity(bootstrap: str, topic: Topic) -> None:
    first = topic_uuids(bootstrap, [topic.name])
    assert topic_uuids(bootstrap, [topic.name]) == first
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic.name])[topic.name].result()
    ensure_topics(bootstrap, [topic], 1)
    assert topic_uuids(bootstrap, [topic.name]).keys() == first.keys()
    assert topic_uuids(bootstrap, [topic.name]) != first


def test_only_what_was_committed_is_told(bootstrap: str, topic: Topic, group: str) -> None:
    assert committed_offsets(bootstrap, group, [topic.name]) == {}
    commit(bootstrap, group, topic, 7)
    assert committed_offsets(bootstrap, group, [topic.name]) == {PartitionId(topic.name, 0): 7}


def test_a_group_that_never_committed_has_everything_to_read(
    bootstrap: str, topic: Topic, group: str
) -> None:
    assert lag_of(bootstrap, group, topic) == 0
    publish(bootstrap, topic, 5)
    assert lag_of(bootstrap, group, topic) == 5


def test_lag_without_transactions_counts_records(bootstrap: str, topic: Topic, group: str) -> None:
    publish(bootstrap, topic, 5)
    commit(bootstrap, group, topic, 3)
    assert lag_of(bootstrap, group, topic) == 2
    commit(bootstrap, group, topic, 5)
    assert lag_of(bootstrap, group, topic) == 0


def test_nothing_is_left_behind_the_last_record_of_a_transaction(
    bootstrap: str, topic: Topic, group: str
) -> None:
    """The commit marker takes an offset that no consumer ever reads or commits."""
    close(bootstrap, topic, transaction(bootstrap, topic, 10).commit_transaction)
    commit(bootstrap, group, topic, 10)
    assert end_offsets(bootstrap, [topic.name])[PartitionId(topic.name, 0)] == 11
    assert lag_of(bootstrap, group, topic) == 0
    commit(bootstrap, group, topic, 9)
    assert lag_of(bootstrap, group, topic) > 0


def test_aborted_records_are_nothing_to_read(bootstrap: str, topic: Topic, group: str) -> None:
    close(bootstrap, topic, transaction(bootstrap, topic, 3).commit_transaction)
    commit(bootstrap, group, topic, 3)
    close(bootstrap, topic, transaction(bootstrap, topic, 3000).abort_transaction)
    assert lag_of(bootstrap, group, topic) == 0
    publish(bootstrap, topic, 4)
    # Counted from the next record, not from the committed offset.
    assert lag_of(bootstrap, group, topic) == 4


def test_whoever_waits_is_told_at_the_second_question_that_nothing_is_left(
    bootstrap: str, topic: Topic, group: str
) -> None:
    close(bootstrap, topic, transaction(bootstrap, topic, 3).commit_transaction)
    commit(bootstrap, group, topic, 3)
    progress = GroupProgress(bootstrap, group, [topic.name])
    assert progress.left() == 0, "a marker alone needs no second question"
    close(bootstrap, topic, transaction(bootstrap, topic, 3000).abort_transaction)
    assert [progress.left() for _ in range(3)] == [3002, 0, 0]
    publish(bootstrap, topic, 4)
    assert progress.left() >= 4
    assert progress.left() == 4
    commit(bootstrap, group, topic, 3009)
    assert progress.left() == 0


def test_an_open_transaction_is_something_to_wait_for(
    bootstrap: str, topic: Topic, group: str
) -> None:
    """A worker killed in a transaction hides what others have committed behind it."""
    close(bootstrap, topic, transaction(bootstrap, topic, 3).commit_transaction)
    commit(bootstrap, group, topic, 3)
    hiding = transaction(bootstrap, topic, 5)
    publish(bootstrap, topic, 2)
    assert lag_of(bootstrap, group, topic) == 7
    close(bootstrap, topic, hiding.abort_transaction)
    # Two records and the marker behind them.
    assert lag_of(bootstrap, group, topic) == 3
    commit(bootstrap, group, topic, 11)
    assert lag_of(bootstrap, group, topic) == 0


def test_an_offset_outside_of_the_log_starts_over(bootstrap: str, topic: Topic, group: str) -> None:
    """As the consumer does: the topic was recreated, the group's offsets are from before."""
    publish(bootstrap, topic, 5)
    commit(bootstrap, group, topic, 1000)
    assert lag_of(bootstrap, group, topic) == 5
    # The metric shows that it was cut: the committed offset is beyond the end.
    metrics = LagCollector(bootstrap, {group: [topic.name]}, lambda: True).ask()
    found = {
        (one.name, *one.labels.values()): one.value for metric in metrics for one in metric.samples
    }
    assert found["consumer_committed_offset", group, topic.name, "0"] == 1000
    assert found["topic_end_offset", topic.name, "0"] == 5
    assert found["consumer_lag_records", group, topic.name, "0"] == 5
    assert ("consumer_committed_offset", group, topic.name, "1") not in found


def test_a_topic_is_read_whole_and_without_what_was_aborted(bootstrap: str, topic: Topic) -> None:
    assert list(read_all(bootstrap, topic.name)) == []
    publish(bootstrap, topic, 3)
    close(bootstrap, topic, transaction(bootstrap, topic, 20_000).commit_transaction)
    close(bootstrap, topic, transaction(bootstrap, topic, 7).abort_transaction)
    found = list(read_all(bootstrap, topic.name))
    assert [record.offset for record in found] == [0, 1, 2, *range(3, 20_003)]
    assert found[0].key == b"0"
    assert found[0].value == b"value"
    assert found[0].headers == ()


def test_reading_ends_before_an_open_transaction(bootstrap: str, topic: Topic) -> None:
    publish(bootstrap, topic, 3)
    assert not has_open_transaction(bootstrap, topic.name)
    hiding = transaction(bootstrap, topic, 5)
    assert len(list(read_all(bootstrap, topic.name))) == 3
    assert has_open_transaction(bootstrap, topic.name)
    close(bootstrap, topic, hiding.commit_transaction)
    assert len(list(read_all(bootstrap, topic.name))) == 8
    assert not has_open_transaction(bootstrap, topic.name)


def test_reading_ends_where_the_topic_ended_when_it_began(bootstrap: str, topic: Topic) -> None:
    publish(bootstrap, topic, 10)
    reading = read_all(bootstrap, topic.name)
    first = next(reading)
    publish(bootstrap, topic, 10)
    assert [record.offset for record in [first, *reading]] == list(range(10))


def test_no_broker_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.broker._REQUEST_SECONDS", 1.0)
    with (
        stamina.set_testing(True, attempts=2),
        pytest.raises(BrokerError, match="KAFKA_BOOTSTRAP"),
    ):
        topic_uuids("127.0.0.1:1", ["anything"])
