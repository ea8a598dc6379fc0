"""A next generation beside the running one: compared, switched in one step, or thrown away."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import orjson
import pytest
from rich.console import Console

from streams.avro.codec import Registry
from streams.commands import rebuild as rebuilding
from streams.commands.audit import run_audit
from streams.commands.generation_comparison import Comparison
from streams.commands.stored_records import compare_stored
from streams.core import contract_types as avro
from streams.core.errors import StateError
from streams.engine.generations import generations
from streams.engine.transactions import Changelog, PartitionTransactions, transactional_id
from streams.kafka.topic_reader import read_all
from streams.local.errors import ComponentFailedError
from streams.local.workers import LocalWorker
from streams.serve.addresses import GRAPHQL, PREFIX
from streams.settings import EXIT_FAILED, PROJECT_ROOT, Settings
from streams.topology import RECONCILE
from tests.fault.changed_project import (
    ended,
    left_of_the_next,
    live_plants,
    started,
    versions,
)
from tests.fault.cluster import Cluster
from tests.fault.load import CONNECTOR, Load
from tests.fault.test_replay import recorded
from tests.free_ports import free_ports

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(900)]

PLANTS = 300

Capacities = Mapping[float, int]
"""Plants of each capacity, MW."""

QUESTIONS = {
    view: f"SELECT capacity_mw, count() AS plants FROM {view} GROUP BY capacity_mw"
    for view in ("power_plants", "assets")
}
LIST = f"{PREFIX}/power-plants"
OF_TWO_TABLES = f"""{{ powerPlants(first: {PLANTS}) {{ edges {{ node {{
    capacityMw why(field: "capacityMw") {{ value }} }} }} }} }}"""
"""Each capacity from the table of the plants, and once more from that of all assets."""

_LOOK_SECONDS = 0.1

MIXED = -1.0
"""In place of a capacity that both tables of one answer say otherwise."""


def rebuild(
    cluster: Cluster, project: Path, *arguments: str, **variables: str
) -> CompletedProcess[str]:
    return ended(started(cluster, project, "rebuild", *arguments, **variables))


class Readers:
    """What readers of ClickHouse and of the API see, asked again and again."""

    def __init__(self, sink: LocalWorker, api_port: int) -> None:
        self.sink = sink
        self.api = f"http://127.0.0.1:{api_port}"
        self.seen: dict[str, list[Capacities]] = {}

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look as long as the block lasts; each sight that differs from the one before is kept."""
        stop = threading.Event()

        def look() -> None:
            with httpx.Client(trust_env=False, timeout=30) as client:
                while not stop.wait(_LOOK_SECONDS):
                    with suppress(httpx.TransportError):  # nobody answers while a sink is dead
                        self._see(client)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _see(self, client: httpx.Client) -> None:
        for reader, found in self._sights(client):
            sights = self.seen.setdefault(reader, [])
            if not sights or sights[-1] != found:
                sights.append(found)

    def last(self) -> list[Capacities]:
        """What each reader has seen last."""
        return [sights[-1] for sights in self.seen.values()]

    def _sights(self, client: httpx.Client) -> Iterator[tuple[str, Capacities]]:
        for view, sql in QUESTIONS.items():
            answer = client.post(f"{self.sink.url}/query", params={"format": "json"}, content=sql)
            if answer.status_code == httpx.codes.OK:
                rows = orjson.loads(answer.content)
                yield view, {row["capacity_mw"]: int(row["plants"]) for row in rows}
        answer = client.get(f"{self.api}{LIST}", params={"limit": PLANTS})
        if answer.status_code == httpx.codes.OK:
            yield "REST", Counter(plant["capacity_mw"] for plant in answer.json()["data"])
        answer = self.ask_two_tables(client)
        if answer.status_code == httpx.codes.OK:
            plants = [edge["node"] for edge in answer.json()["data"]["powerPlants"]["edges"]]
            yield (
                "GraphQL",
                Counter(
                    plant["capacityMw"] if plant["capacityMw"] == plant["why"]["value"] else MIXED
                    for plant in plants
                ),
            )

    def ask_two_tables(self, client: httpx.Client) -> httpx.Response:
        return client.post(f"{self.api}{GRAPHQL}", json={"query": OF_TWO_TABLES})


def capacities(cluster: Cluster) -> Capacities:
    return Counter(capacity or 0.0 for capacity, _ in live_plants(cluster).values())


def require_refused_when_a_worker_has_run_meanwhile(cluster: Cluster) -> None:
    """A switch whose comparison knows nothing of the last batch."""
    settings, changelog = cluster.settings, RECONCILE.changelog(cluster.settings.app_id).name
    *_, last = read_all(settings.kafka_bootstrap, changelog)

    def compared_too_early(*_: object) -> Comparison:
        owner = PartitionTransactions(
            settings.kafka_bootstrap,
            transactional_id(settings.app_id, RECONCILE.input.name, last.partition),
        )
        owner.fence()
        owner.commit([], Changelog(changelog, last.partition, {last.key or b"": last.value}))
        owner.close()
        return Comparison()

    with pytest.MonkeyPatch.context() as patch:
        # Of the code of this process none grows.
        patch.setattr(rebuilding, "grown", lambda _, registry, __: next_of(settings, registry))
        patch.setattr(rebuilding, "drain", lambda *_: None)
        patch.setattr(rebuilding, "compared", compared_too_early)
        with pytest.raises(StateError, match="have run since both generations were compared"):
            rebuilding.switch(settings, Console(quiet=True), accept_loss=True)


