"""The lock file of the components that are not Python packages: coordinates, sizes and SHA-256.

Read by `streams.local.components`. To move to other versions change the
coordinates below and run `python -m streams.local.lock`, which writes the file again.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver

LOCK_FILE: Final = Path(__file__).with_name("components.lock")

ComponentName = Literal["kafka", "registry"]

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.4.0"
"""The broker; resolved with everything it needs at run time."""

KAFKA_LOGGING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
"""Binds the broker's slf4j 1 to its log4j; its Maven dependencies lack it. Taken alone: resolved
as a second root it would impose its own versions of Jackson on the broker."""

REGISTRY: Final = "io.apicurio:apicurio-registry-app:3.3.3:all:tar.gz"
"""The schema registry, complete in one archive."""

_HEADER: Final = """\
# Every file of the local stack that is not a Python package; each is checked before use.
# Written by `python -m streams.local.lock`. Columns: component, coordinate, bytes, SHA-256.
"""

_CHUNK_BYTES: Final = 1 << 20
_TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file of a component.

    Attributes:
        component: Component it belongs to.
        coordinate: Maven coordinate, group:artifact:version[:classifier:packaging].
        size_bytes: Its size.
        sha256: Its hash, hexadecimal.
    """

    component: ComponentName
    coordinate: str
    size_bytes: int
    sha256: str

    def artifact(self, context: MavenContext) -> Artifact:
        """The file as an artifact of a Maven context."""
        return artifact_of(self.coordinate, context)


def artifact_of(coordinate: str, context: MavenContext) -> Artifact:
    """The artifact a coordinate names; a coordinate without packaging is a jar."""
    group, name, version, *rest = coordinate.split(":")
    classifier, packaging = rest if rest else ("", "jar")
    return context.project(group, name).at_version(version).artifact(classifier, packaging)


def read_lock(path: Path = LOCK_FILE) -> tuple[LockedFile, ...]:
    """Every locked file, in class path order."""
    return tuple(
        LockedFile(_component_name(component), coordinate, int(size), sha256)
        for component, coordinate, size, sha256 in (
            line.split() for line in path.read_text().splitlines() if not line.startswith("#")
        )
    )


def _component_name(text: str) -> ComponentName:
    if text == "kafka":
        return "kafka"
    if text == "registry":
        return "registry"
    raise ValueError(f"The lock file names an unknown component: {text!r}.")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def maven_context(repository: Path, resolver: PythonResolver) -> MavenContext:
    """A context that stores files below `repository`.

    It asks Maven Central and the repositories of the user's jgo settings (`~/.config/jgo.conf`);
    one named `central` there takes its place, so a company mirror needs no change here.
    """
    return MavenContext(
        resolver=resolver,
        repo_cache=repository,
        remote_repos={"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories,
        timeout=_TIMEOUT_SECONDS,
    )


def resolve(repository: Path) -> tuple[LockedFile, ...]:
    """Resolve every component again, downloading into `repository`."""
    context = maven_context(repository, PythonResolver())
    roots, others = context.resolver.resolve([context.create_dependency(KAFKA)])
    jars = [d.artifact for d in (*roots, *others)] + [artifact_of(KAFKA_LOGGING, context)]
    return (
        *(_locked("kafka", artifact) for artifact in sorted(jars, key=str)),
        _locked("registry", artifact_of(REGISTRY, context)),
    )


def _locked(component: ComponentName, artifact: Artifact) -> LockedFile:
    path = artifact.resolve()
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    if artifact.classifier or artifact.packaging != "jar":
        coordinate += f":{artifact.classifier}:{artifact.packaging}"
    return LockedFile(component, coordinate, path.stat().st_size, sha256_of(path))


def write_lock(files: tuple[LockedFile, ...], path: Path = LOCK_FILE) -> None:
    """Write the lock file."""
    lines = (f"{f.component} {f.coordinate} {f.size_bytes} {f.sha256}\n" for f in files)
    path.write_text(_HEADER + "".join(lines))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write_lock(resolve(Path(scratch)))
