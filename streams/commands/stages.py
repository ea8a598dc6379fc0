"""The stages of the pipeline for people: in the terminal, as a table and a picture for pages."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from streams.topics import DEAD_LETTERS, raw_topic
from streams.topology import SINK_TOPICS, DeclaredStage, pipeline

ANY_SOURCE = "<source>"
"""Stands for the name of a connector: every source goes the same way."""


def terminal_table(stages: Sequence[DeclaredStage]) -> Table:
    """Stages with what each does, reads and writes, narrow enough for 80 columns."""
    table = Table("stage", "what it does, reads and writes", show_lines=True)
    for stage in stages:
        written = ", ".join(topic.name for topic in stage.outputs)
        rows = (stage.purpose, f"[dim]reads   {stage.input.name}", f"writes  {written}")
        table.add_row(stage.name, "\n".join(rows))
    return table


def markdown_table() -> str:
    """The same as a table of Markdown, one row for the stages of all sources."""
    rows = [
        "| stage | reads | keeps | writes | does |",
        "|---|---|---|---|---|",
    ]
    for stage in pipeline([ANY_SOURCE]):
        written = ", ".join(f"`{topic.name}`" for topic in stage.outputs)
        rows.append(
            f"| `{stage.name}` | `{stage.input.name}` | `{stage.state_contract}` | {written} "
            f"| {stage.purpose.replace(ANY_SOURCE, 'a source')} |"
        )
    return "\n".join(rows)


def mermaid_picture() -> str:
    """The way of the data as a Mermaid flow chart: stages are boxes, topics are pipes.

    Dead letters, which every stage writes, are drawn once.
    """
    stages = pipeline([ANY_SOURCE])
    topics = dict.fromkeys(
        topic.name for stage in stages for topic in (stage.input, *stage.outputs)
    )
    nodes = [f'{_node(name)}(["{_shown(name)}"])' for name in topics]
    nodes += [f'{_node(stage.name)}["{_shown(stage.name)}"]' for stage in stages]
    lines = ["flowchart LR", *nodes, *_OUTSIDE, *_edges(stages)]
    return "\n    ".join(lines)


_OUTSIDE = (
    'producers["producers"]',
    'every_stage["every stage"]',
    'sink["sink worker"]',
    'clickhouse[("ClickHouse")]',
)


def _edges(stages: Sequence[DeclaredStage]) -> Iterator[str]:
    yield f"producers --> {_node(raw_topic(ANY_SOURCE).name)}"
    for stage in stages:
        yield f"{_node(stage.input.name)} --> {_node(stage.name)}"
        for topic in stage.outputs:
            if topic != DEAD_LETTERS:
                yield f"{_node(stage.name)} --> {_node(topic.name)}"
    yield f"every_stage --> {_node(DEAD_LETTERS.name)}"
    for topic in SINK_TOPICS:
        yield f"{_node(topic.name)} --> sink"
    yield "sink --> clickhouse"


def _node(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _shown(name: str) -> str:
    # Angle brackets would be HTML.
    return name.replace(ANY_SOURCE, "…")
