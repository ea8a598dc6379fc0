"""Requests made up from the document of the API: none breaks it, or what it says of itself."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serve.client import DOCUMENT

pytestmark = pytest.mark.processes

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


@pytest.mark.timeout(7200)
def test_no_made_up_request_breaks_the_api(
    server: httpx.Client, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    soak = pytestconfig.getoption("--soak")
    phases, examples = ("examples,coverage,fuzzing,stateful", 800) if soak else ("fuzzing", 5)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            f"{server.base_url}{DOCUMENT}",
            f"--phases={phases}",
            f"--max-examples={examples}",
            f"--checks={','.join(CHECKS)}",
            "--generation-deterministic",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " generated" in done.stdout
