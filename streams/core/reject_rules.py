"""Every reason to reject a record.

Part of a dead letter for ever: an id is never renamed and never given another meaning.
"""

from streams.core.rule import Rule

# Decoding.
BAD_FRAMING = Rule(
    "bad_framing",
    (),
    "reject",
    "validity",
    "The value does not start with a schema id; find who wrote it.",
    "Wire format of the schema registry",
)
UNKNOWN_SCHEMA_ID = Rule(
    "unknown_schema_id",
    (),
    "reject",
    "validity",
    "Neither the registry nor this deployment ever had a schema of this id; find who wrote it.",
    "Wire format of the schema registry",
)
BAD_AVRO = Rule(
    "bad_avro",
    (),
    "reject",
    "validity",
    "The bytes do not fit the schema they name; find who wrote them.",
    "Avro specification, binary encoding",
)
BAD_ENVELOPE = Rule(
    "bad_envelope",
    (),
    "reject",
    "validity",
    "The envelope contradicts itself, its key or its topic; find who wrote it.",
    "Contracts `raw.*`",
)
BAD_REDRIVE = Rule(
    "bad_redrive",
    ("redriven-from",),
    "reject",
    "validity",
    "The header names no earlier record of its partition; `make dlq-redrive` takes it without.",
    "Header of `make dlq-redrive`",
)
TOO_LARGE = Rule(
    "too_large",
    (),
    "reject",
    "validity",
    "What follows from the record is more than one Kafka record may hold; look at what wrote it.",
    "Largest record that Kafka's clients send by default, 1,000,000 bytes",
)

# Reading an upstream item.
SERVICE_ERROR = Rule(
    "service_error",
    ("errors",),
    "reject",
    "validity",
    "The service refused what was asked; its words say why. Correct the point, or ask again.",
    "NLR developer API, errors",
)
UNKNOWN_FORM = Rule(
    "unknown_form",
    ("form",),
    "reject",
    "validity",
    "The item is of no kind of list that the connector reads.",
    "Lists read by `gem_transmission`",
)
UNREADABLE_NUMBER = Rule(
    "unreadable_number",
    (),
    "reject",
    "validity",
    "The text is neither a number nor a mark for not reported.",
    "Null convention of each source",
)
UNREADABLE_GAS_DAY = Rule(
    "unreadable_gas_day",
    ("gasDayStart",),
    "reject",
    "validity",
    "The row has no gas day (YYYY-MM-DD); when all have none, the source has changed its form.",
    "GIE API manual, data fields",
)
UNKNOWN_STATUS = Rule(
    "unknown_status",
    ("status",),
    "reject",
    "validity",
    "The status is none that the source documents.",
    "GIE API manual, data fields",
)
MISSING_ID = Rule(
    "missing_id",
    ("gppd_idnr",),
    "reject",
    "completeness",
    "The row has no identifier; when all have none, the source calls that column otherwise now.",
    "WRI database README: the identifier is the key",
)
MISSING_NAME = Rule(
    "missing_name",
    ("name",),
    "reject",
    "completeness",
    "The asset has no name; when all have none, the source calls that column otherwise now.",
    "Contract `market.infrastructure`",
)
UNKNOWN_FUEL = Rule(
    "unknown_fuel",
    ("primary_fuel",),
    "reject",
    "validity",
    "The fuel is none of the source's vocabulary; extend the mapping, then replay.",
    "WRI database README, fuel types",
)
POSITION_OUT_OF_RANGE = Rule(
    "position_out_of_range",
    ("latitude", "longitude"),
    "reject",
    "validity",
    "The position is not on Earth (WGS84 degrees).",
    "WRI database v1.1.0 has a plant at latitude 330310.39",
)

REJECT_RULES: tuple[Rule, ...] = tuple(rule for rule in vars().values() if isinstance(rule, Rule))
"""The closed list of rules that reject."""
