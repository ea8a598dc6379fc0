"""What other services say, asked seldom: however many ask us, a service is asked once at a time."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from streams.core.errors import InfrastructureError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What a service said.

    Attributes:
        value: None: it did not answer.
        problem: Why not, for people; None: it did.
    """

    value: T | None
    problem: str | None = None


class Seldom(Generic[T]):
    """Asks one service. Belongs to one event loop."""

    def __init__(
        self, what: str, ask: Callable[[], T], keep_seconds: float = 3.0, wait_seconds: float = 3.0
    ) -> None:
        """Prepare.

        Args:
            what: Who is asked, for people.
            ask: Asks; called in a thread.
            keep_seconds: How long an answer is given again.
            wait_seconds: How long one is waited for.
        """
        self._what = what
        self._ask = ask
        self._keep_seconds = keep_seconds
        self._wait_seconds = wait_seconds
        self._asking: asyncio.Task[Said[T]] | None = None
        self._asked_at = 0.0
        self._said: Said[T] | None = None
        self._said_at = 0.0

    async def get(self) -> Said[T]:
        """What it says now, or said moments ago."""
        if self._said is not None and time.monotonic() - self._said_at < self._keep_seconds:
            return self._said
        if self._asking is None:
            self._asking, self._asked_at = asyncio.create_task(self._run()), time.monotonic()
        # Who comes later does not wait longer for a silent service.
        left = self._wait_seconds - (time.monotonic() - self._asked_at)
        done, _ = await asyncio.wait({self._asking}, timeout=max(0.0, left))
        if not done:
            return Said(None, f"{self._what} has not answered for {self._wait_seconds:.0f} s.")
        return done.pop().result()

    async def _run(self) -> Said[T]:
        try:
            said: Said[T] = Said(await in_thread(self._ask))
        except InfrastructureError as error:
            said = Said(None, str(error))
        finally:
            self._asking = None
        self._said, self._said_at = said, time.monotonic()
        return said


async def in_thread(ask: Callable[[], T]) -> T:
    """Run in a thread that keeps nothing from ending: a service may be silent for a minute."""
    answer: Future[T] = Future()
    # Who waits may go away; the thread still ends without an error.
    answer.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001  it is raised where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=run, name="seldom", daemon=True).start()
    return await asyncio.wrap_future(answer)
