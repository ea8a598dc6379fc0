"""`make demo` as a new user sees it: interrupted, run again, and with everything it promises."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streams.commands.demo import LEAST_DAYS
from tests import prometheus
from tests.integration.commands.test_run import DEADLINE_SECONDS, Home, home_of_its_own, words

# Nine days of a whole deployment take minutes.
pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

_FEW = {"SANDBOX_PLANTS": "600", "WRI_MINIMUM_ROWS": "100", "ALSI_DETAIL_BACKFILL_DAYS": "12"}
RECORDED = Path(__file__).parent / "first_demo.txt"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of its own, with few records."""
    home = home_of_its_own(tmp_path / "data", **_FEW)
    home.command = "demo"
    yield home
    home.end()


def said_of(event: str, said: str) -> str:
    """What is said from the day of an event to the next day."""
    found = re.search(rf"^Day \d+, [\d-]+: {event}.*?(?=^Day|\Z)", said, re.S | re.M)
    assert found, f"{event!r} is not in\n{said}"
    return found[0]


def interrupt(home: Home) -> None:
    """Begin a demo and end it by Ctrl-C in the midst of it."""
    running = home.start("--days", str(LEAST_DAYS))
    home.wait_for_line(running, "Day 1,")
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=DEADLINE_SECONDS)
    assert (running.returncode, rest.splitlines()[-1]) == (130, "Stopped.")
    assert "Traceback" not in rest
    assert home.processes() == []


def test_a_demo_shows_every_event_also_after_one_that_was_interrupted(home: Home) -> None:
    interrupt(home)
    running = home.start("--days", str(LEAST_DAYS))
    said = home.wait_for_line(running, "QUERY=")
    assert "Not seen" not in said
    assert "Every record of every day is accounted for." in said
    before, after = re.findall(r": ([\d.]+) GWh", said_of("GIE corrects", said))
    assert before != after
    bad, good = said_of("WRI publishes a bad", said), said_of("WRI publishes the", said)
    fallen = re.search(r"([\d.]+), now ([\d.]+)", bad)
    recovered = re.search(r"([\d.]+), now ([\d.]+)", good)
    assert fallen
    assert recovered
    assert float(fallen[2]) < 80 < float(fallen[1])
    assert (recovered[1], float(recovered[2]) > 80) == (fallen[2], True)
    assert "(missing_name)" in bad
    assert "alert QualityLow fires: wri_powerplants" in bad
    away, back = said_of("GIE ALSI is away", said), said_of("GIE ALSI is back", said)
    assert "UnreachableError" in away
    assert "alert SourceDown fires: alsi_lng_inventory" in away
    assert "alert SourceDown is over: alsi_lng_inventory" in back
    if prometheus.tool("promtool"):
        assert "alert SourceStale fires: alsi_lng_inventory" in away
        assert "alert SchemaDrift fires: alsi_lng_inventory" in said_of("GIE calls", said)
    assert "sendOut is gone, sendOutGwh is new" in said_of("GIE calls", said)
    assert "unknown_schema_id" in said_of("GIE calls", said)
    assert "1 dead letter redriven, 0 still open" in said_of("the column", said)
    assert said_of("WRI no longer lists", said).count("the API answers 410") == 3

    url = f"http://127.0.0.1:{home.variables['API_PORT']}"
    assert httpx.get(f"{url}/ready").json()["ready"]
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=DEADLINE_SECONDS)
    assert (running.returncode, rest.splitlines()[-1]) == (0, "Stopped.")
    assert home.processes() == []
    assert_the_readme_shows_it(said)


def assert_the_readme_shows_it(said: str) -> None:
    """Its words, line by line; figures depend on the day, and so do those that fire by chance."""
    printed = [words(line) for line in said.splitlines()]
    recorded = RECORDED.read_text(encoding="utf-8").splitlines()
    assert [line for line in recorded if words(line) and words(line) not in printed] == []
