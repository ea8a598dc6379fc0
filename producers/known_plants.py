"""Current power plants of `market.infrastructure`, for connectors that ask about plants."""

from producers.connector import KnownPlant
from streams.avro.codec import Registry
from streams.avro.topic_codecs import topic_decoder
from streams.core import contract_types as avro
from streams.kafka.decoded_reader import read_decoded
from streams.topics import MARKET_INFRASTRUCTURE

_FUELS = frozenset({"solar", "wind"})
_RUNS = frozenset({"operating", "construction"})


def known_plants(bootstrap: str, registry_url: str) -> tuple[KnownPlant, ...]:
    """Solar and wind plants that operate or are being built, with a position, by record id.

    Raises:
        BrokerError: no answer.
        TopicMismatchError: the canonical topic does not exist.
        RegistryError: the schema registry does not answer.
    """
    newest: dict[str, tuple[int, KnownPlant | None]] = {}
    with Registry(registry_url) as registry:
        decoder = topic_decoder(registry, MARKET_INFRASTRUCTURE, avro.InfrastructureRecord)
        for _, canonical in read_decoded(bootstrap, MARKET_INFRASTRUCTURE.name, decoder):
            if canonical["kind"] != "power_plant":
                continue
            identity, version = canonical["record_id"], canonical["version"]
            if identity not in newest or newest[identity][0] < version:
                newest[identity] = (version, _plant(canonical))
    plants = (newest[identity][1] for identity in sorted(newest))
    return tuple(plant for plant in plants if plant is not None)


def _plant(canonical: avro.InfrastructureRecord) -> KnownPlant | None:
    """The plant of a canonical record; None when it is not one to ask about."""
    plant = canonical["power_plant"]
    if plant is None or canonical["status"] != "current":
        return None
    if plant["primary_fuel"] not in _FUELS or plant["status"] not in _RUNS:
        return None
    if plant["latitude"] is None or plant["longitude"] is None:
        return None
    return KnownPlant(
        id=canonical["record_id"],
        name=plant["name"],
        fuel=plant["primary_fuel"],
        latitude=plant["latitude"],
        longitude=plant["longitude"],
        country_code=plant["country_code"],
    )
