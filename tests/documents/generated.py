"""The generated parts of the pages: what the code declares, as tables."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from textwrap import indent
from types import NoneType
from typing import Any, get_args

import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from producers.config import CONFIG_FOLDER, REFERENCE
from producers.connectors import CONNECTORS
from producers.sandbox.settings import SandboxSettings
from streams.__main__ import app as streams_cli
from streams.clickhouse.views import views
from streams.commands import rights as rights_commands
from streams.commands import rules as rule_commands
from streams.commands import stages as stage_commands
from streams.commands.stages import ANY_SOURCE
from streams.local.ports import StackPorts
from streams.settings import PROJECT_ROOT, Settings
from streams.tolerance_file import load_tolerances
from streams.topics import (
    DAY_MS,
    DECISIONS,
    KEEP_FOR_EVER,
    REPLAYS,
    RESUMES,
    Topic,
    changelog_topic,
    raw_topic,
)
from streams.topology import SINK_TOPICS, DeclaredStage, pipeline, shared_topics
from tests.bench import simulation
from tests.documents.pages import Page

ALERTS = PROJECT_ROOT / "k8s" / "monitoring" / "alerts.yaml"
PROMETHEUS_RULE = ALERTS.with_name("prometheus-rule.yaml")

COMMAND_WRITES = {DECISIONS: "`decide`", REPLAYS: "`replay`", RESUMES: "`resume`"}
"""Topics that a command writes."""

PIPELINE = "each pipeline worker"
OWNER = "the pipeline worker that owns `quality.counts`"
SINK = "each sink"
API = "each API; a sink that serves it"
EVERY = "every worker"
EXPORTED_BY = {
    "stage_records_total": PIPELINE,
    "stage_batch_records": PIPELINE,
    "stage_batch_seconds": PIPELINE,
    "stage_compute_seconds_total": PIPELINE,
    "stage_outputs_total": PIPELINE,
    "recovery_seconds": PIPELINE,
    "recovery_entries": PIPELINE,
    "connector_paused": PIPELINE,
    "partition_waiting": EVERY,
    "connector_scrape_error": EVERY,
    "oldest_batch_seconds": EVERY,
    "connector_records_processed": OWNER,
    "connector_data_quality_score": OWNER,
    "connector_validation_failures": OWNER,
    "connector_up": OWNER,
    "connector_last_event_time": OWNER,
    "connector_api_rate_limit_hits": OWNER,
    "connector_errors_total": OWNER,
    "connector_runs_total": OWNER,
    "connector_items_left_out_total": OWNER,
    "connector_drift_records": OWNER,
    "consumer_lag_records": OWNER,
    "consumer_committed_offset": OWNER,
    "topic_end_offset": OWNER,
    "sink_rows_total": SINK,
    "sink_rejects_total": SINK,
    "sink_insert_seconds": SINK,
    "api_request_seconds": API,
    "infrastructure_assets_total": "the sink that owns `market.infrastructure` 0",
}
"""Who exports a metric; a new one is added here."""

_METRIC_TYPES = {
    "Counter": "counter",
    "CounterMetricFamily": "counter",
    "Gauge": "gauge",
    "GaugeMetricFamily": "gauge",
    "Histogram": "histogram",
}
_LONGEST_DEFAULT = 60


def parts_of(page: Page) -> dict[str, str]:
    """What the generated parts of a page must be."""
    return {name: GENERATORS[name](page.path.parent) for name in page.parts}


def stages(folder: Path) -> str:
    """Every stage of the pipeline."""
    return stage_commands.markdown_table() + "\n"


def picture(folder: Path) -> str:
    """The way of the data."""
    return f"```mermaid\n{stage_commands.mermaid_picture()}\n```\n"


def topics(folder: Path) -> str:
    """Every topic of a deployment."""
    changelog = changelog_topic("<APP_ID>", "<stage>", "")
    rows = [_topic_row(topic) for topic in (raw_topic(ANY_SOURCE), *shared_topics())]
    rows.append(
        (
            f"`{changelog.name}`",
            "as its stage keeps it",
            "as its input",
            _kept(changelog),
            "its stage",
            "its stage",
        )
    )
    return _table(("topic", "key", "partitions", "kept", "written by", "read by"), rows)


def rules(folder: Path) -> str:
    """Every rule; its limit is configuration, so only the key is named."""
    return rule_commands.markdown_table() + "\n"


def metrics(folder: Path) -> str:
    """Every metric that some module declares."""
    exporters = tuple(dict.fromkeys(EXPORTED_BY.values()))
    found = sorted(_metrics(), key=lambda one: (exporters.index(EXPORTED_BY[one[0]]), one))
    return _table(
        ("metric", "type", "says", "exported by"),
        (
            (
                f"`{name}{{{', '.join(labels)}}}`" if labels else f"`{name}`",
                kind,
                says,
                EXPORTED_BY[name],
            )
            for name, kind, says, labels in found
        ),
    )


def declared_metrics() -> Mapping[str, frozenset[str]]:
    """Labels by the name of each metric."""
    return {name: frozenset(labels) for name, _, _, labels in _metrics()}


def settings(folder: Path) -> str:
    """Settings of every process."""
    return _settings_table("", Settings) + "\n" + _settings_table("", StackPorts)


def rights(folder: Path) -> str:
    """What each role may do."""
    roles = rights_commands.roles(Settings.model_construct(), CONNECTORS)
    return rights_commands.markdown_table(roles)


def sandbox_settings(folder: Path) -> str:
    """Settings of the sandbox."""
    return _settings_table("SANDBOX_", SandboxSettings)


def variables(folder: Path) -> str:
    """Variables of every source's configuration."""
    return "\n".join(
        f"**{name}**, [{name}.yaml]({name}.yaml)\n\n"
        + _table(("variable", "default", "key", "says"), _variables(name))
        for name in CONNECTORS
    )


