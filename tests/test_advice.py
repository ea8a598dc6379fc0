"""Commands that the program names in its messages: they exist as they are written there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from producers.__main__ import app as producers_cli
from streams.__main__ import app as streams_cli
from streams.settings import PROJECT_ROOT

MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^([a-z-]+):[^\n]*## [^\n]*\n((?:\t[^\n]*\n)*)", MAKEFILE, re.M))
COMMANDS = {
    "streams": get_command(streams_cli).commands,  # type: ignore[attr-defined]
    "producers": get_command(producers_cli).commands,  # type: ignore[attr-defined]
}
# Beside a number or a name in lower case: `python -m producers NAME` stands for any.
NAMED = re.compile(r"`make ([a-z-]+)([^`]*)|\bpython -m (streams|producers) ([a-z_-]+)")


def sources() -> Iterator[Path]:
    for package in COMMANDS:
        yield from (PROJECT_ROOT / package).rglob("*.py")


def texts(path: Path) -> Iterator[str]:
    """String literals of a module; what a program fills in is shown as …"""
    text = path.read_text(encoding="utf-8")
    if NAMED.search(text) is None:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


NAMINGS = {
    match[0]: (path, match)
    for path in sources()
    for text in texts(path)
    for match in NAMED.finditer(text)
}


def test_there_is_advice_to_check() -> None:
    assert len(NAMINGS) > 15
    assert len(RECIPES) > 20


@pytest.mark.parametrize("named", sorted(NAMINGS))
def test_every_command_that_a_message_names_exists(named: str) -> None:
    path, match = NAMINGS[named]
    target, arguments, package, command = match.groups()
    if target is None:
        assert command in COMMANDS[package], path
        return
    assert target in RECIPES, path
    for variable in re.findall(r"\b([A-Z]+)=", arguments):
        assert f"$({variable})" in RECIPES[target] or f"{variable}=" in RECIPES[target], path


@pytest.mark.parametrize("target", sorted(RECIPES))
def test_every_target_runs_a_command_that_exists(target: str) -> None:
    for package, command in re.findall(r"-m (streams|producers) ([a-z_-]+)", RECIPES[target]):
        assert command in COMMANDS[package]
