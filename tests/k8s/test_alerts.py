"""Every alert fires when it must and is silent otherwise; each says what to do."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from producers.connectors import CONNECTORS
from streams.tolerance_file import load_tolerances
from tests.documents.generated import PROMETHEUS_RULE, prometheus_rule
from tests.documents.pages import Page
from tests.k8s.programs import K8S
from tests.k8s.promql import unknown_in

RULES = K8S / "monitoring" / "alerts.yaml"
SEVERITIES = {"critical", "warning"}
GROUP = 'group="infrastructure-pipeline"'
WRI, ALSI, GEM = (
    f'source_id="{one}"' for one in ("wri_powerplants", "alsi_lng_inventory", "gem_transmission")
)


@dataclass(frozen=True, slots=True)
class Case:
    """Series of one sample a minute, or half an hour in a long case, and what is firing then.

    Attributes:
        at: When, in minutes.
        series: Values in promtool's notation by series.
        firing: Labels of what fires, severity aside, as PromQL writes them; None: nothing does.
    """

    alert: str
    at: int
    series: Mapping[str, str]
    firing: str | None = None


def failing(severity: str, rule_id: str) -> str:
    labels = f'{WRI}, severity="{severity}", validation_type="{rule_id}"'
    return f"connector_validation_failures{{{labels}}}"


HOUR, DAY = 60, 24 * 60
LONG = 6 * HOUR
CASES = (
    Case("SourceDown", 40, {f"connector_up{{{WRI}}}": "1x20 0x60"}, WRI),
    Case("SourceDown", 30, {f"connector_up{{{WRI}}}": "1x20 0x60"}),
    Case("SourceDown", 40, {f"connector_up{{{WRI}}}": "1x20 0x5 1x60"}),
    Case("SourceStale", 26 * HOUR, {f"connector_last_event_time{{{ALSI}}}": "0x99"}, ALSI),
    Case("SourceStale", 23 * HOUR, {f"connector_last_event_time{{{ALSI}}}": "0x99"}),
    # By the calendar of its publisher: a tracker may rest for a year, a frozen list for ever.
    Case("SourceStale", 26 * HOUR, {f"connector_last_event_time{{{GEM}}}": "0x99"}),
    Case("SourceStale", 70, {f"connector_last_event_time{{{GEM}}}": "-34560000x99"}, GEM),
    Case("SourceStale", 70, {f"connector_last_event_time{{{WRI}}}": "-99999999x99"}),
    Case(
        "SourceFailureRate",
        60,
        {
            f"connector_runs_total{{{ALSI}}}": "0+1x9 10x99",
            f'connector_errors_total{{{ALSI}, error="UnreachableError"}}': "_x5 2x99",
        },
        ALSI,
    ),
    Case(
        "SourceFailureRate",
        60,
        {
            f"connector_runs_total{{{ALSI}}}": "0+1x19 20x99",
            f'connector_errors_total{{{ALSI}, error="UnreachableError"}}': "_x5 2x99",
        },
    ),
    Case(
        "SourceFailureRate",
        60,
        {
            f"connector_runs_total{{{WRI}}}": "1x99",
            f'connector_errors_total{{{WRI}, error="UnreachableError"}}': "1x99",
        },
    ),
    Case("SourceRateLimited", 30, {f"connector_api_rate_limit_hits{{{ALSI}}}": "1x99"}, ALSI),
    Case("SourceRateLimited", 2 * DAY, {f"connector_api_rate_limit_hits{{{ALSI}}}": "3x199"}),
    Case("QualityLow", 90, {f"connector_data_quality_score{{{WRI}}}": "79.9x120"}, WRI),
    Case("QualityLow", 90, {f"connector_data_quality_score{{{WRI}}}": "80x120"}),
    Case(
        "CheckpointsFailing",
        10,
        {'connector_scrape_error{service="postgresql"}': "1x20"},
        'service="postgresql"',
    ),
    Case(
        "CheckpointsFailing",
        10,
        {f'connector_errors_total{{{WRI}, error="CheckpointError"}}': "_x2 1x20"},
        WRI,
    ),
    Case("CheckpointsFailing", 10, {'connector_scrape_error{service="kafka"}': "1x20"}),
    Case("CheckpointsFailing", 10, {f'connector_errors_total{{{WRI}, error="Killed"}}': "1x20"}),
    Case(
        "SchemaDrift",
        30,
        {
            f"connector_up{{{WRI}}}": "1x60",
            failing("reject", "unknown_fuel"): "_x9 5x60",
        },
        WRI,
    ),
    Case(
        "SchemaDrift",
        30,
        {f'connector_errors_total{{{ALSI}, error="UnexpectedAnswerError"}}': "1x60"},
        ALSI,
    ),
    Case(
        "SchemaDrift",
        30,
        {f'connector_drift_records{{{WRI}, stream="plants", field="lei", change="new"}}': "7x60"},
        WRI,
    ),
    Case(
        "SchemaDrift",
        1470,
        {f'connector_drift_records{{{WRI}, stream="plants", field="lei", change="new"}}': "7x1500"},
    ),
    Case(
        "SchemaDrift",
        30,
        {
            f"connector_up{{{WRI}}}": "1x60",
            failing("reject", "position_out_of_range"): "5x60",
            failing("flag", "country_missing"): "5x60",
        },
    ),
    Case(
        "WorkerDown",
        9,
        {'up{job="sink", instance="one"}': "1x2 0x20"},
        'job="sink", instance="one"',
    ),
    Case("WorkerDown", 9, {'up{job="node", instance="one"}': "0x20"}),
    Case("WorkerStuck", 9, {'oldest_batch_seconds{instance="one"}': "61+60x20"}, 'instance="one"'),
    Case("WorkerStuck", 9, {'oldest_batch_seconds{instance="one"}': "30x20"}),
    Case(
        "GroupNotProgressing",
        40,
        {
            f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "5x60",
            f'consumer_committed_offset{{{GROUP}, topic="one", partition="0"}}': "7x60",
        },
        f'{GROUP}, topic="one"',
    ),
    Case(
        "GroupNotProgressing",
        40,
        {f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "5x60"},
        f'{GROUP}, topic="one"',
    ),
    Case(
        "GroupNotProgressing",
        40,
        {
            f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "5x60",
            f'consumer_committed_offset{{{GROUP}, topic="one", partition="0"}}': "7+1x60",
        },
    ),
    Case(
        "GroupNotProgressing",
        40,
        {
            f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "0x60",
            f'consumer_committed_offset{{{GROUP}, topic="one", partition="0"}}': "7x60",
        },
    ),
    Case(
        "LagGrowing",
        70,
        {f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "9000+500x90"},
        f'{GROUP}, topic="one"',
    ),
    Case(
        "LagGrowing",
        70,
        {f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "90000-500x90"},
    ),
    Case(
        "LagGrowing", 70, {f'consumer_lag_records{{{GROUP}, topic="one", partition="0"}}': "0+5x90"}
    ),
    Case("RecoverySlow", 5, {'recovery_seconds{instance="one"}': "121x9"}, 'instance="one"'),
    Case("RecoverySlow", 5, {'recovery_seconds{instance="one"}': "100x9"}),
    Case(
        "DeadLetters",
        30,
        {'stage_outputs_total{stage="observe", topic="dead_letters"}': "0x9 3x60"},
        'stage="observe"',
    ),
    Case(
        "DeadLetters",
        30,
        {'sink_rejects_total{topic="quality.scores", rule_id="bad_avro"}': "0x9 3x60"},
        'topic="quality.scores"',
    ),
    Case(
        "DeadLetters",
        30,
        {
            'stage_outputs_total{stage="observe", topic="dead_letters"}': "3x60",
            'stage_outputs_total{stage="observe", topic="record.outcomes"}': "0+9x60",
        },
    ),
    Case(
        "SourcePaused",
        9,
        {f'connector_paused{{{WRI}, partition="2"}}': "1x20"},
        f'{WRI}, partition="2"',
    ),
    Case(
        "SourcePaused",
        9,
        {'partition_waiting{for="rejections", topic="dead_letters", partition="2"}': "1x20"},
        'topic="dead_letters", partition="2"',
    ),
    Case("SourcePaused", 9, {f'connector_paused{{{WRI}, partition="2"}}': "0x20"}),
    Case(
        "RegistryAway",
        9,
        {'partition_waiting{for="registry", topic="raw.alsi_lng", partition="2"}': "1x20"},
        'topic="raw.alsi_lng", partition="2"',
    ),
    Case(
        "RegistryAway",
        9,
        {'partition_waiting{for="rejections", topic="dead_letters", partition="2"}': "1x20"},
    ),
    Case("BrokerAway", 9, {"consumer_lag_records": "_x20"}, ""),
    Case(
        "BrokerAway",
        9,
        {'connector_scrape_error{service="kafka"}': "1x20", "consumer_lag_records": "0x20"},
        'service="kafka"',
    ),
    Case(
        "BrokerAway",
        9,
        {'connector_scrape_error{service="kafka"}': "0x20", "consumer_lag_records": "0x20"},
    ),
    Case(
        "OffsetsDiverging",
        9,
        {
            f'consumer_committed_offset{{{GROUP}, topic="one", partition="0"}}': "8x20",
            'topic_end_offset{topic="one", partition="0"}': "5x20",
        },
        f'{GROUP}, topic="one", partition="0"',
    ),
    Case(
        "OffsetsDiverging",
        9,
        {
            f'consumer_committed_offset{{{GROUP}, topic="one", partition="0"}}': "5x20",
            'topic_end_offset{topic="one", partition="0"}': "5x20",
            'topic_end_offset{topic="one", partition="1"}': "0x20",
        },
    ),
    Case(
        "SinkBehind",
        30,
        {'consumer_lag_records{group="infrastructure-sink", topic="one"}': "50001x60"},
        'group="infrastructure-sink"',
    ),
    Case("SinkBehind", 30, {f'consumer_lag_records{{{GROUP}, topic="one"}}': "50001x60"}),
    Case(
        "ClickHouseAway",
        9,
        {'connector_scrape_error{service="clickhouse"}': "1x20"},
        'service="clickhouse"',
    ),
    Case("ClickHouseAway", 9, {'connector_scrape_error{service="clickhouse"}': "0x20"}),
    Case(
        "ApiErrors",
        30,
        {
            'api_request_seconds_count{route="/one", status="200"}': "0+90x60",
            'api_request_seconds_count{route="/one", status="503"}': "0+10x60",
        },
        "",
    ),
    Case(
        "ApiErrors",
        30,
        {
            'api_request_seconds_count{route="/one", status="200"}': "0+90x60",
            'api_request_seconds_count{route="/one", status="404"}': "0+90x60",
            'api_request_seconds_count{route="/one", status="503"}': "0+1x60",
        },
    ),
    Case(
        "ApiSlow",
        40,
        {
            'api_request_seconds_bucket{route="/one", status="200", le="1"}': "0+90x60",
            'api_request_seconds_bucket{route="/one", status="200", le="2.5"}': "0+100x60",
            'api_request_seconds_bucket{route="/one", status="200", le="+Inf"}': "0+100x60",
        },
        "",
    ),
    Case(
        "ApiSlow",
        40,
        {
            'api_request_seconds_bucket{route="/one", status="200", le="1"}': "0+96x60",
            'api_request_seconds_bucket{route="/one", status="200", le="2.5"}': "0+100x60",
            'api_request_seconds_bucket{route="/one", status="200", le="+Inf"}': "0+100x60",
        },
    ),
)


@cache
def alerts() -> tuple[dict[str, Any], ...]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def test_alerts_ask_for_what_is_exported() -> None:
    assert {alert["alert"]: unknown_in(alert["expr"]) for alert in alerts()} == {
        alert["alert"]: [] for alert in alerts()
    }
    assert unknown_in("sum(connector_op) > 0") == ["no such metric: connector_op"]
    assert unknown_in('connector_up{source="x"}') == ["connector_up has no label source"]


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    runbook = Page.read(K8S / "RUNBOOK.md")
    for alert in alerts():
        assert alert["labels"]["severity"] in SEVERITIES
        assert set(alert["annotations"]) == {"summary", "action", "runbook"}
        path, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert path == "k8s/RUNBOOK.md"
        assert anchor in runbook.anchors, alert["alert"]


def test_staleness_knows_the_calendar_of_every_source() -> None:
    (alert,) = (one for one in alerts() if one["alert"] == "SourceStale")
    timeliness = load_tolerances().timeliness
    frozen = set(timeliness.frozen)
    assert {
        connector.source_id
        for connector in CONNECTORS.values()
        if connector.source_id not in alert["expr"]
    } == frozen
    assert f"> {timeliness.periods['gem_transmission']} * 86400" in alert["expr"]


def test_the_operator_gets_the_same_rules() -> None:
    assert PROMETHEUS_RULE.read_text(encoding="utf-8") == prometheus_rule(), "run `make pages`"
    (found,) = (yaml.safe_load(PROMETHEUS_RULE.read_text(encoding="utf-8")),)
    assert found["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {case.alert for case in CASES if case.firing is not None} == names
    assert {case.alert for case in CASES if case.firing is None} == names


@pytest.mark.prometheus
def test_rules_are_as_prometheus_wants_them(promtool_path: str) -> None:
    checked = subprocess.run(
        [promtool_path, "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout


@pytest.mark.prometheus
def test_alerts_fire_when_they_must_and_only_then(promtool_path: str, tmp_path: Path) -> None:
    long = [case for case in CASES if case.at > LONG]
    files = [
        _write(tmp_path / "short.yaml", "1m", [case for case in CASES if case not in long]),
        _write(tmp_path / "long.yaml", "30m", long),
    ]
    tested = subprocess.run(
        [promtool_path, "test", "rules", *files], capture_output=True, text=True, timeout=120
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _write(file: Path, interval: str, cases: Sequence[Case]) -> str:
    content = {
        "rule_files": [str(RULES)],
        "evaluation_interval": interval,
        "tests": [_test(case, interval) for case in cases],
    }
    file.write_text(yaml.safe_dump(content))
    return str(file)


def _test(case: Case, interval: str) -> dict[str, Any]:
    severity = next(one["labels"]["severity"] for one in alerts() if one["alert"] == case.alert)
    labels = f'alertname="{case.alert}", alertstate="firing", severity="{severity}"'
    firing = [] if case.firing is None else [", ".join(filter(None, (labels, case.firing)))]
    return {
        "name": f"{case.alert} at {case.at}",
        "interval": interval,
        "input_series": [{"series": name, "values": text} for name, text in case.series.items()],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}',
                "eval_time": f"{case.at}m",
                "exp_samples": [{"labels": f"ALERTS{{{one}}}", "value": 1} for one in firing],
            }
        ],
    }
