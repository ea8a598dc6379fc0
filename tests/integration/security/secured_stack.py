"""The local stack with everything switched on: TLS everywhere, users, tokens, access lists."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from streams.local.ports import HOST, StackPorts
from streams.local.stack import LocalStack
from tests.free_ports import free_ports
from tests.integration.security.postgres_front import postgres_front

SERVER = "localhost"
_START_SECONDS = 240.0
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_OAUTH = (
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker";'
)


@dataclass(frozen=True, slots=True)
class SecuredStack:
    """Addresses of services that ask who comes, and what checks them."""

    stack: LocalStack
    home: Path
    ca: trustme.CA
    sasl_port: int
    tls_port: int
    postgres_port: int

    @property
    def ca_file(self) -> Path:
        return self.home / "ca.pem"

    @property
    def server_file(self) -> Path:
        """Key and certificate of every service."""
        return self.home / "server.pem"

    @property
    def registry_url(self) -> str:
        return self.stack.registry.url.replace(HOST, SERVER)


def server_context(server_file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return context


def write_key_store(certificate: trustme.LeafCert, path: Path) -> None:
    """Key and certificates in one file that every service reads: PEM, the key as PKCS 8."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + b"".join(blob.bytes() for blob in certificate.cert_chain_pems))


def write_certificate(secured: "SecuredStack", name: str) -> tuple[Path, Path]:
    """A client's own certificate and key."""
    issued = secured.ca.issue_cert(name, common_name=name)
    certificate, key = (secured.home / f"{name}.{kind}.pem" for kind in ("certificate", "key"))
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


@contextlib.contextmanager
def secured_stack(home: Path) -> Iterator[SecuredStack]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(home / "ca.pem"))
    server_file = home / "server.pem"
    write_key_store(ca.issue_cert(SERVER), server_file)
    ports, free = StackPorts.free(), free_ports()
    sasl, tls = next(free), next(free)
    listeners = (
        f"BROKER://{HOST}:{ports.kafka_port},CONTROLLER://{HOST}:{ports.kafka_controller_port},"
        f"SASL://{HOST}:{sasl},TLS://{HOST}:{tls}"
    )
    advertised = f"BROKER://{HOST}:{ports.kafka_port},SASL://{SERVER}:{sasl},TLS://{SERVER}:{tls}"
    properties = {
        "listeners": listeners,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "SASL:SASL_SSL,TLS:SSL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The listener of the stack itself, by which users and rights are made.
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server_file),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(home / "ca.pem"),
        "listener.name.tls.ssl.client.auth": "required",
        "listener.name.tls.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": _SCRAM,
        "listener.name.sasl.oauthbearer.sasl.jaas.config": _OAUTH,
    }
    stack = LocalStack(
        home / "stack",
        ports,
        kafka_properties=properties,
        registry_certificate_file=server_file,
        start_seconds=_START_SECONDS,
    )
    with contextlib.ExitStack() as opened:
        opened.enter_context(stack)
        front = postgres_front(server_context(server_file), ports.postgres_port)
        yield SecuredStack(stack, home, ca, sasl, tls, opened.enter_context(front))
