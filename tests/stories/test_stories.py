"""The worked stories, in plain words, through the whole stack: Kafka, PostgreSQL, scorer, alerter, export."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.stories.crowd import crowd
from tests.stories.outcome import Outcome
from tests.stories.story import FOLDER, Story, stories

STORIES = list(stories())


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Run all stories at once, in one crowd, through ``tierstream local``."""
    folder = tmp_path_factory.mktemp("stories")
    events = [event for story in STORIES for event in story.events]
    events += crowd(max(story.crowd for story in STORIES))
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "deploy.cli", "local", "--once", "--events", path, "--lanes", "4"),
        *("--policy", FOLDER / "policy.yaml", "--export", folder / "out"),
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome.read(folder / "out")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Story, outcome: Outcome) -> None:
    """What the story says comes of it came of it."""
    objections = [
        f"{expected.line}: {objection}"
        for expected in story.expectations
        if (objection := outcome.objection(expected)) is not None
    ]
    assert objections == [], story.text


def test_every_story_tells_something() -> None:
    """A title, something that happens, and something that comes of it."""
    assert all(story.title and story.events and story.expectations for story in STORIES)
    assert len({story.title for story in STORIES}) == len(STORIES)
