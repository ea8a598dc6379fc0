"""Source text of functions generated from an Avro schema, and compiling it.

Shared by the reader and the writer, which are straight-line Python made once for each schema.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, TypeAlias

Lines: TypeAlias = list[str]


class PythonSource:
    """Functions under construction, and the constants they use.

    A schema is found again by its full name: a record may be named in its own fields.
    """

    def __init__(self) -> None:
        self._lines: Lines = []
        self._constants: dict[str, object] = {}
        self._names = count()
        self.named: dict[str, Mapping[str, Any]] = {}

    def resolved(self, schema: Any) -> Any:
        """The schema of a name or primitive type; any other as it is."""
        return self.named.get(schema, {"type": schema}) if isinstance(schema, str) else schema

    def name(self, kind: str) -> str:
        """A name that nothing else has."""
        return f"{kind}_{next(self._names)}"

    def constant(self, value: object) -> str:
        """Name under which the functions see a value."""
        name = self.name("constant")
        self._constants[name] = value
        return name

    def function(self, name: str, parameters: str, body: Lines) -> str:
        """Add a function; returns its name."""
        self._lines += [f"def {name}({parameters}):", *indented(body)]
        return name

    def compiled(self, title: str, runtime: Mapping[str, Any]) -> dict[str, Any]:
        """Namespace with every function; `runtime` is what they call."""
        namespace: dict[str, Any] = {**runtime, **self._constants}
        # The source holds names of the schema only as quoted literals.
        exec(compile("\n".join(self._lines), f"<{title}>", "exec"), namespace)  # noqa: S102
        return namespace


def indented(lines: Lines) -> Lines:
    """The lines one level deeper."""
    return ["    " + line for line in lines]
