"""Every procedure of the runbook is carried out by the test that it names."""

import ast
import re
from pathlib import Path

from streams.settings import PROJECT_ROOT
from tests.fault.runbook import procedures, steps

_NAMED = re.compile(r"^Carried out by `(test_\w+)`", re.M)
_FOLLOWS = re.compile(r"\.follow\(\s*\"([^\"]+)\"")


def followed() -> dict[str, set[str]]:
    """Tests that carry out each procedure, as their code says."""
    found: dict[str, set[str]] = {}
    for path in (PROJECT_ROOT / "tests").rglob("test_*.py"):
        for name, title in _followed_in(path):
            found.setdefault(title, set()).add(name)
    return found


def _followed_in(path: Path) -> list[tuple[str, str]]:
    text = path.read_text(encoding="utf-8")
    if ".follow(" not in text:
        return []
    return [
        (node.name, title)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for title in _FOLLOWS.findall(ast.get_source_segment(text, node) or "")
    ]


def test_every_procedure_is_carried_out_by_the_test_it_names() -> None:
    by_code = followed()
    for title, text in procedures().items():
        named = _NAMED.search(text)
        assert named, f"{title} names no test"
        # What another procedure leads to is carried out with it.
        carried_out = by_code.get(title, set()) | {
            name
            for other, names in by_code.items()
            if f"](#{title.lower().replace(' ', '-')})" in procedures()[other]
            for name in names
        }
        assert named[1] in carried_out, f"{title} is not carried out by {named[1]}"
    assert by_code.keys() <= procedures().keys()


def test_every_procedure_has_commands() -> None:
    for title in procedures():
        assert [step.command for step in steps(title)], title


def test_the_steps_of_a_procedure_include_those_it_leads_to() -> None:
    commands = [step.command for step in steps("State lost")]
    assert commands == [step.command for step in steps("Rebuild")]
    assert "make rebuild SWITCH=1" in commands
    again = [step.command for step in steps("Rebuild") if step.again]
    assert again == ["make rebuild SWITCH=1"]
