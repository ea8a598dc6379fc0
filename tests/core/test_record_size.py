"""What is kept of a record that is too large for one of Kafka's."""

from hashlib import sha256
from typing import Any, cast

import orjson
import pytest

from streams.core import contract_types as avro
from streams.core.record_size import MOST_BYTES, Content, Cut, fits, shortened

MB = 1_000_000


def digest(whole: bytes) -> str:
    return sha256(whole).hexdigest()


def test_what_fits_is_kept_whole() -> None:
    content = Content(b"key", b"v" * 800_000, (("run", b"1"), ("empty", None)))
    assert content.fitting() == content
    assert Content(None, None, ()).fitting().cuts == ()


def test_of_a_large_value_the_beginning_its_size_and_digest_are_kept() -> None:
    whole = bytes(range(256)) * 20_000
    kept = Content(b"key", whole, ()).fitting()
    assert kept.value == whole[: len(kept.value or b"")]
    assert kept.cuts == (Cut("value", 5_120_000, digest(whole)),)
    assert kept.is_of(Content(b"key", whole, ()))
    assert not kept.is_of(Content(b"key", whole[:-1] + b"x", ()))


def test_large_keys_and_headers_are_cut_too() -> None:
    headers = tuple((f"h{number}", b"x" * 60_000) for number in range(50))
    kept = Content(b"k" * 3 * MB, b"v" * 3 * MB, headers).fitting()
    assert kept.headers == headers[:1]
    whole = b"".join(name.encode() + (text or b"") for name, text in headers)
    assert [(cut.part, cut.whole_bytes) for cut in kept.cuts] == [
        ("key", 3 * MB),
        ("headers", len(whole)),
        ("value", 3 * MB),
    ]
    assert kept.cuts[1].sha256 == digest(whole)
    assert fits(kept.key, kept.value)


def many_members(members: int, text: str = "x" * 200) -> avro.InfrastructureRecord:
    record: dict[str, Any] = {
        "record_id": "a",
        "kind": "power_plant",
        "flags": ["capacity_missing"],
        "members": [{"record_id": f"{number} {text}"} for number in range(members)],
        "links": [],
        "provenance": [
            {"member": number, "rule": "most_sources", "fields": ["name"], "losing": [{"v": text}]}
            for number in range(0, members, 10)
        ],
        "power_plant": {"name": "A", "units": [{"unit_id": str(number)} for number in range(9)]},
    }
    return cast(avro.InfrastructureRecord, record)


def size(record: avro.InfrastructureRecord) -> int:
    return len(orjson.dumps(record))


@pytest.mark.parametrize(("members", "left"), [(10, 10), (4_000, 4_000), (100_000, 3_125)])
def test_a_record_of_very_many_members_keeps_those_that_fit(members: int, left: int) -> None:
    record = shortened(many_members(members), size)
    assert size(record) <= MOST_BYTES
    assert len(record["members"]) == left
    assert all(group["member"] < left for group in record["provenance"])
    assert record["power_plant"] is not None
    assert len(record["power_plant"]["units"]) == 9
    assert ("shortened" in record["flags"]) is (members > 10)


def test_one_long_text_stays_as_it_is() -> None:
    record = many_members(1, "x" * MB)
    assert shortened(record, size)["members"] == record["members"]
