"""What a rule is: one reason to reject a record, or to flag it."""

from dataclasses import dataclass
from typing import Literal

from streams.core.errors import Rejected

Severity = Literal["reject", "flag"]
"""`reject` makes the record a dead letter; `flag` marks it and lowers its quality score."""

Dimension = Literal["completeness", "validity", "consistency", "timeliness", "accuracy"]
"""What about the data is in doubt; quality is scored for each of them."""

_OBSERVED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Reason code: label of dead letters, flags and metrics. Never renamed, never reused.
        fields: Fields it looks at, empty for the whole record; a rejection names the first one
            unless said otherwise.
        severity: What a failure does.
        dimension: What about the data is in doubt.
        sentence: What is wrong and what to do, for people.
        reference: Why the rule holds: a document, a definition or a measurement.
        tolerance: Key in `streams/tolerances.yaml` with its limits; None when there is none.
    """

    id: str
    fields: tuple[str, ...]
    severity: Severity
    dimension: Dimension
    sentence: str
    reference: str
    tolerance: str | None = None

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
            field: Field, where it is not the rule's first.
            limit: What is allowed.
            message: Instead of the rule's sentence.
        """
        seen = None if observed is None else str(observed)[:_OBSERVED_LENGTH]
        named = field or next(iter(self.fields), None)
        return Rejected(self.id, message or self.sentence, named, seen, limit)
