"""Taking what has arrived from a consumer, without waiting for a full batch."""

from confluent_kafka import Consumer, Message


def arrived(consumer: Consumer, most: int, seconds: float) -> list[Message]:
    """Up to `most` messages, events included: what is there as soon as anything is.

    `consume` alone waits its whole time whenever less than `most` comes.

    Args:
        consumer: Has an assignment.
        most: At most so many.
        seconds: How long to wait for the first; an empty list after that.

    Raises:
        KafkaException: the consumer cannot go on.
    """
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(most - 1, 0)]
