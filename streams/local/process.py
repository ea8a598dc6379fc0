"""One supervised child process: it never outlives its owner and never gets the owner's Ctrl-C.

The child has a session of its own, so a Ctrl-C in the terminal reaches the owner only, which then
stops its components in order. It is recorded in a file, so that a start after a killed run on a
system without parent-death signals finds the orphan.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, TypeVar

import psutil

from streams.local.errors import ComponentFailedError, StartTimeoutError

log = logging.getLogger(__name__)

START_SECONDS: Final = 120.0
"""Longest time a component may take to become ready; a warm start takes 7 s on two busy cores."""

STOP_SECONDS: Final = 4.0
"""Longest time a component may take to end before it is killed; it takes half a second."""

_GUARD: Final = Path(__file__).with_name("parent_death_guard.py")
_POLL_SECONDS: Final = 0.1
_ORPHAN_GRACE_SECONDS: Final = 4.0
_CLOCK_SLACK_SECONDS: Final = 2.0

# The components get nothing else: no key of the user's environment, and no JAVA_TOOL_OPTIONS,
# PGDATA or QUARKUS_… that would change how they run.
_INHERITED: Final = ("PATH", "HOME", "TZ", "USER")

_LOCALE: Final = {"LC_ALL": "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"}
"""In others, C above all, Java does not find a path with a letter beyond ASCII."""


@dataclass(frozen=True, slots=True)
class RunAs:
    """System user a process runs as."""

    uid: int
    gid: int


class ManagedProcess:
    """A program this process starts, watches and stops.

    Args:
        component: Name of the component, for messages.
        name: Name of its log and record files.
        home: The stack's data directory. Log: `home/logs/<name>.log` (the one before: `.log.1`).
    """

    def __init__(self, component: str, name: str, home: Path) -> None:
        self.component = component
        self.log_path = home / "logs" / f"{name}.log"
        self._record = home / "run" / f"{name}.json"
        self._home = home
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def spawn(
        self,
        command: list[str],
        run_as: RunAs | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the program, in place of one still running; returns before it is ready.

        Args:
            command: Absolute path of the program, and its arguments.
            run_as: System user it runs as; default ours.
            environment: Variables it gets besides the few that every component inherits.
            cwd: Working directory, entered with our rights; default the data directory.
        """
        self.kill()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("wb") as output:
            child = self._child = _start(
                command, cwd or self._home, output.fileno(), run_as, environment or {}
            )
        self._record.parent.mkdir(parents=True, exist_ok=True)
        created = psutil.Process(child.pid).create_time()
        self._record.write_text(json.dumps({"pid": child.pid, "create_time": created}))
        return child

    def run(self, command: list[str], run_as: RunAs | None = None, cwd: Path | None = None) -> None:
        """Run a program to its end, as a preparation; arguments as in `spawn`.

        Raises:
            ComponentFailedError: it ended with an error.
        """
        code = self.spawn(command, run_as, cwd=cwd).wait()
        if code != 0:
            raise self._failed(f"could not be prepared (exit code {code})")

    def wait_until(
        self,
        ready: Callable[[], bool],
        timeout_seconds: float = START_SECONDS,
        stuck: Callable[[], str] = str,
    ) -> None:
        """Wait until `ready` says so.

        Args:
            ready: Whether it is.
            timeout_seconds: The deadline.
            stuck: Asked at the deadline: what it waits for; empty when nobody knows.

        Raises:
            StartTimeoutError: it did not within the time.
            ComponentFailedError: the program ended first.
        """
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                text = log_text(self.log_path)
                raise StartTimeoutError(
                    self.component, timeout_seconds, self.log_path, text, stuck()
                )
            time.sleep(_POLL_SECONDS)

    def require_running(self) -> None:
        """Check that the program has not ended by itself.

        Raises:
            ComponentFailedError: it has.
        """
        if self._child is None:
            raise self._failed("was stopped")
        code = self._child.poll()
        if code is not None:
            how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
            if -code == signal.SIGKILL:
                how += ": somebody killed it, or the system did for want of memory"
            raise self._failed(f"ended by itself ({how})")

    def stop(
        self, grace_seconds: float = STOP_SECONDS, how: signal.Signals = signal.SIGTERM
    ) -> None:
        """Ask the program to end, and kill it after the grace; nothing to do when it has ended."""
        if self._child is None:
            return
        self._child.send_signal(how)
        # A stopped (SIGSTOP) program could not act on the signal.
        self._child.send_signal(signal.SIGCONT)
        try:
            self._child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop within %.0f s: killed", self.component, grace_seconds)
            self._child.kill()
            self._child.wait()
        self._forget()

    def kill(self) -> None:
        """End the program at once, as a crash would (SIGKILL)."""
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        self._forget()

    def end_orphan(self) -> None:
        """End what a killed run left behind on this data directory.

        Only a process with the recorded id, the recorded start time, and this data directory as
        its working directory or in its command line is ours. The caller owns the data directory,
        so no living run owns it.
        """
        try:
            record = json.loads(self._record.read_text())
            orphan = psutil.Process(int(record["pid"]))
            age_gap = abs(orphan.create_time() - float(record["create_time"]))
            # The system shows a working directory without the links of its path.
            homes = {str(self._home), str(self._home.resolve())}
            words = (orphan.cwd(), *orphan.cmdline())
            ours = any(home in word for home in homes for word in words)
        except (FileNotFoundError, psutil.Error, ValueError, KeyError):
            # No record, none that runs, or a record cut short by the kill.
            self._record.unlink(missing_ok=True)
            return
        if ours and age_gap <= _CLOCK_SLACK_SECONDS:
            log.warning("ending %s (process %d) of a killed run", self.component, orphan.pid)
            orphan.terminate()
            _, alive = psutil.wait_procs([orphan], timeout=_ORPHAN_GRACE_SECONDS)
            for process in alive:
                process.kill()
                process.wait()
        self._record.unlink(missing_ok=True)

    def _failed(self, what: str) -> ComponentFailedError:
        return ComponentFailedError(self.component, what, self.log_path, log_text(self.log_path))

    def _forget(self) -> None:
        self._child = None
        self._record.unlink(missing_ok=True)


