"""What changed since a day as it is answered, and the same as a feed."""

import re
from html import unescape
from xml.etree import ElementTree as ET

import httpx

ATOM = "{http://www.w3.org/2005/Atom}"


def test_a_change_is_shown_with_before_and_now(server: httpx.Client) -> None:
    text = unescape(server.get("/changes?since=2026-02-01").text)
    row = re.search(r"<tr><th scope=\"row\"><a href=\"/assets/plant-3\">.*?</tr>", text)
    assert row is not None
    for part in ("Suva", "changed", "3 → 5 MW", "+2", "2026-02-10"):
        assert part in row[0]
    assert "plant-2" not in text


def test_what_was_there_before_is_not_new(server: httpx.Client) -> None:
    first = server.get("/changes?since=2026-01-01&what=new&kind=power_plant").text
    assert "The 100 largest changes of capacity" in first
    assert "No asset changed that way." in server.get("/changes?since=2026-02-01&what=new").text


def test_a_week_before_the_newest_data_is_asked_for_by_itself(server: httpx.Client) -> None:
    text = server.get("/changes").text
    assert "What changed since 2026-02-03" in text


def test_nothing_is_said_where_nothing_changed(server: httpx.Client) -> None:
    assert "Nothing changed" in server.get("/changes?since=2030-01-01").text
    assert server.get("/changes?since=&kind=&what=&source=").status_code == 200
    assert server.get("/changes?kind=power_station").status_code == 400


def test_the_same_is_a_feed_that_readers_take(server: httpx.Client) -> None:
    answer = server.get("/changes.atom?since=2026-02-01&kind=power_plant")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.text)
    (entry,) = feed.findall(f"{ATOM}entry")
    said = {name: entry.findtext(ATOM + name) for name in ("id", "title", "updated", "content")}
    assert said == {
        "id": "urn:infrastructure:plant-3:2",
        "title": "Changed: Power plant Suva, FJ",
        "updated": "2026-02-10T12:00:00.500000+00:00",
        "content": "3 → 5 MW",
    }
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert httpx.get(link.attrib["href"], trust_env=False).status_code == 200
    assert feed.findtext(f"{ATOM}updated", "").startswith("2026-02-10T")


def test_the_page_names_its_feed(server: httpx.Client) -> None:
    text = unescape(server.get("/changes?since=2026-02-01").text)
    assert (
        'type="application/atom+xml" title="Changes" href="/changes.atom?since=2026-02-01"' in text
    )
