"""Sales by month and city: aggregated on the server, drawn as a chart.

Run it: `python examples/analytics/report.py [chart.png]`, with `MONGO_URI` set or on the embedded server.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pydantic

from mongodb_orm import BaseModel, DatabaseConfig, close_all_connections, count, register_all_models, sum_


class Sale(BaseModel):
    city: str
    product: str
    amount: float
    sold_at: datetime


class MonthOfCity(pydantic.BaseModel):
    """One bar of the chart."""

    city: str
    month: int
    sales: int
    total: float


def made_up_sales(number: int) -> list[dict[str, Any]]:
    """Return sales of a year, the same on every run."""
    cities, products = ("Oslo", "Bergen", "Tromsø"), ("tea", "coffee", "cake")
    first = datetime(2026, 1, 1, 9, tzinfo=UTC)
    return [
        {
            "city": cities[n * n % 7 % 3],
            "product": products[n % 3],
            "amount": 20 + n * 37 % 80,
            "sold_at": first + timedelta(hours=n * 8760 / number),
        }
        for n in range(number)
    ]


async def months() -> list[MonthOfCity]:
    """Return the sales of each city in each month."""
    return await (
        Sale.pipeline()
        .add_fields(month={"$month": "$sold_at"})
        .group(by=("city", "month"), sales=count(), total=sum_("amount"))
        .sort("city", "month")
        .into(MonthOfCity)
    )


def draw(rows: list[MonthOfCity], path: Path) -> None:
    """Draw the totals, a line for each city."""
    mpl.use("Agg")
    figure, axes = plt.subplots(figsize=(8, 4))
    for city in sorted({row.city for row in rows}):
        own = [row for row in rows if row.city == city]
        axes.plot([row.month for row in own], [row.total for row in own], marker="o", label=city)
    axes.set(title="Sales by month", xlabel="month", ylabel="total", xticks=range(1, 13))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


async def main(path: Path) -> None:
    """Store sales, aggregate them, print and draw the result."""
    config = DatabaseConfig(mongo_uri=os.environ.get("MONGO_URI", "embedded://"))
    await register_all_models(__name__, db_config=config)
    try:
        await Sale.delete_many()
        await Sale.bulk_create(made_up_sales(2000))
        rows = await months()
        best = max(rows, key=lambda row: row.total)
        number = sum(row.sales for row in rows)
        print(f"{number:,} sales; the best month: {best.city}, month {best.month}, {best.total:,.0f}")
        print(await Sale.pipeline().group(by="product", sales=count(), total=sum_("amount")).sort("-total"))
        draw(rows, path)
        print(f"The chart is in {path}.")
    finally:
        await close_all_connections()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "sales.png")))
