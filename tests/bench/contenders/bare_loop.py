"""The job in a bare confluent-kafka loop: the limit. State is a dict, a crash loses or repeats.

Producer settings are those of the engine, so that the difference is the engine's.
"""

from confluent_kafka import Consumer, Producer

from streams.settings import settings
from tests.bench.job import bench_settings, open_job

_BATCH = 10_000


def main() -> None:
    """Consume, work, produce, flush, commit, for ever."""
    bench = bench_settings()
    job = open_job()
    servers = {"bootstrap.servers": settings().kafka_bootstrap}
    consumer = Consumer(
        servers
        | {
            "group.id": settings().app_id,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        servers
        | {
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 2,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    table: dict[bytes, bytes] = {}
    consumer.subscribe([bench.input])
    while True:
        messages = consumer.consume(_BATCH, 0.1)
        for message in messages:
            assert message.error() is None, message.error()
            key = message.key()
            value = table[key] = job(message.value())
            producer.produce(bench.output, key=key, value=value)
        if messages:
            assert producer.flush(60) == 0
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
