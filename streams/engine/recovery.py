"""Faust's place for recovery, filled with the engine's acquiring of partitions.

Faust restores tables by streaming changelog records through its consumer. Here the engine fences
and restores in bulk, while the consumer's own thread keeps the group membership alive; only then do
the inputs flow, from their committed offsets.
"""

from typing import Any, Protocol, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP, AppT
from mode import Service

from streams.engine.engine import Engine


class RunsEngine(Protocol):
    """A Faust app that runs an engine."""

    engine: Engine


class EngineRecovery(Recovery):  # type: ignore[misc]
    """Takes partitions over after each rebalance, then lets the inputs flow."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                await self._wait(self._take_over(generation))
                await self._wait(self.on_recovery_completed(generation))
            except RebalanceAgain:
                continue
            except ServiceStopped:
                break

    async def _take_over(self, generation: int) -> None:
        app: Any = self.app
        engine = cast(RunsEngine, app).engine
        assigned: set[TP] = set(app.consumer.assignment())
        await engine.take_over(
            assigned, generation, lambda: app.consumer_generation_id == generation
        )

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing to slurp: changelogs are not consumed through Faust."""

    @Service.task
    async def _publish_stats(self) -> None:
        """The engine reports each time it acquires itself."""


class EngineTableManager(TableManager):  # type: ignore[misc]
    """Starts the tables without subscribing to their changelogs."""

    def __init__(self, app: AppT, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._engine_recovery: EngineRecovery | None = None

    async def on_start(self) -> None:
        """Start at once: Faust's own waits a second for channels that are not read here."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> EngineRecovery:
        """The recovery service of this app."""
        if self._engine_recovery is None:
            self._engine_recovery = EngineRecovery(
                self.app, self, beacon=self.beacon, loop=self.loop
            )
            self._recovery = self._engine_recovery
        return self._engine_recovery

    async def _update_channels(self) -> None:
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()
