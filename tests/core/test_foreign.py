"""What is foreign in a topic is named by its coordinates, however much there is."""

from streams.core.foreign import ForeignRecords
from streams.core.records import RawCoordinates


def test_one_is_named_with_the_command_that_shows_it() -> None:
    found = ForeignRecords()
    found.add(RawCoordinates("record.outcomes", 2, 17), "bad_framing")
    assert found.count == 1
    assert list(found.sentences()) == [
        "1 record of record.outcomes not written by this product, left out: record.outcomes:2:17 "
        '(bad_framing); `make inspect TOPIC=record.outcomes ARGS="--partition 2 --offset 17 '
        '--limit 1"` shows the first.'
    ]


def test_of_many_the_first_of_each_topic_are_named_and_all_are_counted() -> None:
    found = ForeignRecords()
    for topic in ("dead_letters", "record.outcomes"):
        for offset in range(1_200):
            found.add(RawCoordinates(topic, 0, offset), "bad_avro")
    assert found.count == 2_400
    one, other = found.sentences()
    assert one.startswith("1,200 records of dead_letters")
    assert "dead_letters:0:2 (bad_avro) …;" in one
    assert "dead_letters:0:3 " not in one
    assert other.startswith("1,200 records of record.outcomes")
