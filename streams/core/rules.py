"""Every reason for which a record is rejected, once: the label of dead letters and of metrics.

Part of a dead letter for ever: an id is never renamed and never given another meaning.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from streams.core.errors import Rejected

Severity = Literal["hard", "soft"]
"""A hard rule rejects the record; a soft one flags it and lowers its quality score."""

_OBSERVED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Reason code.
        field: Field the rule is about; None for the whole record or where each use names it.
        severity: What a failure does.
        sentence: What is wrong and what to do, for people.
    """

    id: str
    field: str | None
    severity: Severity
    sentence: str

    def reject(
        self,
        observed: object = None,
        *,
        field: str | None = None,
        limit: str | None = None,
        message: str | None = None,
    ) -> Rejected:
        """A rejection by this rule.

        Args:
            observed: What was seen; shortened. None when there is nothing to show.
            field: Field, where the rule itself names none.
            limit: What is allowed.
            message: Instead of the rule's sentence.
        """
        seen = None if observed is None else str(observed)[:_OBSERVED_LENGTH]
        return Rejected(self.id, message or self.sentence, field or self.field, seen, limit)


# Decoding.
BAD_FRAMING = Rule(
    "bad_framing", None, "hard", "The value does not start with a schema id; find who wrote it."
)
UNKNOWN_SCHEMA_ID = Rule(
    "unknown_schema_id",
    None,
    "hard",
    "The registry has no schema of this id; restore the registry, then replay the dead letters.",
)
BAD_AVRO = Rule(
    "bad_avro", None, "hard", "The bytes do not fit the schema they name; find who wrote them."
)
BAD_ENVELOPE = Rule(
    "bad_envelope",
    None,
    "hard",
    "The envelope contradicts itself, its key or its topic; find who wrote it.",
)

# Reading an upstream item.
SERVICE_ERROR = Rule(
    "service_error",
    "errors",
    "hard",
    "The service refused what was asked; its words say why. Correct the point, or ask again.",
)
UNREADABLE_NUMBER = Rule(
    "unreadable_number", None, "hard", "The text is neither a number nor a mark for not reported."
)
UNREADABLE_GAS_DAY = Rule(
    "unreadable_gas_day", "gasDayStart", "hard", "The row has no gas day of the form YYYY-MM-DD."
)
UNKNOWN_STATUS = Rule(
    "unknown_status", "status", "hard", "The status is none that the source documents."
)
UNKNOWN_FORM = Rule(
    "unknown_form", "form", "hard", "The item is of no kind of list that the connector reads."
)
MISSING_ID = Rule("missing_id", "gppd_idnr", "hard", "The row has no identifier.")
MISSING_NAME = Rule("missing_name", "name", "hard", "The asset has no name.")
UNKNOWN_FUEL = Rule(
    "unknown_fuel",
    "primary_fuel",
    "hard",
    "The fuel is none of the source's vocabulary; extend the mapping, then replay.",
)
CAPACITY_NOT_POSITIVE = Rule(
    "capacity_not_positive", "capacity_mw", "hard", "The capacity is missing, zero or negative."
)
UNKNOWN_UNIT = Rule(
    "unknown_unit",
    None,
    "hard",
    "The figure has a unit that cannot be converted; extend the conversion, then replay.",
)
POSITION_OUT_OF_RANGE = Rule(
    "position_out_of_range", "latitude", "hard", "The position is not on Earth (WGS84 degrees)."
)

RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {
        rule.id: rule
        for rule in (
            BAD_FRAMING,
            UNKNOWN_SCHEMA_ID,
            BAD_AVRO,
            BAD_ENVELOPE,
            SERVICE_ERROR,
            UNREADABLE_NUMBER,
            UNREADABLE_GAS_DAY,
            UNKNOWN_STATUS,
            UNKNOWN_FORM,
            MISSING_ID,
            MISSING_NAME,
            UNKNOWN_FUEL,
            CAPACITY_NOT_POSITIVE,
            UNKNOWN_UNIT,
            POSITION_OUT_OF_RANGE,
        )
    }
)
"""Every rule by its id; a test proves that no code rejects by another one."""
