"""What `config/reexplorer.yaml` may hold."""

from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from producers.config import SourceConfig
from producers.sources.reexplorer.points import OWN_GROUP, Box, ResourcePoint, slug
from producers.sources.reexplorer.service import NEW_HOST
from producers.sources.reexplorer.streams import Asked, NlrStream, PvSystem

StreamName = Literal["solar_resource", "pvwatts", "nsrdb_data_query", "wind_toolkit_site_count"]


class ConfiguredPoint(BaseModel):
    """A point to ask about; all services unless `streams` names some."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"[A-Za-z0-9]")
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    country_code: str | None = Field(None, pattern="^[A-Z]{2}$")
    streams: tuple[StreamName, ...] = get_args(StreamName)

    def point(self) -> ResourcePoint:
        """The point, in the group of its own."""
        return ResourcePoint(
            slug(self.name),
            self.name,
            self.latitude,
            self.longitude,
            self.country_code,
            OWN_GROUP,
        )


class ReexplorerConfig(SourceConfig):
    """`config/reexplorer.yaml`."""

    base_url: str = Field(
        pattern=r"^https?://", description="The API; the old `nrel.gov` is refused."
    )
    api_key: SecretStr = Field(min_length=1, description="A free key, sent in a header.")
    points: tuple[ConfiguredPoint, ...]
    points_from_plants: bool = Field(
        False, description="Ask about known solar and wind plants, too."
    )
    plant_coverage: Mapping[StreamName, tuple[Box, ...]] = Field(default_factory=dict)
    pv_system: PvSystem = PvSystem()
    wind_box_degrees: float = Field(0.1, gt=0, le=2)
    project_files: tuple[str, ...] = Field(
        (),
        description="A tracker file with planned phases: CSV, XLSX or GeoJSON; none, no projects.",
    )
    minimum_rows: int = Field(1, ge=0)
    largest_loss: float = Field(0.5, ge=0, le=1)

    @field_validator("base_url")
    @classmethod
    def _refuse_the_old_host(cls, address: str) -> str:
        host = (urlsplit(address).hostname or "").lower()
        if host == "nrel.gov" or host.endswith(".nrel.gov"):
            raise ValueError(f"{host} was given up in May 2026; use {NEW_HOST}, with the same key")
        if host.endswith("nlr.gov") and address.startswith("http://"):
            raise ValueError(f"the service answers https only; use {NEW_HOST}")
        return address

    @field_validator("points")
    @classmethod
    def _refuse_equal_names(
        cls, points: tuple[ConfiguredPoint, ...]
    ) -> tuple[ConfiguredPoint, ...]:
        names = [slug(point.name) for point in points]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names must differ in letters or digits: {', '.join(twice)}")
        return points

    @field_validator("project_files")
    @classmethod
    def _without_blanks(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(file for file in files if file.strip())

    @property
    def asked(self) -> Asked:
        """Settings the questions depend on."""
        return Asked(self.pv_system, self.wind_box_degrees)

    def own_points(self, stream: NlrStream) -> list[ResourcePoint]:
        """Configured points a service is asked about."""
        return [point.point() for point in self.points if stream.name in point.streams]

    def coverage(self, stream: NlrStream) -> tuple[Box, ...]:
        """Boxes in which it is asked about plants."""
        return next(
            (boxes for name, boxes in self.plant_coverage.items() if name == stream.name), ()
        )
