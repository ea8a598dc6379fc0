from streams.avro.contracts import contract
from streams.clickhouse.tables import GENERATIONS, KINDS, MODEL_VERSION, kinds, tables
from streams.clickhouse.views import views
from tests.sink.records import WEIGHTS, kind_schema


def test_what_is_loaded_twice_collapses_in_every_table() -> None:
    for table in tables():
        assert "ENGINE = ReplacingMergeTree" in table.create()
        assert "non_replicated_deduplication_window = 0" in table.create()


def test_every_payload_field_is_a_documented_column_of_both_tables() -> None:
    fields = contract("market.infrastructure").parsed()["fields"]
    for kind in KINDS:
        for table in (kinds()[kind].versions, kinds()[kind].latest):
            columns = {column.name: column.comment for column in table.columns}
            for field in kind_schema(fields, kind)["fields"]:
                assert columns[field["name"]] == field["doc"] != ""


def test_every_kind_of_the_contract_is_stored() -> None:
    fields = contract("market.infrastructure").parsed()["fields"]
    payloads = {f["name"] for f in fields if isinstance(f["type"], list) and len(f["type"]) == 2}
    payloads = {
        f["name"] for f in fields if f["name"] in payloads and "fields" in _inner(f["type"][1])
    }
    assert set(KINDS) == payloads


def _inner(avro: object) -> dict[str, object]:
    return avro if isinstance(avro, dict) else {}


def test_envelope_and_payload_columns_do_not_collide() -> None:
    for table in tables():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)


def test_every_table_is_read_by_a_view_with_final() -> None:
    selects = " ".join(view.select for view in views(WEIGHTS))
    for table in set(tables()) - {GENERATIONS, MODEL_VERSION}:
        assert f"FROM {table.name} FINAL" in selects
        assert f"FROM {table.name} " in selects
        assert selects.count(f"{table.name} ") == selects.count(f"{table.name} FINAL")
