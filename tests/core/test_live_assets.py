"""An accepted record that is lost, shared or out of date among the live assets is named."""

from streams.core.live_assets import SourceRecord, membership_problems

ONE, OTHER = SourceRecord("wri_powerplants", "WRI1"), SourceRecord("gem_transmission", "G1")


def test_each_record_in_one_asset_is_no_problem() -> None:
    assert list(membership_problems({ONE, OTHER}, {ONE: 1, OTHER: 1})) == []


def test_each_contradiction_is_counted_and_named() -> None:
    many = {SourceRecord("s", f"R{number}") for number in range(1_000)}
    assert list(membership_problems({ONE, *many}, {ONE: 2, OTHER: 1})) == [
        "1,000 accepted asset records in no live asset: s:R0, s:R1, s:R10 …",
        "1 accepted asset record in several live assets: wri_powerplants:WRI1",
        "1 member of live assets that no source lists: gem_transmission:G1",
    ]
