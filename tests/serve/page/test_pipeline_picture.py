"""Where the boxes of the pipeline are: in the order of the data, without overlaps."""

from itertools import combinations

from streams.serve.page.pipeline_picture import SINK, STORE, Picture, picture
from streams.topics import raw_topic
from streams.topology import pipeline


def _picture(*names: str) -> Picture:
    return picture(pipeline(names), {raw_topic(name).name: name for name in names})


def test_every_stage_and_topic_is_a_box_and_the_data_go_down() -> None:
    found = _picture("one", "two")
    nodes = {node.name: node for node in found.nodes}
    for stage in pipeline(("one", "two")):
        assert nodes[stage.input.name].y < nodes[stage.name].y
        assert {topic.name for topic in stage.outputs} <= nodes.keys()
    assert nodes["one"].y < nodes["raw.one"].y
    assert max(nodes.values(), key=lambda node: node.y).name == STORE
    assert nodes["dead_letters"].y < nodes[SINK].y


def test_what_a_person_writes_comes_from_the_command_that_does() -> None:
    nodes = {node.name: node for node in _picture("one").nodes}
    for command, topic in (
        ("make decide", "reconcile.decisions"),
        ("make replay", "pipeline.replays"),
    ):
        assert nodes[command].y < nodes[topic].y


def test_boxes_are_apart_and_inside_however_many_sources_there_are() -> None:
    for count in (1, 4, 7):
        found = _picture(*(f"source_{number}" for number in range(count)))
        for one, other in combinations(found.nodes, 2):
            across = abs(one.x - other.x) >= (one.width + other.width) / 2
            down = abs(one.y - other.y) >= (one.height + other.height) / 2
            assert across or down, (one.name, other.name)
        for node in found.nodes:
            assert node.x - node.width / 2 >= 0
            assert node.x + node.width / 2 <= found.width
            assert node.y + node.height / 2 <= found.height


def test_what_goes_the_same_way_is_one_line() -> None:
    found = _picture("one", "two", "three")
    assert len({arrow.path for arrow in found.arrows}) == len(found.arrows)
    bundled = [arrow for arrow in found.arrows if "record.outcomes" in arrow.carries]
    assert sum(arrow.ends for arrow in bundled) < len(bundled)


def test_totals_lead_back_to_the_observations_around_the_side() -> None:
    found = _picture("one")
    nodes = {node.name: node for node in found.nodes}
    edge = nodes["aggregates"].x - nodes["aggregates"].width / 2
    back = [arrow for arrow in found.arrows if arrow.path.startswith(f"M{edge:.0f} ")]
    assert [arrow.carries for arrow in back] == [{"normalized.observations"}]


def test_the_same_pipeline_is_always_drawn_the_same() -> None:
    assert _picture("one", "two") == _picture("one", "two")
