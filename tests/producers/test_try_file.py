"""Files of every form: what is read of them is shown, and no mutation loses records unsaid."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from producers.connector import Pull, PullRequest
from producers.errors import ConfigurationError
from producers.http import HttpSource
from producers.run import Envelope, connect
from producers.try_file import FileTrial, print_trial, try_file
from streams.core.errors import Rejected
from streams.core.records import Mapped
from tests.producers.formats.test_tracker_files import workbook
from tests.producers.sources.test_gem_transmission import TODAY

HEADER = (
    *("GEM unit/phase ID", "GEM location ID", "Plant name", "Country/area", "Fuel", "Status"),
    *("Capacity (MW)", "Start year", "Owner", "Latitude", "Longitude", "Colour"),
)
COUNT = 110
ROWS = [
    [
        *(f"G{one}", f"L{one}", f"Plant {one}", "India", "coal", "operating", f"{50 + one}"),
        *("2001", "Owner", f"{20 + one / 100}", "80.5", "red"),
    ]
    for one in range(COUNT)
]


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    return text.getvalue()


def trial(path: Path, source: str = "gem_transmission") -> FileTrial:
    return try_file(source, str(path), {})


def shown(found: FileTrial) -> str:
    text = io.StringIO()
    print_trial(found, Console(file=text, width=200))
    return text.getvalue()


def test_rows_verdicts_fields_and_columns_are_shown(tmp_path: Path) -> None:
    odd = [row[:] for row in ROWS[:4]]
    odd[0][5], odd[1][7], odd[2][0] = "on fire", "Presumed", ""
    path = tmp_path / "units.csv"
    path.write_text(as_csv(HEADER, odd), encoding="utf-8")
    found = trial(path)
    assert (found.stream, found.rows, found.accepted) == ("power_units", 4, 2)
    assert found.rejected == {"unknown_status (status)": 1, "missing_id (gem_unit_id)": 1}
    assert found.flags["year_unreadable"] == 1
    assert found.filled["owner"] == 2
    assert found.unread == {"Colour": 4}
    said = shown(found)
    for text in ("4 rows, 2 accepted", "unknown_status (status): 1 (25.0%)", "Colour: 4 (100.0%)"):
        assert text in said


@pytest.mark.parametrize("form", ["csv", "semicolon", "utf-16", "xlsx", "titled", "geojson"])
def test_files_of_every_form_are_read_alike(tmp_path: Path, form: str) -> None:
    path = tmp_path / "units"
    separator = ";" if form == "semicolon" else ","
    text = ("Units,of,2026\n\n" if form == "titled" else "") + as_csv(HEADER, ROWS, separator)
    if form == "xlsx":
        about = [["About", "this"], ["x", "y"]]
        workbook(
            path, {"About": about, "20 MW+": [HEADER, *ROWS[:90]], "Less": [HEADER, *ROWS[90:]]}
        )
    elif form == "geojson":
        features = [
            {"properties": dict(zip(HEADER, row, strict=True)), "geometry": None} for row in ROWS
        ]
        path.write_text(json.dumps({"features": features}))
    else:
        path.write_bytes(text.encode("utf-16" if form == "utf-16" else "utf-8"))
    found = trial(path)
    assert (found.refused, found.rows, found.accepted) == (None, COUNT, COUNT)
    assert found.filled["commissioning_year"] == COUNT


def test_a_file_that_a_poll_would_refuse_says_so_and_why(tmp_path: Path) -> None:
    path = tmp_path / "renamed.csv"
    path.write_text(as_csv(("Key", *HEADER[1:]), ROWS), encoding="utf-8")
    found = trial(path)
    assert "another form" in str(found.refused)
    assert found.rejected == {"missing_id (gem_unit_id)": COUNT}
    assert "A poll refuses it" in shown(found)


def test_each_source_that_reads_files_tries_them(tmp_path: Path) -> None:
    path = tmp_path / "phases.csv"
    planned = [[*row[:4], "wind", "announced", *row[6:]] for row in ROWS]
    path.write_text(as_csv(HEADER, planned), encoding="utf-8")
    found = trial(path, "reexplorer")
    assert (found.stream, found.accepted, found.refused) == ("renewable_projects", COUNT, None)
    terminals = tmp_path / "terminals.csv"
    header = ("ComboID", "TerminalID", "TerminalName", "Country", "Status", "CapacityInMtpa")
    rows = [[f"T{one:06d}", f"T{one:04d}", "Toy", "Japan", "Operating", "3"] for one in range(9)]
    terminals.write_text(as_csv(header, rows), encoding="utf-8")
    assert (trial(terminals).stream, trial(terminals).accepted) == ("lng_terminals", 9)
    with pytest.raises(ConfigurationError, match="reads no files"):
        trial(path, "alsi_lng")


mutations = st.fixed_dictionaries(
    {
        "column": st.integers(0, len(HEADER) - 1),
        "do": st.sampled_from(["nothing", "drop", "rename", "words", "empty"]),
        "separator": st.sampled_from([",", ";", "\t", "|"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
        "title": st.booleans(),
        "form": st.sampled_from(["csv", "xlsx"]),
        "sheets": st.permutations(["About", "Units", "More"]),
        "cut_bytes": st.sampled_from([0, 0, 0, 7, 400, 9_000]),
    }
)


@given(mutations)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_file_gives_the_same_records_or_says_why_not(mutation: dict[str, object]) -> None:
    """Same records, these records with reasons, or refused by name: never fewer without a word."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "units"
        path.write_text(as_csv(HEADER, ROWS), encoding="utf-8")
        expected, first = pulled(path, {})
        assert not first.failures
        mutate(path, mutation)
        found, second = pulled(path, first.checkpoint)
    if second.failures or second.unchanged:
        assert second.complete_streams == set()
        return
    assert second.complete_streams == {"power_units"}
    assert second.left_out == {}
    whole = mutation["form"] == "xlsx" or not mutation["cut_bytes"]
    assert len(found) == COUNT if whole else len(found) >= COUNT * 0.8
    changed = HEADER[int(str(mutation["column"]))] if mutation["do"] != "nothing" else None
    for record_id, verdict in found.items():
        if isinstance(verdict, Rejected):
            assert verdict.rule_id
        elif changed is None:
            assert verdict == expected[record_id]
    strangers = found.keys() - expected.keys()
    # Other ids are other records: more than a fifth is gone then, so that a run asks a person.
    assert not strangers or changed == HEADER[0]
    assert not strangers or len(expected.keys() - found.keys()) > COUNT / 5


