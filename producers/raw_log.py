"""The raw topic that a checkpoint belongs to: what is recorded as done must be in its log.

Pure. A checkpoint says what need not be read again because it was published. When the topic is
another one, or lost its end, it says so of records that nobody has.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawLog:
    """A raw topic as the broker has it.

    Attributes:
        topic_id: Identity of the topic; a recreated one has another. None in checkpoints of
            versions that did not keep it.
        ends: End offset of every partition, in their order.
    """

    topic_id: str | None
    ends: tuple[int, ...]


def lost_since(topic: str, before: RawLog, now: RawLog) -> str | None:
    """Why records of earlier runs are not in the log any more; None when they are.

    A checkpoint without a topic id is taken for one of the topic that is there, unless that is
    empty: an upgrade reads nothing twice, and a topic that was lost before it is found.

    Args:
        topic: Name of the raw topic.
        before: At the end of the last run.
        now: At the start of this one.
    """
    if before.topic_id is None:
        return None if any(now.ends) else f"{topic} is empty"
    if before.topic_id != now.topic_id:
        return f"{topic} was recreated since the last run"
    if any(end < known for end, known in zip(now.ends, before.ends, strict=False)):
        return f"{topic} lost its end since the last run"
    return None


def known_part(topic: str, before: RawLog | None, now: RawLog) -> RawLog:
    """The part of a raw topic that runs have recorded; nothing of a topic that is another one.

    Args:
        topic: Name of the raw topic.
        before: At the end of the last run; None before the first.
        now: At the start of this one.
    """
    if before is None or lost_since(topic, before, now) is not None:
        return RawLog(now.topic_id, (0,) * len(now.ends))
    return before if before.topic_id is not None else now
