"""What the product is made of, and what is known against it: `python -m tests.dependencies`.

    sbom FILE     a bill of materials (CycloneDX 1.6, JSON): the locked Python packages, the other
                  files of the local stack, the base of the image, each with its hashes
    audit         asks the OSV database about packages and files

Exit codes of `audit`: 0 nothing is known, 1 something is, 3 not everything was asked about.
"""

import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from streams.local.lock import LockedFile, read_lock
from streams.settings import PROJECT_ROOT

LOCK: Final = PROJECT_ROOT / "requirements.lock"
OSV: Final = "https://api.osv.dev"
_ASK_SECONDS: Final = 30.0
_FOUND: Final = 1
_NOT_ASKED: Final = 3
_BASE: Final = re.compile(
    r"^FROM (?P<name>[\w./-]+):(?P<tag>[\w.-]+)@sha256:(?P<digest>\w{64})", re.M
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def sbom(file: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """Write a bill of materials."""
    text = bill_of_materials()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    typer.echo(f"{file}: {len(json.loads(text)['components'])} components")


@app.command()
def audit(
    osv: Annotated[str, typer.Option(help="Where the OSV database answers.")] = OSV,
    lock: Annotated[Path, typer.Option(help="The locked Python packages.")] = LOCK,
) -> None:
    """Ask for advisories about every dependency."""
    found: list[str] = []
    failures = []
    for what, ask in (
        ("Python packages", partial(_python_advisories, osv, lock)),
        ("Java parts", partial(_java_advisories, osv)),
    ):
        try:
            found += ask()
        except (httpx.HTTPError, subprocess.SubprocessError, ValueError, KeyError) as error:
            failures.append(f"{what} ({_first_line(error)})")
    for line in found:
        typer.echo(line)
    if failures:
        typer.echo(
            f"Not audited: {'; '.join(failures)}. The advisories are asked of {osv}, which needs a "
            "network: run it again where there is one.",
            err=True,
        )
        raise typer.Exit(_NOT_ASKED)
    typer.echo(f"{len(found)} advisories are known for what is locked.")
    raise typer.Exit(_FOUND if found else 0)


def bill_of_materials() -> str:
    """The bill as JSON, the same for the same locks."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # That the lock does not say who needs whom is known.
        warnings.simplefilter("ignore")
        file = Path(folder) / "python.json"
        command = ["requirements", str(LOCK), "--pyproject", str(PROJECT_ROOT / "pyproject.toml")]
        _tool("cyclonedx_py", *command, "--output-reproducible", "-o", str(file))
        bom: Bom = Bom.from_json(json.loads(file.read_text()))  # type: ignore[attr-defined]
        bom.components.update(map(_java_component, read_lock()))
        bom.components.add(_base_image())
        output = JsonV1Dot6(bom)
        output.generate(force_regeneration=True)
        document = json.loads(output.output_as_string())
    # Of the moment it was made; the locks say which state it is about.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ValueError(f"The bill is not valid: {problem}")
    return text


def maven_url(file: LockedFile) -> PackageURL:
    """The package URL of a locked file."""
    group, name, version, *rest = file.coordinate.split(":")
    qualifiers = {"classifier": rest[0], "type": rest[1]} if rest else {}
    return PackageURL("maven", group, name, version, qualifiers)


def _java_component(file: LockedFile) -> Component:
    url = maven_url(file)
    return Component(
        type=ComponentType.LIBRARY,
        group=url.namespace,
        name=url.name,
        version=url.version,
        bom_ref=str(url),
        purl=url,
        scope=ComponentScope.OPTIONAL,
        description="Of the local stack; not in the image.",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
    )


def _base_image() -> Component:
    found = _BASE.search((PROJECT_ROOT / "k8s" / "Dockerfile").read_text())
    assert found is not None
    url = PackageURL("oci", None, found["name"], f"sha256:{found['digest']}", {"tag": found["tag"]})
    return Component(
        type=ComponentType.CONTAINER,
        name=found["name"],
        version=found["tag"],
        bom_ref=str(url),
        purl=url,
        description="Base of the image.",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=found["digest"])],
    )


def _python_advisories(osv: str, lock: Path) -> Iterator[str]:
    done = _tool(
        "pip_audit",
        *("--requirement", str(lock), "--require-hashes", "--disable-pip", "--strict"),
        *("--vulnerability-service", "osv", "--osv-url", f"{osv}/v1/query"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", f"{_ASK_SECONDS:.0f}"),
        may_end_with={0, 1},
    )
    for package in json.loads(done)["dependencies"]:
        for one in package["vulns"]:
            fixed = ", ".join(one["fix_versions"]) or "nothing yet"
            yield f"{package['name']} {package['version']}: {one['id']}, fixed by {fixed}"


def _java_advisories(osv: str) -> Iterator[str]:
    files = read_lock()
    queries = [{"package": {"purl": maven_url(file).to_string()}} for file in files]
    answer = httpx.post(f"{osv}/v1/querybatch", json={"queries": queries}, timeout=_ASK_SECONDS)
    results: Iterable[dict[str, Any]] = answer.raise_for_status().json()["results"]
    for file, result in zip(files, results, strict=True):
        for one in result.get("vulns", ()):
            yield f"{file.coordinate}: {one['id']}"


def _tool(module: str, *arguments: str, may_end_with: Iterable[int] = (0,)) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments], capture_output=True, text=True
    )
    if done.returncode not in may_end_with or (done.returncode and not done.stdout):
        raise subprocess.SubprocessError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    app()
