"""The sources, one line each."""

from producers.connector import InfrastructureConnector
from producers.sources.alsi_lng.connector import AlsiLngConnector
from producers.sources.gem_transmission.connector import GemTransmissionConnector
from producers.sources.reexplorer.connector import ReexplorerConnector
from producers.sources.wri_powerplants import WriPowerPlantsConnector

CONNECTORS: dict[str, type[InfrastructureConnector]] = {
    AlsiLngConnector.name: AlsiLngConnector,
    GemTransmissionConnector.name: GemTransmissionConnector,
    ReexplorerConnector.name: ReexplorerConnector,
    WriPowerPlantsConnector.name: WriPowerPlantsConnector,
}
