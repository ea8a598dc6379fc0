"""The sources, one line each."""

from producers.alsi_lng import AlsiLngConnector
from producers.connector import InfrastructureConnector
from producers.gem_transmission import GemTransmissionConnector
from producers.reexplorer import ReexplorerConnector
from producers.wri_powerplants import WriPowerPlantsConnector

CONNECTORS: dict[str, type[InfrastructureConnector]] = {
    AlsiLngConnector.name: AlsiLngConnector,
    GemTransmissionConnector.name: GemTransmissionConnector,
    ReexplorerConnector.name: ReexplorerConnector,
    WriPowerPlantsConnector.name: WriPowerPlantsConnector,
}
