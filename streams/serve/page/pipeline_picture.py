"""Where the parts of the pipeline are in its picture: a layout of the declared topology.

Rows follow the way of the data. What goes the same way past several rows is one bundle, and what
leads back, as from totals to their parts, goes round the side.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final, Literal

from streams.topics import DEAD_LETTERS, DECISIONS, REPLAYS
from streams.topology import SINK_TOPICS, DeclaredStage

NodeKind = Literal["source", "topic", "stage", "store"]

BY_COMMAND: Final = {
    DECISIONS.name: ("make decide", "decisions by hand"),
    REPLAYS.name: ("make replay", "history decided again"),
}
"""Topics that a person's command writes: the command, and what it is for."""

SINK: Final = "sink"
STORE: Final = "ClickHouse"

_SIZES: Final[Mapping[NodeKind, tuple[float, float]]] = {
    "source": (176, 48),
    "topic": (196, 40),
    "stage": (206, 52),
    "store": (196, 48),
}
_PASSING: Final = 36.0
_PAST: Final = 26.0
"""What passes a row is upright as high as its boxes are."""

_GAP: Final = 20.0
_ROW: Final = 82.0
_BESIDE: Final = 216.0
_MARGIN: Final = 12.0
_ROUND: Final = 70.0


@dataclass(frozen=True, slots=True)
class Node:
    """One box; `x` and `y` are its middle."""

    name: str
    kind: NodeKind
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """One line between two places.

    Attributes:
        path: As SVG draws it.
        ends: Whether it ends at a box, so that it has a head.
        carries: Topics whose records go along it; a picture of what flows needs them.
    """

    path: str
    ends: bool
    carries: frozenset[str]


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and arrows, and how much room they take."""

    width: float
    height: float
    nodes: Sequence[Node]
    arrows: Sequence[Arrow]


Edge = tuple[str, str]


def picture(stages: Sequence[DeclaredStage], sources: Mapping[str, str]) -> Picture:
    """Sources, topics and stages with the sink and what it fills.

    Args:
        stages: Every stage.
        sources: Name of each source by the raw topic it writes.
    """
    kinds, edges = _graph(stages, sources)
    back = _leading_back(kinds, edges)
    rows = _rows(kinds, [edge for edge in edges if edge not in back])
    chains = {edge: _chain(edge, rows) for edge in edges if edge not in back}
    places = _places(kinds, rows, chains.values())
    nodes = {
        name: Node(name, kind, places[name], _middle(rows[name]), *_SIZES[kind])
        for name, kind in kinds.items()
    }
    width = max(one.x + one.width / 2 for one in nodes.values()) + _MARGIN
    height = _middle(max(rows.values())) + _ROW / 2
    arrows = [
        *_arrows(chains, kinds, nodes, places),
        *(_round(nodes[start], nodes[end], kinds) for start, end in sorted(back)),
    ]
    return Picture(width, height, list(nodes.values()), arrows)


def _graph(
    stages: Sequence[DeclaredStage], sources: Mapping[str, str]
) -> tuple[dict[str, NodeKind], list[Edge]]:
    """Every box with what it is, and every way from one to another; dead letters come from all."""
    kinds: dict[str, NodeKind] = {}
    edges: list[Edge] = []
    for written, source in sources.items():
        kinds[source] = "source"
        edges.append((source, written))
    for stage in stages:
        kinds[stage.input.name] = "topic"
        kinds[stage.name] = "stage"
        edges.append((stage.input.name, stage.name))
        for topic in stage.outputs:
            kinds[topic.name] = "topic"
            if topic != DEAD_LETTERS:
                edges.append((stage.name, topic.name))
    for topic in SINK_TOPICS:
        kinds[topic.name] = "topic"
        edges.append((topic.name, SINK))
    for written, (command, _) in BY_COMMAND.items():
        if written in kinds:
            kinds[command] = "source"
            edges.append((command, written))
    kinds[SINK], kinds[STORE] = "stage", "store"
    edges.append((SINK, STORE))
    return kinds, edges


def _leading_back(names: Iterable[str], edges: Sequence[Edge]) -> set[Edge]:
    """Edges that close a circle, found on the way from where nothing leads to."""
    after: dict[str, list[str]] = defaultdict(list)
    for start, end in edges:
        after[start].append(end)
    back: set[Edge] = set()
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        for following in after[name]:
            if following in path:
                back.add((name, following))
            elif following not in done:
                visit(following, (*path, following))
        done.add(name)

    fed = {end for _, end in edges}
    for name in sorted(names, key=lambda one: one in fed):
        if name not in done:
            visit(name, (name,))
    return back


def _rows(names: Iterable[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The longest way to each box; what nothing feeds is just before what it feeds."""
    rows = dict.fromkeys(names, 0)
    for _ in rows:
        for start, end in edges:
            rows[end] = max(rows[end], rows[start] + 1)
    fed = {end for _, end in edges}
    for start, end in edges:
        if start == DEAD_LETTERS.name and start not in fed:
            rows[start] = rows[end] - 1
    return rows


