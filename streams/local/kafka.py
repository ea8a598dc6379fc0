"""A single-node Kafka broker (KRaft: broker and controller in one process)."""

import base64
import logging
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.local.components import Components
from streams.local.java import NO_CLASSES, Classes, java_command
from streams.local.ports import HOST, StackPorts, is_listening
from streams.local.process import START_SECONDS, STOP_SECONDS, ManagedProcess

_MEGABYTES: Final = (128, 512)

# An authorizer, where one is set, says of each right who used it.
_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601}{UTC}Z %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = debug
"""

_READY_CALL_SECONDS: Final = 2.0


class Kafka:
    """The broker; its data survive a kill at any moment.

    Args:
        data_dir: The stack's data directory.
        components: Where Java and the jars are.
        ports: Where it listens.
        properties: Broker settings that replace or complete the stack's own, for example a short
            `log.cleaner.backoff.ms`.
        classes: What is kept of its classes.
    """

    def __init__(
        self,
        data_dir: Path,
        components: Components,
        ports: StackPorts,
        properties: Mapping[str, str] | None = None,
        classes: Classes = NO_CLASSES,
    ) -> None:
        self._home = data_dir / "kafka"
        self._components = components
        self._ports = ports
        self._overrides = dict(properties or {})
        self._classes = classes
        self.process = ManagedProcess("Kafka", "kafka", data_dir)

    @property
    def bootstrap(self) -> str:
        """Value of KAFKA_BOOTSTRAP."""
        return f"{HOST}:{self._ports.kafka_port}"

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start, and return when every partition has a leader.

        Raises:
            ComponentFailedError: it ended by itself, or not ready by the deadline
                (`StartTimeoutError`).
        """
        properties = self._prepare()
        self.process.spawn(self._java(self._classes, "kafka.Kafka", str(properties)))
        self.process.wait_until(lambda: is_listening(self._ports.kafka_port), timeout_seconds)
        # Its log is silenced: that the broker does not answer yet is expected.
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200},
            logger=_silent,
        )
        self.process.wait_until(lambda: _has_leaders(admin), timeout_seconds)

    def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Stop cleanly; killed after the grace."""
        self.process.stop(grace_seconds)

    def kill(self) -> None:
        """End at once, as a crash would."""
        self.process.kill()

    def _prepare(self) -> Path:
        """Write the configuration; format the log directory unless it was, to the end."""
        temporary = self._home / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        (self._home / "log4j2.properties").write_text(_LOGGING)
        properties = self._home / "server.properties"
        settings = _settings(self._ports) | self._overrides
        properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        formatted = self._home / "formatted"
        if not formatted.exists():
            shutil.rmtree(self._home / "data", ignore_errors=True)
            kept = Classes(self._classes.kept)
            tool = self._java(kept, "kafka.tools.StorageTool", "format")
            self.process.run([*tool, "-t", _cluster_id(), "-c", str(properties)])
            formatted.touch()
        return properties

    def _java(self, classes: Classes, *main: str) -> list[str]:
        return java_command(
            self._components.java,
            _MEGABYTES,
            classes,
            f"-Djava.io.tmpdir={self._home / 'tmp'}",
            # Relative as well: an absolute path is read as an address, where a space is an error.
            "-Dlog4j2.configurationFile=kafka/log4j2.properties",
            "-cp",
            os.pathsep.join(str(jar) for jar in self._components.kafka_class_path),
            *main,
        )


_silent = logging.Logger("silent", logging.CRITICAL + 1)


def _settings(ports: StackPorts) -> dict[str, str]:
    broker = f"BROKER://{HOST}:{ports.kafka_port}"
    controller = f"CONTROLLER://{HOST}:{ports.kafka_controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{ports.kafka_controller_port}",
        "listeners": f"{broker},{controller}",
        "advertised.listeners": broker,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        # Relative to the data directory, where it runs: a comma in its path would make two of it.
        "log.dirs": "kafka/data",
        # Topics come from one declared table, never from a typing error.
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        # A laptop may rest for weeks; committed offsets must not expire meanwhile (10 years).
        "offsets.retention.minutes": "5256000",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "8",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # After a kill the old registration must expire before the new one counts: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # 128 MB by default, a quarter of the heap; this is room for 1.2 million keys.
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
    }


def _cluster_id() -> str:
    """A cluster id as Kafka makes them: 16 random bytes, not starting with a dash."""
    encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return encoded.replace("-", "A", 1) if encoded.startswith("-") else encoded


def _has_leaders(admin: AdminClient) -> bool:
    try:
        cluster = admin.list_topics(timeout=_READY_CALL_SECONDS)
    except KafkaException:
        return False
    return bool(cluster.brokers) and all(
        partition.leader >= 0
        for topic in cluster.topics.values()
        for partition in topic.partitions.values()
    )
