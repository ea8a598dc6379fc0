"""Reading raw records of one connector and judging what they say, without deciding on them."""

from producers.connector import InfrastructureConnector
from streams.avro.codec import Decoder, UndecodableError
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.record_times import EARLIEST, LATEST, is_storable
from streams.core.records import Mapped, RawCoordinates, RawRecord
from streams.core.redrive import original_of
from streams.core.tolerances import Tolerances
from streams.core.validate import validate
from streams.kafka.batch import ConsumedRecord

_RECORD_ID_LENGTH = 1000


class RawReader:
    """What one connector's raw records say, or why they are refused."""

    def __init__(
        self,
        connector: type[InfrastructureConnector],
        decoder: Decoder[avro.RawRecord],
        tolerances: Tolerances,
    ) -> None:
        self._connector = connector
        self._decoder = decoder
        self._tolerances = tolerances
        self._kinds = {stream.name: stream.kind for stream in connector.discover()}

    @property
    def source_id(self) -> str:
        """Source of the connector."""
        return self._connector.source_id

    def kind(self, raw: RawRecord) -> str:
        """Canonical kind of the record's stream."""
        return self._kinds[raw.stream]

    def read(self, record: ConsumedRecord) -> RawRecord | Rejected:
        """The envelope of a record and the item in it."""
        own = RawCoordinates(record.topic, record.partition, record.offset)
        original = original_of(own, record.headers)
        if isinstance(original, Rejected):
            return original
        try:
            raw = RawRecord.from_avro(self._decoder.decode(record.value))
        except UndecodableError as error:
            return Rejected(error.rule_id, str(error))
        return self._envelope_problem(raw) or raw

    def _envelope_problem(self, raw: RawRecord) -> Rejected | None:
        if raw.source_id != self._connector.source_id:
            return Rejected(
                "bad_envelope",
                "The record belongs to another source: look at what writes to this topic.",
                "source_id",
                raw.source_id[:200],
                self._connector.source_id,
            )
        if raw.stream not in self._kinds:
            return Rejected(
                "bad_envelope",
                "The connector has no such stream: look at what writes to this topic.",
                "stream",
                raw.stream[:200],
                ", ".join(self._kinds),
            )
        if len(raw.record_id) > _RECORD_ID_LENGTH:
            return Rejected(
                "bad_envelope",
                "No source has ids that long: look at what writes to this topic.",
                "record_id",
                raw.record_id[:200],
                f"{_RECORD_ID_LENGTH} characters",
            )
        if not is_storable(raw.fetched_at):
            return Rejected(
                "bad_envelope",
                "Nobody fetched it then: look at what writes to this topic.",
                "fetched_at",
                raw.fetched_at.isoformat(),
                f"{EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}",
            )
        if (raw.item is None) != (raw.event == "no_longer_listed"):
            return Rejected(
                "bad_envelope", "Only a no_longer_listed record has no item.", "event", raw.event
            )
        return None

    def evaluate(self, raw: RawRecord) -> Mapped | Rejected | None:
        """Its typed content, validated; None for a record that only says it is gone."""
        mapped = None if raw.item is None else self._connector.map_to_schema(raw)
        return validate(mapped, raw, self._tolerances) if isinstance(mapped, Mapped) else mapped
