"""The complete files of every source as normalized records, as their connectors read them."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from producers.connector import InfrastructureConnector, Pull, RawItem
from producers.http import HttpSource
from producers.run import Envelope, RunOptions, connect
from producers.sources.alsi_lng.listing import read_listing
from streams.core import contract_types as avro
from streams.core.errors import Rejected
from streams.core.normalize import normalize
from streams.core.records import OrderKey, RawCoordinates
from streams.core.validate import validate
from streams.tolerance_file import load_tolerances
from tests.integration.reconcile.jrc_source.jrc_ppdb import JrcPpdbConfig, JrcPpdbConnector

_FETCHED_AT = datetime(2026, 11, 1, tzinfo=UTC)


def complete_records(folder: Path) -> Iterator[avro.NormalizedAsset]:
    """Plants and terminals of every source in the folder of the real files."""
    with_files = {
        "WRI_LOCATION": str(folder / "wri/global_power_plant_database.csv"),
        "GEM_STREAMS": "lng_terminals power_units",
        "GEM_ASSET_TYPES": "none",
        "GEM_LNG_FILE": str(folder / "gem/gem_lng_units_complete.csv.gz"),
        "GEM_POWER_FILE": str(folder / "gem/gem_units_complete.csv.gz"),
        "GEM_AFRICA_FILE": "none",
        "GEM_GEOTHERMAL_FILE": "none",
    }
    for name in ("wri_powerplants", "gem_transmission"):
        connector, http = connect(name, with_files)
        yield from _normalized(connector, http)
    jrc = JrcPpdbConfig(location=folder / "reconcile/jrc_ppdb_units.csv.gz")
    with HttpSource(jrc.http) as http:
        yield from _normalized(JrcPpdbConnector(jrc), http)
    alsi, http = connect("alsi_lng", {"ALSI_API_KEY": "none is needed for a file"})
    with http:
        yield from _read(alsi, _listed_terminals(folder / "alsi/terminals.csv"))


def _normalized(
    connector: InfrastructureConnector, http: HttpSource
) -> Iterator[avro.NormalizedAsset]:
    with http:
        items = connector.pull_or_subscribe(http, RunOptions().request({}), Pull({}))
        yield from _read(connector, items)


def _read(
    connector: InfrastructureConnector, items: Iterator[RawItem]
) -> Iterator[avro.NormalizedAsset]:
    """Items as the normalize stage makes records of them; those it rejects are left out."""
    envelope = Envelope(connector, "score", lambda: _FETCHED_AT)
    tolerances = load_tolerances()
    for offset, item in enumerate(items):
        raw = envelope.observed(item)
        mapped = connector.map_to_schema(raw)
        if isinstance(mapped, Rejected):
            continue
        validated = validate(mapped, raw, tolerances)
        order = OrderKey(None, _FETCHED_AT, sha256(repr(item).encode()).hexdigest())
        coordinates = RawCoordinates(f"raw.{connector.name}", 0, offset)
        found = normalize(raw, validated, mapped.kind, order, coordinates, None)
        for record in found.normalized:
            assert "region" in record
            yield record


def _listed_terminals(path: Path) -> Iterator[RawItem]:
    """The terminals of a list of facilities, as the listing of the service names them."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listing = [
        {
            "name": row["company_name"],
            "eic": row["company_eic"],
            "facilities": [
                {
                    "name": row["facility_name"],
                    "eic": row["facility_eic"],
                    "country": row["country"],
                }
            ],
        }
        for row in rows
    ]
    for terminal in read_listing(listing):
        item: dict[str, object] = {
            "country": terminal.country_code,
            "company_eic": terminal.company_eic,
            "facility_eic": terminal.facility_eic,
            "terminal_id": None,
            "facility": terminal.facility,
            "dtmi": None,
            "dtrs": None,
            "outages": [],
            "extra": {},
        }
        record_id = f"{terminal.facility_eic}/{terminal.company_eic}"
        yield RawItem("terminals", record_id, item, None, None, path.name)
