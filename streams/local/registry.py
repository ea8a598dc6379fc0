"""The schema registry: Apicurio with an embedded H2 database, spoken to by its Confluent API."""

import http.client
import os
import shutil
import ssl
from pathlib import Path
from typing import Final

from streams.local.components import Components
from streams.local.java import NO_CLASSES, Classes, java_command
from streams.local.ports import HOST, StackPorts
from streams.local.process import START_SECONDS, STOP_SECONDS, ManagedProcess

_MEGABYTES: Final = (64, 256)

# Not the registry's own starter: classes that its loaders find cannot be kept for the next start.
_MAIN: Final = "io.quarkus.runner.GeneratedMain"

_API: Final = "/apis/ccompat/v7"

_READY_CALL_SECONDS: Final = 2.0


class RegistryServer:
    """The registry; a registered schema survives a kill at any moment.

    Args:
        data_dir: The stack's data directory.
        components: Where Java and the registry are.
        ports: Where it listens.
        classes: What is kept of its classes.
        certificate_file: Its certificates and their key, PEM: it speaks HTTPS alone. None: HTTP.
    """

    def __init__(
        self,
        data_dir: Path,
        components: Components,
        ports: StackPorts,
        classes: Classes = NO_CLASSES,
        certificate_file: Path | None = None,
    ) -> None:
        self._home = data_dir / "registry"
        self._components = components
        self._port = ports.registry_port
        self._classes = classes
        self._certificate_file = certificate_file
        self.process = ManagedProcess("The schema registry", "registry", data_dir)

    @property
    def url(self) -> str:
        """Value of SCHEMA_REGISTRY_URL."""
        scheme = "http" if self._certificate_file is None else "https"
        return f"{scheme}://{HOST}:{self._port}{_API}"

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start, and return when it answers.

        Raises:
            ComponentFailedError: it ended by itself, or not ready by the deadline
                (`StartTimeoutError`).
        """
        temporary = self._home / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        options = {
            "java.io.tmpdir": str(temporary),
            "quarkus.http.host": HOST,
            **self._listener(),
            "quarkus.http.access-log.enabled": "false",
            # Cannot be switched off in this build; any free port, on loopback.
            "quarkus.management.host": HOST,
            "quarkus.management.port": "0",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            # H2 writes up to half a second late by default. A schema id lost by a kill and given
            # again to another schema would make records unreadable.
            # Relative to the data directory, where it runs, whose path may hold any character.
            "apicurio.datasource.url": "jdbc:h2:file:./registry/schemas;WRITE_DELAY=0",
        }
        self.process.spawn(
            java_command(
                self._components.java,
                _MEGABYTES,
                self._classes,
                *(f"-D{name}={value}" for name, value in options.items()),
                f"@{self._write_class_path()}",
                _MAIN,
            )
        )
        self.process.wait_until(self._answers, timeout_seconds)

    def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Stop cleanly; killed after the grace."""
        self.process.stop(grace_seconds)

    def kill(self) -> None:
        """End at once, as a crash would."""
        self.process.kill()

    def _write_class_path(self) -> Path:
        """Several hundred jars in a file of arguments: too many words for a list of processes."""
        jars = os.pathsep.join(str(jar) for jar in self._components.registry_class_path)
        quoted = jars.replace("\\", "\\\\").replace('"', '\\"')
        path = self._home / "class_path"
        path.write_text(f'-cp "{quoted}"\n')
        return path

    def _listener(self) -> dict[str, str]:
        if self._certificate_file is None:
            return {"quarkus.http.port": str(self._port)}
        return {
            "quarkus.http.insecure-requests": "disabled",
            "quarkus.http.ssl-port": str(self._port),
            "quarkus.http.ssl.certificate.files": str(self._certificate_file),
            "quarkus.http.ssl.certificate.key-files": str(self._certificate_file),
        }

    def _connection(self) -> http.client.HTTPConnection:
        """Of a client that neither obeys the user's proxy settings nor logs every question."""
        if self._certificate_file is None:
            return http.client.HTTPConnection(HOST, self._port, timeout=_READY_CALL_SECONDS)
        # The very certificate, whoever signed it and whatever name is in it.
        context = ssl.create_default_context(cafile=self._certificate_file)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = False
        return http.client.HTTPSConnection(
            HOST, self._port, timeout=_READY_CALL_SECONDS, context=context
        )

    def _answers(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", f"{_API}/subjects")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
