"""The dashboard asks for what is exported, of the sources of data that are provisioned."""

import json
from typing import Any

import yaml

from tests.k8s.programs import K8S
from tests.k8s.promql import unknown_in

GRAFANA = K8S / "monitoring" / "grafana"
DASHBOARD: dict[str, Any] = json.loads(
    (GRAFANA / "infrastructure-monitoring.json").read_text(encoding="utf-8")
)


def targets(key: str) -> dict[str, str]:
    """Queries by the title of their panel; `expr` asks Prometheus, `rawSql` ClickHouse."""
    return {
        f"{panel['title']} ({panel['id']})": target[key]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        if key in target
    }


def test_it_is_provisioned_under_its_name() -> None:
    assert DASHBOARD["uid"] == "infrastructure-monitoring"
    compose = yaml.safe_load((K8S / "compose.yaml").read_text(encoding="utf-8"))
    mounted = {one["source"]: one["target"] for one in compose["services"]["grafana"]["configs"]}
    provider = yaml.safe_load((GRAFANA / "dashboards.yaml").read_text(encoding="utf-8"))
    (folder,) = (one["options"]["path"] for one in provider["providers"])
    assert mounted["dashboard"].rpartition("/")[0] == folder


def test_panels_ask_the_provisioned_sources_of_data() -> None:
    provisioned = yaml.safe_load((GRAFANA / "datasources.yaml").read_text(encoding="utf-8"))
    known = {(one["type"], one["uid"]) for one in provisioned["datasources"]}
    asked = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    }
    assert asked == known


def test_panels_ask_for_metrics_and_labels_that_exist() -> None:
    queries = targets("expr")
    assert len(queries) > 15
    assert {title: unknown_in(query) for title, query in queries.items()} == {
        title: [] for title in queries
    }


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
