"""Criteria and sort keys that are said with `Model.f`, and criteria on what the server calculates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pydantic
import pytest

from mongodb_orm import BaseModel, From, NotSupportedError, Q, QueryError, Reference, UnknownLookupError, field
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


class DueSummary(pydantic.BaseModel):
    id: int
    reader: Annotated[ReaderBrief | None, Reference(Reader, "reader_id")]
    who: Annotated[int, From("reader_id")]
    due: Annotated[datetime | None, From(DUE)]
    reader_id: Annotated[int, From({"$multiply": ["$reader_id", -1]})]


class PlainSummary(pydantic.BaseModel):
    id: int
    due: Annotated[datetime | None, From(DUE)]


class DueRepository(Repository[Loan]):
    sortable = {"due": "due", "who": "who", "reader": "reader.name", "id": "reader_id"}


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (["due"], [2, 3, 4, 1]),
        (["-due"], [1, 4, 3, 2]),
        (["who", "-due"], [4, 2, 1, 3]),
        (["reader", "due"], [2, 4, 3, 1]),
        (["-id"], [1, 3, 2, 4]),  # a field of the model's own is that, whatever the summary makes of it
    ],
)
async def test_a_summary_is_sorted_by_what_it_calculates(
    sort: list[str], ids: list[int], register: Any, loans: LoanRepository
) -> None:
    await register(Loan, Reader)
    await Reader.create(name="ann")
    due = DueRepository()
    assert [one.id for one in await due.find(sort=sort, projection=DueSummary)] == ids
    assert [one.id for one in await due.find(sort=sort, skip=1, limit=2, projection=DueSummary)] == ids[1:3]
    assert [one.id async for one in due.stream(sort=sort, projection=DueSummary)] == ids
    page = await due.page(sort=sort, page=2, size=3, projection=DueSummary)
    assert ([one.id for one in page.items], page.total) == (ids[3:], 4)


async def test_a_summary_without_references_is_sorted_so_too(loans: LoanRepository) -> None:
    due = DueRepository()
    found = await due.find(LoanCriteria(reader=1), sort=["-due"], projection=PlainSummary)
    assert [one.model_dump() for one in found] == [
        {"id": 1, "due": START + timedelta(days=3)},
        {"id": 3, "due": START + timedelta(days=1)},
    ]
    assert [one.id for one in await due.find(sort=["due"], limit=1, projection=PlainSummary)] == [2]
    query = Loan.all().project(PlainSummary).order_by("-due")
    with pytest.raises(NotSupportedError, match="sorted by"):
        await query.paginate_after()
    assert [one.id for one in await query.sample(4)].count(2) == 1
    assert (await query.last() or await query.one()).id == 2


club = 1


class Member(BaseModel):
    name: str
    club: int

    class Meta:
        default_scope = staticmethod(lambda: Q(club=club))


class MemberSummary(pydantic.BaseModel):
    id: int
    reader: Annotated[ReaderBrief | None, Reference(Member, "reader_id")]


async def test_a_scope_that_is_a_function_is_asked_for_each_summary(
    register: Any, loans: LoanRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Loan, Member)
    await Member.create(name="ann", club=1)
    for number, name in ((1, "ann"), (2, None), (1, "ann")):
        monkeypatch.setitem(globals(), "club", number)
        one = await loans.find_one(LoanCriteria(reader=1), projection=MemberSummary)
        assert one is not None
        assert (one.reader and one.reader.name) == name


async def test_sort_keys_may_be_paths(loans: LoanRepository) -> None:
    assert [loan.id for loan in await loans.find(sort=["-newest"])] == [4, 3, 2, 1]
    assert [loan.id for loan in await loans.find(sort=[("duration", "desc")])] == [1, 4, 3, 2]
