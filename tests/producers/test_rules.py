"""The closed list of rules."""

import json
import re

from streams.core import flag_rules, reject_rules
from streams.core.all_rules import RULES
from streams.core.errors import Rejected
from streams.core.reconcile.settings import SETTINGS
from streams.core.rule import Rule
from streams.settings import PROJECT_ROOT
from tests.producers.golden import GOLDEN

LITERAL_RULE = re.compile(r'(?:UndecodableError|Rejected)\(\s*"([a-z_]+)"')


def test_every_rule_is_listed_under_its_own_id() -> None:
    for module, severity in ((reject_rules, "reject"), (flag_rules, "flag")):
        for name, rule in vars(module).items():
            if isinstance(rule, Rule):
                assert (rule.id, rule.severity) == (name.lower(), severity)
                assert RULES[rule.id] is rule


def test_no_code_and_no_recorded_rejection_uses_another_id() -> None:
    used = set()
    for package in ("streams", "producers"):
        for path in (PROJECT_ROOT / package).rglob("*.py"):
            used |= set(LITERAL_RULE.findall(path.read_text(encoding="utf-8")))
    for path in GOLDEN.rglob("*.expected.json"):
        lines = json.loads(path.read_text(encoding="utf-8"))
        used |= {line["rejected"]["rule_id"] for line in lines if "rejected" in line}
    assert used
    assert used <= RULES.keys()


def test_what_was_seen_is_shortened() -> None:
    rejected = reject_rules.UNREADABLE_NUMBER.reject("9" * 1000, field="sendOut", limit="a number")
    assert rejected == Rejected(
        "unreadable_number",
        reject_rules.UNREADABLE_NUMBER.sentence,
        "sendOut",
        "9" * 200,
        "a number",
    )


def test_conflicts_between_sources_flag_by_listed_rules() -> None:
    assert {conflict.flag for conflict in SETTINGS.conflicts.values()} <= RULES.keys()
