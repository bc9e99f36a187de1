"""Types of fields that several events share, each with its bounds as JSON Schema shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

AMOUNT_MINOR_MAX = 10**12
ID_PATTERN = r"^[A-Za-z0-9._:@/+-]{1,128}\Z"

Id = Annotated[str, Meta(pattern=ID_PATTERN, description="1 to 128 of A-Z a-z 0-9 . _ : @ / + -")]
Text = Annotated[str, Meta(min_length=1, max_length=256)]
LongText = Annotated[str, Meta(min_length=1, max_length=1000)]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset, kept to the millisecond")]
Day = Annotated[date, Meta(description="a day of the calendar, such as 1985-04-12")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217 code")]
AmountMinor = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX, description="minor units of the currency")]
SignedAmountMinor = Annotated[int, Meta(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)]
Quantity = Annotated[int, Meta(ge=0, le=10**9)]
Percent = Annotated[float, Meta(ge=0, le=100)]
DwellSeconds = Annotated[int, Meta(ge=0, le=86_400, description="how long it was looked at")]
Score10 = Annotated[int, Meta(ge=0, le=10, description="0 is the worst, 10 the best")]

ContactTopic = Literal["price", "service", "waiting_time", "quality", "delivery", "competitor", "other"]
ChurnReason = Literal["price", "service", "competitor", "quality", "unknown"]


class CustomerEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What every event about one customer begins with; its Kafka key is ``customer_id``."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant
