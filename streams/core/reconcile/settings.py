"""Settings of reconciliation: `rules.yaml` and `tokens.tsv`, read and checked once at import."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import inf
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from streams.core.yaml_text import parsed_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(_Strict):
    """Weights of the features of one kind; see `rules.yaml` for their meaning."""

    threshold: float
    certain: float
    undecided: float = 0.0
    base: float
    name: float
    rare_words: float
    same_numbers: float
    other_numbers: float
    own_number: float = 0.0
    near: float
    close: float
    far_per_km: float
    no_position: float
    capacity_95: float
    capacity_80: float
    capacity_50: float
    capacity_25: float
    capacity_10: float
    capacity_05: float
    capacity_less: float
    same_groups: float
    other_groups: float
    other_technology: float = 0.0
    same_years: float
    other_years: float
    same_country: float
    other_country: float
    not_built: Mapping[str, float] = Field(default_factory=dict)
    later: float = 0.0
    new_fuel: float = 0.0
    new_size: float = 0.0
    same_floating: float = 0.0
    other_floating: float = 0.0
    same_owner: float = 0.0
    other_owner: float = 0.0


class FurtherRecords(_Strict):
    """When a source may have a further record in an asset; see `rules.yaml` for their meaning."""

    closer: float = Field(gt=0)
    strong: float
    most_km: float = Field(gt=0)
    twin_km: float = Field(gt=0)
    twin_ratio: float = Field(gt=0, le=1)


class FieldRule(_Strict):
    """Survivorship of some fields.

    Attributes:
        fields: Payload fields; `*` stands for all that no other rule names.
        order: Sources, best first, `source/quality` for positions of one quality; sources that are
            not listed follow.
        together: Whether all fields come from the source that wins the first one.
        built_first: Whether sources that know it built come first once any of them sees it running.
        rule: Name shown in the provenance.
    """

    fields: tuple[str, ...]
    order: tuple[str, ...] = ()
    together: bool = False
    built_first: bool = False
    rule: str = "priority"


class Conflict(_Strict):
    """When sources disagree so much about a field that the record is flagged."""

    flag: str
    lowest_ratio: float | None = None
    largest_difference: float | None = None


class ReconcileSettings(_Strict):
    """All of `rules.yaml`; the comments are there."""

    version: int
    source_rank: tuple[str, ...]
    one_record_sources: frozenset[str]
    generic_words: frozenset[str]
    party_words: frozenset[str]
    legal_words: frozenset[str]
    virtual_words: frozenset[str]
    directions: Mapping[str, frozenset[str]]
    fuel_groups: Mapping[str, frozenset[str]]
    wildcard_groups: frozenset[str]
    distinct_groups: frozenset[str]
    snapshot_year: int
    known_until: Mapping[str, int]
    lists_units: frozenset[str]
    most_names: int = Field(gt=0)
    most_positions: int = Field(gt=0)
    cell_degrees: float = Field(gt=0)
    reach_km: float = Field(gt=0)
    rare_word_count: int
    stem_letters: int = Field(gt=0)
    only_left_mtpa: float
    says_floating: frozenset[str]
    further_records: FurtherRecords
    weights: Mapping[str, Weights]
    copied_positions: frozenset[str]
    series_sources: frozenset[str]
    survivorship: Mapping[str, tuple[FieldRule, ...]]
    conflicts: Mapping[str, Conflict]
    resource_reach_km: float
    substation_reach_km: float
    line_end_reach_km: float

    def last_known_year(self, source_id: str) -> float:
        """Last year of which a source knows; infinite for one that goes on."""
        return self.known_until.get(source_id, inf)


@cache
def _load() -> ReconcileSettings:
    text = (files(__package__) / "rules.yaml").read_text("utf-8")
    return ReconcileSettings.model_validate(parsed_yaml(text))


def _token_counts() -> dict[str, int]:
    text = (files(__package__) / "tokens.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {word: int(count) for word, count in rows}


SETTINGS: Final = _load()
TOKEN_COUNTS: Final[Mapping[str, int]] = _token_counts()
"""Names that hold each word; words that are not in it are rare."""
