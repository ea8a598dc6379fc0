"""Answers that are kept as long as the version of the data is the same.

Many ask the same: the first page of a kind, the newest days of a terminal, a map of the world.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from streams.serve.data_version import DataVersion

_MOST_BYTES: Final = 32_000_000


class Kept:
    """Keeps answers, up to 32 MB. Belongs to one event loop."""

    def __init__(self, version: DataVersion) -> None:
        self._version = version
        self._answers: dict[Hashable, bytes] = {}
        self._bytes = 0
        self._of: str | None = None

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """The answer of a key, kept or asked for; None, which is not kept: there is none.

        Raises what asking raises.
        """
        version = self._version.current
        if version != self._of:
            self._answers, self._bytes, self._of = {}, 0, version
        if (kept := self._answers.get(key)) is not None:
            return kept
        found = await ask()
        # What was asked for before a change may be older than it.
        unchanged = version is not None and version == self._version.current == self._of
        if found is not None and unchanged and key not in self._answers:
            if self._bytes + len(found) > _MOST_BYTES:
                self._answers, self._bytes = {}, 0
            self._answers[key] = found
            self._bytes += len(found)
        return found
