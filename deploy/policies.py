"""Policies in the database: put in force, listed, shown. A version is a row of ``policies``, and stays.

The lanes follow the highest version: each rescores its customers silently beside the old one, and all switch
when every lane is through. Which one is in force stands with the lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec

from services.scorer.core.policy import Policy
from services.scorer.policies import (
    Mistake,
    PolicyError,
    read_policy,
    read_policy_file,
    started,
    templates,
    write_policy,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TRIES_MAX: Final = 5
_SUFFIXES: Final = frozenset({".yaml", ".yml"})
# One statement: nothing is written when the newest version says the same, and of two people who activate
# at once the second one's row waits for the next number.
_PROPOSE: Final = """
INSERT INTO policies (version, body, source, note)
SELECT coalesce(max(version), 0) + 1, $1::jsonb, $2, $3 FROM policies
HAVING (SELECT body FROM policies ORDER BY version DESC LIMIT 1) IS DISTINCT FROM $1::jsonb
ON CONFLICT DO NOTHING
RETURNING version"""
_NEWEST: Final = """
SELECT version, body = $1::jsonb AS same FROM policies ORDER BY version DESC LIMIT 1"""
_LANES: Final = """
SELECT count(*) AS lanes, count(*) FILTER (WHERE versions[2] >= $1) AS through,
       min(versions[2]) AS in_force FROM lanes WHERE service = 'scorer'"""
_LIST: Final = """
SELECT version, body->>'name' AS name, body->>'currency' AS currency, body->>'time_zone' AS time_zone,
       activated_at, note FROM policies ORDER BY version DESC"""
_SHOW: Final = "SELECT version, body, source FROM policies WHERE version = $1"
# What the lanes decide by; before there are any, what they will begin with.
_IN_FORCE: Final = """
SELECT version, body, source FROM policies WHERE version = coalesce(
  (SELECT min(versions[2]) FROM lanes WHERE service = 'scorer' AND versions[2] > 0),
  (SELECT max(version) FROM policies))"""


class NoPolicyError(RuntimeError):
    """There is no such version, or none at all."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A policy and the YAML that it was read from."""

    policy: Policy
    source: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A version in the database."""

    version: int
    policy: Policy
    source: str  # the YAML as given; as the policy is written now where none was


@dataclass(frozen=True, slots=True)
class Proposed:
    """What became of a policy that was to be activated."""

    version: int
    is_new: bool  # false: it was the newest version already


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    version: int
    name: str
    currency: str
    time_zone: str
    activated_at: datetime
    note: str
    in_force: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """How far the lanes are with a version."""

    lanes: int
    through: int

    @property
    def is_done(self) -> bool:
        """Whether every lane has switched."""
        return self.lanes > 0 and self.through == self.lanes


def check(path: Path) -> Policy:
    """Return the policy in a file.

    Raises:
        PolicyError: all its mistakes, by line.
        OSError: the file can't be read.
    """
    return read_policy_file(path)[0]


def choose(name: str | None, *, currency: str | None = None, time_zone: str | None = None) -> Chosen:
    """Return the policy of a file or template, or the default one; the options win over what it says.

    Raises:
        PolicyError: it is no policy.
        NoSuchTemplateError: there is neither file nor template of that name.
        OSError: the file can't be read.
    """
    if name is not None and _is_file(name):
        policy, text = read_policy_file(Path(name))
        changes = {"currency": currency, "time_zone": time_zone}
        changes = {key: value for key, value in changes.items() if value not in {None, getattr(policy, key)}}
        if not changes:
            return Chosen(policy, text)
        # The text would say something else than what is in force: write it anew.
        changed = write_policy(_replaced(policy, name, changes))
        return Chosen(read_policy(changed, source=name), changed)
    text = started(name or "default", currency=currency, time_zone=time_zone)
    return Chosen(read_policy(text, source=f"template {name}"), text)


def _is_file(name: str) -> bool:
    """Return whether a file is meant; a template's name is a template's, whatever lies around."""
    path = Path(name)
    is_template = name.replace("-", "_") in {one.name for one in templates()}
    return path.suffix in _SUFFIXES or (not is_template and path.is_file())


def _replaced(policy: Policy, source: str, changes: dict[str, Any]) -> Policy:
    try:
        return msgspec.structs.replace(policy, **changes)
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise PolicyError(source, [Mistake(1, 1, "", what, remedy)]) from None


async def propose(database_url: str, policy: Policy, source: str, *, note: str = "") -> Proposed:
    """Put a policy into the database as the next version, unless the newest one says the same.

    From then on the lanes rescore their customers under it. Versions before it stay.

    Raises:
        NoPolicyError: others activated at the same moment, again and again.
    """
    body = msgspec.json.encode(policy.to_json()).decode()
    connection = await asyncpg.connect(database_url)
    try:
        for _ in range(_TRIES_MAX):
            version = await connection.fetchval(_PROPOSE, body, source, note)
            if version is not None:
                return Proposed(int(version), is_new=True)
            newest = await connection.fetchrow(_NEWEST, body)
            if newest is not None and newest["same"]:
                return Proposed(int(newest["version"]), is_new=False)
    finally:
        await connection.close()
    raise NoPolicyError("others activate policies at the same moment; look at the list and try again")


async def stored(database_url: str, version: int | None = None) -> Stored:
    """Return a version; without a number, the one in force.

    Raises:
        NoPolicyError: there is none.
    """
    connection = await asyncpg.connect(database_url)
    try:
        return await stored_in(connection, version)
    finally:
        await connection.close()


async def stored_in(connection: asyncpg.Connection[Any], version: int | None = None) -> Stored:
    """As ``stored``, in a transaction of the caller's.

    Raises:
        NoPolicyError: there is none.
    """
    query, arguments = (_IN_FORCE, []) if version is None else (_SHOW, [version])
    row = await connection.fetchrow(query, *arguments)
    if row is None:
        which = "no policy is in force" if version is None else f"there is no version {version}"
        raise NoPolicyError(f"{which}; see tierstream policy list, or run tierstream migrate first")
    policy = Policy.from_json(msgspec.json.decode(row["body"]))
    return Stored(int(row["version"]), policy, row["source"] or write_policy(policy))


async def listed(database_url: str) -> list[Listed]:
    """Return every version, the newest first."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_LIST)
        lanes = await connection.fetchrow(_LANES, 0)
    finally:
        await connection.close()
    newest = rows[0]["version"] if rows else None
    in_force = lanes["in_force"] if lanes is not None and lanes["in_force"] else newest
    return [Listed(**dict(row), in_force=row["version"] == in_force) for row in rows]


