"""CSV in the ways people save it is read to the same cells."""

import csv
import io

import pytest

from producers.formats.csv_text import below_header, csv_rows, ends_a_line

ROWS = [["id", "name", "mw"], ["G1", "Señora, plant", "1;5"], ["G2", "Żarnowiec", ""]]


def text(separator: str, first: str = "") -> str:
    lines = [separator.join(f'"{cell}"' for cell in row) for row in ROWS]
    return first + "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [False, True])
def test_separators_and_encodings(separator: str, encoding: str, said: bool) -> None:
    content = text(separator, f"sep={separator}\r\n" if said else "").encode(encoding)
    assert list(csv_rows(io.BytesIO(content))) == ROWS


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_the_mark_says_the_order_of_bytes(encoding: str) -> None:
    content = ("\ufeff" + text("\t")).encode(encoding)
    assert list(csv_rows(io.BytesIO(content))) == ROWS


def test_a_list_of_one_column_and_blank_lines() -> None:
    assert list(csv_rows(io.BytesIO(b"\n\nid\nG1\n\nG2\n"))) == [["id"], ["G1"], ["G2"]]


LINES = [["id", "tags", "geometry"], ["1", '"a"=>"b, c"', "LINESTRING (1 2, 3 4)"], ["2", "", ""]]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_the_quote_of_a_file_is_the_one_that_its_cells_begin_with(quote: str) -> None:
    text = io.StringIO()
    csv.writer(text, quotechar=quote).writerows(LINES)
    assert list(csv_rows(io.BytesIO(text.getvalue().encode()), quote="'")) == LINES


def test_of_two_columns_with_one_name_none_is_lost() -> None:
    header, rows = below_header(iter([["mw", "", "mw", ""], ["5", "a", "", "b"]]))
    assert header == ["mw", "", "mw (2)", "column_4"]
    assert list(rows) == [["5", "a", "", "b"]]


@pytest.mark.parametrize(
    ("text", "ends"), [("a\n", True), ("a\r", True), ("a", False), ("a\nb", False), ("", False)]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_text_ends_a_line_in_every_encoding(text: str, ends: bool, encoding: str) -> None:
    assert ends_a_line(text.encode(encoding)) is ends


def test_a_long_geometry_is_one_cell() -> None:
    line = "LINESTRING (" + ", ".join(["10.5 50.5"] * 50_000) + ")"
    rows = list(csv_rows(io.BytesIO(f'id,geometry\n1,"{line}"\n'.encode())))
    assert rows[1] == ["1", line]


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-32"])
def test_an_order_of_bytes_that_nothing_says_is_seen(encoding: str) -> None:
    assert list(csv_rows(io.BytesIO(text("\t").encode(encoding)))) == ROWS


def test_what_is_no_utf8_was_saved_by_windows() -> None:
    row = ["G1", "São José – 5 €", ""]
    content = text(";").encode() + ";".join(row).encode("cp1252")
    assert list(csv_rows(io.BytesIO(content))) == [*ROWS, row]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("title", ["Tracker, January 2025", "A; B; C, D, E", "One | two"])
def test_separators_in_a_title_or_in_lists_do_not_count(separator: str, title: str) -> None:
    owners = [["G3", "Owner A, Owner B; Owner C, " * 9, "3"], ["G4", "A, B", "4"]]
    lines = [separator.join(f'"{cell}"' for cell in row) for row in [*ROWS, *owners]]
    found = list(csv_rows(io.BytesIO("\r\n".join([title, "", *lines]).encode())))
    assert found[1:] == [*ROWS, *owners]
