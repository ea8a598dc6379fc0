"""Every rule by its id: those that reject a record and those that flag it."""

from types import MappingProxyType

from streams.core.flag_rules import FLAG_RULES
from streams.core.reject_rules import REJECT_RULES
from streams.core.rule import Rule

RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {rule.id: rule for rule in (*REJECT_RULES, *FLAG_RULES)}
)
"""The closed list; a test proves that no code rejects or flags by another one."""
