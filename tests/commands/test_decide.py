"""Manual decisions: which of them are refused."""

import pytest

from streams.commands.decide import require_one_region
from streams.core.errors import SettingsError
from streams.core.regions import EUROPE, REST_OF_WORLD

ONE = ("power_plant", "gem_transmission", "L1/GOGPT")
OTHER = ("power_plant", "wri_powerplants", "WRI1")


def test_a_must_link_across_regions_is_refused_by_name() -> None:
    """It used to be accepted and to do nothing."""
    with pytest.raises(SettingsError) as refused:
        require_one_region(ONE, {EUROPE}, OTHER, {REST_OF_WORLD})
    assert "gem_transmission:L1/GOGPT lies in Europe" in str(refused.value)
    assert "wri_powerplants:WRI1 lies in Rest of world" in str(refused.value)


def test_a_must_link_of_neighbours_or_of_what_is_not_known_yet_is_none_of_its_business() -> None:
    require_one_region(ONE, {EUROPE}, OTHER, {EUROPE})
    require_one_region(ONE, {EUROPE}, OTHER, set())
