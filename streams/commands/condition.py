"""A condition on a decoded record, as people type it after `--where`."""

import ast
import json
from collections.abc import Mapping
from typing import Any

from simpleeval import (
    AttributeDoesNotExist,
    EvalWithCompoundTypes,
    InvalidExpression,
    NameNotDefined,
)

from streams.core.errors import InfrastructureError
from streams.core.topic_record import TopicRecord

_FUNCTIONS = {"len": len, "abs": abs, "min": min, "max": max, "any": any, "all": all}
_MISSING = (NameNotDefined, AttributeDoesNotExist)
_OF_ANOTHER_TYPE = (TypeError, LookupError)


class ConditionError(InfrastructureError):
    """A condition cannot be understood, or fits no record at all."""


class Condition:
    """An expression in Python's words: comparisons, `and`, `or`, `not`, `in`, calls of a few names.

    Names are the fields of the value as it is printed, so times are texts that compare as such;
    those of the record itself (key, partition, offset, timestamp, schema_id, subject) where the
    value has no such field. It can call nothing else and reach nothing else.
    """

    def __init__(self, text: str) -> None:
        """Parse it.

        Raises:
            ConditionError: it is no expression.
        """
        self._text = text
        self._evaluator = EvalWithCompoundTypes(functions=_FUNCTIONS)
        self._missing: set[str] = set()
        self._understood = False
        try:
            self._parsed = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise self._error(str(error)) from error

    def holds(self, record: TopicRecord) -> bool:
        """Whether it holds of a record; a field that is missing or null makes it false.

        Raises:
            ConditionError: it asks for what is not allowed.
        """
        names: dict[str, Any] = json.loads(record.to_json())
        value = names.pop("value")
        self._evaluator.names = {**names, **(value if isinstance(value, Mapping) else {})}
        try:
            found = bool(self._evaluator.eval(self._text, self._parsed))
        except _MISSING as error:
            self._missing.add(error.name if isinstance(error, NameNotDefined) else error.attr)
            return False
        except _OF_ANOTHER_TYPE:  # null, mostly
            self._understood = True
            return False
        except (InvalidExpression, ArithmeticError, ValueError) as error:
            raise self._error(str(error)) from error
        self._understood = True
        return found

    def check_that_names_exist(self) -> None:
        """Tell a misspelled field from a condition that holds of no record.

        Raises:
            ConditionError: no record looked at had a field that it names.
        """
        if self._missing and not self._understood:
            raise ConditionError(
                f"No record has a field {', '.join(sorted(self._missing))}: `--schema` shows the "
                "fields there are, `--limit 1` a record."
            )

    def _error(self, why: str) -> ConditionError:
        return ConditionError(
            f"--where {self._text!r} cannot be understood ({why}). Write it like "
            "\"power_plant.capacity_mw > 1000 and 'start_year_conflict' in flags\"."
        )