def _chain(edge: Edge, rows: Mapping[str, int]) -> Sequence[str]:
    """Stations of an edge: one in each row that it passes, shared by all with the same end."""
    start, end = edge
    return (start, *(f"{end}@{row}" for row in range(rows[start] + 1, rows[end])), end)


def _places(
    kinds: Mapping[str, NodeKind], rows: Mapping[str, int], chains: Iterable[Sequence[str]]
) -> dict[str, float]:
    """Where each station is across: below the middle of what leads to it, without overlaps."""
    row_of = dict(rows)
    before: dict[str, list[str]] = defaultdict(list)
    for chain in chains:
        for number, (upper, lower) in enumerate(pairwise(chain)):
            row_of.setdefault(lower, rows[chain[0]] + number + 1)
            if upper not in before[lower]:
                before[lower].append(upper)
    places: dict[str, float] = {}
    for row in range(max(row_of.values()) + 1):
        members = [name for name, found in row_of.items() if found == row]
        wanted = {
            name: fmean(places[one] for one in before[name]) for name in members if before[name]
        }
        last = max(wanted.values(), default=0.0)
        for number, name in enumerate(name for name in members if not before[name]):
            wanted[name] = last + _BESIDE * (number + 1)
        places |= _apart(sorted(members, key=lambda name: (wanted[name], name)), wanted, kinds)
    least = min(places[name] - _SIZES[kind][0] / 2 for name, kind in kinds.items())
    return {name: place - least + _MARGIN for name, place in places.items()}


def _apart(
    members: Sequence[str], wanted: Mapping[str, float], kinds: Mapping[str, NodeKind]
) -> dict[str, float]:
    """Places as near to the wanted ones as the sizes allow, in the same order."""
    placed: dict[str, float] = {}
    edge = float("-inf")
    for name in members:
        half = _width(name, kinds) / 2
        placed[name] = max(wanted[name], edge + half)
        edge = placed[name] + half + _GAP
    shift = fmean(wanted[name] - placed[name] for name in members) if members else 0.0
    return {name: place + shift for name, place in placed.items()}


def _width(name: str, kinds: Mapping[str, NodeKind]) -> float:
    return _SIZES[kinds[name]][0] if name in kinds else _PASSING


def _middle(row: int) -> float:
    return _ROW * (row + 0.5)


def _arrows(
    chains: Mapping[Edge, Sequence[str]],
    kinds: Mapping[str, NodeKind],
    nodes: Mapping[str, Node],
    places: Mapping[str, float],
) -> Iterable[Arrow]:
    carried: dict[Edge, set[str]] = defaultdict(set)
    heights: dict[str, tuple[float, float]] = {
        name: (node.y - node.height / 2, node.y + node.height / 2) for name, node in nodes.items()
    }
    for edge, chain in chains.items():
        topic = _topic(edge, kinds)
        for pair in pairwise(chain):
            carried[pair].add(topic)
        for station in chain[1:-1]:
            middle = _middle(int(station.rpartition("@")[2]))
            heights[station] = (middle - _PAST, middle + _PAST)
    passing: dict[str, set[str]] = defaultdict(set)
    for (upper, lower), topics in carried.items():
        x, y = places[upper], heights[upper][1]
        to_x, to_y = places[lower], heights[lower][0]
        bend = (y + to_y) / 2
        path = f"M{x:.0f} {y:.0f}C{x:.0f} {bend:.0f} {to_x:.0f} {bend:.0f} {to_x:.0f} {to_y:.0f}"
        yield Arrow(path, lower in nodes, frozenset(topics))
        if lower not in nodes:
            passing[lower] |= topics
    for station, topics in passing.items():
        top, bottom = heights[station]
        path = f"M{places[station]:.0f} {top:.0f}V{bottom:.0f}"
        yield Arrow(path, ends=False, carries=frozenset(topics))


def _topic(edge: Edge, kinds: Mapping[str, NodeKind]) -> str:
    """The topic at one of the ends; between sink and store there is none, so what the sink has."""
    return next((name for name in edge if kinds[name] == "topic"), edge[0])


def _round(start: Node, end: Node, kinds: Mapping[str, NodeKind]) -> Arrow:
    """An arrow back, on the side where it begins."""
    side = -1 if start.x <= end.x else 1
    x, to_x = start.x + side * start.width / 2, end.x + side * end.width / 2
    out = side * (max(side * x, side * to_x) + _ROUND)
    path = (
        f"M{x:.0f} {start.y:.0f}C{out:.0f} {start.y:.0f} {out:.0f} {end.y:.0f} "
        f"{to_x:.0f} {end.y:.0f}"
    )
    return Arrow(path, ends=True, carries=frozenset({_topic((start.name, end.name), kinds)}))
