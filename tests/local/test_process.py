"""Supervised processes: real children that obey, refuse, crash, and outlive nobody."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from streams.ending import ended_line
from streams.local.errors import ComponentFailedError, StartTimeoutError
from streams.local.process import ManagedProcess
from tests.local.conditions import DEADLINE_SECONDS, wait_for

pytestmark = pytest.mark.processes

OBEYS = "print('up', flush=True); import time; time.sleep(300)"
BEATS = "import time\nwhile True: print('up', flush=True); time.sleep(0.05)"
REFUSES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + OBEYS


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ManagedProcess]:
    """A process that is not left behind."""
    managed = ManagedProcess("The component", "component", tmp_path)
    yield managed
    managed.kill()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def start(process: ManagedProcess, program: str) -> int:
    process.spawn(python(program))
    process.wait_until(lambda: "up" in process.log_path.read_text(), DEADLINE_SECONDS)
    assert process.pid is not None
    return process.pid


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_runs_and_stops(process: ManagedProcess) -> None:
    pid = start(process, OBEYS)
    process.require_running()
    process.stop()
    assert process.pid is None
    assert is_gone(pid)
    process.stop()


def test_one_that_refuses_to_stop_is_killed_after_the_grace(process: ManagedProcess) -> None:
    pid = start(process, REFUSES)
    process.stop(0.5)
    assert is_gone(pid)


def test_a_suspended_one_stops(process: ManagedProcess) -> None:
    pid = start(process, OBEYS)
    os.kill(pid, signal.SIGSTOP)
    process.stop(DEADLINE_SECONDS)
    assert is_gone(pid)


def test_the_end_of_the_log_is_in_the_message_when_it_ends_by_itself(
    process: ManagedProcess,
) -> None:
    process.spawn(python("import sys; sys.exit('no such setting')"))
    with pytest.raises(ComponentFailedError, match="exit code 1") as failure:
        process.wait_until(lambda: False, DEADLINE_SECONDS)
    assert "no such setting" in str(failure.value)
    assert str(process.log_path) in str(failure.value)


def test_the_reason_that_it_said_comes_first_and_without_the_lines_around_it(
    process: ManagedProcess,
) -> None:
    said = "raw.x/0: the input topic was recreated. Run `make rebuild`."
    program = f"print('noise'); print({ended_line(said)!r}); print('Traceback'); exit(3)"
    process.spawn(python(program))
    with pytest.raises(ComponentFailedError) as failure:
        process.wait_until(lambda: False, DEADLINE_SECONDS)
    assert str(failure.value) == (f"The component ended: {said} Its log is {process.log_path}.")


def test_a_crash_names_the_signal(process: ManagedProcess) -> None:
    pid = start(process, OBEYS)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_gone(pid))
    with pytest.raises(ComponentFailedError, match="SIGKILL"):
        process.require_running()


def test_one_that_is_not_ready_in_time_shows_its_log(process: ManagedProcess) -> None:
    start(process, OBEYS)
    with pytest.raises(StartTimeoutError, match="not ready within 0 s") as failure:
        process.wait_until(lambda: False, 0.2)
    assert "up" in str(failure.value)


def test_a_preparation_that_fails_is_told(process: ManagedProcess) -> None:
    process.run(python("print('fine')"))
    with pytest.raises(ComponentFailedError, match="exit code 3"):
        process.run(python("raise SystemExit(3)"))


def test_a_program_that_is_missing_is_told(process: ManagedProcess) -> None:
    process.spawn(["/no/such/program"])
    with pytest.raises(ComponentFailedError, match="/no/such/program"):
        process.wait_until(lambda: False, DEADLINE_SECONDS)


def test_the_log_of_the_run_before_is_kept(process: ManagedProcess) -> None:
    process.run(python("print('first')"))
    process.run(python("print('second')"))
    assert process.log_path.read_text() == "second\n"
    assert process.log_path.with_suffix(".log.1").read_text() == "first\n"


def test_it_gets_no_variable_of_ours_but_those_given(
    process: ManagedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's JAVA_TOOL_OPTIONS would change them, and a key is none of their business."""
    monkeypatch.setenv("ALSI_API_KEY", "secret-word")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    process.spawn(
        python("import os; print(sorted(os.environ), 'up', flush=True)"),
        environment={"GIVEN": "yes"},
    ).wait()
    shown = process.log_path.read_text()
    assert "GIVEN" in shown
    assert "ALSI_API_KEY" not in shown
    assert "JAVA_TOOL_OPTIONS" not in shown


