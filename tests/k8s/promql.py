"""Queries of alerts and dashboards, against the metrics that the code declares."""

from collections.abc import Iterator

import promql_parser

from tests.documents.generated import declared_metrics

OF_PROMETHEUS = {"up": frozenset({"job", "instance"})}
OF_A_SCRAPE = frozenset({"job", "instance", "le"})
"""Labels that no metric declares."""


def selectors(query: str) -> Iterator[promql_parser.VectorSelector]:
    """Every selector of a query; raises on what is no PromQL."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    yield from found


def unknown_in(query: str) -> list[str]:
    """Metrics and labels of a query that nothing exports."""
    declared = {**declared_metrics(), **OF_PROMETHEUS}
    problems = []
    for selector in selectors(query):
        name = selector.name or ""
        base = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        labels = declared.get(name, declared.get(base))
        if labels is None:
            problems.append(f"no such metric: {name}")
            continue
        problems += [
            f"{name} has no label {matcher.name}"
            for matcher in selector.matchers.matchers
            if matcher.name not in labels | OF_A_SCRAPE
        ]
    return problems
