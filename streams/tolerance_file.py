"""Reading the tolerances: our own file, or the one that TOLERANCES_FILE names."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from streams.core.errors import SettingsError
from streams.core.tolerances import Tolerances
from streams.core.yaml_text import parsed_yaml

OWN_FILE = Path(__file__).resolve().parent / "tolerances.yaml"


def load_tolerances(path: Path | None = None) -> Tolerances:
    """Read and check a file of tolerances.

    Args:
        path: The file; None for our own.

    Raises:
        SettingsError: no file, no YAML, or a key that is unknown, missing or out of its range.
            Names every such key.
    """
    file = path or OWN_FILE
    try:
        document = parsed_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"Cannot read {file}: {error.strerror}. Set TOLERANCES_FILE to a copy of {OWN_FILE}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not YAML: {error}") from error
    try:
        return Tolerances.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc']) or 'the file'}: {detail['msg']}"
            for detail in error.errors()
        )
        raise SettingsError(f"{file}: {problems}. Compare with {OWN_FILE}.") from error
