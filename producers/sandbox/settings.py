"""Settings of the sandbox server, read from the environment as `SANDBOX_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from streams.settings import PROJECT_ROOT, Address, EnvironmentSettings, Port


class SandboxSettings(EnvironmentSettings):
    """Where the server listens and what it serves."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    host: Address = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8765, description="Port to listen on.")
    data_dir: Path = Field(
        PROJECT_ROOT / "data", description="Folder of real files; what it lacks is made up."
    )
    alsi_key: str = Field("sandbox-key", description="The one `x-key` that is accepted.")
    alsi_requests_per_minute: int = Field(60, ge=0, description="Limit per address; 0 for none.")
    nlr_key: str = Field("sandbox-key", description="Accepted by NLR beside DEMO_KEY.")
    nlr_requests_per_hour: int = Field(1000, ge=0, description="Limit of that key; 0 for none.")
    plants: int = Field(30_000, ge=1, description="Made-up power plants.")
