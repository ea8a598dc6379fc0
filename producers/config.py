"""Configuration of one source: a YAML file with `${VAR}` and `${VAR:-default}`, checked by a model.

The file is `producers/config/<name>.yaml`; `CONFIG_PATH` names another file, or a folder of them.
"""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from producers.errors import ConfigurationError
from streams.core.yaml_text import parsed_yaml

CONFIG_FOLDER = Path(__file__).resolve().parent / "config"

REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
"""`${NAME}` or `${NAME:-default}`, maybe empty; neither YAML nor pydantic know such a form."""


_DURATION = re.compile(r"([1-9][0-9]*)([smhd])")
_DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: object) -> timedelta:
    """The time of a text such as `90s`, `30m`, `6h` or `7d`.

    Raises:
        ValueError: any other text.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("give a whole number and s, m, h or d, for example 6h")
    return timedelta(**{_DURATION_UNITS[match[2]]: int(match[1])})


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpConfig(_Model):
    """How to be a polite and patient client."""

    requests_per_minute: float = Field(60, gt=0, le=60_000, description="Pace of one run.")
    max_requests: int = Field(500, ge=1, description="Budget of one run, repeats included.")
    timeout_seconds: float = Field(30, gt=0, description="Silence that counts as no answer.")
    attempts: int = Field(5, ge=1, description="Tries of one request.")
    pause_seconds: float = Field(
        60, ge=0, description='Wait after "too many requests" without `Retry-After`.'
    )
    longest_run_seconds: float = Field(
        6 * 3600, gt=0, description="Time after which a run asks and reads no more."
    )
    longest_wait_seconds: float = Field(
        300, ge=0, description="A `Retry-After` above this ends the run instead."
    )


class SourceConfig(_Model):
    """What every source's configuration has; a connector adds its own keys."""

    schedule: Annotated[timedelta, BeforeValidator(duration)] = Field(
        timedelta(days=7), description="How often `--every schedule` polls."
    )
    http: HttpConfig = HttpConfig()


ConfigT = TypeVar("ConfigT", bound=SourceConfig)


def process_environment() -> dict[str, str]:
    """Variables of this process and, below them, those of a `.env` file where it runs."""
    in_file = {name: text for name, text in dotenv_values(".env").items() if text is not None}
    return in_file | os.environ


def config_file(name: str, environment: Mapping[str, str]) -> Path:
    """The configuration file of a source: `CONFIG_PATH` (a file or a folder) or our own."""
    override = environment.get("CONFIG_PATH")
    if not override:
        return CONFIG_FOLDER / f"{name}.yaml"
    path = Path(override)
    return path / f"{name}.yaml" if path.is_dir() else path


def load_config(name: str, model: type[ConfigT], environment: Mapping[str, str]) -> ConfigT:
    """Read, interpolate and check the configuration of a source.

    Args:
        name: Connector name, e.g. `alsi_lng`.
        model: What the file must hold.
        environment: Variables for the interpolation, see `process_environment`.

    Raises:
        ConfigurationError: no file, no YAML, a variable without value, a key that is unknown or
            has a value that is not allowed. Names every such key. Never shows a value, because it
            may be a secret.
    """
    path = config_file(name, environment)
    document = _document(path)
    try:
        return model.model_validate(_interpolated(document, environment, path, ()))
    except ValidationError as error:
        problems = "; ".join(_problem(model, document, detail) for detail in error.errors())
        raise ConfigurationError(f"{path}: {problems}") from error


def load_schedule(name: str, environment: Mapping[str, str]) -> timedelta:
    """How often a source is polled, whatever else its configuration lacks, such as a key.

    Raises:
        ConfigurationError: no file, no YAML, or a schedule that is none.
    """
    path = config_file(name, environment)
    default = SourceConfig.model_fields["schedule"].default
    written = _document(path).get("schedule", default)
    try:
        found = _interpolated(written, environment, path, ("schedule",))
        return found if isinstance(found, timedelta) else duration(found)
    except ValueError as error:
        raise ConfigurationError(f"{path}: schedule: {error}") from error


def _document(path: Path) -> dict[str, object]:
    try:
        document = parsed_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read {path}: {error.strerror}. Point CONFIG_PATH at a file or folder."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must hold keys and values, such as `http:`.")
    return document


def _interpolated(
    value: object, environment: Mapping[str, str], path: Path, key: tuple[str, ...]
) -> object:
    if isinstance(value, dict):
        return {
            name: _interpolated(inner, environment, path, (*key, str(name)))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_interpolated(inner, environment, path, key) for inner in value]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        found = environment.get(match["name"]) or match["default"]
        if found is None:
            raise ConfigurationError(
                f"{path}: {'.'.join(key)} needs the environment variable {match['name']}. "
                f"Set it, for example in `.env`."
            )
        return found

    return REFERENCE.sub(replacement, value)


def _problem(model: type[BaseModel], document: object, detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_allowed_keys(model, detail["loc"][:-1]))
        return f"unknown key {key}; allowed here: {allowed}"
    variables = " and ".join(_variables(document, detail["loc"]))
    place = f"{key} (variable {variables})" if variables else key
    return f"{place}: {detail['msg'].removeprefix('Value error, ')}"


def _variables(document: object, path: Iterable[int | str]) -> list[str]:
    """Variables that the value of a key is made of, as the file has it."""
    value = document
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        # Else the place is within what one variable gives, such as a list with commas.
    return [match["name"] for match in REFERENCE.finditer(value)] if isinstance(value, str) else []


def _allowed_keys(model: type[BaseModel], parents: tuple[int | str, ...]) -> list[str]:
    for parent in parents:
        inner = model.model_fields[str(parent)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return sorted(model.model_fields)