def test_it_survives_the_thread_that_started_it(process: ManagedProcess) -> None:
    """Linux sends a parent-death signal when the starting *thread* ends, not the process."""
    starter = threading.Thread(target=start, args=(process, BEATS))
    starter.start()
    starter.join()
    beats = process.log_path.stat().st_size
    process.wait_until(lambda: process.log_path.stat().st_size > beats, DEADLINE_SECONDS)


OWNER = """
import sys, time
from pathlib import Path
from streams.local.process import ManagedProcess
from tests.local.conditions import DEADLINE_SECONDS, wait_for
process = ManagedProcess("The component", "component", Path(sys.argv[1]))
process.spawn([sys.executable, "-c", sys.argv[2]])
process.wait_until(lambda: "up" in process.log_path.read_text(), 30)
try:
    print(process.pid, flush=True)
    time.sleep(300)
except KeyboardInterrupt:
    process.require_running()
    process.stop()
    print("stopped in order", flush=True)
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns a child; in a process group of its own, as in a terminal."""
    with ExitStack() as cleanup:
        running = cleanup.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", OWNER, str(tmp_path), REFUSES],
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        cleanup.callback(running.kill)
        yield running


def child_of(owner: subprocess.Popen[str]) -> int:
    assert owner.stdout is not None
    return int(owner.stdout.readline())


if sys.platform == "linux":
    # Elsewhere there is no parent-death signal; the next start ends what is left (below).

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
    def test_it_dies_with_its_owner_however_that_ends(
        owner: subprocess.Popen[str], how: signal.Signals
    ) -> None:
        child = child_of(owner)
        owner.send_signal(how)
        owner.wait(DEADLINE_SECONDS)
        wait_for(lambda: is_gone(child))


def test_ctrl_c_reaches_the_owner_only(owner: subprocess.Popen[str]) -> None:
    """The terminal signals the whole process group; components must live until stopped in order."""
    child = child_of(owner)
    assert os.getpgid(child) != os.getpgid(owner.pid)
    os.killpg(os.getpgid(owner.pid), signal.SIGINT)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "stopped in order\n"
    assert owner.wait(DEADLINE_SECONDS) == 0
    assert is_gone(child)


def record(home: Path, pid: int, create_time: float) -> None:
    (home / "run").mkdir()
    (home / "run" / "component.json").write_text(
        json.dumps({"pid": pid, "create_time": create_time})
    )


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[psutil.Process]:
    """An unsupervised process, as a killed run leaves it where there is no parent-death signal."""
    with subprocess.Popen(python(OBEYS), cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        yield psutil.Process(running.pid)
        running.kill()


def test_what_a_killed_run_left_is_ended(
    process: ManagedProcess, stranger: psutil.Process, tmp_path: Path
) -> None:
    record(tmp_path, stranger.pid, stranger.create_time())
    process.end_orphan()
    assert is_gone(stranger.pid)
    assert not (tmp_path / "run" / "component.json").exists()


def test_what_a_killed_run_left_is_ended_behind_a_link_to_the_directory(
    stranger: psutil.Process, tmp_path: Path
) -> None:
    """As on macOS, where the folders of temporary files are links."""
    record(tmp_path, stranger.pid, stranger.create_time())
    link = tmp_path.with_name("link")
    link.symlink_to(tmp_path)
    ManagedProcess("The component", "component", link).end_orphan()
    assert is_gone(stranger.pid)


def test_another_process_with_the_recorded_id_is_left_alone(
    process: ManagedProcess, stranger: psutil.Process, tmp_path: Path
) -> None:
    """Process ids are given again, after a reboot above all."""
    record(tmp_path, stranger.pid, stranger.create_time() - 3600)
    process.end_orphan()
    assert not is_gone(stranger.pid)


def test_a_process_of_another_directory_is_left_alone(
    stranger: psutil.Process, tmp_path: Path
) -> None:
    other = tmp_path.with_name("other")
    other.mkdir()
    record(other, stranger.pid, stranger.create_time())
    ManagedProcess("The component", "component", other).end_orphan()
    assert not is_gone(stranger.pid)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": 999999999, "create_time": 1}'])
def test_a_record_that_is_cut_short_or_out_of_date_is_forgotten(
    process: ManagedProcess, tmp_path: Path, text: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "component.json").write_text(text)
    process.end_orphan()
    assert not (tmp_path / "run" / "component.json").exists()
