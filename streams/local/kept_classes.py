"""Java classes that are read and linked once, for every start of the broker and the registry.

Java's own cache (JEP 483, 514) of one program is written when that program ends. It holds for these
jars and this installation of Java. A start with it takes a third of the processor time: on a slow
core the broker 3 s instead of 7 s, the registry 3 s instead of 9 s.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from streams.local.components import Components, default_components_dir, exclusively
from streams.local.errors import ComponentFailedError
from streams.local.java import Classes
from streams.local.kafka import Kafka
from streams.local.lock import ComponentName
from streams.local.ports import StackPorts
from streams.local.process import all_at_once
from streams.local.registry import RegistryServer

log = logging.getLogger(__name__)

_NEEDED_BYTES: Final = 500_000_000
"""Room that must be free before anything is kept; it takes 200 MB."""

_UNUSED_SECONDS: Final = 30 * 86_400.0
_WRITING_SECONDS: Final = 300.0
_START_SECONDS: Final = 300.0
_MAKING: Final = "making-"


class KeptClasses(NamedTuple):
    """What broker and registry start with."""

    kafka: Classes
    registry: Classes


def kept_classes(components: Components) -> KeptClasses:
    """The kept classes, made where they are missing by one start of both beside everything else.

    None where the cache cannot be written into or lacks room, or Java has kept none: everything
    starts without, slower. Making them is said on standard error.
    """
    folder = default_components_dir().absolute() / "classes"
    kafka, registry = _path(folder, components, "kafka"), _path(folder, components, "registry")
    if not (kafka.exists() and registry.exists()) and _is_usable(folder.parent):
        with exclusively(folder.parent):
            if not (kafka.exists() and registry.exists()):
                folder.mkdir(exist_ok=True)
                Console(stderr=True).print(
                    "Preparing Java, once: from now on it starts in half the time"
                )
                try:
                    _make(components, kafka, registry)
                except ComponentFailedError as error:
                    log.warning("Java is not prepared: delete %s to try again. %s", folder, error)
                    kafka.touch()
                    registry.touch()
                _forget_unused(folder)
    return KeptClasses(Classes(kept=_used(kafka)), Classes(kept=_used(registry)))


def _used(path: Path) -> Path | None:
    """The file, and from now on one that was used today."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return None
    except PermissionError:
        pass  # somebody else's cache; they use it
    return path if path.stat().st_size else None


def _is_usable(cache: Path) -> bool:
    return os.access(cache, os.W_OK) and shutil.disk_usage(cache).free > _NEEDED_BYTES


def _make(components: Components, kafka_path: Path, registry_path: Path) -> None:
    """Start both in a folder of their own, and stop them: then Java writes."""
    folder = kafka_path.parent
    for left in folder.glob(f"{_MAKING}*"):
        shutil.rmtree(left)  # of a process that was killed
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=folder) as making:
        home, ports = Path(making), StackPorts.free()
        written = {path: home / path.name for path in (kafka_path, registry_path)}
        kafka = Kafka(home, components, ports, classes=Classes(keep=written[kafka_path]))
        registry = RegistryServer(
            home, components, ports, classes=Classes(keep=written[registry_path])
        )
        both: tuple[Kafka | RegistryServer, ...] = (kafka, registry)

        def run(component: Kafka | RegistryServer) -> None:
            component.start(_START_SECONDS)
            component.stop(_WRITING_SECONDS)

        all_at_once(both, run)
        for path, new in written.items():
            _enter(new, path)


def _enter(new: Path, path: Path) -> None:
    """Bring a file to its place, whole or not at all; an empty one says that Java wrote none."""
    if not new.exists():
        log.warning("Java keeps no classes of %s: it starts as slowly as before", path.name)
    with new.open("ab") as file:
        os.fsync(file.fileno())  # else a power cut leaves zeros under the right name
    new.replace(path)


def _forget_unused(folder: Path) -> None:
    """Delete what no start has used for a month: of other installations of Java, or other jars."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
            path.unlink()


def _path(folder: Path, components: Components, component: ComponentName) -> Path:
    """Another one for whatever Java compares before it takes a file for its own."""
    modules = components.java.parent.parent / "lib" / "modules"
    stat = modules.stat()
    java = f"{modules} {stat.st_size} {stat.st_mtime_ns}"
    compared = f"{components.fingerprints[component]} {java}"
    return folder / f"{component}-{hashlib.sha256(compared.encode()).hexdigest()[:16]}"
