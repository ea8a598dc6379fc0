"""Where assets are, in SQL: boxes, also across the antimeridian, distances and features."""

from dataclasses import dataclass

from streams.clickhouse import bounds


@dataclass(frozen=True, slots=True)
class Box:
    """A box of WGS84 degrees; one whose west is east of its east crosses the antimeridian.

    Raises:
        OutOfBoundsError: an edge is no latitude or longitude, or south is north of north.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        bounds.number("west", self.west, -180, 180)
        bounds.number("east", self.east, -180, 180)
        bounds.number("south", self.south, -90, 90)
        bounds.number("north", self.north, self.south, 90)

    def parameters(self) -> dict[str, float]:
        """Parameters of `contains`."""
        return {"west": self.west, "south": self.south, "east": self.east, "north": self.north}

    def contains(self, place: "Place") -> str:
        """Condition: the place, or the box around both ends, meets this box."""
        (south, north), (west, east) = place.latitudes(), place.longitudes()
        meets = f"{north} >= {{south:Float64}} AND {south} <= {{north:Float64}}"
        joined = "OR" if self.west > self.east else "AND"
        return f"{meets} AND ({east} >= {{west:Float64}} {joined} {west} <= {{east:Float64}})"


@dataclass(frozen=True, slots=True)
class Place:
    """Columns with a position, and with that of the other end where the kind has ends."""

    latitude: str
    longitude: str
    to_latitude: str = ""
    to_longitude: str = ""

    def columns(self) -> list[str]:
        """Every column."""
        every = (self.latitude, self.longitude, self.to_latitude, self.to_longitude)
        return [name for name in every if name]

    def latitudes(self) -> tuple[str, str]:
        """SQL of the least and the greatest latitude."""
        return _span(self.latitude, self.to_latitude)

    def longitudes(self) -> tuple[str, str]:
        """SQL of the least and the greatest longitude."""
        return _span(self.longitude, self.to_longitude)

    def distance_km(self) -> str:
        """SQL of the distance to `{longitude:Float64}`, `{latitude:Float64}`; of the nearer end."""
        here = "{longitude:Float64}, {latitude:Float64}"
        near = (
            f"geoDistance({here}, assumeNotNull({self.longitude}), assumeNotNull({self.latitude}))"
        )
        if self.to_latitude:
            far = f"geoDistance({here}, ifNull({self.to_longitude}, {self.longitude}), "
            near = f"least({near}, {far}ifNull({self.to_latitude}, {self.latitude})))"
        return f"{near} / 1000"

    def geometry(self) -> str:
        """SQL of the place as a Geometry where a position is known: a point, or a line."""
        here = f"(assumeNotNull({self.longitude}), assumeNotNull({self.latitude}))"
        point = f"{here}::Point::Geometry"
        if not self.to_latitude:
            return point
        there = f"(assumeNotNull({self.to_longitude}), assumeNotNull({self.to_latitude}))"
        one_end = f"{self.to_latitude} IS NULL OR {self.to_longitude} IS NULL"
        return f"if({one_end}, {point}, [{here}, {there}]::LineString::Geometry)"

    def geojson(self) -> str:
        """SQL of a GeoJSON geometry as text: a point, a line where both ends are known, or null."""
        here = _coordinates(self.longitude, self.latitude)
        point = f"""concat('{{"type":"Point","coordinates":', {here}, '}}')"""
        if not self.to_latitude:
            return f"ifNull({point}, 'null')"
        there = _coordinates(self.to_longitude, self.to_latitude)
        line = f"""concat('{{"type":"LineString","coordinates":[', {here}, ',', {there}, ']}}')"""
        one_end = f"{self.to_latitude} IS NULL OR {self.to_longitude} IS NULL"
        unknown = f"{self.latitude} IS NULL OR {self.longitude} IS NULL"
        return f"ifNull(multiIf({unknown}, NULL, {one_end}, {point}, {line}), 'null')"


def _coordinates(longitude: str, latitude: str) -> str:
    return f"concat('[', toString({longitude}), ',', toString({latitude}), ']')"


def _span(one: str, other: str) -> tuple[str, str]:
    if not other:
        return one, one
    both = f"{one}, ifNull({other}, {one})"
    return f"least({both})", f"greatest({both})"


def features(place: Place, properties: str, page: str) -> str:
    """SQL of a query's rows as GeoJSON features.

    Args:
        place: Its columns with a position; `record_id` is the id.
        properties: SQL of the properties as a JSON object, over its columns.
        page: The query.
    """
    parts = (
        """'{"type":"Feature","id":'""",
        "toJSONString(record_id)",
        """',"geometry":'""",
        place.geojson(),
        """',"properties":'""",
        properties,
        "'}'",
    )
    return f"SELECT concat({', '.join(parts)}) FROM ({page})"  # noqa: S608


ANY_ASSET = Place("latitude", "longitude", "to_latitude", "to_longitude")
"""Columns of `store_assets`."""

_POINT = Place("latitude", "longitude")
_ENDS = Place("from_latitude", "from_longitude", "to_latitude", "to_longitude")


def place_of(columns: frozenset[str]) -> Place:
    """Columns of a kind's own tables that say where it is."""
    return _ENDS if "from_latitude" in columns else _POINT


def name_of(columns: frozenset[str]) -> str:
    """SQL of a kind's name: of a line without one its ends; empty where nothing is named."""
    if "from_name" not in columns:
        return "ifNull(name, '')"
    ends = "concat(ifNull(from_name, '?'), ' - ', ifNull(to_name, '?'))"
    return f"ifNull(name, if(from_name IS NULL AND to_name IS NULL, '', {ends}))"
