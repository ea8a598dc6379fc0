"""The job on Quix Streams with its RocksDB state, changelog and checkpoints, all by default.

Its guarantee is the default too, at least once; exactly once would cost it a transaction more.
"""

import signal

from quixstreams import Application, State

from streams.settings import settings
from tests.bench.job import bench_settings, open_job


def main() -> None:
    """Process the input, checkpoint, then wait to be stopped."""
    bench = bench_settings()
    job = open_job()
    app = Application(
        broker_address=settings().kafka_bootstrap,
        consumer_group=settings().app_id,
        auto_offset_reset="earliest",
        state_dir=settings().pipeline_state_dir(),
    )
    source = app.topic(bench.input, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(bench.output, key_serializer="bytes", value_serializer="bytes")

    def work(value: bytes, state: State[str, bytes]) -> bytes:
        result = job(value)
        state.set_bytes("value", result)
        return result

    frame = app.dataframe(source)
    frame = frame.apply(work, stateful=True)
    frame.to_topic(target)
    # It then ends with a checkpoint, instead of waiting for the next interval.
    app.run(count=bench.records, collect=False)
    signal.pause()


if __name__ == "__main__":
    main()
