"""Pages that every worker serves: metrics, liveness and readiness."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from faust.types.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST

from streams.engine.app import BatchApp
from streams.kafka.broker import BrokerPulse
from streams.metrics import OLDEST_BATCH_SECONDS, exposition
from streams.question import Question

_PATIENCE_SECONDS = 1.0
"""How long `/ready` waits for Kafka."""


def add_pages(app: BatchApp, bootstrap: str) -> None:
    """`/metrics`, `/live` (the event loop turns) and `/ready` (inputs flow).

    Every page answers within 2 s, whatever hangs. `/ready` names what is stuck: Kafka when it does
    not answer, and batches that take too long; what a start or a rebalance waits for is `starting`,
    null when nothing is. It names paused and waiting partitions with the reason; the others flow,
    so it is ready all the same.

    Args:
        app: The app.
        bootstrap: Kafka bootstrap servers.
    """
    # Threads of their own: those of the loop may all wait for a service that hangs.
    threads = ThreadPoolExecutor(2, thread_name_prefix="pages")
    OLDEST_BATCH_SECONDS.set_function(app.batches.oldest_seconds)
    pulse = Question(BrokerPulse(bootstrap).feel, "pulse of Kafka")

    def kafka() -> dict[str, str]:
        pulse.begin()
        seconds = pulse.unanswered_seconds(_PATIENCE_SECONDS)
        return {} if seconds is None else {"Kafka": f"has not answered for {seconds:.0f} s"}

    @app.page("/metrics")  # type: ignore[untyped-decorator]
    async def metrics(self: View, request: Request) -> Response:
        # Some are asked of other services, which must not stop the event loop.
        text = await asyncio.get_running_loop().run_in_executor(threads, exposition)
        return self.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/live")  # type: ignore[untyped-decorator]
    async def live(self: View, request: Request) -> Response:
        return self.json({"live": True})

    @app.page("/ready")  # type: ignore[untyped-decorator]
    async def ready(self: View, request: Request) -> Response:
        hanging = await asyncio.get_running_loop().run_in_executor(threads, kafka)
        stuck = hanging | app.batches.stuck()
        assigned = sorted(f"{tp.topic}/{tp.partition}" for tp in app.consumer.assignment())
        starting = _starting(app, len(assigned))
        is_ready = starting is None and not stuck
        answer = {
            "ready": is_ready,
            "starting": starting,
            "assigned": assigned,
            "paused": app.paused(),
            "stuck": stuck,
            "waiting": app.waiting(),
        }
        return self.json(answer, status=200 if is_ready else 503)


def _starting(app: BatchApp, assigned: int) -> str | None:
    restored = app.tables.recovery.completed.is_set()
    if restored and not app.rebalancing:
        return None
    if assigned and not restored:
        return f"restores the state of {assigned} partitions"
    return "waits for its partitions"
