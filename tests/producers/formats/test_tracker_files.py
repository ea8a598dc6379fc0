"""Tracker files in every form give the same rows, and a damaged one is never half read."""

import gzip
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import openpyxl
import pytest

from producers.config import HttpConfig
from producers.errors import TruncatedError, UnexpectedAnswerError, UnreachableError
from producers.formats.release_files import (
    PreviousRelease,
    check_rows,
    obtain,
    refuse_other_page,
)
from producers.formats.tracker_files import measure, read_rows
from producers.http import HttpSource

ROWS = [
    {"id": "G1", "name": "Señora, plant", "mw": "12.5", "year": "2020", "owner": ""},
    {"id": "G2", "name": 'The "big" one', "mw": "50", "year": "not found", "owner": "A\nB"},
]


def as_csv() -> bytes:
    lines = ["id,name,mw,year,owner", 'G1,"Señora, plant",12.5,2020,']
    return "\r\n".join([*lines, 'G2,"The ""big"" one",50,not found,"A\nB"', ""]).encode()


def as_xlsx(path: Path) -> bytes:
    book = openpyxl.Workbook()
    about = book.active
    assert about is not None
    about.title = "About"
    about.append(["Made by the tracker"])
    sheet = book.create_sheet("Power facilities")
    sheet.append(["A title in one cell"])
    sheet.append(["id", "name", "mw", "year", "owner"])
    sheet.append(["G1", "Señora, plant", 12.5, 2020, None])
    sheet.append(["G2", 'The "big" one', 50, "not found", "A\nB"])
    sheet.append([None] * 5)
    book.save(path)
    return path.read_bytes()


def as_geojson() -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {**row, "owner": row["owner"] or None},
            "geometry": {"type": "Point", "coordinates": [1.50, 45]},
        }
        for row in ROWS
    ]
    document = {"type": "FeatureCollection", "name": "x", "features": features}
    return json.dumps(document).encode()


@pytest.mark.parametrize("form", ["csv", "xlsx", "geojson", "csv.gz", "geojson.gz"])
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    contents = {
        "csv": as_csv(),
        "xlsx": as_xlsx(tmp_path / "book.xlsx"),
        "geojson": as_geojson(),
    }
    content = contents[form.removesuffix(".gz")]
    path = tmp_path / "named after nothing"
    path.write_bytes(gzip.compress(content) if form.endswith(".gz") else content)
    file = measure(path)
    found = list(read_rows(file))
    assert (file.form, file.rows) == (form.removesuffix(".gz"), 2)
    if file.form == "geojson":
        place = {
            "geometry_type": "Point",
            "geometry_longitude": "1.5",
            "geometry_latitude": "45",
        }
        assert found == [row | place for row in ROWS]
    else:
        assert found == ROWS


