"""The sandbox behaves as the upstreams do."""

import csv
import hashlib
import io
import zipfile
from datetime import date
from pathlib import Path

import httpx
import pytest

from producers.connectors import CONNECTORS
from producers.sandbox import alsi_terminals
from producers.sandbox.alsi import AlsiUpstream
from producers.sandbox.settings import SandboxSettings
from producers.sandbox.trackers import PATH
from producers.sandbox.upstreams import SANDBOXED_SOURCES
from producers.sandbox.wri import ReleaseChange, WriUpstream
from producers.sources.alsi_lng.listing import read_listing
from producers.sources.alsi_lng.terminals import is_virtual
from producers.sources.wri_powerplants import COLUMNS
from tests.producers.sandbox_server import KEY, PLANTS, Sandbox, running_sandbox

pytestmark = pytest.mark.processes

ZIP = "/wri/global_power_plant_database_v_1_3.zip"


def alsi(sandbox: Sandbox, key: str = KEY, **query: str | int) -> httpx.Response:
    parameters = {"type": "eu", **query}
    return httpx.get(f"{sandbox.url}/alsi/api", params=parameters, headers={"x-key": key})


def plants(body: bytes) -> dict[str, dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        text = archive.read("global_power_plant_database.csv").decode()
    assert text.startswith(",".join(COLUMNS) + "\r\n")
    return {row["gppd_idnr"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def test_pages_hold_30_rows_by_default_and_300_at_most(sandbox: Sandbox) -> None:
    default, large = alsi(sandbox).json(), alsi(sandbox, size=1000).json()
    assert (default["total"], len(default["data"]), default["last_page"]) == (30, 30, 176)
    assert (large["total"], len(large["data"]), large["last_page"]) == (300, 300, 18)


def test_days_come_newest_first_and_every_page_names_the_newest_day(sandbox: Sandbox) -> None:
    answer = alsi(sandbox, **{"from": "2020-02-27", "to": "2020-03-01"}).json()
    days = [row["gasDayStart"] for row in answer["data"]]
    assert days == ["2020-03-01", "2020-02-29", "2020-02-28", "2020-02-27"]
    assert answer["gas_day"] == "2026-05-19"


def test_the_earlier_name_of_to_is_understood(sandbox: Sandbox) -> None:
    answer = alsi(sandbox, **{"from": "2020-02-27", "till": "2020-02-28"}).json()
    assert len(answer["data"]) == 2


def test_measures_are_texts_and_dashes_where_nothing_is_reported(sandbox: Sandbox) -> None:
    early = alsi(sandbox, date="2015-01-01").json()["data"][0]
    late = alsi(sandbox, date="2026-05-19").json()["data"][0]
    assert early["contractedCapacity"] == "-"
    assert early["dtmi"] == {"lng": "-", "gwh": "-"}
    assert late["dtmi"] == {"lng": "9321.97", "gwh": "62110.4"}
    for row in (early, late):
        for field in ("sendOut", "dtrs", "coveredCapacity"):
            assert isinstance(row[field], str)
            assert not row[field].endswith(".0")


def test_a_refused_key_is_answered_with_status_200_and_an_error_body(sandbox: Sandbox) -> None:
    answer = alsi(sandbox, key="wrong")
    assert answer.status_code == 200
    assert set(answer.json()) == {"error", "message"}


@pytest.mark.parametrize("header", ["x-key", "X-Key", "X-KEY"])
def test_the_header_of_the_key_may_be_written_in_any_case(sandbox: Sandbox, header: str) -> None:
    answer = httpx.get(f"{sandbox.url}/alsi/api?type=eu&size=1", headers={header: KEY})
    assert len(answer.json()["data"]) == 1


@pytest.mark.parametrize(
    "query",
    [{"type": "ne"}, {"type": "", "country": "GB"}, {"type": "", "country": "ES", "company": "x"}],
)
def test_a_scope_without_rows_is_an_empty_list(sandbox: Sandbox, query: dict[str, str]) -> None:
    answer = alsi(sandbox, **query).json()
    assert (answer["data"], answer["last_page"], answer["total"]) == ([], 0, 0)


def test_above_the_limit_comes_429(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, requests_per_minute=2) as limited:
        statuses = [alsi(limited, size=1).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_a_revision_changes_exactly_the_newest_days(sandbox: Sandbox) -> None:
    before = alsi(sandbox, size=10).json()["data"]
    sandbox.control("revise", days=3)
    after = alsi(sandbox, size=10).json()["data"]
    for old, new in zip(before[:3], after[:3], strict=True):
        assert new["updatedAt"] > old["updatedAt"]
        assert new["inventory"] != old["inventory"]
        assert new["sendOut"] != old["sendOut"]
    assert after[3:] == before[3:]


def test_on_a_day_there_are_the_gas_days_before_it_and_the_newest_are_estimates(
    sandbox: Sandbox,
) -> None:
    """Also beyond the last day of the data; a revision stays, and an estimate is confirmed."""
    for day, newest in (("2026-05-10", "2026-05-09"), ("2026-06-01", "2026-05-31")):
        sandbox.control("day", day=day)
        answer = alsi(sandbox, size=300).json()
        assert (answer["gas_day"], answer["data"][0]["gasDayStart"]) == (newest, newest)
    sandbox.control("revise", days=1)
    before = alsi(sandbox, size=6).json()["data"]
    assert [row["status"] for row in before] == ["C", "E", "E", "C", "C", "C"]
    sandbox.control("day", day="2026-06-02")
    after = alsi(sandbox, size=7).json()["data"]
    assert [row["status"] for row in after] == ["E", "C", "E", "C", "C", "C", "C"]
    assert (after[1], after[4:]) == (before[0], before[3:])
    assert after[3]["updatedAt"] > before[2]["updatedAt"]
    assert after[3]["inventory"] != before[2]["inventory"]


def test_a_column_may_be_called_otherwise_for_a_time(sandbox: Sandbox) -> None:
    before = alsi(sandbox, size=1).json()["data"][0]
    sandbox.control("alsi", rename={"sendOut": "send_out"})
    renamed = alsi(sandbox, size=1).json()["data"][0]
    assert "sendOut" not in renamed
    assert renamed["send_out"] == before["sendOut"]
    sandbox.control("alsi", rename={})
    assert alsi(sandbox, size=1).json()["data"][0] == before


def test_a_bad_release_has_every_plant_and_the_good_one_comes_back(sandbox: Sandbox) -> None:
    good = httpx.get(sandbox.url + ZIP).content
    sandbox.control("wri", spoil=True)
    bad = plants(httpx.get(sandbox.url + ZIP).content)
    assert bad.keys() == plants(good).keys()
    for plant_id, plant in plants(good).items():
        spoilt = bad[plant_id]
        assert float(spoilt["capacity_mw"]) == pytest.approx(float(plant["capacity_mw"]) / 1000)
        assert spoilt["latitude"] == plant["longitude"]
    assert sum(not plant["name"] for plant in bad.values()) == PLANTS / 25
    sandbox.control("wri", spoil=False)
    assert httpx.get(sandbox.url + ZIP).content == good


def test_faults_end_without_a_reset(sandbox: Sandbox) -> None:
    sandbox.control("revise", days=1)
    revised = alsi(sandbox, size=1).json()
    sandbox.control("fault", fault="error", path="/alsi")
    assert alsi(sandbox).status_code == 503
    assert httpx.delete(f"{sandbox.url}/control/fault").status_code == httpx.codes.OK
    assert alsi(sandbox, size=1).json() == revised


def test_the_release_has_its_md5_as_etag_and_answers_304(sandbox: Sandbox) -> None:
    first = httpx.get(sandbox.url + ZIP)
    assert first.headers["etag"] == f'"{hashlib.md5(first.content).hexdigest()}"'
    assert len(plants(first.content)) == PLANTS
    head = httpx.head(sandbox.url + ZIP)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(first.content)))
    again = httpx.get(sandbox.url + ZIP, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_new_release_changes_drops_and_moves_what_was_asked_for(sandbox: Sandbox) -> None:
    before = plants(httpx.get(sandbox.url + ZIP).content)
    sandbox.control("wri", change=["SBX0000001"], drop=["SBX0000002"], move=["SBX0000003"])
    after = plants(httpx.get(sandbox.url + ZIP).content)
    assert before.keys() - after.keys() == {"SBX0000002"}
    differing = {key for key in after if after[key] != before[key]}
    assert differing == {"SBX0000001", "SBX0000003"}
    assert after["SBX0000003"]["country"] == "NZL"
    sandbox.control("reset")
    assert plants(httpx.get(sandbox.url + ZIP).content) == before


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("revise", {"days": "all"}),
        ("revise", {}),
        ("alsi", {}),
        ("day", {"day": "today"}),
        ("wri", {"drop": ["nobody"]}),
        ("gem", {"drop": ["nobody"]}),
    ],
)
def test_a_control_that_makes_no_sense_is_refused(
    sandbox: Sandbox, action: str, body: dict[str, object]
) -> None:
    answer = httpx.post(f"{sandbox.url}/control/{action}", json=body)
    assert answer.status_code == 422


def test_two_servers_serve_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as other:
        assert alsi(other, size=300).json() == alsi(sandbox, size=300).json()
        assert (
            httpx.head(other.url + ZIP).headers["etag"]
            == (httpx.head(sandbox.url + ZIP).headers["etag"])
        )


def test_made_up_data_have_as_many_days_and_plants_as_the_real_ones(tmp_path: Path) -> None:
    settings = SandboxSettings(data_dir=tmp_path)
    upstream = WriUpstream(settings)
    assert upstream.publish(ReleaseChange(drop=frozenset({"SBX0029999"}))) == {"SBX0029999"}
    assert AlsiUpstream(settings).revise(10_000) == (
        (date(2026, 5, 19) - date(2012, 1, 1)).days + 1
    )


def assets(sandbox: Sandbox, **query: str | int) -> httpx.Response:
    return httpx.get(f"{sandbox.url}/gem/assets", params=query)


def test_assets_come_in_pages_of_at_most_500(sandbox: Sandbox) -> None:
    first = assets(sandbox, asset_type="coal-plant", limit=100, offset=0).json()
    last = assets(sandbox, asset_type="coal-plant", limit=500, offset=300).json()
    assert set(first) == {"total", "count", "results"}
    assert (first["count"], last["count"]) == (100, first["total"] - 300)
    assert "type_fields" not in first["results"][0]
    refused = assets(sandbox, asset_type="coal-plant", limit=501)
    assert refused.status_code == 422
    assert refused.json() == {"detail": [{"msg": "Input should be less than or equal to 500"}]}


def test_an_unknown_asset_type_is_answered_like_an_empty_one(sandbox: Sandbox) -> None:
    answer = assets(sandbox, asset_type="transmission-line")
    assert answer.status_code == 200
    assert answer.json() == {"total": 0, "count": 0, "results": []}


def test_the_catalogue_tells_the_month_in_a_copyright_note(sandbox: Sandbox) -> None:
    (tracker, *_) = httpx.get(f"{sandbox.url}/gem/catalog/metadata").json()["trackers"]
    assert "January 2025" in tracker["citation"]["copyright"]


@pytest.mark.parametrize(
    "path",
    ["files/units.csv.gz", "files/lng.csv.gz", "grid/links.csv", "projects/nep_new_lines.csv"],
)
def test_lists_have_an_etag_and_answer_304(sandbox: Sandbox, path: str) -> None:
    url = f"{sandbox.url}/gem/{path}"
    first = httpx.get(url)
    etag = first.headers["etag"]
    assert first.content
    assert httpx.get(url, headers={"if-none-match": etag}).status_code == 304
    assert httpx.get(f"{url}.moved").status_code == 404


def test_a_dropped_unit_is_gone_from_file_and_interface(sandbox: Sandbox) -> None:
    before = assets(sandbox, asset_type="coal-plant").json()
    unit = before["results"][0]["asset_id"]
    sandbox.control("gem", drop=[unit])
    after = assets(sandbox, asset_type="coal-plant").json()
    assert after["total"] == before["total"] - 1
    assert unit not in {row["asset_id"] for row in after["results"]}
    sandbox.control("reset")
    assert assets(sandbox, asset_type="coal-plant").json() == before


@pytest.mark.real_data
def test_the_real_files_are_served_where_they_are(real_data: Path) -> None:
    with running_sandbox(real_data) as real:
        assert alsi(real, size=300).json()["last_page"] == 18
        assert len(plants(httpx.get(real.url + ZIP, timeout=30).content)) == 34_936
        assert httpx.get(real.url + PATH).text.count("\n") == 642
        assert assets(real, asset_type="oil-gas-plant").json()["total"] == 13_895
        real.control("wri", drop=["GEODB0040538"], change=["WRI1000452"])
        assert len(plants(httpx.get(real.url + ZIP, timeout=30).content)) == 34_935


def test_the_listing_needs_no_key_and_shows_what_the_service_shows(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/alsi/api/about"
    listed = read_listing(httpx.get(address, params={"show": "listing"}).json())
    assert len(listed) == 38
    assert len({terminal.facility_eic for terminal in listed}) == 37
    assert len({terminal.country_code for terminal in listed}) == 13
    assert read_listing(httpx.get(address).json()) != ()
    assert "GB*" in httpx.get(address, params={"show": "listing"}).text


def test_a_terminal_answers_to_all_three_codes_only(sandbox: Sandbox) -> None:
    codes = {"country": "ES", "company": "21X000000001254A", "facility": "21W000000000039X"}
    (row,) = alsi(sandbox, type="", date="2026-05-19", **codes).json()["data"]
    assert (row["code"], row["name"]) == ("21W000000000039X", "Barcelona")
    for missing in ("country", "company"):
        partly = {key: code for key, code in codes.items() if key != missing}
        assert alsi(sandbox, type="", date="2026-05-19", **partly).json()["data"] == []


def test_the_old_operator_of_a_terminal_says_no_data(sandbox: Sandbox) -> None:
    codes = {"type": "", "country": "IT", "facility": "59W0000000000011"}
    old, new = "26X00000117915-0", "59XFSRUITALIASTY"
    (before,) = alsi(sandbox, date="2023-12-31", company=old, **codes).json()["data"]
    (after,) = alsi(sandbox, date="2024-01-01", company=old, **codes).json()["data"]
    assert (before["status"], after["status"]) == ("C", "N")
    assert after["inventory"] == {"lng": "-", "gwh": "-"}
    assert alsi(sandbox, date="2023-12-31", company=new, **codes).json()["data"] == []
    assert alsi(sandbox, date="2024-01-01", company=new, **codes).json()["data"]


def test_real_terminals_of_a_country_come_near_its_total(sandbox: Sandbox) -> None:
    """They need not meet it, and the virtual tank would count everything twice."""
    rows = [
        alsi(
            sandbox,
            type="",
            date="2026-05-19",
            country="ES",
            company=terminal.company_eic,
            facility=terminal.facility_eic,
        ).json()["data"][0]
        for terminal in read_listing(alsi_terminals.listing())
        if terminal.country_code == "ES" and not is_virtual(terminal.facility_eic, terminal.name)
    ]
    total = alsi(sandbox, type="", date="2026-05-19", country="es").json()["data"][0]
    assert total["code"] == "ES"
    sum_gwh = sum(float(row["inventory"]["gwh"]) for row in rows)
    assert sum_gwh != float(total["inventory"]["gwh"])
    assert sum_gwh == pytest.approx(float(total["inventory"]["gwh"]), rel=0.1)


def test_every_source_of_the_product_has_a_sandbox() -> None:
    assert set(CONNECTORS) == SANDBOXED_SOURCES
