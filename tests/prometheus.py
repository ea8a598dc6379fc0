"""Prometheus and promtool for the tests that let them judge rules and queries."""

import os
import shutil

VARIABLE = "PROMETHEUS_REQUIRED"
"""Set where a missing tool is a failure: continuous integration installs it."""

HOW_TO_GET = (
    "no Prometheus on the path: install the package prometheus (Debian: apt-get install "
    "prometheus) or a release with promtool to run the tests marked `prometheus`"
)


def tool(name: str) -> str | None:
    """Path of `prometheus` or `promtool`; None: it is not there."""
    return shutil.which(name)


def required() -> bool:
    """Whether a missing tool is a failure."""
    return bool(os.environ.get(VARIABLE))
