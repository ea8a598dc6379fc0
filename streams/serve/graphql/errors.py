"""Errors of a query: those who ask can do something about are told, all others are masked."""

import logging
from collections.abc import Sequence
from typing import Final

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors
from strawberry.types import ExecutionContext
from strawberry.utils.str_converters import to_camel_case

from streams.clickhouse.bounds import OutOfBoundsError
from streams.core.errors import SinkError
from streams.serve.problems import ProblemError, of_clickhouse, wrong_parameters

logger = logging.getLogger(__name__)

_ARGUMENTS: Final = {"cursor": "after"}
"""Argument of a parameter of REST, where it is not its name in camel case."""

MASKED: Final = "This is a mistake of the server; its log says more."
"""What is said of a mistake of this program."""


class PlainErrors(MaskErrors):
    """Says what a problem of REST would say, with its type in `extensions`."""

    def __init__(self) -> None:
        super().__init__(lambda error: error.original_error is not None, MASKED)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error as it is shown."""
        problem = problem_of(error)
        if problem is None:
            return super().anonymise_error(error)
        return GraphQLError(
            str(problem),
            nodes=error.nodes,
            path=error.path,
            extensions={"type": problem.type, "status": problem.status, **problem.more},
        )


class LoggedSchema(strawberry.Schema):
    """A schema that logs mistakes of this program, and no others."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log."""
        for error in errors:
            if error.original_error is not None and problem_of(error) is None:
                logger.error("A GraphQL query failed.", exc_info=error.original_error)


def problem_of(error: GraphQLError) -> ProblemError | None:
    """The problem behind an error; None: it is of the query itself, or a mistake here."""
    match error.original_error:
        case ProblemError(more={"errors": wrong}):
            return _wrong_arguments([(one["parameter"], one["allowed"]) for one in wrong])
        case ProblemError() as problem:
            return problem
        case OutOfBoundsError() as bound:
            return _wrong_arguments([(bound.parameter, bound.allowed)])
        case SinkError() as failure:
            return of_clickhouse(failure)
    return None


def _wrong_arguments(wrong: Sequence[tuple[str, str]]) -> ProblemError:
    """Wrong parameters by the names they have here."""
    return wrong_parameters(
        [(_ARGUMENTS.get(name, to_camel_case(name)), allowed) for name, allowed in wrong]
    )
