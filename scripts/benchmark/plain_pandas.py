"""What an analyst would write with pandas over the same files: cohorts, retention rate, historic value.

    python scripts/benchmark/plain_pandas.py FOLDER

prints seconds and some totals as JSON. It is the obvious code, not the fastest there is: no chunks, no types
changed. It runs as a process of its own, so that its memory can be measured, and needs pandas, which comes
with the test tools.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd

WINDOW = pd.Timedelta(days=90)


def main() -> None:
    """The command line above."""
    data = Path(sys.argv[1]) / "data"
    clock, processor = time.perf_counter(), time.process_time()
    orders = pd.read_parquet(
        sorted((data / "orders").glob("0*.parquet")),
        columns=["customer_id", "ordered_at", "gross_amount", "discount_amount", "status"],
    )
    orders = orders[orders["status"] != "cancelled"]
    orders["net"] = orders["gross_amount"].astype(float) - orders["discount_amount"].astype(float)
    orders["day"] = orders["ordered_at"].dt.normalize()
    orders["month"] = orders["ordered_at"].dt.to_period("M")

    # Historic value.
    customers = orders.groupby("customer_id").agg(
        orders=("net", "size"), value=("net", "sum"), first=("day", "min"), last=("day", "max")
    )

    # Cohorts.
    orders["cohort"] = orders.groupby("customer_id")["month"].transform("min")
    orders["age"] = (orders["month"] - orders["cohort"]).map(lambda months: months.n)
    cohorts = (
        orders.groupby(["cohort", "age"])
        .agg(active=("customer_id", "nunique"), revenue=("net", "sum"))
        .reset_index()
    )
    sizes = cohorts[cohorts["age"] == 0].set_index("cohort")["active"]
    cohorts["retention"] = cohorts["active"] / cohorts["cohort"].map(sizes)

    # Retention rate by month: who was active at its start, and at its end.
    months = pd.period_range(orders["month"].min(), orders["month"].max(), freq="M")
    rates = {}
    for month in months:
        start = month.start_time.normalize() - pd.Timedelta(days=1)
        end = month.end_time.normalize()
        before, after = (
            set(orders.loc[(orders["day"] <= day) & (orders["day"] > day - WINDOW), "customer_id"])
            for day in (start, end)
        )
        rates[str(month)] = len(before & after) / len(before) if before else None
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - clock,
                "cpu_seconds": time.process_time() - processor,
                "customers": len(customers),
                "orders": int(customers["orders"].sum()),
                "net_revenue": round(float(customers["value"].sum()), 2),
                "cohort_rows": len(cohorts),
                "last_rate": rates[str(months[-1])],
            }
        )
    )


if __name__ == "__main__":
    main()
