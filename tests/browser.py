"""Chromium for the tests that look at the page."""

import os
import shutil

VARIABLE = "BROWSER_REQUIRED"
"""Set where a missing browser is a failure: continuous integration installs one."""

HOW_TO_GET = (
    "no Chromium on the path: install the package chromium (Debian: apt-get install chromium) or "
    "Google Chrome to run the tests marked `browser`"
)


def chromium() -> str | None:
    """Path of Chromium or Chrome; None: there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


def required() -> bool:
    """Whether a missing browser is a failure."""
    return bool(os.environ.get(VARIABLE))
