"""The next generation: it grows from the raw topics beside the running one, in topics of its own.

A worker of the pipeline with `NEXT_GENERATION` grows it: own consumer group, own transactional ids,
own changelogs and state directory, own topics behind the raw ones. What is there goes on growing
whenever a command asks for it, so a killed one is run again.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from rich.progress import Progress

import producers
import streams
from producers.connectors import CONNECTORS
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_encoder
from streams.commands.code_version import code_version
from streams.core import contract_types as avro
from streams.core.errors import StateError
from streams.engine.generations import (
    FIRST_GENERATION,
    Role,
    generations,
    next_number,
)
from streams.engine.transactions import PartitionTransactions
from streams.kafka.groups import forget_offsets, require_stopped
from streams.kafka.topic_admin import (
    GroupProgress,
    PartitionId,
    delete_topics,
    end_offsets,
    ensure_topics,
    lag,
)
from streams.kafka.topic_writer import TopicWriter
from streams.settings import PROJECT_ROOT, Settings
from streams.tolerance_file import OWN_FILE
from streams.topics import GENERATIONS, Topic
from streams.topology import (
    DeclaredStage,
    changelogs,
    drain_steps,
    next_generation,
    outputs,
    pipeline,
)

_WORKER: Final = ("worker", "-l", "info", "--without-web")
_LOOK_SECONDS: Final = 0.3
_STOP_SECONDS: Final = 30.0
_GONE_SESSIONS: Final = 3
"""How many session timeouts a killed worker may still be a member of its group."""


def next_stages() -> tuple[DeclaredStage, ...]:
    """The stages on the topics of the next generation."""
    return next_generation(pipeline(CONNECTORS))


def grown(settings: Settings, registry: Registry, progress: Progress) -> avro.Generation:
    """Let the next generation grow until it has read what there is now; begins one if none grows.

    Raises:
        StateError: the one that grows was begun with other code or limits, or another command lets
            it grow.
        ComponentFailedError: its worker ended by itself.
        BrokerError, TopicMismatchError, RegistryError: a service; run it again.
    """
    entry = _begun(settings, registry)
    stages = next_stages()
    if not _left(settings, [stage.input.name for stage in stages]):
        return entry
    with _worker(settings, stages) as require_running:
        for step in drain_steps(stages):
            _wait_read(settings, [stage.input.name for stage in step], require_running, progress)
    return entry


def drain(settings: Settings, progress: Progress) -> None:
    """Let the next generation read its own topics to their ends, and no raw record more.

    Errors as those of `grown`.
    """
    stages = next_stages()
    own = {topic.name for topic in outputs(stages)}
    behind = [stage for stage in stages if stage.input.name in own]
    inputs = [stage.input.name for stage in behind]
    if not _left(settings, inputs):
        return
    with _worker(settings, behind) as require_running:
        task = progress.add_task("Records on the way", total=None)
        group = GroupProgress(settings.kafka_bootstrap, settings.next_app_id, inputs)
        while group.left():
            require_running()
            time.sleep(_LOOK_SECONDS)
        progress.remove_task(task)


def drop(settings: Settings) -> None:
    """Throw the next generation away: its topics, group and state; again, it changes nothing.

    Raises:
        StateError: its worker is running.
        BrokerError, TopicMismatchError: no answer; run it again.
    """
    bootstrap, group = settings.kafka_bootstrap, settings.next_app_id
    _wait_stopped(settings)
    end_switch(settings)
    # First the entry: what is left without one is nobody's.
    write_generations(settings, {"next": None})
    delete_topics(bootstrap, [topic.name for topic in _topics(settings)])
    forget_offsets(bootstrap, group)
    shutil.rmtree(_state_dir(settings), ignore_errors=True)


def switch_id(settings: Settings) -> str:
    """Transactional id of the switch."""
    return f"{settings.app_id}-switch"


def end_switch(settings: Settings) -> None:
    """End the transaction of a switch that was killed: open, it hides what lies behind it.

    Raises:
        FencedError, TransactionError: the broker did not answer, or somebody else switches.
    """
    transactions = PartitionTransactions(settings.kafka_bootstrap, switch_id(settings))
    try:
        transactions.fence()
    finally:
        transactions.close()


def write_generations(settings: Settings, values: Mapping[Role, bytes | None]) -> None:
    """Say which generations there are.

    Raises:
        BrokerError, TopicMismatchError: it could not be written.
    """
    with TopicWriter(settings.kafka_bootstrap, [GENERATIONS.name]) as writer:
        for role, value in values.items():
            writer.send(GENERATIONS.name, role.encode(), value)
        writer.finish()


def fingerprint(settings: Settings) -> str:
    """Digest of everything that decides what becomes of a raw record: code, settings, limits."""
    digest = sha256((settings.tolerances_file or OWN_FILE).read_bytes())
    packages = [Path(str(package.__file__)).parent for package in (producers, streams)]
    files = [file for package in packages for file in package.rglob("*") if _decides(file)]
    for file in sorted(files):
        digest.update(str(file).removeprefix(str(PROJECT_ROOT)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _decides(file: Path) -> bool:
    return file.is_file() and file.suffix in (".py", ".yaml", ".csv", ".tsv", ".bin")


def _begun(settings: Settings, registry: Registry) -> avro.Generation:
    """The entry of the next generation, begun when there is none."""
    bootstrap = settings.kafka_bootstrap
    found = generations(bootstrap, registry)
    running = found.get("running")
    present = fingerprint(settings)
    entry = found.get("next")
    if entry is not None and entry["fingerprint"] != present:
        raise StateError(
            f"The next generation grows since {entry['began_at']:%Y-%m-%d %H:%M} UTC with other "
            "code, settings or limits than those of now. Throw it away with `make rebuild DROP=1`, "
            "then begin another."
        )
    if entry is None:
        drop(settings)  # what a killed command has left
        entry = {
            "generation": next_number(
                FIRST_GENERATION if running is None else running["generation"]
            ),
            "began_at": datetime.now(UTC),
            "switched_at": None,
            "code_version": code_version(),
            "fingerprint": present,
            "published": [],
        }
        encoder = topic_encoder(registry, GENERATIONS, avro.Generation)
        write_generations(settings, {"next": encoder.encode(entry)})
    ensure_topics(bootstrap, _topics(settings), settings.replication_factor)
    return entry


def _topics(settings: Settings) -> tuple[Topic, ...]:
    """What only the next generation has."""
    return (*outputs(next_stages()), *changelogs(settings.next_app_id, CONNECTORS))


def _state_dir(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "state" / settings.next_app_id


@contextmanager
def _worker(settings: Settings, stages: Sequence[DeclaredStage]) -> Iterator[Callable[[], None]]:
    """A worker of the next generation, as long as the block; gives what raises when it ended."""
    from streams.local.process import ManagedProcess

    _wait_stopped(settings)
    home = settings.data_dir.absolute()
    home.mkdir(parents=True, exist_ok=True)
    process = ManagedProcess("The worker of the next generation", "next-generation", home)
    process.end_orphan()
    process.spawn(
        [sys.executable, "-m", "faust", "-A", "streams.app", *_WORKER],
        environment={
            **os.environ,
            **_variables(settings),
            # The code of this command, whatever is installed.
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH")))
            ),
            "NEXT_GENERATION": "true",
            "STAGES": ",".join(stage.name for stage in stages),
            "STATE_DIR": str(_state_dir(settings)),
        },
    )
    try:
        yield process.require_running
    finally:
        process.stop(_STOP_SECONDS, signal.SIGTERM)


def _variables(settings: Settings) -> dict[str, str]:
    """The same settings as environment variables, for another working directory."""
    plain = {name: value for name, value in settings if isinstance(value, str | int | float)}
    paths = {name: value.absolute() for name, value in settings if isinstance(value, Path)}
    return {name.upper(): str(value) for name, value in (plain | paths).items()}


def _wait_stopped(settings: Settings) -> None:
    """Wait until a worker that was killed is no member of its group any more."""
    deadline = time.monotonic() + _GONE_SESSIONS * settings.session_timeout_seconds
    while True:
        try:
            require_stopped(settings.kafka_bootstrap, settings.next_app_id)
        except StateError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _left(settings: Settings, inputs: Collection[str]) -> int:
    return sum(lag(settings.kafka_bootstrap, settings.next_app_id, inputs).values())


def _wait_read(
    settings: Settings,
    inputs: Collection[str],
    require_running: Callable[[], None],
    progress: Progress,
) -> None:
    """Wait until everything that some topics have now is read; more may come meanwhile."""
    ends = end_offsets(settings.kafka_bootstrap, inputs)
    task = progress.add_task(_shown(inputs), total=sum(ends.values()))
    group = GroupProgress(settings.kafka_bootstrap, settings.next_app_id, inputs)
    while True:
        positions = group.positions()
        read: dict[PartitionId, int] = {
            partition: end if positions[partition].lag == 0 else positions[partition].committed or 0
            for partition, end in ends.items()
        }
        progress.update(task, completed=sum(min(read[one], end) for one, end in ends.items()))
        if all(read[one] >= end for one, end in ends.items()):
            progress.remove_task(task)
            return
        require_running()
        time.sleep(_LOOK_SECONDS)


def _shown(inputs: Collection[str]) -> str:
    names = list(inputs)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
