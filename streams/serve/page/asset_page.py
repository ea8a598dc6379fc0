"""Addresses of one asset: the page, and the small map of what is near."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse, Response

from streams.clickhouse.asset_queries import (
    AssetBody,
    AssetPlace,
    asset_versions,
    assets_by_id,
    assets_near,
)
from streams.clickhouse.candidate_queries import candidates
from streams.clickhouse.map_queries import MapAsset
from streams.serve.addresses import PREFIX
from streams.serve.assets import AssetReader, RecordId
from streams.serve.originals import Originals
from streams.serve.page import asset_view, record_view
from streams.serve.page.files_sent import address_of
from streams.serve.page.map_figure import View, map_figure
from streams.serve.page.map_store import MapStore
from streams.serve.page.palette import Theme
from streams.serve.page.rendering import Pages, figure_answer
from streams.serve.parameters import Asked
from streams.serve.pool import Reader
from streams.serve.problems import not_found

_NEAR_KM: Final = 25.0
_MOST_NEAR: Final = 15
_MOST_VERSIONS: Final = 50
_MOST_CANDIDATES: Final = 20
_MOST_ORIGINALS: Final = 5
"""Raw records whose content is on the page; the others have a page each."""
_ZOOM: Final = 9.0


class FigureAsked(Asked):
    """What the figure looks like."""

    theme: Theme = "light"


def asset_page(reader: Reader, store: MapStore, originals: Originals, pages: Pages) -> APIRouter:
    """The addresses of one asset."""
    router = APIRouter(include_in_schema=False, route_class=pages.route("map"))
    single = AssetReader(reader)

    @router.get("/assets/{record_id}")
    async def page(record_id: RecordId, asked: Annotated[Asked, Query()]) -> Response:
        found = await single.current(record_id)
        if found.record_status == "merged" and found.replaced_by:
            return RedirectResponse(f"/assets/{found.replaced_by}", 308)
        version = orjson.loads(found.body)
        places = asset_view.lineages(version)
        versions, links, near, undecided, raw, decided = await asyncio.gather(
            _versions(reader, found),
            _linked(reader, version),
            _near(reader, version),
            reader.rows(candidates(record_id, limit=_MOST_CANDIDATES)),
            originals.records(places[:_MOST_ORIGINALS]),
            originals.decisions.get(),
        )
        records = raw.value or {}
        place = asset_view.position(version)
        return pages.answer(
            "asset.html",
            "map",
            200 if found.record_status == "current" else 410,
            asset=version,
            name=asset_view.name_of(version),
            withdrawn=found.record_status == "withdrawn",
            fields=asset_view.fields(version),
            entities=asset_view.entities(version),
            missing=asset_view.missing(version),
            tables=asset_view.tables(version),
            flags=asset_view.flags(version),
            steps=asset_view.history(versions),
            cut=len(versions) >= _MOST_VERSIONS,
            links=links,
            near=near,
            places=places,
            originals=[
                (member, record_view.item(records[at]))
                for member, at in zip(version["members"], places, strict=True)
                if at in records
            ],
            originals_problem=raw.problem or decided.problem,
            decisions=asset_view.decisions(version, decided.value or ()),
            may_be_same=[asset_view.may_be_same(record_id, one) for one in undecided],
            near_km=_NEAR_KM,
            on_map=f"open={record_id}&at={place[0]:.3f},{place[1]:.3f},{_ZOOM:g}" if place else "",
            figure_address=f"/figures/assets/{record_id}",
            data=f"{PREFIX}/assets/{record_id}",
            series=version.get("terminal_id"),
        )

    @router.get("/figures/assets/{record_id}")
    async def figure(record_id: RecordId, asked: Annotated[FigureAsked, Query()]) -> Response:
        version = orjson.loads((await single.current(record_id)).body)
        place = asset_view.position(version)
        if place is None:
            raise not_found(f"The position of {record_id} is not known.")
        near = await _near(reader, version, 200)
        known = [await store.asset(one.record_id) for one in near]
        shown: list[MapAsset] = [one for one in known if one is not None]
        if (itself := await store.asset(record_id)) is not None:
            shown.append(itself)
        view = View(*place, _ZOOM)
        drawn = map_figure(shown, asked.theme, address_of("world.geojson"), view)
        drawn["layout"]["map"]["layers"] = [_ring(place)]
        return figure_answer(drawn)

    return router


def _ring(place: tuple[float, float]) -> dict[str, Any]:
    return {
        "sourcetype": "geojson",
        "source": {"type": "Point", "coordinates": [place[1], place[0]]},
        "type": "circle",
        "color": "#b5179e",
        "opacity": 0.4,
        "circle": {"radius": 16},
    }


async def _versions(reader: Reader, found: AssetBody) -> Sequence[asset_view.Version]:
    rows = await reader.rows(asset_versions(found.kind, found.record_id, _MOST_VERSIONS))
    return [orjson.loads(row.body) for row in rows]


async def _linked(
    reader: Reader, version: asset_view.Version
) -> Sequence[tuple[str, str, str, float | None]]:
    """Relation, id, name and distance, km, of every link; the name is empty where there is none."""
    links = version["links"]
    ids = {one["record_id"] for one in links if one["relation"] != "time_series"}
    names: dict[str, str] = {}
    if ids:
        for body in await reader.rows(assets_by_id(sorted(ids))):
            names[body.record_id] = asset_view.name_of(orjson.loads(body.body))
    return [
        (one["relation"], one["record_id"], names.get(one["record_id"], ""), one["distance_km"])
        for one in links
    ]


async def _near(
    reader: Reader, version: asset_view.Version, limit: int = _MOST_NEAR
) -> Sequence[AssetPlace]:
    """The nearest other assets, nearest first."""
    place = asset_view.position(version)
    if place is None:
        return []
    found = await reader.rows(assets_near(*place, (), _NEAR_KM, limit + 1))
    return [one for one in found if one.record_id != version["record_id"]][:limit]
