"""Laws of the alerter: whatever happens in whatever order, and however often it is delivered."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ChurnWarned
from schemas.tasks import LIVE_STATES, TRANSITIONS, TaskAction, TaskState, after
from schemas.tiers import EpisodeEnd, Tier
from services.alerter.core.assignment import Unassigned, assign
from services.alerter.core.decide import Event, decide, fold
from services.alerter.core.playbooks import PLAYBOOKS, episode_of
from services.alerter.core.task import Task
from services.alerter.core.wording import Wording
from tests.alerter_events import NOON, RULES, cleared, moved, warned

WORDS = Wording()
PEOPLES_MOVES = (TaskAction.CLAIM, TaskAction.RELEASE, TaskAction.EXPIRE, TaskAction.COMPLETE)
RANKED = (Tier.HIGH_VALUE, Tier.REGULAR, Tier.AT_RISK)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("warn"), st.sampled_from(sorted(RULES))),
        st.tuples(st.just("clear"), st.sampled_from(EpisodeEnd)),
        st.tuples(st.just("move"), st.sampled_from(RANKED)),
        st.tuples(st.just("person"), st.sampled_from((*PEOPLES_MOVES, TaskAction.ARCHIVE))),
        st.tuples(st.just("repeat"), st.integers(min_value=0, max_value=99)),
    ),
    max_size=25,
)


@dataclass
class Customer:
    """One customer's events as a scorer could publish them, and what people do in between."""

    revision: int = 0
    tier: Tier | None = None
    open_warnings: list[ChurnWarned] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    tasks: tuple[Task, ...] = ()

    def do(self, what: str, how: object, *, repeats: bool = True) -> None:
        """Take one step; one that is impossible now is left out."""
        if what == "person" and isinstance(how, TaskAction):
            self.tasks = tuple(_moved_by_person(task, how) for task in self.tasks)
        elif what == "repeat" and isinstance(how, int):
            if self.events and repeats:
                self.tasks = fold(self.tasks, [self.events[how % len(self.events)]], WORDS)
        else:
            event = self._next(what, how)
            if event is not None:
                self.events.append(event)
                self.tasks = fold(self.tasks, [event], WORDS)

    def _next(self, what: str, how: object) -> Event | None:
        self.revision += 1
        at = NOON + timedelta(days=self.revision)
        if what == "warn" and isinstance(how, str):
            warning = warned(how, revision=self.revision, at=at)
            self.open_warnings.append(warning)
            return warning
        if what == "clear" and isinstance(how, EpisodeEnd) and self.open_warnings:
            warning = self.open_warnings.pop(self.revision % len(self.open_warnings))
            return cleared(warning, revision=self.revision, at=at, cause=how)
        if what == "move" and isinstance(how, Tier) and how != self.tier:
            previous, self.tier = self.tier, how
            return moved(previous, how, revision=self.revision, at=at)
        return None


def _moved_by_person(task: Task, action: TaskAction) -> Task:
    if (task.state, action) not in TRANSITIONS:
        return task
    return msgspec.structs.replace(task, state=after(task.state, action))


def lived(story: list[tuple[str, object]], *, repeats: bool = True) -> Customer:
    customer = Customer()
    for what, how in story:
        customer.do(what, how, repeats=repeats)
    return customer


@given(steps)
def test_a_redelivery_changes_nothing(story: list[tuple[str, object]]) -> None:
    """At any later time, of any event, in any state of its task."""
    customer = lived(story)

    assert all(decide(customer.tasks, event, WORDS) == () for event in customer.events)


@given(steps)
def test_repeats_on_the_way_leave_no_trace(story: list[tuple[str, object]]) -> None:
    """With and without redeliveries the tasks are the same."""
    assert lived(story).tasks == lived(story, repeats=False).tasks


@given(steps)
def test_at_most_one_live_task_per_playbook(story: list[tuple[str, object]]) -> None:
    """A customer is called once for one thing, as the database's index demands."""
    customer = Customer()
    for what, how in story:
        customer.do(what, how)
        live = Counter(task.playbook for task in customer.tasks if task.is_live)
        assert all(live[playbook.name] <= 1 for playbook in PLAYBOOKS)
        assert len({task.task_key for task in customer.tasks}) == len(customer.tasks)


