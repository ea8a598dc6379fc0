"""A worker that cannot end in an orderly way ends all the same."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

_HANGS = """
import asyncio
import io
import sys
from streams.engine import app as engine_app
from streams.engine import process

process.EXIT_SECONDS = 0.3


class Hanging(engine_app.BatchApp):
    async def on_stop(self):
        await asyncio.Event().wait()


async def main():
    sys.stderr = io.StringIO()  # as the worker redirects it
    app = Hanging("hanging", broker="batch://127.0.0.1:1")
    await app.{end}
    await asyncio.Event().wait()


asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["stop()", "crash(RuntimeError('broken'))"])
def test_what_hangs_after_a_stop_or_crash_is_ended_with_all_stacks(end: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _HANGS.format(end=end)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
    assert "most recent call first" in ended.stderr
