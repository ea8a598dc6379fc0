"""More than a fifth gone needs a word from a person."""

from collections import Counter

import pytest

from streams.core.accepted_loss import require_accepted, require_share
from streams.core.differences import Differences
from streams.core.errors import LossError


def test_a_fifth_may_be_gone_and_one_more_may_not() -> None:
    require_share(20, 100, "wri_powerplants")
    with pytest.raises(LossError, match=r"21 of 100 records of wri_powerplants .*--accept-loss"):
        require_share(21, 100, "wri_powerplants")


def test_each_kind_is_looked_at_for_itself() -> None:
    found = Differences(
        gone=Counter({"power_plant": 20, "lng_terminal": 1}),
        changed=Counter({"power_plant": 30}),
        unchanged=Counter({"power_plant": 50, "lng_terminal": 3}),
    )
    with pytest.raises(LossError, match="1 of 4 records of lng_terminal"):
        require_accepted(found)
    found.unchanged["lng_terminal"] = 4
    require_accepted(found)
