"""``tierstream policy``: templates, checks, activation; and the options of other commands that choose one."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.migrate import PolicyDiffersError, activate_first
from deploy.policies import NoPolicyError, propose, stored
from services.scorer.core.policy import Policy
from services.scorer.policies import read_policy, template, write_policy
from tests.integration.policy_database import execute, make_policy_database, put_lane
from tests.integration.test_cli import Said, tierstream

TYPO = "name: shop\nwindw_days: 300\nscore:\n  - {metric: spend, weight: 0.9}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of a policy in order."""
    path = tmp_path / "shop.yaml"
    path.write_text(template("hospitality").text)
    return path


@pytest.fixture
def typo(tmp_path: Path) -> Path:
    """Return the file of a policy with two mistakes."""
    path = tmp_path / "typo.yaml"
    path.write_text(TYPO)
    return path


@pytest.fixture(scope="module")
def url(database_url: str) -> str:
    """Return a database whose policies these tests share."""
    return make_policy_database(database_url)


def fetched(url: str, query: str) -> list[Any]:
    async def fetch() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    return asyncio.run(fetch())


# -- without a database ---------------------------------------------------------------------------


def test_templates_are_listed_with_their_goals(tmp_path: Path) -> None:
    """One line each."""
    said = tierstream("policy", "templates", folder=tmp_path)
    assert said.code == 0
    assert "hospitality a status that guests can count on" in said.words
    assert "small_shop something that a small shop can explain at the till" in said.words


def test_a_template_becomes_a_file_of_ones_own(tmp_path: Path) -> None:
    """In another currency and time zone; it is a policy in order."""
    said = tierstream(
        "policy", "new", "e-commerce", "--currency", "JPY", "--time-zone", "Asia/Tokyo", folder=tmp_path
    )
    assert said.code == 0
    policy = read_policy(said.out, source="printed")
    assert (policy.name, policy.currency, policy.time_zone) == ("e_commerce", "JPY", "Asia/Tokyo")
    assert "# Goal: " in said.out


def test_an_unknown_template_is_named(tmp_path: Path) -> None:
    """With those there are."""
    said = tierstream("policy", "new", "retial", folder=tmp_path)
    assert said.code == 2
    assert "there is no template retial; did you mean retail? There are default, retail" in said.words


def names_both_mistakes(said: Said, name: str) -> None:
    assert said.code == 2
    assert (
        f"{name}:2:1: windw_days: there is no key 'windw_days' here; did you mean window_days?" in said.words
    )
    assert (
        f"{name}:3:1: score: the weights add up to 0.9, not 1; change them so that they add up" in said.words
    )


def test_a_check_says_what_a_policy_decides_or_every_mistake(file: Path, typo: Path, tmp_path: Path) -> None:
    """All files are read; one mistake is enough for exit code 2."""
    said = tierstream("policy", "check", file.name, folder=tmp_path)
    assert said.code == 0
    assert "shop.yaml: in order" in said.words
    assert "platinum from 15,000 > gold from 6,000 > silver from 2,000 > member" in said.words
    both = tierstream("policy", "check", typo.name, file.name, folder=tmp_path)
    names_both_mistakes(both, "typo.yaml")
    assert "shop.yaml: in order" in both.words


def test_the_schema_is_printed(tmp_path: Path) -> None:
    """As JSON."""
    said = tierstream("policy", "schema", folder=tmp_path)
    assert json.loads(said.out)["$id"] == "urn:tierstream:policy"


