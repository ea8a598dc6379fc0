"""The audit as people read it: whole figures at any width a terminal has."""

import io

import pytest
from rich.console import Console

from streams.commands.audit import audit_table
from streams.core.audit import Audit, NewestVersion, Published, SourceCount
from streams.core.live_assets import SourceRecord

SOURCES = ("alsi_lng_inventory", "gem_transmission", "reexplorer", "wri_powerplants")
LONG = (*SOURCES, "another_source_of_transmission_lines", "storage")


def newest(sources: tuple[str, ...]) -> dict[str, NewestVersion]:
    """A thousand canonical records of all sources."""
    members = frozenset(SourceRecord(source, "record") for source in sources)
    return {
        str(number): NewestVersion(1, "current", "power_plant", members, 0)
        for number in range(1_234)
    }


def shown(sources: tuple[str, ...], width: int) -> str:
    audit = Audit(
        tuple(
            SourceCount(name, 10_000_000 + number, {"changed": 9_999_900 + number}, 100 + number)
            for number, name in enumerate(sources)
        ),
        published=Published(newest=newest(sources)),
    )
    polled = dict.fromkeys(sources[1:], 8_111_222)
    console = Console(file=io.StringIO(), width=width)
    console.print(audit_table(audit, polled, dict.fromkeys(sources, 7_654_321)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_four_sources_stand_side_by_side_at_80_columns() -> None:
    table = shown(SOURCES, 80)
    assert table.count("raw records") == 1
    (raw,) = [line for line in table.splitlines() if "raw records" in line]
    assert raw.replace("│", " ").split()[2:] == [f"{10_000_000 + number:,}" for number in range(4)]
    (polled,) = [line for line in table.splitlines() if "polled" in line]
    assert polled.replace("│", " ").split()[4:] == ["-", *["8,111,222"] * 3]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_figure_and_no_word_of_an_id_is_cut_or_wrapped(width: int) -> None:
    table = shown(LONG, width)
    assert max(len(line) for line in table.splitlines()) <= width
    assert "…" not in table
    words = table.replace("│", " ").replace("┃", " ").split()
    for number, name in enumerate(LONG):
        assert words.count(f"{10_000_000 + number:,}") == 1
        assert words.count(f"{9_999_900 + number:,}") == 1
        assert set(name.replace("_", "_ ").split()) <= set(words)
    assert words.count("1,234") == len(LONG)


def test_what_does_not_fit_stands_in_a_table_below() -> None:
    table = shown(LONG, 80)
    assert table.count("raw records") == 2
    assert table.count("What became of every raw record") == 1


def test_the_audit_shows_how_many_rows_polls_left_out_on_purpose() -> None:
    (row,) = [line for line in shown(SOURCES, 80).splitlines() if "left out" in line]
    assert row.replace("│", " ").split()[4:] == ["7,654,321"] * 4
