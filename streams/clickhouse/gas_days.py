"""The rule that makes one row of a gas day where operators share a terminal."""

SERIES_ID = "if(scope = 'eu', 'EU', coalesce(terminal_id, entity_id))"
"""Who a gas day is about, for people: ES_BARCELONA, ES, EU."""

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
