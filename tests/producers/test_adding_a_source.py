"""The page "Adding a source", followed to the letter in a copy of the project."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streams.settings import PROJECT_ROOT
from tests.project_copy import REGISTRY, blocks, copy_project, register, run, write_file

pytestmark = pytest.mark.processes

PAGE = PROJECT_ROOT / "producers" / "README.md"
NODES = [
    {"id": 1, "name": "North", "lat": "52.5", "lon": "5.1", "kv": "380"},
    {"id": 2, "name": "South", "lat": "51.9", "lon": "4.4", "kv": "-"},
    {"id": 3, "name": "Odd", "lat": "north", "lon": None},
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's files in it."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    for block in page_blocks():
        if block["file"] == REGISTRY:
            register(copy, block["text"])
        elif block["file"]:
            write_file(copy, block)
    return copy


def page_blocks() -> list[dict[str, str]]:
    """Code blocks of the section."""
    return blocks(PAGE.read_text(encoding="utf-8").partition("\n## Adding a source\n")[2])


@contextmanager
def grid() -> Iterator[str]:
    """A server with the list."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(NODES).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/nodes.json"
        finally:
            server.shutdown()


def test_every_command_of_the_page_works_and_shows_the_new_source(project: Path) -> None:
    (shell,) = [block["text"] for block in page_blocks() if block["kind"] == "sh"]
    with grid() as url:
        output = [
            run(project, line, {"TOY_GRID_LOCATION": url}) for line in shell.strip().splitlines()
        ]
    frozen, checked, listed, dry = output
    assert "raw.toy_grid v1" in frozen
    assert "toy_grid" in listed
    assert dry.count("verdict accepted") == 2
    assert '"voltages_kv": [\n      380.0\n    ]' in dry
    assert checked.strip()


def test_the_new_source_rejects_what_it_cannot_read(project: Path) -> None:
    with grid() as url:
        command = "python -m producers toy_grid --dry-run"
        dry = run(project, command, {"TOY_GRID_LOCATION": url})
    assert "verdict rejected by unreadable_number: lat is 'north'" in dry


def test_the_pipeline_knows_the_new_source(project: Path) -> None:
    """Its topic, its changelog and its stage follow from the registration."""
    code = (
        "from producers.connectors import CONNECTORS; from streams.topology import *; "
        "print([t.name for t in (*declared_topics(CONNECTORS), *changelogs('app', CONNECTORS))])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "'raw.toy_grid'" in shown.stdout, shown.stderr
    assert "'app-normalize-toy_grid-changelog'" in shown.stdout


def test_a_run_without_the_real_sources_names_the_new_one_and_leaves_it_out(project: Path) -> None:
    """It has no sandbox, and only `--live` may ask the real upstream."""
    code = (
        "from rich.console import Console; from streams.commands.local_run import polled_sources; "
        "print(*(polled_sources(Console(), live=live) for live in (False, True)), sep='\\n')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said, sandboxed, live = shown.stdout.splitlines()
    assert said == "toy_grid has no sandbox: left out; `make run ARGS=--live` polls it"
    assert "toy_grid" not in sandboxed
    assert "alsi_lng" in sandboxed
    assert "toy_grid" in live


def test_the_code_of_the_page_is_clean(project: Path) -> None:
    files = [
        str(project / block["file"])
        for block in page_blocks()
        if block["file"] and block["file"].endswith(".py")
    ]
    settings = ["--config", str(PROJECT_ROOT / "pyproject.toml")]
    for arguments in (["check", *settings], ["format", "--check", *settings]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, *files],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
