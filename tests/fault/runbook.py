"""The procedures of the runbook, carried out step by step as its page has them."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "k8s" / "RUNBOOK.md"
UNTIL = "until it succeeds"

DEADLINE_SECONDS = 180.0
_LOOK_SECONDS = 0.5
_NEEDED = (".venv", "Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock")
_CODE = ("avro", "producers", "streams")
_SECTION = re.compile(r"^### (?P<title>[^\n]+)\n(?P<body>.*?)(?=^#|\Z)", re.M | re.S)
_ITEM = re.compile(r"^\d+\. (?P<text>.*?)(?=^\d+\. |^\n|\Z)", re.M | re.S)
_STEP = re.compile(r"`(?P<command>(?:make|kubectl) [^`]+)`|\]\(#(?P<link>[\w-]+)\)")

StandIn = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a procedure.

    Attributes:
        command: As it is typed.
        again: Whether it is typed again until it succeeds.
    """

    command: str
    again: bool


def procedures() -> dict[str, str]:
    """Text of every procedure of the page, by its title."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Procedures\n")[2]
    return {match["title"]: match["body"] for match in _SECTION.finditer(text)}


def steps(title: str) -> Iterator[Step]:
    """The commands of a procedure in their order, those of procedures it names included."""
    titles = {one.lower().replace(" ", "-"): one for one in procedures()}
    for item in _ITEM.finditer(procedures()[title]):
        again = UNTIL in " ".join(item["text"].split())
        for step in _STEP.finditer(item["text"]):
            if step["command"]:
                yield Step(step["command"], again)
            elif step["link"] in titles:
                yield from steps(titles[step["link"]])


@dataclass(slots=True)
class Runbook:
    """Types the commands of the page against one deployment.

    Attributes:
        home: Where they are typed: it looks like a clone of the project.
        variables: Environment of the commands.
        project: Whose code they run.
    """

    home: Path
    variables: Mapping[str, str]
    project: Path = PROJECT_ROOT
    _changes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir()
        for name in _NEEDED:
            (self.home / name).symlink_to(PROJECT_ROOT / name)
        for name in _CODE:
            (self.home / name).symlink_to(self.project / name)

    def set(self, **variables: str) -> None:
        """Variables of every command from now on."""
        self._changes |= variables

    def follow(
        self,
        title: str,
        kubectl: Mapping[str, StandIn] | None = None,
        before: Mapping[str, StandIn] | None = None,
    ) -> dict[str, str]:
        """Carry a procedure out; returns what each `make` has printed, by its command.

        Args:
            title: Of its section.
            kubectl: What does on the local stack what a command does in a cluster.
            before: What a test does before a command is typed.
        """
        stand_ins, earlier = dict(kubectl or {}), dict(before or {})
        printed = {}
        for step in steps(title):
            earlier.pop(step.command, lambda: None)()
            if step.command.startswith("kubectl "):
                stand_ins.pop(step.command)()
            else:
                printed[step.command] = self._typed(step)
        assert (stand_ins, earlier) == ({}, {}), f"the page of {title} has no such commands"
        return printed

    def _typed(self, step: Step) -> str:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            ended = subprocess.run(
                ["/bin/sh", "-c", step.command],
                cwd=self.home,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
            if ended.returncode == 0:
                return ended.stdout
            said = f"{step.command}: {ended.stdout}{ended.stderr}"
            assert step.again, said
            assert time.monotonic() < deadline, said
            time.sleep(_LOOK_SECONDS)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "COLUMNS": "200", **self.variables, **self._changes}
