"""The job every contender does with each record, and where it finds its topics."""

from collections.abc import Callable
from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.avro.codec import Registry
from streams.avro.contracts import contract
from streams.settings import settings
from streams.topics import raw_topic

RAW = raw_topic("alsi_lng")
"""Whose contract frames the records."""

Job = Callable[[bytes], bytes]
"""From a framed raw record to the framed output, which is also the table's value."""


class BenchSettings(BaseSettings):
    """What a contender's process is given, besides the settings every process has."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True)

    input: str
    output: str
    records: int


@lru_cache(maxsize=1)
def bench_settings() -> BenchSettings:
    """The settings of this process, read once."""
    return BenchSettings()


def make_job(registry: Registry) -> Job:
    """The job with this product's codec; every contender runs exactly this function."""
    decode = registry.decoder(contract(RAW.contract_name)).decode
    encode = registry.encoder(RAW.subject(), contract(RAW.contract_name)).encode

    def job(value: bytes) -> bytes:
        return encode(decode(value))

    return job


def open_job() -> Job:
    """The job on the registry of this process's settings."""
    return make_job(Registry(settings().schema_registry_url))
