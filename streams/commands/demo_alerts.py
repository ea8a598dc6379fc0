"""Which alert rules fire in the demo: Prometheus' own rules on the metrics of simulated days."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from streams.core.errors import InfrastructureError
from streams.core.yaml_text import parsed_yaml
from streams.settings import PROJECT_ROOT

RULES: Final = PROJECT_ROOT / "k8s" / "monitoring" / "alerts.yaml"

HOW_TO_GET: Final = (
    "Prometheus is not on the path, so rules of the simplest form are compared here: install the "
    "package prometheus (Debian, Ubuntu), or a release with promtool, to let it evaluate them all."
)

_STEP: Final = timedelta(minutes=30)
_STEPS_A_DAY: Final = timedelta(days=1) // _STEP
_TIMES: Final = frozenset({"connector_last_event_time"})
"""Seconds since 1970 in the metrics; in a test of promtool time begins at 0."""

_DAYS_LOOKED_BACK: Final = 9
"""Rules compare with seven days ago at most, and are asked about the newest day alone."""

_EVALUATION_SECONDS: Final = 120
_GOT: Final = re.compile(r"\bgot:(.*)", re.S)
_FIRED: Final = re.compile(r'\{alertname="(?P<name>\w+)"(?P<labels>[^}]*)\}')
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_SIMPLE: Final = re.compile(r"max by \(\w+\) \((?P<metric>\w+)\) (?P<sign><|==) (?P<limit>\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Alert:
    """A rule that fires, of what."""

    name: str
    of: str

    @property
    def runbook(self) -> str:
        """Where the runbook says what to do."""
        return f"k8s/RUNBOOK.md#{self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a page of metrics."""

    name: str
    labels: Mapping[str, str]
    value: float

    @property
    def series(self) -> str:
        """As PromQL writes it."""
        shown = ", ".join(f'{name}="{text}"' for name, text in sorted(self.labels.items()))
        return f"{self.name}{{{shown}}}"


def samples_of(page: str) -> tuple[Sample, ...]:
    """Every sample of a page of metrics."""
    return tuple(
        Sample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    )


class AlertHistory:
    """The metrics of the days so far, and which rules fire on them.

    Args:
        home: Folder for the file that promtool reads.
        start: Simulated time of the first day's metrics.
        rules: Alert rules of Prometheus.
    """

    def __init__(self, home: Path, start: datetime, rules: Path = RULES) -> None:
        self._file = home / "alerts.yaml"
        self._start = start
        self._rules = rules
        self._text = rules.read_text(encoding="utf-8")
        self._promtool = shutil.which("promtool")
        self._days: list[tuple[Sample, ...]] = []

    @property
    def evaluated_by_prometheus(self) -> bool:
        """Whether promtool is there to evaluate the rules."""
        return self._promtool is not None

    def add_day(self, samples: Iterable[Sample]) -> None:
        """The metrics as they are from now until the next day."""
        self._days.append(tuple(one for one in samples if one.name in self._text))

    def fired(self) -> frozenset[Alert]:
        """What fires at some time of the newest day.

        Raises:
            InfrastructureError: promtool refuses the rules or does not answer.
        """
        if self._promtool is None:
            return frozenset(self._simple_ones())
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(yaml.safe_dump(self._test()), encoding="utf-8")
        # A test that expects nothing: what promtool got instead is what fires.
        ended = subprocess.run(
            [self._promtool, "test", "rules", str(self._file)],
            capture_output=True,
            text=True,
            timeout=_EVALUATION_SECONDS,
            check=False,
        )
        got = _GOT.search(ended.stdout + ended.stderr)
        if got is None and ended.returncode:
            raise InfrastructureError(
                f"promtool could not evaluate {self._rules}: {(ended.stdout + ended.stderr)[-500:]}"
            )
        return frozenset(_alerts_in("" if got is None else got[1]))

    def _test(self) -> Mapping[str, Any]:
        step = f"{_STEP // timedelta(minutes=1)}m"
        days = self._days[-_DAYS_LOOKED_BACK:]
        last = timedelta(days=len(days)) - _STEP
        return {
            "rule_files": [str(self._rules)],
            "evaluation_interval": step,
            "tests": [
                {
                    "interval": step,
                    "input_series": [
                        {"series": series, "values": " ".join(values)}
                        for series, values in self._series(days).items()
                    ],
                    "promql_expr_test": [
                        {
                            "expr": 'max_over_time(ALERTS{alertstate="firing"}[23h])',
                            "eval_time": f"{last // timedelta(minutes=1)}m",
                            "exp_samples": [],
                        }
                    ],
                }
            ],
        }

    def _series(self, days: Sequence[Iterable[Sample]]) -> Mapping[str, list[str]]:
        """Values of some days in promtool's notation, by series."""
        first = self._start + timedelta(days=len(self._days) - len(days))
        found: dict[str, list[str]] = {}
        for number, samples in enumerate(days):
            for sample in samples:
                values = found.setdefault(sample.series, [])
                values += [f"_x{_STEPS_A_DAY}"] * (number - len(values))
                start = first.timestamp() if sample.name in _TIMES else 0.0
                values.append(f"{sample.value - start:.17g}x{_STEPS_A_DAY - 1}")
        return found

    def _simple_ones(self) -> Iterator[Alert]:
        for rule in (one for group in parsed_yaml(self._text)["groups"] for one in group["rules"]):
            simple = _SIMPLE.fullmatch(rule["expr"].strip())
            if simple is None:
                continue
            limit = float(simple["limit"])
            for one in self._days[-1]:
                is_true = one.value < limit if simple["sign"] == "<" else one.value == limit
                if one.name == simple["metric"] and is_true:
                    yield Alert(rule["alert"], _shown(one.labels))


def _alerts_in(text: str) -> Iterator[Alert]:
    for match in _FIRED.finditer(text):
        yield Alert(match["name"], _shown(dict(_LABEL.findall(match["labels"]))))


def _shown(labels: Mapping[str, str]) -> str:
    about = (text for name, text in labels.items() if name not in ("alertstate", "severity"))
    return ", ".join(about) or "the deployment"
