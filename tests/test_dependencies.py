"""What the product is made of is listed whole, and an audit never says more than it asked."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from streams.local.lock import read_lock
from streams.settings import PROJECT_ROOT
from tests.dependencies import bill_of_materials

pytestmark = pytest.mark.processes

LOCKED = ("fastavro==1.13.0", "rich==15.0.0")
VULNERABLE = frozenset({"fastavro", "pkg:maven/org.bitbucket.b_c/jose4j@0.9.6"})


class _Osv(BaseHTTPRequestHandler):
    """The part of the OSV database's interface that is asked."""

    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/query":
            answer: Any = {"vulns": list(self._known(asked))}
        else:
            answer = {"results": [{"vulns": list(self._known(one))} for one in asked["queries"]]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _known(self, query: Any) -> Iterator[dict[str, Any]]:
        package = query["package"]
        name = package.get("purl") or package["name"]
        if name in self.server.vulnerable:
            affected = {
                "package": {"name": name, "ecosystem": "PyPI"},
                "ranges": [],
                "versions": [],
            }
            yield {"id": "TEST-1", "summary": "", "affected": [affected]}


class _Server(ThreadingHTTPServer):
    vulnerable: frozenset[str] = frozenset()


@pytest.fixture
def osv() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Osv)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def audit(address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    lock = folder / "some.lock"
    lock.write_text("".join(f"{name} --hash=sha256:{'0' * 64}\n" for name in LOCKED))
    chosen = ["--osv", address, "--lock", str(lock)]
    command = [sys.executable, "-m", "tests.dependencies", "audit", *chosen]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT)


def test_the_bill_has_every_locked_file_with_its_hash() -> None:
    components = json.loads(bill_of_materials())["components"]
    lock = (PROJECT_ROOT / "requirements.lock").read_text()
    pins = set(re.findall(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", lock, re.M))
    assert len(pins) > 100
    python = {(one["name"], one["version"]) for one in components if "pypi" in one["purl"]}
    assert python == pins
    java = {
        one["hashes"][0]["content"] for one in components if one["purl"].startswith("pkg:maven")
    }
    assert java == {file.sha256 for file in read_lock()}
    [base] = [one for one in components if one["type"] == "container"]
    assert (
        f"@sha256:{base['hashes'][0]['content']} "
        in (PROJECT_ROOT / "k8s" / "Dockerfile").read_text()
    )


def test_what_is_known_is_named_and_fails(osv: _Server, tmp_path: Path) -> None:
    osv.vulnerable = VULNERABLE
    done = audit(f"http://127.0.0.1:{osv.server_address[1]}", tmp_path)
    assert done.returncode == 1, done.stderr
    assert re.search(r"^fastavro [\d.]+: TEST-1", done.stdout, re.M)
    assert re.search(r"^org.bitbucket.b_c:jose4j:[\d.]+: TEST-1", done.stdout, re.M)


def test_without_an_answer_nothing_counts_as_audited(tmp_path: Path) -> None:
    done = audit("http://127.0.0.1:1", tmp_path)
    assert done.returncode == 3
    assert re.match(r"Not audited: Python packages .*; Java parts ", done.stderr)
    assert "0 advisories" not in done.stdout
