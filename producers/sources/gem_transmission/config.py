"""What `config/gem_transmission.yaml` may hold."""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from producers.config import SourceConfig
from producers.connector import Credit
from producers.formats import power_columns
from producers.sources.gem_transmission import lng_terminals
from producers.sources.gem_transmission.grid_network import ID_OF_GRID_FILE, QUOTE
from producers.sources.gem_transmission.grid_projects import PROJECT_FILES, ProjectList
from producers.sources.gem_transmission.release import WantedFile

StreamName = Literal[
    "lng_terminals", "power_units", "substations", "transmission_lines", "transmission_projects"
]
STREAMS: tuple[StreamName, ...] = get_args(StreamName)

GridList = Literal["buses", "lines", "links"]
GRID_LISTS: tuple[GridList, ...] = get_args(GridList)

Columns = tuple[tuple[str, ...], ...]

COLUMNS: Mapping[str, Columns] = {
    "lng_terminals": (lng_terminals.UNIT_ID, lng_terminals.NAME, lng_terminals.STATUS),
    "power_units": (power_columns.UNIT_ID, power_columns.NAME, power_columns.STATUS),
    "transmission_projects": (("",),),
}
"""What rows of a list must say, by stream; that of the id comes first."""


def _words(value: object) -> object:
    """A text of names apart by blanks or commas as a list; `none` is an empty one."""
    if not isinstance(value, str):
        return value
    return [word for word in value.replace(",", " ").split() if word != "none"]


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreditConfig(_Section):
    """Terms of a record set, carried on each of its records."""

    licence: str = Field(min_length=1)
    attribution: str = Field(min_length=1)

    @property
    def credit(self) -> Credit:
        """As raw items carry it."""
        return Credit(self.licence, self.attribution)


class FileConfig(_Section):
    """One tracker file: CSV, XLSX or GeoJSON, gzipped or plain; an address or a local path."""

    location: str = Field(
        description="CSV, XLSX or GeoJSON, gzipped or plain, an address or a local path; "
        "empty or `none` leaves it out."
    )
    dataset: Annotated[str | None, BeforeValidator(lambda text: text or None)] = Field(
        None, description="Tracker of all rows, such as GGTPT, where no column says it."
    )
    sheet: str | None = None
    minimum_rows: int = Field(1, ge=0, description="Fewer rows mean a file cut short.")

    @property
    def is_used(self) -> bool:
        """False when the file is left out."""
        return self.location not in ("", "none")

    def wanted(self, largest_loss: float, columns: Columns) -> WantedFile:
        """As a release fetches it."""
        return WantedFile(
            self.location,
            self.dataset,
            self.minimum_rows,
            largest_loss,
            sheet=self.sheet,
            columns=columns,
        )


class TrackerConfig(CreditConfig):
    """Files of one tracker stream."""

    files: tuple[FileConfig, ...] = ()


class ApiConfig(_Section):
    """The public API."""

    base_url: str = Field(pattern=r"^https?://", description="The API.")
    asset_types: Words = Field(description="Apart by blanks; `none` leaves the API out.")


class PowerConfig(TrackerConfig):
    """Power units: units of the API come before those of the files."""

    api: ApiConfig


class GridConfig(CreditConfig):
    """The grid extract: a place with `<file>` for buses, lines and links."""

    location: str = Field(
        pattern="<file>",
        description="The grid extract; `<file>` stands for `buses`, `lines`, `links`.",
    )
    lists: Annotated[tuple[GridList, ...], BeforeValidator(_words)] = Field(
        GRID_LISTS, description="What the extract has, apart by blanks."
    )
    minimum_rows: int = Field(1, ge=0, description="Fewer rows mean a file cut short.")

    def file(self, name: str) -> str:
        """Location of one of the extract's files."""
        return self.location.replace("<file>", name)


class ProjectsConfig(CreditConfig):
    """The project lists: a place with `<plan>` and `<work>`."""

    location: str = Field(
        pattern="<plan>.*<work>",
        description="The project lists; `<plan>` and `<work>` stand for the parts of their names.",
    )
    lists: Annotated[tuple[ProjectList, ...], BeforeValidator(_words)] = Field(
        PROJECT_FILES, description="Which of them to read, apart by blanks."
    )

    def file(self, dataset: str) -> str:
        """Location of one list."""
        plan, _, work = dataset.partition("_")
        return self.location.replace("<plan>", plan).replace("<work>", work)


class GemConfig(SourceConfig):
    """Global Energy Monitor trackers, the grid extract and the project lists."""

    streams: Annotated[tuple[StreamName, ...], BeforeValidator(_words)] = Field(
        STREAMS, description="What to read, apart by blanks."
    )
    largest_loss: float = Field(0.2, ge=0, le=1)
    lng_terminals: TrackerConfig
    power_units: PowerConfig
    grid: GridConfig
    projects: ProjectsConfig

    def files(self, stream: str) -> tuple[WantedFile, ...]:
        """Files that make up a stream."""
        loss = self.largest_loss
        trackers: dict[str, TrackerConfig] = {
            "lng_terminals": self.lng_terminals,
            "power_units": self.power_units,
        }
        if stream in trackers:
            used = (file for file in trackers[stream].files if file.is_used)
            return tuple(file.wanted(loss, COLUMNS[stream]) for file in used)
        if stream == "transmission_projects":
            columns = COLUMNS[stream]
            return tuple(
                WantedFile(self.projects.file(name), name, 1, 1.0, columns=columns)
                for name in self.projects.lists
            )
        names = [name for name in self.grid.lists if stream != "substations" or name == "buses"]
        return tuple(
            WantedFile(
                self.grid.file(name),
                name,
                1 if name == "links" else self.grid.minimum_rows,
                loss,
                quote=QUOTE,
                columns=((ID_OF_GRID_FILE[name],),),
            )
            for name in names
        )

    def credit(self, stream: str) -> Credit:
        """Terms of a stream's records."""
        sections: dict[str, CreditConfig] = {
            "lng_terminals": self.lng_terminals,
            "power_units": self.power_units,
            "transmission_projects": self.projects,
        }
        return sections.get(stream, self.grid).credit
