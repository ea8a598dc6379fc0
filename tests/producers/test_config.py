"""Configuration: YAML with variables, checked, with messages that name the key."""

from datetime import timedelta
from pathlib import Path

import pytest

from producers.config import CONFIG_FOLDER, load_config
from producers.connectors import CONNECTORS
from producers.errors import ConfigurationError
from producers.sources.alsi_lng.connector import AlsiConfig
from producers.sources.wri_powerplants import WriConfig

SECRET = "s3cret-key"


def written(folder: Path, text: str) -> dict[str, str]:
    """Environment whose CONFIG_PATH is a file with this text."""
    path = folder / "alsi_lng.yaml"
    path.write_text(text, encoding="utf-8")
    return {"CONFIG_PATH": str(path), "ALSI_API_KEY": SECRET}


def test_our_own_files_point_at_the_live_services() -> None:
    alsi = load_config("alsi_lng", AlsiConfig, {"ALSI_API_KEY": SECRET})
    wri = load_config("wri_powerplants", WriConfig, {})
    assert alsi.base_url == "https://alsi.gie.eu/api"
    assert alsi.granularity == ("terminal", "country", "eu")
    assert alsi.lookback_days == 30
    assert alsi.http.requests_per_minute < 60
    assert wri.location.startswith("https://wri-dataportal-prod.s3.amazonaws.com/")
    assert (alsi.schedule, wri.schedule) == (timedelta(hours=6), timedelta(days=30))


def test_every_connector_has_a_configuration_file() -> None:
    for name in CONNECTORS:
        assert (CONFIG_FOLDER / f"{name}.yaml").is_file()


def test_variables_replace_defaults() -> None:
    environment = {
        "ALSI_API_KEY": SECRET,
        "ALSI_BASE_URL": "http://127.0.0.1:1/api",
        "ALSI_LOOKBACK_DAYS": "45",
    }
    config = load_config("alsi_lng", AlsiConfig, environment)
    assert (config.base_url, config.lookback_days) == ("http://127.0.0.1:1/api", 45)
    assert config.api_key.get_secret_value() == SECRET


def test_config_path_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "wri_powerplants.yaml").write_text("location: plants.csv\n")
    config = load_config("wri_powerplants", WriConfig, {"CONFIG_PATH": str(tmp_path)})
    assert config.location == "plants.csv"


def test_a_variable_without_value_is_named_with_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"api_key needs .* ALSI_API_KEY"):
        load_config("alsi_lng", AlsiConfig, {})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("granularity: moon", r"granularity.0: Input should be 'terminal', 'country' or 'eu'"),
        ("lookback_days: 0", r"lookback_days: .*greater than or equal to 1"),
        ("lookback: 3", r"unknown key lookback; allowed here: api_key, .*lookback_days"),
        ("http: {tries: 3}", r"unknown key http\.tries; allowed here: attempts, "),
        ("http: {attempts: many}", r"http\.attempts: .*integer"),
        ("backfill_from: spring", r"backfill_from: .*date"),
        ("base_url: alsi.gie.eu", r"base_url: .*http"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, line: str, message: str) -> None:
    text = f"base_url: https://a.example\napi_key: ${{ALSI_API_KEY}}\n{line}\n"
    with pytest.raises(ConfigurationError, match=message):
        load_config("alsi_lng", AlsiConfig, written(tmp_path, text))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="base_url: Field required"):
        load_config("alsi_lng", AlsiConfig, written(tmp_path, "api_key: x\n"))


@pytest.mark.parametrize("text", ["{", "- a\n- b\n", "just text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"alsi_lng\.yaml"):
        load_config("alsi_lng", AlsiConfig, written(tmp_path, text))


def test_a_missing_file_names_config_path(tmp_path: Path) -> None:
    environment = {"CONFIG_PATH": str(tmp_path / "nothing.yaml")}
    with pytest.raises(ConfigurationError, match="CONFIG_PATH"):
        load_config("alsi_lng", AlsiConfig, environment)


def test_values_never_appear_in_messages(tmp_path: Path) -> None:
    environment = written(tmp_path, "base_url: ${ALSI_API_KEY}\napi_key: ${ALSI_API_KEY}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_config("alsi_lng", AlsiConfig, environment)
    assert SECRET not in str(caught.value)


def test_the_key_is_hidden_when_a_configuration_is_shown() -> None:
    config = load_config("alsi_lng", AlsiConfig, {"ALSI_API_KEY": SECRET})
    assert SECRET not in repr(config)
    assert SECRET not in str(config.model_dump())
