"""Rounds of all contenders, and what they say: medians, spread and ratios."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from streams.topics import changelog_topic
from tests.bench.measure import Arena, Contender, Figure

_FAUST = ("-m", "faust", "-A")
_WORKER = ("worker", "-l", "warn")


def _program(name: str) -> str:
    return f"tests.bench.contenders.{name}"


ENGINE = Contender(
    "engine",
    "this engine",
    (*_FAUST, _program("engine_app"), *_WORKER),
    changelog=lambda group, _: changelog_topic(group, "bench", "state.locations").name,
)
FAUST = Contender(
    "faust",
    "stock Faust",
    (*_FAUST, _program("faust_app"), *_WORKER),
    share=0.05,
    changelog=lambda group, _: f"{group}-bench-changelog",
)
QUIX = Contender(
    "quix",
    "Quix Streams",
    ("-m", _program("quix_app")),
    changelog=lambda group, source: f"changelog__{group}--{source}--default",
)
BARE = Contender("bare", "bare loop", ("-m", _program("bare_loop")))

CONTENDERS = (ENGINE, FAUST, QUIX, BARE)

GOALS: Mapping[str, float] = {FAUST.name: 12.0, QUIX.name: 1.4, BARE.name: 0.55}
"""How many times an alternative's records a second the engine must reach."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of some figures."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Of at least one figure."""
        return cls(statistics.median(figures), min(figures), max(figures))

    def text(self, digits: int = 0) -> str:
        """`median (least … greatest)`."""
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} … {self.greatest:,.{digits}f})"


Round = Mapping[str, Figure]
"""Figures of contenders that ran one after another, by name."""


def compare(
    arena: Arena,
    contenders: Sequence[Contender],
    records: int,
    repeats: int,
    report: Callable[[str], None],
) -> list[Round]:
    """Run every contender in turn, as many rounds as asked: a slow minute then hits all alike.

    Raises:
        VoidRunError: a contender's output is not what it must be.
    """
    rounds: list[Round] = []
    for number in range(1, repeats + 1):
        figures: dict[str, Figure] = {}
        for contender in contenders:
            figure = arena.run(contender, input_records(contender, records))
            report(
                f"  round {number}, {contender.title}: {figure.records_per_second:,.0f} records/s, "
                f"{figure.cpu_us_per_record:.1f} µs of processor time each"
            )
            figures[contender.name] = figure
        rounds.append(figures)
    return rounds


def input_records(contender: Contender, records: int) -> int:
    """Size of a contender's input."""
    return max(1, int(records * contender.share))


def comparison_table(contenders: Sequence[Contender], rounds: Sequence[Round]) -> Table:
    """Medians with least and greatest in brackets."""
    table = Table("way", "records/s", "CPU µs each", "engine / it", "goal", "")
    for contender in contenders:
        runs = [figures[contender.name] for figures in rounds]
        ratio = ratio_to(contender, rounds)
        goal = GOALS.get(contender.name)
        table.add_row(
            contender.title,
            Spread.of([run.records_per_second for run in runs]).text(),
            Spread.of([run.cpu_us_per_record for run in runs]).text(1),
            ratio.text(2) if ratio else "",
            f"{goal:g}" if ratio and goal else "",
            verdict(ratio.median >= goal) if ratio and goal else "",
        )
    return table


def ratio_to(contender: Contender, rounds: Sequence[Round]) -> Spread | None:
    """Records a second of the engine divided by a contender's, round by round."""
    if contender is ENGINE or ENGINE.name not in rounds[0]:
        return None
    return Spread.of(
        [
            figures[ENGINE.name].records_per_second / figures[contender.name].records_per_second
            for figures in rounds
        ]
    )


def missed(contenders: Sequence[Contender], rounds: Sequence[Round]) -> list[str]:
    """Goals that were not reached."""
    return [
        f"{ratio.median:.2f} x {contender.title} instead of {GOALS[contender.name]:g}"
        for contender in contenders
        if (ratio := ratio_to(contender, rounds)) and ratio.median < GOALS[contender.name]
    ]


def verdict(reached: bool) -> str:
    """For the last column."""
    return "[green]reached[/green]" if reached else "[red]missed[/red]"
