"""What a query may ask for: rows are counted before anything is read."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.extensions import SchemaExtension

from streams.serve.series import DEFAULT_DAYS

MOST_ROWS: Final = 4_000
"""Rows of one query: Python makes each of its values, while everybody else waits."""

MOST_DAYS: Final = 400
"""Gas days of one range."""

_ROWS_OF_OTHER_LISTS: Final = 10
"""What a list counts for that nobody can ask a number of: members, reasons, losing values."""

_FIRST, _IDS, _START, _END = "first", "ids", "startTime", "endTime"
_EDGES: Final = "edges"
"""List of a page, which is counted by its `first`."""


class RowBudget(SchemaExtension):
    """Refuses a query that asks for more rows than `MOST_ROWS`.

    Rows are those of `first`, of `ids` or of the days of a range, times those of what it is inside.
    """

    def on_execute(self) -> Iterator[None]:
        """Count, and leave a query that asks for too much without an answer."""
        context = self.execution_context
        document = context.graphql_document
        if document is not None:
            operation = _operation(document, context.operation_name)
            schema = context.schema._schema
            counted = _Counter(schema, document, context.variables or {}, operation).rows()
            if counted > MOST_ROWS:
                raise GraphQLError(
                    f"This query asks for up to {counted:,} rows, and {MOST_ROWS:,} are allowed: "
                    "ask for fewer with first, for fewer days, or for whole lists by REST "
                    "(format=parquet)."
                )
        yield


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    named = [one for one in operations if one.name and one.name.value == name]
    return (named or operations)[0]


class _Counter:
    """Counts the rows of one operation that is valid."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        operation: OperationDefinitionNode,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            one.name.value: one
            for one in document.definitions
            if isinstance(one, FragmentDefinitionNode)
        }
        self._of_fragments: dict[str, int] = {}
        defaults = {
            one.variable.name.value: value_from_ast_untyped(one.default_value)
            for one in operation.variable_definitions or ()
            if one.default_value is not None
        }
        self._variables = {**defaults, **variables}

    def rows(self) -> int:
        return self._of(self._operation.selection_set, self._schema.query_type)

    def _of(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> int:
        counted = 0
        for one in selections.selections:
            if isinstance(one, FieldNode):
                counted += self._of_field(one, parent)
            elif isinstance(one, InlineFragmentNode):
                condition = one.type_condition
                of_type = self._schema.get_type(condition.name.value) if condition else parent
                counted += self._of(one.selection_set, of_type)
            elif isinstance(one, FragmentSpreadNode):
                counted += self._of_fragment(one.name.value)
        return counted

    def _of_fragment(self, name: str) -> int:
        # Once each: fragments inside fragments would be visited in numbers that explode.
        if name not in self._of_fragments:
            fragment = self._fragments[name]
            of_type = self._schema.get_type(fragment.type_condition.name.value)
            self._of_fragments[name] = self._of(fragment.selection_set, of_type)
        return self._of_fragments[name]

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None) -> int:
        if not isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)):
            return 0
        definition = parent.fields.get(node.name.value)
        if definition is None or node.selection_set is None:
            return 0
        inside = self._of(node.selection_set, get_named_type(definition.type))
        rows = self._asked(node, definition)
        return inside if rows is None else max(rows, 0) * (1 + inside)

    def _asked(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """Rows of a field; None: it has no list of rows."""
        given = {
            one.name.value: value_from_ast_untyped(one.value, self._variables)
            for one in node.arguments or ()
        }
        if _FIRST in definition.args:
            default = definition.args[_FIRST].default_value
            asked = given.get(_FIRST)
            # JSON may write a whole number as 5.0.
            rows = asked if isinstance(asked, (int, float)) else default
            return 0 if rows is Undefined or rows is None else int(rows)
        if _IDS in definition.args:
            ids = given.get(_IDS)
            return len(ids) if isinstance(ids, list) else 1
        if _START in definition.args:
            return _days(given.get(_START), given.get(_END))
        if node.name.value != _EDGES and is_list_type(get_nullable_type(definition.type)):
            return _ROWS_OF_OTHER_LISTS
        return None


def _days(start: Any, end: Any) -> int:
    """Days of a range as it was written; what is wrong with it is said where it is read."""
    if start is None:
        return DEFAULT_DAYS
    try:
        first = date.fromisoformat(str(start)[:10])
        last = date.fromisoformat(str(end)[:10])
    except ValueError:
        return MOST_DAYS
    return min(max((last - first).days + 1, 1), MOST_DAYS)
