"""A question to another service, asked aside: whoever wants the answer never hangs with it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from streams.core.errors import InfrastructureError

logger = logging.getLogger(__name__)

_KEPT_SECONDS = 60.0
"""How long the last answer is given while the next one is awaited."""

_Answer = TypeVar("_Answer")


class Question(Generic[_Answer]):
    """Asked in a thread of its own, never twice at once. Safe to use from several threads.

    Args:
        ask: Asks and returns the answer; blocking, may hang, raises `InfrastructureError`.
        what: Name of the thread.
    """

    def __init__(self, ask: Callable[[], _Answer], what: str) -> None:
        self._ask = ask
        self._what = what
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._done.set()
        self._asked_at = 0.0
        self._answer: tuple[float, _Answer] | None = None
        self._error: InfrastructureError | None = None

    def begin(self) -> None:
        """Ask, unless an earlier time of asking has no answer yet."""
        with self._guard:
            if not self._done.is_set():
                return
            self._done.clear()
            self._asked_at = time.monotonic()
        threading.Thread(target=self._run, name=self._what, daemon=True).start()

    def answer(self, patience_seconds: float) -> _Answer | None:
        """The answer to what `begin` asked, waited for so long from its beginning.

        When there is none by then, the last one as long as it came less than a minute ago, else
        None. An answer to a question that took minutes is an answer.

        Raises:
            InfrastructureError: the service refuses.
        """
        waited = time.monotonic() - self._asked_at
        answered = self._done.wait(max(0.0, patience_seconds - waited))
        if answered and self._error is not None:
            raise self._error
        if self._answer is None:
            return None
        came_at, answer = self._answer
        return answer if answered or time.monotonic() - came_at <= _KEPT_SECONDS else None

    def unanswered_seconds(self, patience_seconds: float) -> float | None:
        """For how long there has been no answer to what `begin` asked; None when there is one.

        Args:
            patience_seconds: How long to wait for it, from its beginning.
        """
        waited = time.monotonic() - self._asked_at
        if self._done.wait(max(0.0, patience_seconds - waited)):
            return None
        return time.monotonic() - self._asked_at

    def _run(self) -> None:
        try:
            answer = self._ask()
            self._answer, self._error = (time.monotonic(), answer), None
        except InfrastructureError as error:
            self._error = error
        finally:
            self._done.set()
