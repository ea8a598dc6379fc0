"""Settings of every process, read from the environment (and a `.env` file beside the project).

One name, one meaning: `make run`, the image and Kubernetes set the same variables. A value that is
not allowed is one sentence in every process: which variable, and what it may be.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.core.errors import SettingsError
from streams.core.rejection_limits import NO_LIMITS, RejectionLimits

PROJECT_ROOT = Path(__file__).resolve().parent.parent

EXIT_CONFIGURATION: Final = 2
"""What every process ends with when a setting or a configuration file is wrong."""

EXIT_FAILED: Final = 3
"""What every process ends with when a service, a file or the data do not let it go on."""

EXIT_INTERRUPTED: Final = 130
"""What a command ends with after Ctrl-C, as a shell has it."""

_LAST_PORT: Final = 65535

Port = Annotated[int, Field(ge=1, le=_LAST_PORT)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda text: str(text).upper())
]
Address = Annotated[
    str, Field(pattern=r"^(localhost|[0-9A-Fa-f.:]+)$", examples=["127.0.0.1", "0.0.0.0"])  # noqa: S104
]

KafkaProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"]
OptionalFile = Annotated[Path | None, BeforeValidator(lambda written: written or None)]

_BROKER = re.compile(
    r"(plaintext://)?(?P<address>([\w.-]+|\[[0-9a-f:.]+\]):(?P<port>\d{1,5}))", re.IGNORECASE
)


def _broker_addresses(text: object) -> str:
    """`host:port` of each server, apart by commas: the one form that every Kafka client reads."""
    addresses = []
    for server in filter(None, re.split(r"[\s,]+", str(text))):
        match = _BROKER.fullmatch(server)
        if match is None or not 1 <= int(match["port"]) <= _LAST_PORT:
            raise ValueError("host:port")
        addresses.append(match["address"])
    if not addresses:
        raise ValueError("host:port")
    return ",".join(addresses)


class EnvironmentSettings(BaseSettings):
    """Settings that are variables of the environment, named as the fields in capitals.

    Raises:
        SettingsError: a variable has a value that is not allowed. Names every such variable and
            what it may be; never shows a value, because it may be a secret.
    """

    model_config = SettingsConfigDict(env_file=PROJECT_ROOT / ".env", extra="ignore", frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            names = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors())
            prefix = self.model_config.get("env_prefix", "")
            problems = (
                f"{prefix}{name.upper()} must be {_allowed(type(self).model_fields[name])}"
                for name in names
            )
            raise SettingsError(f"{'; '.join(problems)}.") from None


def _allowed(field: FieldInfo) -> str:
    """What a variable may be, in words."""
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    if field.annotation is bool:
        return "one of true, false"
    if field.examples:
        return f"written as {' or '.join(field.examples)}"
    limits = {
        name: limit
        for metadata in field.metadata
        for name in ("ge", "gt", "le")
        if (limit := getattr(metadata, name, None)) is not None
    }
    kind = "a whole number" if field.annotation is int else "a number"
    match limits:
        case {"ge": least, "le": most}:
            return f"{kind} from {least} to {most}"
        case {"ge": least}:
            return f"{kind}, {least} or more"
        case {"gt": above}:
            return f"{kind} above {above}"
    return kind


class Settings(EnvironmentSettings):
    """Where the services are and how this worker behaves."""

    kafka_bootstrap: Annotated[str, BeforeValidator(_broker_addresses)] = Field(
        "127.0.0.1:9092",
        examples=["127.0.0.1:9092", "one:9092,other:9092"],
        description="Kafka bootstrap servers.",
    )
    schema_registry_url: str = Field(
        "http://127.0.0.1:8081/apis/ccompat/v7",
        pattern=r"^https?://\S+$",
        examples=["http://127.0.0.1:8081/apis/ccompat/v7"],
        repr=False,
        description="Confluent-compatible registry.",
    )
    kafka_security_protocol: KafkaProtocol = Field(
        "PLAINTEXT",
        description="How Kafka is spoken to: PLAINTEXT, SSL (encrypted), SASL_SSL (encrypted, with "
        "a user), SASL_PLAINTEXT.",
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        "SCRAM-SHA-512",
        description="How the user is proved: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER.",
    )
    kafka_username: str = Field(
        "", description="User of Kafka; with OAUTHBEARER the client that gets the token."
    )
    kafka_password: SecretStr = Field(
        SecretStr(""), description="Its password; with OAUTHBEARER the secret of the client."
    )
    kafka_token_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        examples=["https://login.example.org/oauth2/token"],
        description="With OAUTHBEARER: where tokens are given, by client credentials.",
    )
    kafka_token_scope: str = Field("", description="With OAUTHBEARER: scope that is asked for.")
    kafka_certificate_file: OptionalFile = Field(
        None, description="Own certificate for Kafka, PEM; only where the broker wants one."
    )
    kafka_key_file: OptionalFile = Field(None, description="Its private key, PEM.")
    services_ca_file: OptionalFile = Field(
        None,
        description="Certificates of who signed those of Kafka, registry, PostgreSQL, ClickHouse "
        "and the token server, PEM; default those of the system.",
    )
    postgres_dsn: str = Field(
        "postgresql://infrastructure@127.0.0.1:5433/infrastructure",
        pattern=r"^(postgres(ql)?://|\w+ *=)",
        examples=["postgresql://user@host:5432/database"],
        repr=False,
        description="Checkpoint database.",
    )
    clickhouse_dsn: str = Field(
        "",
        pattern=r"^((clickhouses?|https?)://\S+|chdb:///.+)?$",
        examples=["clickhouse://user@host:8123/default", "chdb:///folder"],
        repr=False,
        description="ClickHouse, e.g. clickhouse://user@host:8123/default; empty: embedded engine.",
    )
    avro_dir: Path = Field(PROJECT_ROOT / "avro", description="Folder of the contracts.")
    tolerances_file: Path | None = Field(
        None, description="Limits of the rules; default streams/tolerances.yaml."
    )
    data_dir: Path = Field(PROJECT_ROOT / ".data", description="Everything local lives here.")
    state_dir: Path | None = Field(
        None, description="State of this worker, one directory each; default DATA_DIR/state/<app>."
    )
    app_id: str = Field("infrastructure-pipeline", description="Consumer group of the pipeline.")
    sink_app_id: str = Field("infrastructure-sink", description="Consumer group of the sink.")
    stages: str = Field(
        "",
        description="Stages a pipeline worker runs, by name, apart by commas; empty for all. "
        "Workers of one group may run different ones.",
    )
    next_generation: bool = Field(
        False,
        description="Whether a pipeline worker grows the next generation beside the running one; "
        "`make rebuild` starts such a worker.",
    )
    replication_factor: int = Field(1, ge=1, description="Of topics this product creates.")
    session_timeout_seconds: float = Field(
        10.0, gt=0, description="A silent worker loses its partitions then."
    )
    batch_records: int = Field(
        2000, ge=1, description="Records of each partition one poll aims at."
    )
    pause_rejected_share: float = Field(
        0.5, gt=0, description="A raw partition pauses when more of its last records are rejected."
    )
    pause_rejected_of: int = Field(1000, ge=1, description="Records that share is taken of.")
    pause_rejected_consecutive: int = Field(
        500, ge=1, description="A raw partition pauses when so many consecutive records are."
    )
    worker_port: Port = Field(6066, description="Faust web server of the pipeline worker.")
    sink_port: Port = Field(6067, description="Faust web server of the sink worker.")
    api_port: Port = Field(8000, description="Where the API answers.")
    api_host: Address = Field("127.0.0.1", description="Address the API listens on.")
    sink_serves_api: bool = Field(
        True, description="Whether a sink with the embedded engine serves the API, too."
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of the API as name:key:requests a minute, apart by commas; empty: nobody "
        "needs one.",
    )
    api_cors_origins: str = Field(
        "",
        pattern=r"^(\*|https?://[^\s,]+([ ,]+https?://[^\s,]+)*)?$",
        examples=["https://example.org", "*"],
        description="Web sites whose pages may ask the API, apart by commas; empty: none.",
    )
    worker_url: str = Field(
        "",
        pattern=r"^(https?://[^\s,]+([ ,]+https?://[^\s,]+)*)?$",
        examples=["http://127.0.0.1:6066"],
        description="Pipeline workers that the API asks what is paused, apart by commas; empty: "
        "that of this machine on WORKER_PORT.",
    )
    web_bind: Address = Field("127.0.0.1", description="Address the workers' pages listen on.")
    log_level: LogLevel = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR, of commands; a worker's is `-l`."
    )

    def rejection_limits(self) -> RejectionLimits:
        """Where a raw partition pauses; nowhere while what is rejected is published to nobody."""
        if self.next_generation:
            return NO_LIMITS
        return RejectionLimits(
            self.pause_rejected_share, self.pause_rejected_of, self.pause_rejected_consecutive
        )

    @property
    def next_app_id(self) -> str:
        """Consumer group of the next generation of the pipeline."""
        return f"{self.app_id}-next"

    def pipeline_group(self) -> str:
        """Consumer group of this pipeline worker; part of the names of its changelogs."""
        return self.next_app_id if self.next_generation else self.app_id

    def pipeline_state_dir(self) -> Path:
        """State directory of the pipeline worker."""
        return self.state_dir or self.data_dir / "state" / self.pipeline_group()

    def worker_urls(self) -> list[str]:
        """Addresses of the pipeline workers."""
        named = self.worker_url or f"http://127.0.0.1:{self.worker_port}"
        return named.replace(",", " ").split()

    def sink_state_dir(self) -> Path:
        """State directory of the sink worker."""
        return self.data_dir / "state" / self.sink_app_id

    def clickhouse_url(self) -> str:
        """ClickHouse address; the embedded engine below DATA_DIR unless one is set."""
        return self.clickhouse_dsn or f"chdb://{self.data_dir / 'clickhouse'}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
