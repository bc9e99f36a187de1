"""Stories: one sentence a line, read into events and expectations.

The sentences that there are stand in ``SENTENCES``; a line that none of them fits is an error that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
NOON: Final = time(12, 0)
LAST_DAY: Final = "2025-09-05"
_DATE = r"(?P<date>\d{4}-\d\d-\d\d)"
_WHO = r"(?P<who>[a-z]+)"
_AMOUNT = r"(?P<amount>\d+\.\d\d)"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold at the end of a day."""

    line: str
    kind: str
    at: datetime
    words: dict[str, str]


@dataclass(slots=True)
class Story:
    """One story: its title, what happens, and what must come of it."""

    name: str
    title: str = ""
    text: str = ""
    crowd: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)

    def at(self, date: str) -> datetime:
        """Return an instant of the day that no other event of the story has."""
        return datetime.combine(datetime.fromisoformat(date), NOON, UTC) + timedelta(minutes=len(self.events))

    def add(self, type_: str, date: str, who: str, **fields: Any) -> None:
        """Let something happen."""
        at = self.at(date)
        number = len(self.events)
        self.events.append(
            {
                "type": type_,
                "event_id": f"{self.name}-{number}",
                "customer_id": who,
                "occurred_at": at.isoformat(),
                **fields,
            }
        )


def purchase(date: str, who: str, kind: str, amount: str) -> dict[str, Any]:
    """Return the fields of a purchase; its order is named after its day."""
    own = f"{who}-{date}"
    return {
        "kind": kind,
        "order_id": own if kind == "sale" else f"return-of-{own}",
        "amount_minor": round(float(amount) * 100),
        "currency": "USD",
        "channel": "store",
        "store_id": "1",
    }


def _buys(story: Story, w: dict[str, str]) -> None:
    story.add(
        "purchase-recorded.v1", w["date"], w["who"], **purchase(w["date"], w["who"], "sale", w["amount"])
    )


def _returns(story: Story, w: dict[str, str]) -> None:
    sold = _sale_of(story, w["who"], w["of"])
    body = purchase(w["of"], w["who"], "return", f"{sold['amount_minor'] / 100:.2f}")
    story.add("purchase-recorded.v1", w["date"], w["who"], **body, returned_order_id=sold["order_id"])


def _never_was(story: Story, w: dict[str, str]) -> None:
    sold = _sale_of(story, w["who"], w["of"])
    story.add(
        "purchase-corrected.v1", w["date"], w["who"], corrects=sold["event_id"], revision=1, purchase=None
    )


def _sale_of(story: Story, who: str, date: str) -> dict[str, Any]:
    return next(one for one in story.events if one.get("order_id") == f"{who}-{date}")


def _refers(story: Story, w: dict[str, str]) -> None:
    story.add("referral-made.v1", w["date"], w["who"], referred_customer_id=w["other"])


def _complains(story: Story, w: dict[str, str]) -> None:
    story.add(
        "service-contact-recorded.v1",
        w["date"],
        w["who"],
        contact_id=f"{w['who']}-{w['date']}",
        kind="complaint",
        channel="phone",
        topics=[w["topic"]],
    )


def _campaign(response: str) -> Callable[[Story, dict[str, str]], None]:
    def told(story: Story, w: dict[str, str]) -> None:
        story.add(
            "campaign-responded.v1", w["date"], w["who"], campaign_id=f"of-{w['date']}", response=response
        )

    return told


def _looks(story: Story, w: dict[str, str]) -> None:
    story.add(
        "product-browsed.v1",
        w["date"],
        w["who"],
        sku="sku-1",
        category="seats",
        brand="acme",
        action="viewed",
        competitor=w["rival"],
    )


def _pins(story: Story, w: dict[str, str]) -> None:
    until = datetime.combine(datetime.fromisoformat(w["until"]), NOON, UTC)
    story.add(
        "tier-pinned.v1",
        w["date"],
        w["who"],
        tier=w["tier"],
        until=until.isoformat(),
        cause="a promise",
        decided_by="manager",
    )


def _crowd(story: Story, w: dict[str, str]) -> None:
    story.crowd = int(w["count"])


GIVEN: Final[dict[str, Callable[[Story, dict[str, str]], None]]] = {
    r"a crowd of (?P<count>\d+) customers": _crowd,
    rf"on {_DATE} {_WHO} buys for {_AMOUNT}": _buys,
    rf"on {_DATE} {_WHO} returns the purchase of (?P<of>\S+)": _returns,
    rf"on {_DATE} the purchase of {_WHO} on (?P<of>\S+) never was": _never_was,
    rf"on {_DATE} {_WHO} refers (?P<other>[a-z]+)": _refers,
    rf"on {_DATE} {_WHO} complains about (?P<topic>[a-z_]+)": _complains,
    rf"on {_DATE} {_WHO} answers a campaign": _campaign("answered"),
    rf"on {_DATE} {_WHO} opens a campaign": _campaign("opened"),
    rf"on {_DATE} {_WHO} looks at (?P<rival>\w+)": _looks,
    rf"on {_DATE} a manager pins {_WHO} to (?P<tier>\w+) until (?P<until>\S+)": _pins,
}
THEN: Final[dict[str, str]] = {
    rf"on {_DATE} {_WHO} is ranked (?P<tier>\w+)": "ranked",
    rf"on {_DATE} {_WHO} is shown as (?P<tier>\w+)": "shown",
    rf"in the end {_WHO} has spent {_AMOUNT}": "spent",
    rf"on {_DATE} no warning stands for {_WHO}": "quiet",
    rf"on {_DATE} the warning (?P<rule>\w+) for {_WHO} is over by (?P<cause>\w+)": "over",
    rf"on {_DATE} a warning (?P<rule>\w+)(?: of (?P<severity>\w+) severity)? stands for {_WHO}"
    r"(?:, reason (?P<reason>\w+))?": "stands",
}


def stories() -> Iterator[Story]:
    """Yield every story of the folder, by name."""
    for path in sorted(FOLDER.glob("*.story")):
        yield read(path)


def read(path: Path) -> Story:
    """Return the story of a file.

    Raises:
        ValueError: a line is no sentence that stories know.
    """
    story = Story(path.stem, text=path.read_text(encoding="utf-8").rstrip())
    for line in story.text.splitlines():
        words = line.strip()
        if words.startswith("Story: "):
            story.title = words.removeprefix("Story: ")
        elif words.startswith("Given "):
            _read_given(story, words.removeprefix("Given "))
        elif words.startswith("Then "):
            _read_then(story, words.removeprefix("Then "))
        elif words:
            raise ValueError(f"{path.name}: {words!r} begins with none of Story, Given and Then")
    return story


def _read_given(story: Story, words: str) -> None:
    for pattern, happen in GIVEN.items():
        match = re.fullmatch(pattern, words)
        if match:
            happen(story, match.groupdict())
            return
    raise ValueError(f"{story.name}: nobody knows the sentence {words!r}; see GIVEN in story.py")


def _read_then(story: Story, words: str) -> None:
    for pattern, kind in THEN.items():
        match = re.fullmatch(pattern, words)
        if match:
            found = {name: word for name, word in match.groupdict().items() if word is not None}
            end = datetime.combine(datetime.fromisoformat(found.get("date", LAST_DAY)), time(23, 59, 59), UTC)
            story.expectations.append(Expectation(words, kind, end, found))
            return
    raise ValueError(f"{story.name}: nobody knows the sentence {words!r}; see THEN in story.py")
