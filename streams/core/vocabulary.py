"""The words that every source's words are mapped to: status of an asset, fuel groups."""

from typing import Literal, get_args

AssetStatus = Literal[
    "announced",
    "pre-construction",
    "construction",
    "operating",
    "mothballed",
    "shelved",
    "cancelled",
    "retired",
    "unknown",
]
"""Source: status definitions of Global Energy Monitor; `unknown` where a source does not say."""

STATUSES: tuple[AssetStatus, ...] = get_args(AssetStatus)

FUELS = frozenset(
    {
        "biomass",
        "coal",
        "cogeneration",
        "gas",
        "geothermal",
        "hydro",
        "nuclear",
        "oil",
        "other",
        "petcoke",
        "solar",
        "storage",
        "waste",
        "wave_and_tidal",
        "wind",
    }
)
"""Source: fuel types of the WRI database, in lower snake case."""