def mutate(path: Path, mutation: dict[str, object]) -> None:
    column, do = int(str(mutation["column"])), mutation["do"]
    header, rows = list(HEADER), [row[:] for row in ROWS]
    if do == "drop":
        header, rows = _without(header, column), [_without(row, column) for row in rows]
    elif do == "rename":
        header[column] = "Another name"
    elif do in ("words", "empty"):
        for row in rows:
            row[column] = "see note" if do == "words" else ""
    if mutation["form"] == "xlsx":
        sheets = {"About": [["About", "this"]], "Units": [header, *rows[:80]]}
        sheets["More"] = [header, *rows[80:]]
        order = mutation["sheets"]
        assert isinstance(order, list)
        workbook(path, {name: sheets[name] for name in order})
        return
    title = "Units, by country, of 2026\n" if mutation["title"] else ""
    text = title + as_csv(header, rows, str(mutation["separator"]))
    content = text.encode(str(mutation["encoding"]))
    path.write_bytes(content[: len(content) - int(str(mutation["cut_bytes"]))])


def _without(cells: list[str], column: int) -> list[str]:
    return cells[:column] + cells[column + 1 :]


def pulled(path: Path, checkpoint: Mapping[str, str]) -> tuple[dict[str, Mapped | Rejected], Pull]:
    connector, _ = connect(
        "gem_transmission",
        {
            "GEM_STREAMS": "power_units",
            "GEM_ASSET_TYPES": "none",
            "GEM_POWER_FILE": str(path),
            "GEM_GEOTHERMAL_FILE": "none",
            "GEM_AFRICA_FILE": "none",
        },
    )
    pull = Pull(dict(checkpoint))
    envelope = Envelope(connector, "test")
    with HttpSource(connector.config.http) as http:
        items = connector.pull_or_subscribe(http, PullRequest(checkpoint, TODAY), pull)
        found = {item.record_id: connector.map_to_schema(envelope.observed(item)) for item in items}
    return found, pull