def test_the_digest_is_of_the_content_not_of_its_packing(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(as_csv())
    packed.write_bytes(gzip.compress(as_csv()))
    assert measure(plain).digest == measure(packed).digest


def test_single_quotes_are_a_quote_character_where_the_file_uses_them(tmp_path: Path) -> None:
    path = tmp_path / "grid.csv"
    path.write_text("""id,tags,x\n1,'"TSO"=>"a, b"',3\n""", encoding="utf-8")
    assert list(read_rows(measure(path, quote="'"))) == [
        {"id": "1", "tags": '"TSO"=>"a, b"', "x": "3"}
    ]


def test_short_rows_are_blank_at_the_end_and_surplus_cells_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,name\n1\n2,two,surplus,\n", encoding="utf-8")
    assert list(read_rows(measure(path))) == [
        {"id": "1", "name": ""},
        {"id": "2", "name": "two", "column_3": "surplus"},
    ]


@pytest.mark.parametrize("form", ["csv", "xlsx", "geojson", "csv.gz"])
def test_a_file_cut_short_is_refused(tmp_path: Path, form: str) -> None:
    content = {
        "csv": as_csv()[:-20],
        "xlsx": as_xlsx(tmp_path / "book.xlsx")[:2000],
        "geojson": as_geojson()[:-30],
        "csv.gz": gzip.compress(as_csv())[:-12],
    }[form]
    path = tmp_path / "cut"
    path.write_bytes(content)
    with pytest.raises(TruncatedError):
        measure(path)


@pytest.mark.parametrize("content", [b"", b"<html>moved</html>", b'["a"]'])
def test_other_content_is_unexpected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page"
    path.write_bytes(content)
    with pytest.raises(UnexpectedAnswerError, match="no tracker file"):
        measure(path)


TITLES = ["Tracker of plants, January 2026", "", "Contact: tracker@example.org, all rights"]


def test_titles_above_the_table_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "titled.csv"
    path.write_bytes("\n".join([*TITLES, ""]).encode() + as_csv())
    assert list(read_rows(measure(path))) == ROWS


def workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def declare(path: Path, sheet: int, dimension: str) -> None:
    """Rewrite what a sheet says of its size; nothing when the text is empty."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = f"xl/worksheets/sheet{sheet}.xml"
    tag = f'<dimension ref="{dimension}"/>'.encode() if dimension else b""
    parts[name], replaced = re.subn(rb'<dimension ref="[^"]*" ?/>', tag, parts[name])
    assert replaced == 1
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


HEADER = ["id", "name", "mw", "year", "owner"]
UNITS = [[f"G{index}", "Plant", index, 2020, "Owner"] for index in range(1, 6)]


@pytest.mark.parametrize("dimension", ["A1", "A1:B2", "", "A1:E99999"])
def test_a_sheet_is_chosen_and_read_by_its_content_not_by_what_it_declares(
    tmp_path: Path, dimension: str
) -> None:
    about = [["About", "this"], ["Column", "Meaning"], ["id", "the id"]]
    path = workbook(tmp_path / "book.xlsx", {"About": about, "Data": [HEADER, *UNITS]})
    declare(path, 1, "A1:Z1003")
    declare(path, 2, dimension)
    file = measure(path)
    assert [row["id"] for row in read_rows(file)] == ["G1", "G2", "G3", "G4", "G5"]


def test_a_long_list_of_two_columns_is_not_the_data(tmp_path: Path) -> None:
    regions = [["Country", "Region"], *[["France", "Europe"]] * 10]
    path = workbook(tmp_path / "book.xlsx", {"Data": [HEADER, *UNITS], "Regions": regions})
    assert [row["id"] for row in read_rows(measure(path))] == ["G1", "G2", "G3", "G4", "G5"]


def test_every_sheet_with_the_columns_is_read(tmp_path: Path) -> None:
    small: list[Sequence[object]] = [
        ["Small ones"],
        [*HEADER, "note"],
        ["G6", "Small", 2, 2021, "", "below"],
    ]
    sheets: dict[str, Sequence[Sequence[object]]] = {
        "About": [["Field", "Meaning", "Source"], *[["x", "y", "z"]] * 50][:4],
        "20 MW+": [HEADER, *UNITS],
        "1-20 MW": small,
        "Definitions": [["id", "definition"], ["a", "b"]],
    }
    rows = list(read_rows(measure(workbook(tmp_path / "book.xlsx", sheets))))
    assert [row["id"] for row in rows] == ["G1", "G2", "G3", "G4", "G5", "G6"]
    assert rows[-1]["note"] == "below"
    one = measure(tmp_path / "book.xlsx", sheet="1-20 MW")
    assert one.rows == 1


def test_sheets_of_several_trackers_are_read_by_the_columns_they_must_have(tmp_path: Path) -> None:
    """A regional workbook has a sheet for each, and longer ones of other things."""
    solar = [["GEM phase ID", "Project Name", "Status", "Rating"], ["G1", "Sun", "announced", "ac"]]
    wind = [["gem_phase_id", "Name", "Type", "status"], ["G2", "Wind", "Onshore", "operating"]]
    pipes: list[Sequence[object]] = [
        ["ProjectID", "Name", "Status", "Km"],
        *[[f"P{n}", "Pipe", "x", 1] for n in range(9)],
    ]
    sheets: dict[str, Sequence[Sequence[object]]] = {
        "About Solar": [["Status", "what it means"], ["a", "b"]],
        "Solar": solar,
        "Wind": wind,
        "Pipelines": pipes,
    }
    path = workbook(tmp_path / "book.xlsx", sheets)
    wanted = (("gem_phase_id", "id"), ("name", "project_name"), ("status",))
    file = measure(path, wanted=wanted)
    rows = list(read_rows(file))
    assert [(row["sheet"], row.get("Rating"), row.get("Type")) for row in rows] == [
        ("Solar", "ac", None),
        ("Wind", None, "Onshore"),
    ]
    assert file.has(["rating"])
    assert not file.has(["km"])
    # Where no sheet has them, the one that says most is read, so that its columns can be named.
    assert measure(path, wanted=(("other",),)).has(["km"])


def test_a_sheet_is_found_whatever_its_case_and_the_blanks_around_it(tmp_path: Path) -> None:
    path = workbook(tmp_path / "book.xlsx", {"About": [["x"]], "1-20 MW ": [HEADER, *UNITS]})
    assert measure(path, sheet="1-20 mw").rows == 5


def test_a_gzipped_workbook_is_read(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx.gz"
    path.write_bytes(gzip.compress(as_xlsx(tmp_path / "book.xlsx")))
    assert list(read_rows(measure(path))) == ROWS


def test_a_workbook_in_strict_open_xml_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "book.xlsx", {"Data": [HEADER, *UNITS]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for part, text in parts.items():
            strict = text.replace(
                b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"http://purl.oclc.org/ooxml/spreadsheetml/main",
            ).replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                b"http://purl.oclc.org/ooxml/officeDocument/relationships",
            )
            archive.writestr(part, strict)
    with pytest.raises(UnexpectedAnswerError, match="Strict Open XML"):
        measure(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_geojson_in_other_encodings_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "map.geojson"
    path.write_bytes(as_geojson().decode().encode(encoding))
    assert [row["name"] for row in read_rows(measure(path))] == [row["name"] for row in ROWS]


@pytest.mark.parametrize("content", ['{"message": "Not Found"}', '{"features": []}'])
def test_json_without_features_is_named_not_called_cut_short(tmp_path: Path, content: str) -> None:
    path = tmp_path / "page"
    path.write_text(content)
    with pytest.raises(UnexpectedAnswerError, match="JSON without features"):
        measure(path)


def test_a_note_below_the_table_does_not_make_it_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(as_csv() + b"Source: the tracker\r\n")
    assert measure(path).rows == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old kind"),
        (b'{"features": [{"properties": {"mw": NaN}}]}', "no valid JSON"),
        (b'{"type": "Feature"}\n{"type": "Feature"}', "no valid JSON"),
    ],
)
def test_what_no_version_reads_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UnexpectedAnswerError, match=said):
        measure(path)


def test_a_workbook_with_parts_the_library_refuses_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "book.xlsx", {"Data": [HEADER, *UNITS]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    styles = "xl/styles.xml"
    parts[styles] = re.sub(rb"<fill>.*?</fill>", b"<fill/>", parts[styles], count=1, flags=re.S)
    with zipfile.ZipFile(path, "w") as archive:
        for part, text in parts.items():
            archive.writestr(part, text)
    with pytest.raises(UnexpectedAnswerError, match=r"book\.xlsx cannot be read.*CSV or XLSX"):
        measure(path)


@pytest.mark.parametrize("coordinates", [[], [1.5], None])
def test_a_feature_without_a_position_is_a_row_without_one(
    tmp_path: Path, coordinates: list[float] | None
) -> None:
    feature = {"properties": {"id": "G1"}, "geometry": {"type": "Point"}}
    if coordinates is not None:
        feature["geometry"]["coordinates"] = coordinates  # type: ignore[assignment]
    path = tmp_path / "map.geojson"
    path.write_text(json.dumps({"features": [feature]}))
    assert list(read_rows(measure(path))) == [{"id": "G1", "geometry_type": "Point"}]


def test_a_missing_sheet_names_those_there_are(tmp_path: Path) -> None:
    as_xlsx(tmp_path / "book.xlsx")
    with pytest.raises(UnexpectedAnswerError, match="About, Power facilities"):
        measure(tmp_path / "book.xlsx", sheet="Units")


def test_few_rows_and_a_large_loss_are_taken_for_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(as_csv())
    file = measure(path)
    check_rows(file.rows, "x", least=2, previous_rows=2, largest_loss=0.2)
    with pytest.raises(TruncatedError, match="fewer than 3"):
        check_rows(file.rows, "x", least=3, previous_rows=0, largest_loss=0.2)
    with pytest.raises(TruncatedError, match="fewer than 80"):
        check_rows(file.rows, "x", least=0, previous_rows=100, largest_loss=0.2)


@pytest.mark.parametrize("content", [b"404: Not Found", b"version https://lfs.example\noid 1\n"])
def test_another_page_is_named_as_one_not_called_cut_short(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    file = measure(path, name="https://a.example/rows.csv")
    for rows in (0, 1_000):
        with pytest.raises(UnexpectedAnswerError) as error:
            refuse_other_page(file, looked_for=("id", "key"), previous_rows=rows)
        said = str(error.value)
        assert "looked for in id, key" in said
        assert repr(content.decode()[:10])[:-1] in said
    path.write_bytes(as_csv())
    assert refuse_other_page(measure(path), looked_for=("id",), previous_rows=1_000).rows == 2


def test_a_url_is_asked_with_the_held_tag_and_only_at_the_same_place(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"1"':
            return httpx.Response(304, headers={"etag": '"1"'})
        return httpx.Response(200, content=as_csv(), headers={"etag": '"1"'})

    config = HttpConfig(requests_per_minute=60_000)
    with HttpSource(config, transport=httpx.MockTransport(answer)) as http:
        first = obtain(http, "https://a.example/x?token=1", tmp_path / "x", None)
        assert (first.path, first.etag) == (tmp_path / "x", '"1"')
        previous = PreviousRelease("https://a.example/x", "d", 2, '"1"')
        assert PreviousRelease.from_text(previous.to_text()) == previous
        assert obtain(http, "https://a.example/x", tmp_path / "x", previous).path is None
        assert obtain(http, "https://b.example/x", tmp_path / "x", previous).path is not None
        with pytest.raises(UnreachableError, match=r"nothing\.csv"):
            obtain(http, str(tmp_path / "nothing.csv"), tmp_path / "x", None)


@pytest.mark.parametrize("form", ["csv", "xlsx", "geojson"])
def test_rows_of_a_spool_are_those_of_the_file_which_is_read_once(
    tmp_path: Path, form: str
) -> None:
    path = tmp_path / "file"
    book = as_xlsx(tmp_path / "book.xlsx")
    path.write_bytes({"csv": as_csv(), "geojson": as_geojson(), "xlsx": book}[form])
    expected = list(read_rows(measure(path)))
    file = measure(path, spool=tmp_path / "file.rows")
    path.unlink()
    assert (list(read_rows(file)), list(read_rows(file))) == (expected, expected)
    assert file.rows == len(expected)
