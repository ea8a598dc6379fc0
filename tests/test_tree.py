"""Where tests are: beside nothing but what they test."""

from pathlib import Path

from streams.settings import PROJECT_ROOT

TESTS = PROJECT_ROOT / "tests"
OF_THE_WHOLE = frozenset({"bench", "documents", "fault", "golden", "integration", "score"})
"""Folders about running processes, pages, speed and matching, and with recorded input."""


def test_every_folder_of_tests_is_named_after_the_folder_of_code_it_tests() -> None:
    folders = {
        path.parent.relative_to(TESTS)
        for path in TESTS.rglob("test_*.py")
        if path.relative_to(TESTS).parts[0] not in OF_THE_WHOLE
    }
    assert {folder for folder in folders if not _is_of_code(folder)} == set()


def _is_of_code(folder: Path) -> bool:
    return any((base / folder).is_dir() for base in (PROJECT_ROOT, PROJECT_ROOT / "streams"))
