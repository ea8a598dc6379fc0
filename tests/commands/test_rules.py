"""The rules as people read them: complete, true, with limits that exist."""

import re
from pathlib import Path

import pytest

from streams.commands import rules as rule_table
from streams.core.all_rules import RULES
from streams.core.errors import SettingsError
from streams.core.tolerances import tolerance_keys
from streams.tolerance_file import OWN_FILE, load_tolerances


def test_rules_and_tolerances_name_each_other_without_gap() -> None:
    named = {rule.tolerance for rule in RULES.values() if rule.tolerance}
    assert named == set(tolerance_keys())


def test_the_terminal_shows_every_rule() -> None:
    assert rule_table.terminal_table(load_tolerances()).row_count == len(RULES)


@pytest.mark.parametrize(
    ("line", "changed", "key"),
    [
        ("  stuck_days: 3 ", "  stuck_days: 1 ", "lng.stuck_days"),
        ("  voltage_kv: {least: 1,", "  voltage_kv: {least: 2000,", "validity.voltage_kv"),
        ("  stuck_days: 3 ", "  stuk_days: 3 ", "lng.stuk_days"),
        ("    share: 0.2 ", "    share: a lot ", "lng.jump.share"),
    ],
)
def test_a_wrong_tolerance_is_refused_by_the_name_of_its_key(
    tmp_path: Path, line: str, changed: str, key: str
) -> None:
    text = OWN_FILE.read_text(encoding="utf-8")
    assert line in text
    file = tmp_path / "tolerances.yaml"
    file.write_text(text.replace(line, changed), encoding="utf-8")
    with pytest.raises(SettingsError, match=re.escape(key)):
        load_tolerances(file)


def test_a_missing_file_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TOLERANCES_FILE"):
        load_tolerances(tmp_path / "none.yaml")