@given(steps)
def test_every_open_episode_is_somebodys_task(story: list[tuple[str, object]]) -> None:
    """A warned and not cleared episode stands in exactly one task, which is live, done or history."""
    customer = lived(story)

    for warning in customer.open_warnings:
        holders = [task for task in customer.tasks if task.rests_on(warning.event_id)]
        assert len(holders) == 1
        assert holders[0].state is not TaskState.WITHDRAWN
    still_open = {episode_of(warning) for warning in customer.open_warnings}
    for task in customer.tasks:
        if task.is_live and task.playbook == "call_back_silent":
            assert any(line.episode in still_open for line in task.causes)


@given(steps)
def test_a_welcome_is_open_only_for_the_top_tier(story: list[tuple[str, object]]) -> None:
    """Whoever is not ranked high value has no live welcome."""
    customer = lived(story)

    welcomes = [t for t in customer.tasks if t.is_live and t.playbook == "welcome_high_value"]
    assert not welcomes or customer.tier is Tier.HIGH_VALUE


@given(steps)
def test_closed_tasks_stay_closed(story: list[tuple[str, object]]) -> None:
    """No event touches a task that is done, withdrawn or history."""
    customer = Customer()
    for what, how in story:
        closed = {task for task in _frozen(customer.tasks) if task[1] not in LIVE_STATES}
        customer.do(what, how)
        assert closed <= _frozen(customer.tasks)


@given(steps, st.integers(min_value=0, max_value=25))
def test_chunks_do_not_matter(story: list[tuple[str, object]], cut: int) -> None:
    """Events in one chunk or in two make the same tasks, and the loaded subset of them is enough."""
    events = lived([step for step in story if step[0] != "person"]).events
    whole = fold((), events, WORDS)
    first = fold((), events[:cut], WORDS)
    ids = {event.event_id for event in events[cut:]}
    loaded = tuple(t for t in first if t.is_live or any(t.rests_on(event_id) for event_id in ids))

    kept = [task for task in first if task not in loaded]
    assert _by_key([*kept, *fold(loaded, events[cut:], WORDS)]) == _by_key(whole)


def _frozen(tasks: tuple[Task, ...]) -> set[tuple[str, TaskState, int]]:
    return {(task.task_key, task.state, task.version) for task in tasks}


def _by_key(tasks: "list[Task] | tuple[Task, ...]") -> list[Task]:
    return sorted(tasks, key=lambda task: task.task_key)


# -- assignment -------------------------------------------------------------------------------------

people = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=5)
waiting = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("tu")), max_size=40).map(
    lambda rows: [Unassigned(number, f"c{customer}", team) for number, (customer, team) in enumerate(rows)]
)


@given(st.integers(0, 60), people, st.none() | st.text("abcdef", min_size=1, max_size=3))
def test_assignment_is_fair(count: int, team: list[str], last: str | None) -> None:
    """Without owners nobody gets more than one task more than anybody else."""
    tasks = [Unassigned(number, f"c{number}", "t") for number in range(count)]

    result = assign(tasks, teams={"t": team}, last={} if last is None else {"t": last}, owners={})

    counts = Counter(user_id for _, user_id in result.given)
    assert sum(counts.values()) == (count if team else 0)
    if team:
        assert max(counts[who] for who in team) - min(counts[who] for who in team) <= 1


@given(waiting, people, people, st.integers(0, 40))
def test_assignment_in_two_turns_is_the_same(
    tasks: list[Unassigned], one: list[str], other: list[str], cut: int
) -> None:
    """The bound of a turn shows nowhere: deterministic, whatever was done in one go."""
    teams = {"t": one, "u": other}
    whole = assign(tasks, teams=teams, last={}, owners={})
    first = assign(tasks[:cut], teams=teams, last={}, owners={})
    customers = {task.task_id: (task.customer_id, task.team) for task in tasks}
    owners = {customers[task_id]: user_id for task_id, user_id in first.given}

    second = assign(tasks[cut:], teams={t: p[::-1] for t, p in teams.items()}, last=first.last, owners=owners)

    assert first.given + second.given == whole.given
    assert {**first.last, **second.last} == whole.last


@given(waiting, people, people)
def test_a_customer_has_one_advisor_per_team(
    tasks: list[Unassigned], one: list[str], other: list[str]
) -> None:
    """Everyone who is there gets only their team's tasks, and a customer is not handed around."""
    teams = {"t": one, "u": other}
    result = dict(assign(tasks, teams=teams, last={}, owners={}).given)
    advisors: dict[tuple[str, str], set[str]] = {}
    for task in tasks:
        if task.task_id in result:
            advisors.setdefault((task.customer_id, task.team), set()).add(result[task.task_id])

    assert all(len(of_customer) == 1 for of_customer in advisors.values())
    assert all(who <= set(teams[team]) for (_, team), who in advisors.items())
