"""Current power plants of `market.infrastructure`, for connectors that ask about plants."""

from producers.connector import KnownPlant
from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.core.records import AvroRecord
from streams.kafka.topic_reader import read_all
from streams.topics import MARKET_INFRASTRUCTURE

_FUELS = frozenset({"solar", "wind"})
_RUNS = frozenset({"operating", "construction"})


def known_plants(bootstrap: str, registry_url: str) -> tuple[KnownPlant, ...]:
    """Solar and wind plants that stand or are being built, with a position, by record id.

    Raises:
        BrokerError: no answer.
        TopicMismatchError: the canonical topic does not exist.
        RegistryError: the schema registry does not answer.
    """
    newest: dict[str, tuple[int, KnownPlant | None]] = {}
    with Registry(registry_url) as registry:
        decoder = registry.decoder(contract(MARKET_INFRASTRUCTURE.contract_name))
        for record in read_all(bootstrap, MARKET_INFRASTRUCTURE.name):
            canonical = decoder.decode(record.value)
            if canonical["kind"] != "power_plant":
                continue
            identity, version = canonical["record_id"], canonical["version"]
            if identity not in newest or newest[identity][0] < version:
                newest[identity] = (version, _plant(canonical))
    plants = (newest[identity][1] for identity in sorted(newest))
    return tuple(plant for plant in plants if plant is not None)


def _plant(canonical: AvroRecord) -> KnownPlant | None:
    """The plant of a canonical record; None when it is not one to ask about."""
    plant = canonical["power_plant"]
    wanted = (
        canonical["status"] == "current"
        and plant["primary_fuel"] in _FUELS
        and plant["status"] in _RUNS
        and plant["latitude"] is not None
        and plant["longitude"] is not None
    )
    if not wanted:
        return None
    return KnownPlant(
        id=canonical["record_id"],
        name=plant["name"],
        fuel=plant["primary_fuel"],
        latitude=plant["latitude"],
        longitude=plant["longitude"],
        country_code=plant["country_code"],
    )
