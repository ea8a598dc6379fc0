"""A good file of each kind, changed as people change files: no record is lost unsaid."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from producers.config import load_config
from producers.connector import Pull, PullRequest, RawItem
from producers.errors import SourceError
from producers.http import HttpSource
from producers.run import Envelope, connector_class_of
from streams.core.errors import Rejected
from streams.core.records import Mapped
from tests.producers.files import COUNT, FILES, GoodFile, as_csv
from tests.producers.formats.test_tracker_files import workbook
from tests.producers.sources.test_gem_transmission import TODAY

Mutation = dict[str, object]
Pulled = Callable[[Mapping[str, str]], tuple[list[RawItem], list[Mapped | Rejected], Pull]]


def mutations(file: GoodFile) -> st.SearchStrategy[Mutation]:
    return st.fixed_dictionaries(
        {
            "column": st.integers(0, len(file.header) - 1),
            "do": st.sampled_from(["nothing", "drop", "rename", "words", "empty"]),
            "separator": st.sampled_from([",", ";", "\t", "|"]),
            "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
            "title": st.booleans(),
            "form": st.sampled_from(["csv", "xlsx"] if file.workbooks else ["csv"]),
            "sheets": st.permutations(["About", "Units", "More"]),
            "cut_bytes": st.sampled_from([0, 0, 0, 7, 400, 9_000]),
        }
    )


@pytest.mark.parametrize("kind", FILES)
def test_a_mutated_file_gives_the_same_records_or_says_why_not(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Same records, these records with reasons, or refused by name: never fewer without a word."""
    file = FILES[kind]
    examples = 500 if request.config.getoption("--soak") else 5

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a workbook is slow to write
    )
    @given(mutations(file))
    def check(mutation: Mutation) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "units"
            path.write_text(as_csv(file.header, file.rows), encoding="utf-8")
            pulled = _pulled_from(file, path, Path(folder))
            items, expected, first = pulled({})
            assert len(items) == COUNT
            assert all(isinstance(one, Mapped) for one in expected)
            _mutate(path, file, mutation)
            _assert_nothing_is_lost_unsaid(file, mutation, items, expected, pulled, first)

    check()


def _assert_nothing_is_lost_unsaid(
    file: GoodFile,
    mutation: Mutation,
    items: list[RawItem],
    expected: list[Mapped | Rejected],
    pulled: Pulled,
    first: Pull,
) -> None:
    found, verdicts, second = pulled(first.checkpoint)
    said = second.failures.get(file.stream)
    cut = mutation["form"] == "csv" and mutation["cut_bytes"] != 0
    before, after = ([one.record_id for one in rows] for rows in (items, found))
    same = dict(zip(before, expected, strict=True))
    if mutation["do"] == "nothing" and not cut:
        assert said is None
        assert not found or dict(zip(after, verdicts, strict=True)) == same
    if said is not None or not found:  # refused, or unchanged
        assert not second.is_complete(file.stream)
        return
    assert second.is_complete(file.stream)
    gone = set(before) - set(after)
    if len(gone) > COUNT / 5:
        return  # a run asks a person
    assert len(found) + second.left_out.total() == COUNT or cut
    # A cut at the end of a row cannot be seen; what is before it is as it was.
    assert not gone or (cut and after == before[: len(after)]) or second.left_out
    if cut and mutation["do"] == "nothing":
        assert verdicts[:-1] == expected[: len(verdicts) - 1]  # within the last a cell may be cut


def _mutate(path: Path, file: GoodFile, mutation: Mutation) -> None:
    column, do = int(str(mutation["column"])), mutation["do"]
    header, rows = list(file.header), [row[:] for row in file.rows]
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


def _pulled_from(file: GoodFile, path: Path, folder: Path) -> Pulled:
    """Reads what is at a path as the configured source would, each time it is called."""
    connector_class = connector_class_of(file.source)
    variables = connector_class.variables_for(file.to_try(path, folder))[file.stream]
    connector = connector_class(load_config(file.source, connector_class.config_model, variables))
    envelope = Envelope(connector, "test")

    def pulled(
        checkpoint: Mapping[str, str],
    ) -> tuple[list[RawItem], list[Mapped | Rejected], Pull]:
        pull = Pull(dict(checkpoint))
        items = []
        request = PullRequest(checkpoint, TODAY)
        with HttpSource(connector.config.http, transport=httpx.MockTransport(_offline)) as http:
            try:
                for item in connector.pull_or_subscribe(http, request, pull):
                    if item.stream == file.stream:
                        items.append(item)  # noqa: PERF401 - what came before an error counts
            except SourceError as error:
                if len(connector.discover()) == 1:
                    pull.failures[file.stream] = error
        return items, [connector.map_to_schema(envelope.observed(item)) for item in items], pull

    return pulled


def _offline(request: httpx.Request) -> httpx.Response:
    raise httpx.UnsupportedProtocol("files are read without any network")