def sources(folder: Path) -> str:
    """Every source with its streams."""
    return _table(
        ("source", "stream → kind", "polled every", "licence"),
        (
            (
                f"`{name}`",
                ", ".join(f"`{s.name}` → `{s.kind}`" for s in connector.discover()),
                f"`{_schedule(name)}`",
                connector.licence,
            )
            for name, connector in CONNECTORS.items()
        ),
    )


def modules(folder: Path) -> str:
    """Rooms and modules of a folder, each with the first line of its docstring."""
    rows = []
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name)):
        if (path / "__init__.py").is_file():
            page = path / "README.md"
            shown = f"`{path.name}/`"
            linked = f"[{shown}]({path.name}/README.md)" if page.is_file() else shown
            rows.append((linked, _first_line(path / "__init__.py")))
        elif path.suffix == ".py" and path.name != "__init__.py":
            rows.append((f"`{path.name}`", _first_line(path)))
    return _table((f"`{folder.relative_to(PROJECT_ROOT).as_posix()}/`", "is"), rows)


def commands(folder: Path) -> str:
    """Every command of `python -m streams`."""
    group = typer.main.get_group(streams_cli)
    return _table(
        ("`python -m streams`", "does"),
        (
            (f"`{name}`", (command.help or "").strip().splitlines()[0])
            for name, command in group.commands.items()
        ),
    )


def clickhouse_views(folder: Path) -> str:
    """Every view that analysts read, but those that each kind has beside its own."""
    found = views(load_tolerances().quality.weights)
    return _table(
        ("view", "has"),
        (
            (f"`{view.name}`", view.comment)
            for view in found
            if not view.name.endswith(("_history", "_provenance"))
        ),
    )


def prometheus_rule() -> str:
    """The alert rules as the Prometheus operator takes them."""
    text = ALERTS.read_text(encoding="utf-8")
    rules = indent(text[text.index("groups:") :], "  ")
    head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
    return (
        f"# Generated by `make pages` from alerts.yaml.\n{head}"
        f"metadata: {{name: infrastructure-streams}}\nspec:\n{rules}"
    )


def matching(folder: Path) -> str:
    """How well assets are matched, as `make score` found it."""
    return (PROJECT_ROOT / "tests/score/figures.txt").read_text(encoding="utf-8")


def scaling(folder: Path) -> str:
    """What a thousand times the data need, and a simulated day of them."""
    return simulation.report()


def _recorded(name: str) -> Callable[[Path], str]:
    """What a first run showed, as it was recorded."""

    def recorded(folder: Path) -> str:
        text = (PROJECT_ROOT / "tests/integration/commands" / name).read_text(encoding="utf-8")
        return f"```\n{text.rstrip()}\n```\n"

    return recorded


