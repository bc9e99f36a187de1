"""The README says nothing that is not there: links, make targets, commands, options and settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from deploy.cli import app
from schemas.events import TimeReached
from schemas.generate import schema_path
from schemas.topics import ALL_TOPICS, Topic
from services.lanes.settings import WorkerSettings
from tests.stories.story import stories

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()
]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_leads_somewhere(path: str) -> None:
    """A relative link names a file or folder of the project."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_every_topic_stands_in_the_table_with_what_it_carries(topic: Topic) -> None:
    """Who connects a system finds each topic once, with the schema of each of its events."""
    lines = [line for line in README.splitlines() if line.startswith(f"| `{topic.name}` |")]
    assert len(lines) == 1
    for event in topic.carries:
        assert event is TimeReached or f"](schemas/{schema_path(event)})" in lines[0]


def test_every_make_target_exists() -> None:
    """What the README tells to make can be made."""
    targets = set(
        re.findall(r"\bmake ([a-z0-9]+)", "\n".join([*COMMANDS, *re.findall(r"`([^`\n]*)`", README)]))
    )
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("tierstream ")])
def test_every_command_and_option_exists(line: str) -> None:
    """``tierstream`` knows every subcommand and option that the README shows."""
    words = shlex.split(line, comments=True)[1:]
    known = typer.main.get_command(app)
    for word in words:
        if not hasattr(known, "commands"):
            break
        known = known.commands[word]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_stories_are_the_ones_that_run() -> None:
    """Title by title: a story that is not run is a promise without a proof."""
    told = README.split("### Stories")[1].split("\n\n### Lanes")[0]
    assert re.findall(r"^- (.+)$", told, re.MULTILINE) == [story.title for story in stories()]


def test_every_setting_exists() -> None:
    """A variable LANES_... is one that workers read."""
    fields = {f"LANES_{name.upper()}" for name in WorkerSettings.model_fields}
    assert set(re.findall(r"\bLANES_[A-Z_]+", README)) <= fields


def test_every_module_that_is_run_exists() -> None:
    """``python -m`` names modules of the project."""
    for module in re.findall(r"python -m ([a-z.]+)", README):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
