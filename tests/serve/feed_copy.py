"""A copy of the data that a client keeps by the feed of changes alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from streams.serve.addresses import PREFIX


@dataclass(slots=True)
class Copy:
    """What a client keeps that knows nothing but the feed."""

    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    cursor: str | None = None
    seen: int = 0

    def take(self, change: dict[str, Any]) -> None:
        """Take over one change: the highest version counts, whatever comes first."""
        self.seen += 1
        key = (change["kind"], change["record_id"])
        kept = self.records.get(key)
        if kept is None or int(change["version"]) >= int(kept["version"]):
            self.records[key] = change

    def content(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Status and version of every record."""
        return {
            key: (record["record_status"], int(record["version"]))
            for key, record in self.records.items()
        }


def events(client: httpx.Client, copy: Copy) -> Iterator[dict[str, str]]:
    """Server-sent events from where the copy is."""
    headers = {"Accept": "text/event-stream"}
    if copy.cursor:
        headers["Last-Event-ID"] = copy.cursor
    with client.stream("GET", f"{PREFIX}/changes", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: dict[str, str] = {}
        for line in answer.iter_lines():
            if not line:
                yield event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value


def follow(client: httpx.Client, copy: Copy, most: int) -> None:
    """Take over so many events, then break the connection in the middle of them."""
    for number, event in enumerate(events(client, copy)):
        if event.get("event") == "change":
            copy.take(json.loads(event["data"]))
        copy.cursor = event.get("id", copy.cursor)
        if not event or number >= most:
            return
