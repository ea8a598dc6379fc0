"""The rule that makes one row of a gas day where operators share a terminal."""

DAY_COLUMNS = (
    "entity_id",
    "gas_day",
    "gas_day_start",
    "gas_day_end",
    "status",
    "inventory_gwh",
    "inventory_thousand_m3_lng",
    "send_out_gwh_per_day",
    "dtmi_gwh",
    "dtrs_gwh_per_day",
    "fullness_pct",
    "ship_unloading_gwh",
    "ship_unloading_uncertainty_gwh",
    "ship_unloading_method",
    "flags",
    "version",
    "observed_at",
    "known_at",
)
"""What a series shows of each gas day, after its `series_id`."""


def series_id(scope: str, terminal_id: str, entity_id: str) -> str:
    """SQL of who a gas day is about, for people: ES_BARCELONA, ES, EU."""
    return f"if({scope} = 'eu', 'EU', coalesce({terminal_id}, {entity_id}))"


SERIES_ID = series_id("scope", "terminal_id", "entity_id")
"""The same over the columns of `lng_inventory`."""

_REPORTS = "status != 'no_data' AND coalesce(inventory_gwh, inventory_thousand_m3_lng) IS NOT NULL"


def one_row_a_day(names: str, rows: str) -> str:
    """Gas days with their `series_id`, one for each series and gas day.

    A facility that changes hands is listed under both operators, and the old one goes on without
    figures. So one operator's row is taken whole, never a sum: figures are about the tanks, not
    about a share of them. Who reports an inventory goes before who does not, confirmed before
    estimated, then the newest fetch, then the entity id.

    Args:
        names: Columns to select.
        rows: FROM and WHERE of rows with the columns of `lng_inventory`.
    """
    return f"""
SELECT {SERIES_ID} AS series_id, {names}
{rows}
ORDER BY series_id, gas_day, NOT ({_REPORTS}), status != 'confirmed', observed_at DESC, entity_id
LIMIT 1 BY series_id, gas_day"""