class Component(Protocol):
    """What is started and ended beside others."""

    def kill(self) -> None:
        """End at once, as a crash would."""


_Component = TypeVar("_Component", bound=Component)


def all_at_once(components: Sequence[_Component], work: Callable[[_Component], None]) -> None:
    """Do the work for each component, all at once; kill all when one fails or we are stopped."""
    with ThreadPoolExecutor(len(components)) as pool:
        jobs = [pool.submit(work, component) for component in components]
        try:
            done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in done:
                job.result()
        except BaseException:
            # A component may be between its preparation and its start: kill until none is left.
            while wait(jobs, timeout=0.1).not_done:
                for component in components:
                    component.kill()
            for component in components:
                component.kill()
            raise


def log_text(path: Path) -> str:
    """What a component has written; empty before it has written anything."""
    return path.read_text(errors="replace") if path.is_file() else ""


def _start(
    command: list[str],
    cwd: Path,
    output: int,
    run_as: RunAs | None,
    extra: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    user = run_as or RunAs(os.getuid(), os.getgid())
    guarded = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid())]
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment = inherited | _LOCALE | dict(extra)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*guarded, str(user.uid), str(user.gid), *command],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    return _starter.call(start)


class _Starter:
    """The one thread children are started from.

    A parent-death signal is sent when the *thread* that started the child dies, so it must be one
    that lives as long as the process: the thread of a pool or of a test would take its children
    with it.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[
            tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]
        ] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def call(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="starter", daemon=True)
                self._thread.start()
        started: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((start, started))
        return started.result()

    def _work(self) -> None:
        while True:
            start, started = self._jobs.get()
            try:
                started.set_result(start())
            except OSError as error:
                started.set_exception(error)


_starter = _Starter()
