"""Files of every form: what is read of them is shown before a source reads them."""

import gzip
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from producers.errors import ConfigurationError
from producers.try_file import FileTrial, print_trial, try_file
from tests.producers.files import COUNT, FILES, as_csv
from tests.producers.formats.test_tracker_files import workbook

HEADER, ROWS = FILES["power_units"].header, FILES["power_units"].rows


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
    for text in (
        "Flagged: 1 rows (50.0%)",
        "4 rows, 2 accepted",
        "unknown_status (status): 1 (25.0%)",
        "Colour: 4 (100.0%)",
    ):
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


@pytest.mark.parametrize("kind", ["nodes", "lines", "links", "projects"])
def test_lists_of_the_grid_and_of_its_projects_are_known_by_their_columns(
    kind: str, tmp_path: Path
) -> None:
    file = FILES[kind]
    path = tmp_path / "mine"
    path.write_bytes(gzip.compress(as_csv(file.header, file.rows, ";").encode()))
    to_try = file.to_try(path, tmp_path)
    nodes = None if to_try.nodes is None else str(to_try.nodes)
    found = try_file("gem_transmission", str(path), {}, file.list_name, nodes)
    assert (found.stream, found.refused) == (file.stream, None)
    assert (found.rows, found.accepted, found.flagged) == (COUNT, COUNT, 0)
    assert +found.unread == {}
    assert found.filled["country_code"] == COUNT
    place = "latitude" if kind == "nodes" else "to_latitude"
    assert found.filled[place] == COUNT


def test_nodes_beside_lines_are_found_as_the_configured_location_names_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines, nodes = FILES["lines"], FILES["lines"].to_try(tmp_path / "x", tmp_path).nodes
    path = tmp_path / "osm_lines.csv"
    path.write_text(as_csv(lines.header, lines.rows))
    alone = trial(path)
    assert alone.flags["position_missing"] == COUNT
    assert "--nodes" in caplog.text
    assert nodes is not None
    nodes.rename(tmp_path / "osm_buses.csv")
    assert trial(path).flags == {}


def test_a_project_list_whose_plan_nothing_says_asks_for_its_name(tmp_path: Path) -> None:
    file = FILES["projects"]
    path = tmp_path / "planned.csv"
    path.write_text(as_csv(file.header, file.rows))
    with pytest.raises(ConfigurationError, match=r"one of nep_new_lines.*--list nep_new_lines"):
        trial(path)
    with pytest.raises(ConfigurationError, match="no list 'mine'; known: buses"):
        try_file("gem_transmission", str(path), {}, "mine")
    folder = tmp_path / "tyndp2020"
    folder.mkdir()
    named = path.rename(folder / "upgraded_lines.csv")
    assert trial(named).filled["upgrades_line_id"] == COUNT


def test_a_source_that_needs_no_word_about_its_file_refuses_one(tmp_path: Path) -> None:
    path = tmp_path / "plants.csv"
    path.write_text(as_csv(FILES["plants"].header, FILES["plants"].rows))
    assert trial(path, "wri_powerplants").accepted == COUNT
    with pytest.raises(ConfigurationError, match="knows by itself"):
        try_file("wri_powerplants", str(path), {}, "buses")
