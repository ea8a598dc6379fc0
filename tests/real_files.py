"""Where tests and benchmarks find the real files, which are not part of the product."""

import os
from pathlib import Path

from streams.settings import PROJECT_ROOT

VARIABLE = "REAL_DATA_DIR"


def real_data_dir() -> Path:
    """`REAL_DATA_DIR`, by default `../shared/data` beside the project."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else PROJECT_ROOT.parent / "shared" / "data"


def scoring_script() -> Path:
    """The script that belongs to the published pairs, beside the folder of the real files."""
    return real_data_dir().parent / "tools" / "score_reconciliation.py"


def how_to_get(missing: Path) -> str:
    """What to say about a missing part."""
    return f"{missing} is missing: tests/README.md says where it comes from; {VARIABLE} names it"