def next_of(settings: Settings, registry: Registry) -> avro.Generation:
    return generations(settings.kafka_bootstrap, registry)["next"]


def test_a_changed_rule_reaches_every_reader_in_one_step(
    cluster: Cluster, changed_project: Path
) -> None:
    load = Load(1_000, plants=PLANTS)
    cluster.load(load)
    worker = cluster.pipeline()
    api_port = next(free_ports())
    serving = {"SINK_SERVES_API": "true", "API_PORT": str(api_port)}
    # It is held, then killed, when a table of what is current is new and others are not.
    half = cluster.home / "half"
    steps = (
        f"in_attach@store_power_plants_latest:1:hold={half},in_attach@store_lng_terminals_latest"
    )
    sink = cluster.sink(**serving, FAILPOINT=steps)
    cluster.wait_drained(sink=True)
    killed = rebuild(cluster, changed_project, FAILPOINT="after_commit:3")
    assert killed.returncode == EXIT_FAILED
    assert "The worker of the next generation ended by itself (SIGKILL" in killed.stdout
    # Live records flow meanwhile, through both.
    growing = started(cluster, changed_project, "rebuild", "--diff")
    cluster.load(Load(200, plants=PLANTS, first=1_000))
    assert ended(growing).returncode == 0
    cluster.wait_drained(sink=True)
    mixed = rebuild(cluster, PROJECT_ROOT)
    assert mixed.returncode == EXIT_FAILED
    assert "grows since" in mixed.stdout
    compared = rebuild(cluster, changed_project, "--diff")
    before = live_plants(cluster)
    of_capacity = Counter(capacity for capacity, _ in before.values())
    changed, gone = of_capacity[200], of_capacity[300]
    assert f"power_plant.capacity_mw changed in {changed:,}:" in compared.stdout
    assert "200.0 -> 250.0" in compared.stdout
    assert f"{len(before) - changed - gone:,} canonical records are the same" in compared.stdout
    assert "came meanwhile" not in compared.stdout
    shown_before, published = capacities(cluster), sum(versions(cluster).values())

    running = rebuild(cluster, changed_project, "--switch")
    assert running.returncode == EXIT_FAILED
    assert "are running: stop them" in running.stdout
    worker.process.stop(15)
    cluster.wait_group_empty()
    unaccepted = rebuild(cluster, changed_project, "--switch")
    assert unaccepted.returncode == EXIT_FAILED
    assert "ARGS=--accept-loss" in unaccepted.stdout
    require_refused_when_a_worker_has_run_meanwhile(cluster)
    readers = Readers(sink, api_port)
    with readers.looking():
        accepted = ("--switch", "--accept-loss")
        killed = rebuild(
            cluster, changed_project, *accepted, FAILPOINT="in_switch@market.infrastructure:40"
        )
        assert killed.returncode == -9
        assert live_plants(cluster) == before
        hold = cluster.home / "before_switch"
        steps = f"before_switch:1:hold={hold},after_switch"
        switching = started(cluster, changed_project, "rebuild", *accepted, FAILPOINT=steps)
        cluster.wait_for(hold.exists)
        # Everybody has been asked whether workers run; this one would write what the switch hides.
        late = cluster.pipeline("late")
        cluster.wait_ended(late)
        with pytest.raises(ComponentFailedError, match="A switch to another generation has begun"):
            late.process.require_running()
        hold.unlink()
        assert ended(switching).returncode == -9
        shown_after = capacities(cluster)
        cluster.wait_for(half.exists)
        with (
            httpx.Client(trust_env=False, timeout=1) as client,
            pytest.raises(httpx.ReadTimeout),  # it waits for the end of the switch
        ):
            readers.ask_two_tables(client)
        half.unlink()
        cluster.wait_ended(sink)
        readers.sink = sink = cluster.sink(**serving)
        cluster.wait_drained(pipeline=False, sink=True)
        cluster.wait_for(lambda: readers.last() == [shown_after] * 4)
    assert set(map(len, readers.seen.values())) == {2}, readers.seen
    assert {reader: sights[0] for reader, sights in readers.seen.items()} == dict.fromkeys(
        readers.seen, shown_before
    )
    cleared = rebuild(cluster, changed_project, *accepted)
    assert "nothing was switched" in cleared.stdout
    assert left_of_the_next(cluster) == []

    after = live_plants(cluster)
    assert after.keys() == {key for key, (capacity, _) in before.items() if capacity != 300}
    for record_id, (capacity, version) in after.items():
        capacity_before, version_before = before[record_id]
        if capacity_before == 200:
            assert capacity == 250
            assert version > version_before
        else:
            assert (capacity, version) == (capacity_before, version_before)
    assert set(versions(cluster).values()) == {1}
    # What differs was published, and nothing else.
    assert sum(versions(cluster).values()) == published + changed + gone
    cluster.load(Load(100, plants=PLANTS, first=1_200))
    cluster.pipeline(PYTHONPATH=str(changed_project))
    cluster.wait_drained(sink=True)
    assert not any(capacity in (200, 300) for capacity, _ in live_plants(cluster).values())
    audit = run_audit(cluster.settings, {CONNECTOR: CONNECTOR})
    assert audit.problems == ()
    stored = compare_stored(
        cluster.settings.model_copy(update={"sink_port": sink.program.port}), audit.published
    )
    assert (stored.problems, stored.not_compared) == ((), None)
    (switch,) = recorded(cluster)
    assert (switch["status"], switch["generation"]) == ("complete", 2)
    assert switch["canonical_gone_count"] == gone
