"""What the scorer publishes, as messages for the outbox."""

from __future__ import annotations

from schemas.events import CutOffsComputed, ReferralMade, TierChanged, TimeReached
from schemas.times import from_ms, to_ms
from schemas.topics import CHURN_WARNINGS, CUT_OFFS, REFERRALS, TIER_CHANGES
from schemas.wire import encode
from services.lanes.work import LaneTime, Message
from services.scorer.core.cuts import Ties
from services.scorer.core.draft import Effect
from services.scorer.core.identity import output_id
from services.scorer.records import partition_of
from services.scorer.store import CutOffs


def message_of(effect: Effect, lane: int, lanes: int) -> Message:
    """Return a tier change, a warning or its end on the partition of its customer, a referral on its own."""
    if isinstance(effect, ReferralMade):
        lane = partition_of(effect.customer_id, lanes)  # the referrer's, who may be anywhere
        key = effect.customer_id.encode()
        return Message(REFERRALS.name, lane, key, encode(effect), to_ms(effect.occurred_at))
    topic = TIER_CHANGES if isinstance(effect, TierChanged) else CHURN_WARNINGS
    key = effect.customer_id.encode()
    return Message(topic.name, lane, key, encode(effect), to_ms(effect.occurred_at))


def cut_offs_message(cut_offs: CutOffs, ties: Ties) -> Message:
    """Return new cut-offs, for whoever follows the crowd."""
    event = CutOffsComputed(
        event_id=output_id("cut-offs-computed.v1", "", cut_offs.version),
        occurred_at=from_ms(cut_offs.at_ms),
        version=cut_offs.version,
        active=ties.active,
        cut_offs=cut_offs.cuts,
        tied=ties.tied,
    )
    return Message(CUT_OFFS.name, 0, None, encode(event), cut_offs.at_ms)


def time_marks(lane: int, time: LaneTime) -> list[Message]:
    """Return a replayed instant's mark, for the lanes that read what this lane writes."""
    mark = TimeReached(
        event_id=f"time/{lane}/{time.now_ms}/{int(time.complete)}",
        through=from_ms(time.now_ms),
        complete=time.complete,
        clock="wall" if time.ends_replay else "event",
    )
    value = encode(mark)
    return [Message(topic.name, lane, None, value, time.now_ms) for topic in (TIER_CHANGES, CHURN_WARNINGS)]
