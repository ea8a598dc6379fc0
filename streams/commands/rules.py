"""Every rule with its limit, as a table for the terminal and for pages."""

from collections.abc import Iterator

from pydantic import BaseModel
from rich.table import Table

from streams.core.all_rules import RULES
from streams.core.rule import Rule
from streams.core.tolerances import Tolerances


def terminal_table(tolerances: Tolerances) -> Table:
    """The rules for people at a terminal, narrow enough for 80 columns."""
    table = Table("rule", "what is wrong, where, why, and what is allowed", show_lines=True)
    for rule in RULES.values():
        rows = [
            rule.sentence,
            f"[dim]fields  {', '.join(rule.fields) or 'the record'}",
            f"why     {rule.reference}",
            *(f"limit   {line}" for line in _limits(rule, tolerances)),
        ]
        name = f"[bold]{rule.id}[/bold]\n{rule.severity}, {rule.dimension}"
        table.add_row(name, "\n".join(rows))
    return table


def markdown_table() -> str:
    """The same as a table of Markdown; without limits, which are configuration."""
    lines = [
        "| rule | does | dimension | what is wrong | why | limit in `tolerances.yaml` |",
        "|---|---|---|---|---|---|",
    ]
    for rule in RULES.values():
        limit = f"`{rule.tolerance}`" if rule.tolerance else ""
        lines.append(
            f"| `{rule.id}` | {rule.severity} | {rule.dimension} | {rule.sentence} "
            f"| {rule.reference} | {limit} |"
        )
    return "\n".join(lines)


def _limits(rule: Rule, tolerances: Tolerances) -> Iterator[str]:
    if rule.tolerance is None:
        return
    group, name = rule.tolerance.split(".")
    value = getattr(getattr(tolerances, group), name)
    if isinstance(value, BaseModel):
        text = ", ".join(f"{key} {limit}" for key, limit in value.model_dump().items())
    elif isinstance(value, dict):
        text = f"for each of {', '.join(value)}"
    else:
        text = str(value)
    yield f"{rule.tolerance}: {text}"