async def switching(database_url: str, version: int) -> AsyncIterator[Switch]:
    """Yield how far the lanes are, once for each time that it is asked for."""
    connection = await asyncpg.connect(database_url)
    try:
        while True:
            row = await connection.fetchrow(_LANES, version)
            yield Switch(int(row["lanes"]), int(row["through"])) if row is not None else Switch(0, 0)
    finally:
        await connection.close()


def summary(policy: Policy) -> list[tuple[str, str]]:
    """Return what a policy decides, as labels and words."""
    score = ", ".join(f"{one.metric} {one.weight:.0%}" for one in policy.score)
    bonus = ", ".join(f"{one.points} for each of {one.metric}" for one in policy.bonus)
    levels = " > ".join(_level(one.name, one.percent, one.at_least) for one in policy.tiers.levels)
    money = policy.currency + (f" and {', '.join(sorted(policy.rates))}" if policy.rates else "")
    return [
        ("name", policy.name),
        ("money", money),
        ("time zone", policy.time_zone),
        ("window", f"{policy.window_days} days, events up to {policy.lateness_days} days late"),
        ("score", score + (f"; bonus points: {bonus}" if bonus else "")),
        (f"tiers by {policy.tiers.by}", levels),
        (
            "hysteresis",
            f"{policy.tiers.margin_percent} %, no downgrade within {policy.tiers.dwell_days} days",
        ),
        ("warnings", ", ".join(rule.name for rule in policy.churn) or "none"),
        ("model", policy.model.purchases.kind if policy.model is not None else "none"),
    ]


def _level(name: str, percent: int | None, at_least: float | None) -> str:
    if percent is not None:
        return f"{name} {percent} %"
    return name if at_least is None else f"{name} from {at_least:,g}"