@pytest.mark.parametrize(
    "command", [["local", "--policy"], ["migrate", "--policy"], ["policy", "activate"]], ids=" ".join
)
def test_a_policy_with_mistakes_starts_nothing(command: list[str], typo: Path, tmp_path: Path) -> None:
    """They are named before anything is connected to, started or written."""
    names_both_mistakes(tierstream(*command, typo.name, folder=tmp_path), "typo.yaml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "retial"], "there is no template retial; did you mean retail?"),
        (["--policy", "nowhere.yaml"], "nowhere.yaml: No such file or directory; give a file that is there"),
        (["--currency", "XXQ"], "'XXQ' is not an ISO 4217 code in use; give one such as USD, EUR or JPY"),
        (
            ["--policy", "retail", "--time-zone", "Moon"],
            "'Moon' is not an IANA time zone; give one such as UTC",
        ),
        (["--policy", "shop.yaml", "--currency", "usd"], "'usd' is not an ISO 4217 code in use"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_choice_that_can_not_be_is_said_in_words(
    arguments: list[str], words: str, file: Path, tmp_path: Path
) -> None:
    """Exit code 2, what was wrong, and what would be right."""
    assert file.exists()
    said = tierstream("migrate", *arguments, folder=tmp_path)
    assert said.code == 2
    assert words in said.words


# -- in the database ------------------------------------------------------------------------------


def test_a_policy_is_activated_listed_and_shown(url: str, file: Path, typo: Path, tmp_path: Path) -> None:
    """Versions stay; the same again is no new one; a mistake changes nothing."""
    environment = {"DATABASE_URL": url}
    asyncio.run(activate_first(url, Policy.default()))
    before = fetched(url, "SELECT version, body FROM policies")
    names_both_mistakes(
        tierstream("policy", "activate", typo.name, folder=tmp_path, **environment), "typo.yaml"
    )
    assert fetched(url, "SELECT version, body FROM policies") == before

    said = tierstream("policy", "activate", file.name, "--note", "guests", folder=tmp_path, **environment)
    assert said.code == 0
    assert "version 2 is written: the lanes rescore everybody silently and switch together" in said.words
    again = tierstream("policy", "activate", file.name, folder=tmp_path, **environment)
    assert "version 2 says the same already; nothing was written" in again.words

    put_lane(url, 0, 2)
    put_lane(url, 1, 1)
    lines = tierstream("policy", "list", folder=tmp_path, **environment).out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["2", "hospitality", "USD", "UTC"], ["1", "default", "USD", "UTC"],
    ]  # fmt: skip
    assert lines[1].rstrip().endswith("guests")
    assert "in force" in lines[2]  # as long as one lane decides by it
    assert tierstream("policy", "show", "2", folder=tmp_path, **environment).out == file.read_text()
    shown = tierstream("policy", "show", folder=tmp_path, **environment).out
    assert read_policy(shown, source="shown") == Policy.default()
    assert "there is no version 9" in tierstream("policy", "show", "9", folder=tmp_path, **environment).words


def test_waiting_ends_when_every_lane_has_switched_or_the_time_is_over(
    database_url: str, file: Path, tmp_path: Path
) -> None:
    """With how far they are."""
    url = make_policy_database(database_url)
    asyncio.run(activate_first(url, Policy.default()))
    put_lane(url, 0, 1)
    put_lane(url, 1, 1)
    late = tierstream(
        "policy", "activate", file.name, "--wait", "--wait-seconds", "1", folder=tmp_path, DATABASE_URL=url
    )
    assert late.code == 1
    assert "after 1 s 0 of 2 lanes have version 2; it goes on without us" in late.words

    def switch() -> None:
        time.sleep(2)
        put_lane(url, 0, 2)
        put_lane(url, 1, 2)

    lanes = threading.Thread(target=switch)
    lanes.start()
    said = tierstream("policy", "activate", file.name, "--wait", folder=tmp_path, DATABASE_URL=url)
    lanes.join()
    assert said.code == 0
    assert "all 2 lanes have switched to version 2" in said.words


async def test_policies_activated_at_once_get_a_version_each(database_url: str) -> None:
    """And the order is that of the versions."""
    url = await asyncio.to_thread(make_policy_database, database_url)
    many = [Policy(name=f"p{number}") for number in range(8)]
    done = await asyncio.gather(*(propose(url, policy, write_policy(policy)) for policy in many))
    assert sorted(one.version for one in done) == list(range(1, 9))
    for policy, one in zip(many, done, strict=True):
        assert (await stored(url, one.version)).policy == policy


async def test_the_first_policy_stays_unless_another_is_activated(database_url: str) -> None:
    """Who starts with another one is told what to do; without any there is none in force."""
    url = await asyncio.to_thread(make_policy_database, database_url)
    with pytest.raises(NoPolicyError, match="no policy is in force"):
        await stored(url)
    await activate_first(url, Policy.default(currency="EUR"), "name: default\ncurrency: EUR\n")
    await activate_first(url, Policy.default(currency="EUR"))
    assert (await stored(url)).source == "name: default\ncurrency: EUR\n"
    with pytest.raises(
        PolicyDiffersError, match="give --currency EUR --time-zone UTC, or begin with empty data"
    ):
        await activate_first(url, Policy.default())
    with pytest.raises(PolicyDiffersError, match="put yours in force with tierstream policy activate FILE"):
        await activate_first(url, Policy(window_days=300))
    assert (await stored(url)).version == 1


def test_an_older_row_without_its_source_is_shown_as_it_is_written_now(database_url: str) -> None:
    """The first versions kept the body alone."""
    url = make_policy_database(database_url)
    execute(
        url, "INSERT INTO policies (version, body) VALUES (1, $1)", json.dumps(Policy.default().to_json())
    )
    assert asyncio.run(stored(url)).source == write_policy(Policy.default())
