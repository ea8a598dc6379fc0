"""Java starts with the classes that an earlier start has kept, and without them where it must."""

import sys
from pathlib import Path

import psutil
import pytest

from streams.local.components import fetch_components
from streams.local.java import NO_CLASSES, Classes
from streams.local.kafka import Kafka
from streams.local.kept_classes import kept_classes
from streams.local.ports import StackPorts
from streams.local.stack import LocalStack

pytestmark = pytest.mark.integration


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has mapped")
def test_broker_and_registry_use_them(stack: LocalStack) -> None:
    kept = kept_classes(fetch_components())
    for component, classes in ((stack.kafka, kept.kafka), (stack.registry, kept.registry)):
        mapped = {one.path for one in psutil.Process(component.process.pid).memory_maps()}
        assert str(classes.kept) in mapped


def test_a_file_that_was_cut_short_is_left_aside(tmp_path: Path) -> None:
    components = fetch_components()
    kept = kept_classes(components).kafka.kept
    assert kept is not None
    damaged = tmp_path / kept.name
    damaged.write_bytes(kept.read_bytes()[:30_000_000])
    kafka = Kafka(tmp_path, components, StackPorts.free(), classes=Classes(damaged))
    try:
        kafka.start()
    finally:
        kafka.stop()


def test_without_room_everything_starts_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    components = fetch_components()
    monkeypatch.setenv("PARTS_DIR", str(tmp_path))
    monkeypatch.setattr("streams.local.kept_classes._NEEDED_BYTES", 10**18)
    assert kept_classes(components) == (NO_CLASSES, NO_CLASSES)
    assert list(tmp_path.iterdir()) == []
