"""Faust apps that read micro-batches: the settings they share, and the app that runs an engine."""

import asyncio
import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import faust.auth
from aiokafka.abc import AbstractTokenProvider
from faust.types import TP, AgentT, TopicT
from faust.types.auth import CredentialsT

from streams.credentials import TokenSource, current_credentials
from streams.engine.applied import shorter_log
from streams.engine.engine import Engine
from streams.engine.process import Ending, WorkerProcess, require_free_port
from streams.engine.quick_start import leave_out_discovery
from streams.engine.recovery import EngineTableManager
from streams.engine.running import RunningBatches
from streams.engine.table import StageTable
from streams.engine.transport import BatchScheduler, BatchSchema
from streams.folders import writable_folder
from streams.quiet_logs import quiet_clients
from streams.settings import Settings
from streams.topics import PARTITIONS

logger = logging.getLogger(__name__)

_FETCH_BYTES = 256 * 1024
"""Per partition and fetch: fair between partitions at the throughput of larger ones (measured)."""

_QUEUED_BATCHES = 8

leave_out_discovery()


class NamedAgent(faust.Agent):  # type: ignore[misc]
    """An agent that logs show by its name; Faust shows its function, which all stages share."""

    def _agent_label(self, name_suffix: str = "") -> str:
        return f"Agent{name_suffix}: {self.name}"


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app on the batch transport.

    Args:
        require_topics: Checks before anything is read that Kafka answers and that what the app
            reads and writes is as declared; blocking, raises `InfrastructureError`.
    """

    def __init__(
        self, *args: Any, require_topics: Callable[[], None] = lambda: None, **kwargs: Any
    ) -> None:
        super().__init__(
            *args,
            Agent=NamedAgent,
            Worker=WorkerProcess,
            # Nobody reads standbys here, and with any Faust lets workers keep so many partitions
            # that one more gets none: 2, 2 and 0 of 4.
            table_standby_replicas=0,
            **kwargs,
        )
        self._require_topics = require_topics
        self.batches = RunningBatches()
        self.ending = Ending()
        quiet_clients()

    def on_shorter_log(self, tp: TP, offset: int, high: int) -> None:
        """Called when an input log ends before an offset that was read; it is read again whole.

        Called from the consumer's thread.
        """
        logger.warning(
            "%s/%d: the log ends at offset %d, but %d was read already: it is read again from its "
            "beginning",
            *tp,
            high,
            offset,
        )

    async def start(self) -> None:
        """Start; what does not let it is the reason why the process ends."""
        try:
            if self.conf.web_enabled:
                require_free_port(self.conf.web_bind, self.conf.web_port)
            # Before any service is asked: whoever starts it can put that right at once.
            writable_folder(Path(self.conf.datadir), "STATE_DIR or DATA_DIR")
            await asyncio.to_thread(self._require_topics)
            await super().start()
        except Exception as error:
            self.ending.explain(error)
            raise

    def batch_topic(self, name: str) -> TopicT:
        """A topic that is read in micro-batches; it is declared in `streams.topics`."""
        return self.topic(name, schema=BatchSchema(key_type=bytes, value_type=bytes))

    async def revoke(self) -> None:
        """Called when partitions are revoked, before another worker may get them."""

    def paused(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for `make resume`."""
        return {}

    def waiting(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for a service to be put right."""
        return {}

    async def stop(self) -> None:
        """Stop by the deadline."""
        self.ending.by_deadline()
        await super().stop()

    async def crash(self, reason: BaseException) -> None:
        """End the process with an error, by the deadline."""
        self.ending.explain(reason)
        self.ending.by_deadline()
        await super().crash(reason)

    def _crash(self, reason: BaseException) -> None:
        """Called when a service below crashes, such as the consumer."""
        self.ending.explain(reason)
        super()._crash(reason)

    async def _on_agent_error(self, agent: AgentT, exc: BaseException) -> None:
        """End the process: only a fresh one gets the failed batch again.

        Faust would restart the agent and go on with the next batch.
        """
        await self.crash(exc)


class EngineApp(BatchApp):
    """A Faust app whose tables and batches are run by an `Engine`.

    The engine is built when the worker starts, so that `faust agents` and `faust tables` need
    neither broker nor registry.
    """

    def __init__(self, *args: Any, build_engine: Callable[["EngineApp"], Engine], **kwargs: Any):
        super().__init__(*args, Table=StageTable, TableManager=EngineTableManager, **kwargs)
        self._build_engine = build_engine
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine of this worker."""
        if self._engine is None:
            self._engine = self._build_engine(self)
        return self._engine

    async def revoke(self) -> None:
        """Let running batches end."""
        if self._engine is not None:
            await self._engine.revoke()

    def paused(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for `make resume`."""
        if self._engine is None:
            return {}
        return {f"{tp.topic}/{tp.partition}": why for tp, why in self._engine.paused.items()}

    def waiting(self) -> dict[str, str]:
        """Reason by `topic/partition` of everything that waits for a service to be put right."""
        if self._engine is None:
            return {}
        return {f"{tp.topic}/{tp.partition}": why for tp, why in self._engine.waiting.items()}

    def on_shorter_log(self, tp: TP, offset: int, high: int) -> None:
        """Refuse to go on: what is written there now would be taken for what was read.

        Raises:
            StateError: always.
        """
        raise shorter_log(tp, offset, high)

    async def on_start(self) -> None:
        """Build the engine before anything is read; errors end the start with their message."""
        _ = self.engine
        gc.freeze()  # what exists here at the start is never walked again
        await super().on_start()

    async def on_stop(self) -> None:
        """Let running batches end, so that what they applied is committed; release producers."""
        if self._engine is not None:
            await self._engine.drain()
        await super().on_stop()
        if self._engine is not None:
            self._engine.close()
        # The interpreter would walk every record in memory on its way out: 4 s (measured).
        gc.freeze()
        gc.disable()


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Gives aiokafka the tokens that every client of this process uses."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        return (await asyncio.to_thread(self._tokens.token))[0]


def _broker_credentials() -> CredentialsT | None:
    credentials = current_credentials()
    if credentials is None:
        return None
    context = credentials.context if credentials.is_kafka_encrypted else None
    if credentials.tokens is not None:
        provider = _TokenProvider(credentials.tokens)
        return faust.auth.OAuthCredentials(oauth_cb=provider, ssl_context=context)
    if credentials.is_kafka_named:
        settings = credentials.settings
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return None if context is None else faust.SSLCredentials(context)


def faust_settings(
    settings: Settings,
    state_dir: Path,
    web_port: int,
    *,
    batch_records: int,
    fetch_bytes: int = _FETCH_BYTES,
) -> dict[str, Any]:
    """Faust settings of a batch app; the reasons are beside those that are not obvious."""
    return {
        "broker": ";".join(f"batch://{server}" for server in settings.kafka_bootstrap.split(",")),
        "broker_credentials": _broker_credentials(),
        "datadir": str(state_dir),
        "ConsumerScheduler": BatchScheduler,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        # The transport decides itself: out of range is no reason to begin anywhere else.
        "consumer_auto_offset_reset": "none",
        # Faust's default of 60 s makes every restart after a kill wait a minute.
        "broker_session_timeout": settings.session_timeout_seconds,
        "broker_heartbeat_interval": settings.session_timeout_seconds / 5,
        "broker_request_timeout": max(30.0, settings.session_timeout_seconds * 2),
        "broker_commit_interval": 1.0,
        # Counted over all partitions: with less, one fills a poll and cuts the batch of the next.
        "broker_max_poll_records": batch_records * PARTITIONS,
        "consumer_max_fetch_size": fetch_bytes,
        # Counted in batches, not in records.
        "stream_buffer_maxsize": _QUEUED_BATCHES,
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,
        "web_port": web_port,
        "web_bind": settings.web_bind,
        "web_host": "127.0.0.1",
    }
