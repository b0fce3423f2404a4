"""Criteria and sort keys that are said with `Model.f`, and criteria on what the server calculates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pydantic
import pytest

from mongodb_orm import BaseModel, From, QueryError, Reference, UnknownLookupError, field
from mongodb_orm.repository import Criteria, Lookup, Repository

START = datetime(2026, 1, 1, tzinfo=UTC)


class Loan(BaseModel):
    lent: datetime
    duration: timedelta | None = None
    reader_id: int = 0


DUE = field(Loan.f.lent) + field(Loan.f.duration)


class LoanCriteria(Criteria):
    reader: Annotated[int | None, Lookup(Loan.f.reader_id)] = None
    due_before: Annotated[datetime | None, Lookup(DUE, "lt")] = None
    due_from: Annotated[datetime | None, Lookup(DUE, "gte")] = None
    reader_up_to: Annotated[int, Lookup("reader_id", "lte")] | None = None


class OwnCriteria(LoanCriteria):
    def to_filter(self) -> dict[str, Any]:
        return {**super().to_filter(), "id": {"$ne": 3}}


class WrongCriteria(Criteria):
    due: Annotated[datetime | None, Lookup(DUE, "near")] = None


class LoanRepository(Repository[Loan]):
    sortable = {"newest": Loan.f.id, "duration": field(Loan.f.duration)}


@pytest.fixture
async def loans(register: Any) -> LoanRepository:
    await register(Loan)
    await Loan.bulk_create(
        [
            {"lent": START, "reader_id": number % 2, "duration": timedelta(days=number) if number else None}
            for number in (3, 0, 1, 2)
        ]
    )
    return LoanRepository()


@pytest.mark.parametrize(
    ("criteria", "ids"),
    [
        (LoanCriteria(reader=1), [1, 3]),
        (LoanCriteria(due_before=START + timedelta(days=2)), [3]),
        (LoanCriteria(due_from=START + timedelta(days=2), reader=0), [4]),
        (LoanCriteria(due_from=START, due_before=START + timedelta(days=3)), [3, 4]),
        (OwnCriteria(due_from=START, due_before=START + timedelta(days=3)), [4]),
        (OwnCriteria(reader=1), [1]),
        (LoanCriteria(reader_up_to=0), [2, 4]),
    ],
)
async def test_criteria_on_calculations(criteria: Criteria, ids: list[int], loans: LoanRepository) -> None:
    assert [loan.id for loan in await loans.find(criteria)] == ids


async def test_a_calculation_that_cannot_be_compared_so(loans: LoanRepository) -> None:
    with pytest.raises(UnknownLookupError, match=r"WrongCriteria\.due.*'near'"):
        await loans.find(WrongCriteria(due=START))
    with pytest.raises(QueryError, match="only for a model"):
        OwnCriteria(due_from=START).to_filter()


class Reader(BaseModel):
    name: str


class ReaderBrief(pydantic.BaseModel):
    name: str


class LoanSummary(pydantic.BaseModel):
    id: int
    reader: Annotated[ReaderBrief, Reference(Reader, "reader_id")] | None
    due: Annotated[datetime, From(DUE)] | None


async def test_what_a_summary_says_may_stand_inside_an_optional(register: Any, loans: LoanRepository) -> None:
    await register(Loan, Reader)
    await Reader.create(name="ann")
    found = await loans.find(LoanCriteria(due_before=START + timedelta(days=3)), projection=LoanSummary)
    assert [(one.reader and one.reader.name, one.due) for one in found] == [
        ("ann", START + timedelta(days=1)),
        (None, START + timedelta(days=2)),
    ]


async def test_sort_keys_may_be_paths(loans: LoanRepository) -> None:
    assert [loan.id for loan in await loans.find(sort=["-newest"])] == [4, 3, 2, 1]
    assert [loan.id for loan in await loans.find(sort=[("duration", "desc")])] == [1, 4, 3, 2]
