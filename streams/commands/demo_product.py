"""What the demo asks of the running product, and how it changes its sources."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import httpx

from producers.sandbox.settings import SandboxSettings
from streams.avro.codec import Encoder, Registry
from streams.avro.contracts import AvroSchema, Contract, canonical_json, contract, parse
from streams.commands.demo_alerts import Sample, samples_of
from streams.commands.local_run import LocalRun
from streams.core import contract_types as avro
from streams.core.errors import InfrastructureError
from streams.core.records import RawRecord
from streams.kafka.topic_writer import TopicWriter
from streams.serve.addresses import PREFIX
from streams.topics import raw_topic

_ANSWER_SECONDS: Final = 60.0
_SERVED_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2

_WRITTEN_BY_HAND: Final = raw_topic("wri_powerplants")
_NEXT_SUBJECT: Final = f"next.{_WRITTEN_BY_HAND.name}-value"
_DRAFT_SUBJECT: Final = f"draft.{_WRITTEN_BY_HAND.name}-value"

BY_HAND_ID: Final = "HAND0001"


@dataclass(frozen=True, slots=True)
class NextContract:
    """A later version of the raw contract of power plants, with the id it will get."""

    contract: Contract
    schema_id: int


@dataclass(frozen=True, slots=True)
class ListedPlant:
    """A plant with the id that its source gives it."""

    record_id: str
    name: str
    own_id: str


class Product:
    """A local run as a user asks it: by HTTP, and the sandbox by its controls."""

    def __init__(self, local: LocalRun) -> None:
        settings = local.settings
        self.local = local
        self.api = f"http://127.0.0.1:{settings.api_port}"
        self._sandbox = f"http://127.0.0.1:{SandboxSettings().port}"
        self._sink = f"http://127.0.0.1:{settings.sink_port}"
        self._worker = f"http://127.0.0.1:{settings.worker_port}"
        self._http = httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def control(self, name: str, **body: object) -> None:
        """Change the sandbox; see `producers/sandbox/README.md`."""
        self._http.post(f"{self._sandbox}/control/{name}", json=body).raise_for_status()

    def end_faults(self) -> None:
        """Let the sandbox answer again."""
        self._http.delete(f"{self._sandbox}/control/fault").raise_for_status()

    def metrics(self) -> tuple[Sample, ...]:
        """Every sample of the pipeline worker."""
        return samples_of(self._http.get(f"{self._worker}/metrics").raise_for_status().text)

    def by_source(self, metric: str) -> Mapping[str, float]:
        """A metric by source."""
        return {one.labels["source_id"]: one.value for one in self.metrics() if one.name == metric}

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What `make sql` answers."""
        answer = self._http.post(f"{self._sink}/query", content=query, params={"format": "json"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def number(self, query: str) -> int:
        """The one figure of a query."""
        ((found,),) = (row.values() for row in self.rows(query))
        return int(found)

    def get(self, address: str, **parameters: str | int) -> httpx.Response:
        """An answer of the API, below its resources."""
        return self._http.get(f"{self.api}{PREFIX}/{address}", params=parameters)

    def gas_day(self, series: str, day: date, known_at: datetime) -> Mapping[str, Any]:
        """A gas day of a series as it was known at a time; empty: nothing was."""
        parameters = {
            "start_date": day.isoformat(),
            "end_date": day.isoformat(),
            "known_at": known_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        answer = self.get(f"lng-inventory/{series}", **parameters).raise_for_status()
        return next(iter(answer.json()["data"]), {})

    def wait_served(self) -> None:
        """Wait until the API answers with everything that is stored.

        Raises:
            InfrastructureError: it does not by the deadline.
        """
        query = "SELECT partition, max(offset) AS offset FROM loaded GROUP BY partition"
        stored = {str(row["partition"]): int(row["offset"]) for row in self.rows(query)}
        deadline = time.monotonic() + _SERVED_SECONDS
        while stored != self._http.get(f"{self.api}/ready").json()["stored_up_to"]:
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{self.api} does not answer with what is stored.")
            self.local.require_running()
            time.sleep(_LOOK_SECONDS)

    def next_contract(self) -> NextContract:
        """The raw contract with a field more, and the id that the registry will give it.

        It counts its ids up: the id after one that it has just given.
        """
        with Registry(self.local.settings.schema_registry_url) as registry:
            given = registry.register(_DRAFT_SUBJECT, _with_field("draft"))
        return NextContract(_with_field("note"), given + 1)

    def publish_by_hand(self, following: NextContract, fetched_at: datetime) -> None:
        """Write a plant by a contract that the registry does not have."""
        schema = parse(canonical_json(following.contract.latest))
        encoder: Encoder[avro.RawRecord] = Encoder(schema, following.schema_id)
        with TopicWriter(self.local.settings.kafka_bootstrap, [_WRITTEN_BY_HAND.name]) as writer:
            value = encoder.encode(_plant(fetched_at).to_avro())
            writer.send(_WRITTEN_BY_HAND.name, BY_HAND_ID.encode(), value)
            writer.finish()

    def register(self, following: NextContract) -> None:
        """Give the registry what it lacked.

        Raises:
            InfrastructureError: it gave another id.
        """
        with Registry(self.local.settings.schema_registry_url) as registry:
            given = registry.register(_NEXT_SUBJECT, following.contract)
        if given != following.schema_id:
            raise InfrastructureError(
                f"The registry gave the id {given} where {following.schema_id} was the next one."
            )

    def plants_of_one_member(self, source_id: str, count: int) -> list[ListedPlant]:
        """Plants that one record of one source is all there is of."""
        found: list[ListedPlant] = []
        answer = self.get("power-plants", source=source_id, limit=20 * count).raise_for_status()
        for row in answer.json()["data"]:
            members = self.get(f"assets/{row['record_id']}").raise_for_status().json()["members"]
            own = [member["record_id"] for member in members]
            if len(own) == 1 and own != [BY_HAND_ID]:
                found.append(ListedPlant(row["record_id"], row["name"], own[0]))
            if len(found) == count:
                break
        return found


def _with_field(name: str) -> Contract:
    declared = contract(_WRITTEN_BY_HAND.contract_name)
    added = {"name": name, "type": ["null", "string"], "default": None, "doc": "Null: none."}
    latest: AvroSchema = {**declared.latest, "fields": [*declared.latest["fields"], added]}
    return Contract(declared.name, (latest,))


def _plant(fetched_at: datetime) -> RawRecord:
    item = {
        "country": "NZL",
        "country_long": "New Zealand",
        "name": "Plant written by hand",
        "gppd_idnr": BY_HAND_ID,
        "capacity_mw": "120",
        "latitude": "-38.7",
        "longitude": "175.8",
        "primary_fuel": "Geothermal",
    }
    return RawRecord(
        source_id="wri_powerplants",
        stream="plants",
        record_id=BY_HAND_ID,
        event="observed",
        fetched_at=fetched_at,
        source_updated_at=None,
        release=None,
        run_id="by hand",
        origin="a program of a colleague",
        licence="CC-BY-4.0",
        attribution="none",
        item=item,
    )
