"""The oracle knows every kind of input by name, and leaves out of its count what it does not count yet."""

import json
from pathlib import Path

import pytest

import schemas
from schemas.events import Published, type_of
from schemas.topics import PRODUCTS, SCORER_INPUTS
from tests.oracle.events import NOT_COUNTED, TOPICS, read_events

EXAMPLES = Path(schemas.__file__).parent / "examples"


def test_the_oracle_names_every_input_and_its_topic() -> None:
    """It shares no code with the contracts, so its own table is held against theirs."""
    carried = {type_of(event): topic.name for topic in (*SCORER_INPUTS, PRODUCTS) for event in topic.carries}
    carried.pop("time-reached.v1")
    assert carried == TOPICS


@pytest.mark.parametrize("kind", [type_of(event) for event in Published.__args__])
def test_a_line_is_counted_or_left_out_and_never_an_error(kind: str, tmp_path: Path) -> None:
    """A history that holds everything can be laid beside what the services make of it."""
    body = json.loads((EXAMPLES / f"{kind}.json").read_text(encoding="utf-8"))
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(body) + "\n")
    assert [event.event_id for event in read_events([path])] == (
        [] if kind in NOT_COUNTED else [body["event_id"]]
    )
