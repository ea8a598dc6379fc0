"""Settings of every process, read from the environment (and a `.env` file beside the project).

One name, one meaning: `make run`, the image and Kubernetes set the same variables.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.core.rejection_limits import RejectionLimits

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where the services are and how this worker behaves.

    Raises:
        pydantic.ValidationError: a variable has a value of the wrong type; the message names it.
    """

    model_config = SettingsConfigDict(env_file=PROJECT_ROOT / ".env", extra="ignore", frozen=True)

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers.")
    schema_registry_url: str = Field(
        "http://127.0.0.1:8081/apis/ccompat/v7", description="Confluent-compatible registry."
    )
    postgres_dsn: str = Field(
        "postgresql://infrastructure@127.0.0.1:5433/infrastructure",
        description="Checkpoint database.",
    )
    clickhouse_dsn: str = Field(
        "",
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
    generation: int = Field(
        1, ge=1, le=127, description="High part of every version; a rebuild raises it."
    )
    replication_factor: int = Field(1, ge=1, description="Of topics this product creates.")
    session_timeout_seconds: float = Field(
        10.0, description="A silent worker loses its partitions then."
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
    worker_port: int = Field(6066, description="Faust web server of the pipeline worker.")
    sink_port: int = Field(6067, description="Faust web server of the sink worker.")
    web_bind: str = Field("127.0.0.1", description="Address the workers' pages listen on.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    def rejection_limits(self) -> RejectionLimits:
        """Where a raw partition pauses."""
        return RejectionLimits(
            self.pause_rejected_share, self.pause_rejected_of, self.pause_rejected_consecutive
        )

    def pipeline_state_dir(self) -> Path:
        """State directory of the pipeline worker."""
        return self.state_dir or self.data_dir / "state" / self.app_id

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
