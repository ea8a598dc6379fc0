"""GDAL as a client, in a process of its own: it keeps Python's lock while it waits for answers."""

from collections.abc import Mapping
from typing import Any

import pyogrio

Row = Mapping[str, Any]


def layers(source: str) -> dict[str, str]:
    """Geometry type of each layer of a data source."""
    return {str(name): str(kind) for name, kind in pyogrio.list_layers(source)}


def rows(source: str | bytes, layer: str, asked: Mapping[str, Any]) -> list[Row]:
    """Fields of every feature of a layer."""
    meta, _, _, values = pyogrio.raw.read(source, layer=layer, read_geometry=False, **asked)
    return [dict(zip(meta["fields"], row, strict=True)) for row in zip(*values, strict=True)]