GENERATORS: Mapping[str, Callable[[Path], str]] = {
    "stages": stages,
    "picture": picture,
    "topics": topics,
    "rules": rules,
    "metrics": metrics,
    "settings": settings,
    "sandbox settings": sandbox_settings,
    "rights": rights,
    "variables": variables,
    "sources": sources,
    "modules": modules,
    "commands": commands,
    "views": clickhouse_views,
    "matching": matching,
    "scaling": scaling,
    "first run": _recorded("first_run.txt"),
    "first demo": _recorded("first_demo.txt"),
    "first query": _recorded("first_query.txt"),
    "first record": _recorded("first_record.txt"),
}
"""What makes each part, for the folder of its page."""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(head)
    lines = [titles, ("---",) * len(titles), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def _stages() -> tuple[DeclaredStage, ...]:
    return pipeline((ANY_SOURCE,))


def _topic_row(topic: Topic) -> tuple[str, ...]:
    writers = [f"`{stage.name}`" for stage in _stages() if topic in stage.outputs]
    readers = [f"`{stage.name}`" for stage in _stages() if topic == stage.input]
    if topic == raw_topic(ANY_SOURCE):
        writers.append("producers")
    if topic in COMMAND_WRITES:
        writers.append(COMMAND_WRITES[topic])
    if topic in SINK_TOPICS:
        readers.append("sink")
    if topic == RESUMES:
        readers.append("a paused stage")
    if len(writers) == len(_stages()):
        writers = ["every stage"]
    return (
        f"`{topic.name}`",
        topic.key,
        str(topic.partitions),
        _kept(topic),
        ", ".join(writers),
        ", ".join(readers),
    )


def _kept(topic: Topic) -> str:
    if topic.cleanup == "compact":
        lag_ms = int(dict(topic.config).get("min.compaction.lag.ms", 0))
        return f"compacted after {lag_ms // DAY_MS} days" if lag_ms else "compacted"
    if topic.retention_ms == KEEP_FOR_EVER:
        return "for ever"
    return f"{topic.retention_ms // DAY_MS} days"


@cache
def _metrics() -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """Name, type, meaning and labels of each metric, as the modules declare them."""
    files = [
        path for room in ("streams", "producers") for path in (PROJECT_ROOT / room).rglob("*.py")
    ]
    return tuple(metric for path in files for metric in _declared_in(path))


def _declared_in(path: Path) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        kind = _METRIC_TYPES.get(node.func.id)
        if kind is None or len(node.args) < 2:
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        labels = node.args[2] if len(node.args) > 2 else named.get("labels")
        name, says = (ast.literal_eval(argument) for argument in node.args[:2])
        if kind == "counter" and not name.endswith("_total"):
            name += "_total"
        yield name, kind, says, tuple(ast.literal_eval(labels)) if labels else ()


def _settings_table(prefix: str, model: type[BaseModel]) -> str:
    return _table(
        ("variable", "default", "says"),
        (
            (f"`{prefix}{name.upper()}`", _default(field), _escaped(field.description or ""))
            for name, field in model.model_fields.items()
        ),
    )


def _escaped(text: str) -> str:
    return text if "`" in text else text.replace("<", "&lt;")


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, Path):
        value = value.relative_to(PROJECT_ROOT)
    return "" if value in (None, "") else f"`{value}`"


def _variables(name: str) -> Iterator[tuple[str, ...]]:
    document = yaml.safe_load((CONFIG_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, text in _texts(document, ()):
        for reference in REFERENCE.finditer(text):
            field = _field(CONNECTORS[name].config_model, key)
            shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
            default = reference["default"]
            yield (
                f"`{reference['name']}`",
                "needed" if default is None else _short(default),
                f"`{shown.removeprefix('.')}`",
                field.description or "",
            )


def _texts(value: Any, key: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, (*key, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*key, index))
    elif isinstance(value, str):
        yield key, value


def _field(model: type[BaseModel], key: tuple[str | int, ...]) -> FieldInfo:
    """The field of a model that a key of the document belongs to."""
    names = [part for part in key if isinstance(part, str)]
    field = model.model_fields[names[0]]
    for name in names[1:]:
        field = _model_in(field.annotation).model_fields[name]
    return field


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [part for part in get_args(annotation) if part not in (..., NoneType)]
    return _model_in(inner[-1])


def _short(default: str) -> str:
    if len(default) <= _LONGEST_DEFAULT or "://" not in default:
        return f"`{default}`" if default else "none"
    scheme, _, rest = default.partition("://")
    return f"`{scheme}://{rest.split('/')[0]}/…/{rest.rsplit('/', 1)[-1]}`"


def _schedule(name: str) -> str:
    document = yaml.safe_load((CONFIG_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    reference = REFERENCE.fullmatch(str(document["schedule"]))
    return str(document["schedule"] if reference is None else reference["default"])


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (docstring or "").splitlines()[0] if docstring else ""
