"""Repositories: criteria, sort keys, summaries and the basic writes, on every backend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

import pydantic
import pytest
from pydantic import Field, computed_field

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    DuplicateDocumentError,
    From,
    Indexed,
    InvalidValueError,
    MongoDBORMError,
    NotSupportedError,
    Q,
    QueryError,
    Reference,
    SoftDeleteMixin,
    UnknownFieldError,
    UnsafeQueryError,
    ValidationError,
    VersionedMixin,
    add_command_listener,
    transaction,
)
from mongodb_orm.dao import BaseDAO, get_dao
from mongodb_orm.repository import Criteria, Lookup, Repository, RepositoryProtocol
from mongodb_orm.testing import search_cases

START = datetime(2026, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    NOTICE = "notice"
    WARNING = "warning"
    BAN = "ban"


class Action(pydantic.BaseModel):
    created: datetime
    created_by_id: int


class Infraction(BaseModel):
    guild_id: int
    type: Kind
    reason: str = Field(default="", max_length=50)
    tags: list[str] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)
    duration: timedelta | None = None
    create_action: Action
    rescind_action: Action | None = None
    delete_action_id: int | None = None

    class Meta:
        protected = ("delete_action_id",)


class InfractionCriteria(Criteria):
    id: int | None = None
    guild_id: int | None = None
    types: Annotated[list[Kind] | None, Lookup("type", "in")] = None
    tags: list[str] | None = None
    meta: dict[str, Any] | None = None
    reason__icontains: str | None = None
    created__gte: Annotated[datetime | None, Lookup("create_action.created", "gte")] = None
    created_by_id: Annotated[int | None, Lookup("create_action.created_by_id")] = None
    is_deleted: Annotated[bool | None, Lookup("delete_action_id", "not_null")] = None
    create_action__created_by_id__in: list[int] | None = None


class InfractionRepository(Repository[Infraction]):
    sortable = {"created": "create_action.created", "type": "type", "author": "create_action.created_by_id"}

    async def of_guild(self, guild_id: int) -> list[Infraction]:
        return await self.model.filter(guild_id=guild_id)


@pytest.fixture
async def infractions(register_any: Any) -> InfractionRepository:
    await register_any(Infraction)
    repository = InfractionRepository()
    rows: list[tuple[int, Kind, str, int, int | None]] = [
        (1, Kind.NOTICE, "Spam, again", 1, None),
        (2, Kind.WARNING, "spam", 2, None),
        (1, Kind.WARNING, "Rude", 1, 9),
        (1, Kind.BAN, "50% off (a.*b)", 3, None),
    ]
    for number, (guild, kind, reason, author, deleted) in enumerate(rows):
        await repository.create(
            guild_id=guild,
            type=kind,
            reason=reason,
            tags=[f"t{number}", "all"],
            meta={"n": number},
            duration=timedelta(hours=number) if number else None,
            create_action={"created": START + timedelta(days=number), "created_by_id": author},
            delete_action_id=deleted,
        )
    return repository


C = InfractionCriteria
CASES = search_cases(
    [
        ("empty criteria", C(), [1, 2, 3, 4]),
        ("id", C(id=1), [1]),
        ("id that is not there", C(id=9), []),
        ("guild", C(guild_id=1), [1, 3, 4]),
        ("types", C(types=[Kind.WARNING, Kind.BAN]), [2, 3, 4]),
        ("no types", C(types=[]), [1, 2, 3, 4]),
        ("a list is in", C(tags=["t0", "t3"]), [1, 4]),
        ("an empty list is no condition", C(tags=[]), [1, 2, 3, 4]),
        ("a dict is equality", C(meta={"n": 2}), [3]),
        ("a lookup in the name", C(reason__icontains="SPAM"), [1, 2]),
        ("patterns are text", C(reason__icontains="a.*b"), [4]),
        ("moment", C(created__gte=START + timedelta(days=2)), [3, 4]),
        ("dotted path", C(created_by_id=1), [1, 3]),
        ("nested lookup in the name", C(create_action__created_by_id__in=[2, 3]), [2, 4]),
        ("deleted", C(is_deleted=True), [3]),
        ("not deleted", C(is_deleted=False), [1, 2, 4]),
        ("all hold", C(guild_id=1, types=[Kind.WARNING], is_deleted=True), [3]),
        ("and", C(guild_id=1) & C(types=[Kind.BAN]), [4]),
        ("or", C(id=1) | C(id=2), [1, 2]),
        ("empty or", C() | C(id=2), [1, 2, 3, 4]),
        ("both", (C(id=1) | C(id=2)) & C(guild_id=2), [2]),
        ("with a condition", C(guild_id=1) & Q(reason="Rude"), [3]),
        ("with a condition before", Q(reason="Rude") | C(id=1), [1, 3]),
        ("a condition", Q(type=Kind.BAN), [4]),
        ("an expression", Infraction.f.guild_id >= 2, [2]),
    ],
    all_ids=[1, 2, 3, 4],
)


@pytest.mark.parametrize("case", CASES)
async def test_searches(case: Any, infractions: InfractionRepository) -> None:
    await case.check(infractions)


def test_a_case_that_finds_something_else_fails() -> None:
    with pytest.raises(ConfigurationError, match="same|called 'a'"):
        search_cases([("a", None, [1]), ("a", None, [2])])


async def test_a_wrong_expectation_is_told(infractions: InfractionRepository) -> None:
    (case,) = search_cases([("wrong", C(id=1), [2])])
    with pytest.raises(AssertionError, match=r"wrong: find\(\) found \[1\], not \[2\]"):
        await case.check(infractions)


class FreeCriteria(InfractionCriteria):
    text: str | None = None

    def to_filter(self) -> dict[str, Any]:
        text = {"$or": [{"reason": self.text}, {"meta.n": 3}]} if self.text else {}
        return {**super().to_filter(), **text}


class ConditionCriteria(Criteria):
    least: int = 0

    def to_filter(self) -> Any:
        return Infraction.f.guild_id >= self.least


async def test_criteria_may_make_their_own_filter(infractions: InfractionRepository) -> None:
    assert FreeCriteria(id=1, types=[Kind.BAN], is_deleted=True, create_action__created_by_id__in=[1]).to_filter() == {
        "id": 1,
        "type": {"$in": [Kind.BAN]},
        "delete_action_id": {"$ne": None},
        "create_action.created_by_id": {"$in": [1]},
    }
    assert [found.id for found in await infractions.find(FreeCriteria(text="Rude"))] == [3, 4]
    assert [found.id for found in await infractions.find(FreeCriteria(text="Rude", types=[Kind.BAN]))] == [4]
    assert [found.id for found in await infractions.find(FreeCriteria(is_deleted=True))] == [3]
    assert [found.id for found in await infractions.find(FreeCriteria(id=1) | FreeCriteria(text="Rude"))] == [1, 3, 4]
    assert await infractions.count(ConditionCriteria(least=2)) == 1


class Misspelt(Criteria):
    gild_id: int | None = None


class WrongLookup(Criteria):
    guild_id__near_to: int | None = None


class WrongPath(Criteria):
    by: Annotated[int | None, Lookup("create_action.creator")] = None


class BadFilter(Criteria):
    def to_filter(self) -> Any:
        return [1]


BAD_SEARCHES: dict[str, tuple[Any, type[Exception], str]] = {
    "unknown field": (Misspelt(gild_id=1), UnknownFieldError, "guild_id"),
    "unknown lookup": (WrongLookup(guild_id__near_to=1), QueryError, "near_to"),
    "unknown path": (WrongPath(by=1), UnknownFieldError, "creator"),
    "a mapping": ({"guild_id": 1}, InvalidValueError, "Criteria"),
    "a class": (InfractionCriteria, InvalidValueError, "criteria"),
    "a list": ([1], InvalidValueError, "criteria"),
    "no filter": (BadFilter(), InvalidValueError, "to_filter"),
    "operators": (C(reason__icontains="x") & Q(reason={"$ne": ""}), UnsafeQueryError, r"\$ne"),
    "javascript": (Q({"$where": "1"}), UnsafeQueryError, "JavaScript"),
    "NUL": (C(reason__icontains="a\0b"), InvalidValueError, "NUL"),
    "beyond 64 bits": (C(guild_id=2**64), MongoDBORMError, "64"),
}


@pytest.mark.parametrize("name", BAD_SEARCHES)
async def test_bad_searches_send_nothing(name: str, infractions: InfractionRepository, commands: list[Any]) -> None:
    criteria, error, says = BAD_SEARCHES[name]
    for verb in (infractions.find, infractions.count, infractions.exists, infractions.find_one, infractions.page):
        with pytest.raises(error, match=says):
            await verb(criteria)
    assert commands == []


async def test_operators_in_a_dict_of_a_client_are_data(infractions: InfractionRepository) -> None:
    assert await infractions.find(C(meta={"$ne": 1})) == []
    await infractions.update(1, meta={"$ne": 1})
    assert [found.id for found in await infractions.find(C(meta={"$ne": 1}))] == [1]


def test_unknown_criteria_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        InfractionCriteria(colour="red")  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="guild_id"):
        InfractionCriteria(guild_id="many")  # type: ignore[arg-type]


@pytest.fixture
def commands() -> Any:
    events: list[Any] = []
    stop = add_command_listener(events.append)
    yield events
    stop()


SORTS: list[tuple[Any, list[int]]] = [
    (None, [1, 2, 3, 4]),
    ([], [1, 2, 3, 4]),
    (["created"], [1, 2, 3, 4]),
    (["-created"], [4, 3, 2, 1]),
    ("-created", [4, 3, 2, 1]),
    ([("created", -1)], [4, 3, 2, 1]),
    ([("created", "desc")], [4, 3, 2, 1]),
    ([["created", -1]], [4, 3, 2, 1]),
    ({"created": -1}, [4, 3, 2, 1]),
    (["author"], [1, 3, 2, 4]),
    (["author", "-created"], [3, 1, 2, 4]),
    ([("type", "asc"), ("created", 1)], [4, 1, 2, 3]),
    (["-type"], [2, 3, 1, 4]),
]


@pytest.mark.parametrize(("sort", "ids"), SORTS, ids=map(repr, [sort for sort, _ in SORTS]))
async def test_sort_keys(sort: Any, ids: list[int], infractions: InfractionRepository) -> None:
    assert [found.id for found in await infractions.find(sort=sort)] == ids
    assert [found.id for found in await infractions.find(sort=sort, skip=1, limit=2)] == ids[1:3]
    pages = [await infractions.page(sort=sort, page=number, size=2) for number in (1, 2)]
    assert [found.id for page in pages for found in page.items] == ids
    first = await infractions.find_one(sort=sort)
    assert first is not None
    assert first.id == ids[0]


@pytest.mark.parametrize(
    "sort", [["reason"], ["create_action.created"], [("author_id", 1)], [("created", 2)], [("created", None)], 5, ["-"]]
)
async def test_other_sort_keys_are_refused(sort: Any, infractions: InfractionRepository, commands: list[Any]) -> None:
    with pytest.raises(InvalidValueError) as caught:
        await infractions.find(sort=sort)
    assert isinstance(caught.value, ValueError)
    assert commands == []


async def test_a_refused_sort_key_lists_the_allowed_ones(infractions: InfractionRepository) -> None:
    with pytest.raises(InvalidValueError, match="created, type, author") as caught:
        await infractions.find(sort=["reason"])
    assert caught.value.field == "reason"
    assert caught.value.allowed == ("created", "type", "author")  # type: ignore[attr-defined]


async def test_without_a_sort_map_every_field_is_a_key(infractions: InfractionRepository) -> None:
    repository = Repository[Infraction]()
    assert [found.id for found in await repository.find(sort=["-create_action.created"])] == [4, 3, 2, 1]
    assert [found.id for found in await repository.find(sort=["-id"])] == [4, 3, 2, 1]
    with pytest.raises(UnknownFieldError, match="reason"):
        await repository.find(sort=["raeson"])


async def test_the_basic_operations(infractions: InfractionRepository) -> None:
    assert infractions.model is Infraction
    one = await infractions.get_by_id(1)
    assert one is not None
    assert one.reason == "Spam, again"
    assert await infractions.get_by_id(99) is None
    assert [found.id for found in await infractions.get_all()] == [1, 2, 3, 4]
    assert [found.id for found in await infractions.get_all(1, 2)] == [2, 3]
    assert [found.id for found in await infractions.get_all(skip=1, limit=5, guild_id=1)] == [3, 4]
    assert [found.id for found in await infractions.get_all(type__in=[Kind.BAN])] == [4]
    assert [found.id for found in await infractions.of_guild(2)] == [2]
    assert await infractions.count(guild_id=1) == 3
    assert await infractions.count(C(guild_id=1), type=Kind.BAN) == 1
    assert await infractions.exists(guild_id=9) is False
    assert await infractions.delete(1) is True
    assert await infractions.delete(1) is False
    assert await infractions.get_by_id(1) is None
    with pytest.raises(InvalidValueError, match="limit"):
        await infractions.get_all(limit=-1)
    with pytest.raises(ValidationError):
        await infractions.create(guild_id="x")


async def test_update(infractions: InfractionRepository) -> None:
    before = await infractions.get_by_id(1)
    assert before is not None
    after = await infractions.update(1, reason="Flood", guild_id="7")
    assert after is not None
    assert (after.reason, after.guild_id) == ("Flood", 7)
    assert after.updated_at > before.updated_at
    assert await infractions.get_by_id(1) == after
    assert await infractions.update(99, reason="x") is None
    assert await infractions.update(1) == after


BAD_UPDATES: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "unknown": ({"reason": "ok", "colour": "red"}, ("colour",)),
    "operator": ({"$set": {"reason": "x"}}, ("$set",)),
    "id": ({"id": 5}, ("id",)),
    "stored id": ({"_id": 5}, ("_id",)),
    "timestamp": ({"created_at": START}, ("created_at",)),
    "protected": ({"delete_action_id": None}, ("delete_action_id",)),
    "type": ({"guild_id": "many"}, ("guild_id",)),
    "constraint": ({"reason": "x" * 51}, ("reason",)),
    "nested": ({"create_action": {"created": "never"}}, ("create_action", "created")),
}


@pytest.mark.parametrize("name", BAD_UPDATES)
async def test_a_bad_update_stores_nothing(name: str, infractions: InfractionRepository) -> None:
    values, location = BAD_UPDATES[name]
    before = await infractions.get_by_id(1)
    with pytest.raises(ValidationError) as caught:
        await infractions.update(1, **values)
    assert caught.value.errors()[0]["loc"] == location
    assert await infractions.get_by_id(1) == before


class ActionSummary(pydantic.BaseModel):
    created: datetime


class InfractionSummary(pydantic.BaseModel):
    id: int
    type: Kind
    create_action: ActionSummary
    rescind_action: ActionSummary | None
    duration: timedelta | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def expires(self) -> datetime | None:
        return self.create_action.created + self.duration if self.duration else None


async def test_a_summary_asks_for_its_fields_alone(infractions: InfractionRepository, commands: list[Any]) -> None:
    found = await infractions.find(C(guild_id=1), sort=["-created"], projection=InfractionSummary)
    assert [type(one) for one in found] == [InfractionSummary] * 3
    assert [(one.id, one.type, one.expires) for one in found] == [
        (4, Kind.BAN, START + timedelta(days=3, hours=3)),
        (3, Kind.WARNING, START + timedelta(days=2, hours=2)),
        (1, Kind.NOTICE, None),
    ]
    assert dict(commands[-1].command.projection) == {
        "_id": 1,
        "type": 1,
        "create_action.created": 1,
        "rescind_action.created": 1,
        "duration": 1,
    }
    page = await infractions.page(projection=InfractionSummary, size=1)
    assert (page.total, type(page.items[0])) == (4, InfractionSummary)
    one = await infractions.find_one(C(id=4), projection=InfractionSummary)
    assert one is not None
    assert one.expires == START + timedelta(days=3, hours=3)
    assert [one.id async for one in infractions.stream(sort=["-created"], projection=InfractionSummary)] == [4, 3, 2, 1]


class WrongSummary(pydantic.BaseModel):
    id: int
    colour: str


class WrongNestedSummary(pydantic.BaseModel):
    create_action: WrongSummary


@pytest.mark.parametrize("projection", [WrongSummary, WrongNestedSummary])
async def test_a_wrong_summary_sends_nothing(
    projection: Any, infractions: InfractionRepository, commands: list[Any]
) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        await infractions.find(projection=projection)
    assert isinstance(caught.value, ValueError)
    assert commands == []


T = TypeVar("T", bound=BaseModel)


class Audited(Repository[T], Generic[T]):
    async def newest(self) -> T | None:
        return await self.find_one(sort=["-id"])


class AuditedInfractions(Audited[Infraction]):
    pass


class Named(Repository):  # type: ignore[type-arg]
    model = Infraction


def test_a_repository_knows_its_model() -> None:
    assert AuditedInfractions().model is Infraction
    assert Audited[Infraction]().model is Infraction
    assert Repository(Infraction).model is Infraction
    assert Named().model is Infraction
    assert Repository[Infraction] is Repository[Infraction]
    assert get_dao(Infraction).model is Infraction
    assert issubclass(BaseDAO[Infraction], BaseDAO)
    with pytest.raises(ConfigurationError, match=r"Repository\[User\]"):
        Repository()
    with pytest.raises(ConfigurationError, match="is no model"):
        Repository(dict)  # type: ignore[type-var]


async def test_a_generic_repository_between(infractions: InfractionRepository) -> None:
    newest = await AuditedInfractions().newest()
    assert newest is not None
    assert newest.id == 4


class Member(BaseModel, VersionedMixin, SoftDeleteMixin):
    code: Annotated[str, Indexed(unique=True)]
    limit: int = 0
    skip: int = 0

    class Meta:
        id_field = "member_id"


class MemberCriteria(Criteria):
    limit: int | None = None
    code: str | None = None


async def test_other_ids_versions_marks_and_fields_called_like_options(register_any: Any) -> None:
    await register_any(Member)
    members = Repository[Member]()
    await members.create(code="a", limit=5)
    await members.create(code="b", skip=6)
    with pytest.raises(DuplicateDocumentError):
        await members.create(code="a")
    assert [member.member_id for member in await members.find(sort=["-code"])] == [2, 1]  # type: ignore[attr-defined]
    assert [member.code for member in await members.find(MemberCriteria(limit=5))] == ["a"]
    changed = await members.update(1, limit=7)
    assert changed is not None
    assert (changed.limit, changed.version) == (7, 2)
    with pytest.raises(ValidationError, match="version"):
        await members.update(1, version=9)
    assert await members.delete(1) is True
    assert await members.get_by_id(1) is None
    assert await members.update(1, limit=1) is None
    assert await members.delete(1) is False
    assert await Member.all().with_deleted().count() == 2


class Loose(BaseModel):
    name: str = ""

    class Meta:
        strict_mode = False


async def test_a_schemaless_record_takes_any_field(register_any: Any) -> None:
    await register_any(Loose)
    records = Repository[Loose]()
    await records.create(name="a", colour="red")
    changed = await records.update(1, colour="blue", size={"x": 1})
    assert changed is not None
    assert changed.model_extra == {"colour": "blue", "size": {"x": 1}}
    assert await records.get_by_id(1) == changed
    part = await Loose.filter(id=1).only("name").one()
    await part.patch({"colour": "green"})
    for name in ("$set", "a.b", "", "a\0", "_secret"):
        with pytest.raises(ValidationError):
            await records.update(1, **{name: 1, "colour": "lost"})
    stored = await records.get_by_id(1)
    assert stored is not None
    assert stored.model_extra == {"colour": "green", "size": {"x": 1}}


class Double:
    """What a test of business code would write."""

    async def count(self, criteria: Any = None, **filters: Any) -> int:
        return 3


async def busy(infractions: RepositoryProtocol[Infraction]) -> bool:
    return await infractions.count(C(is_deleted=False)) > 2


async def test_business_code_takes_a_double(infractions: InfractionRepository) -> None:
    assert await busy(infractions)
    assert await busy(Double())  # type: ignore[arg-type]


class User(BaseModel, SoftDeleteMixin):
    username: str = Field(alias="login")


class UserBrief(pydantic.BaseModel):
    id: int
    name: Annotated[str, From("username")]


class Note(BaseModel):
    infraction_id: int | None
    text: str
    author_id: int


class NoteBrief(pydantic.BaseModel):
    text: str
    author: Annotated[UserBrief | None, Reference(User, Note.f.author_id)]


class ActionBrief(pydantic.BaseModel):
    created: datetime
    created_by: Annotated[UserBrief | None, Reference(User, "created_by_id")]


class Joined(pydantic.BaseModel):
    id: int
    create_action: ActionBrief
    rescind_action: ActionBrief | None
    notes: Annotated[list[NoteBrief], Reference(Note, "id", "infraction_id")]
    expires: Annotated[datetime | None, From(Infraction.f.create_action.created + Infraction.f.duration)]


class JoinedRepository(Repository[Infraction]):
    sortable = {"author": "create_action.created_by.name", "created": "create_action.created"}


@pytest.fixture
async def joined(register: Any) -> JoinedRepository:
    await register(Infraction, User, Note)
    repository = JoinedRepository()
    for name in ("cyd", "bob", "ann"):
        await User.create(login=name)
    for number in range(4):
        await repository.create(
            guild_id=1,
            type=Kind.BAN,
            duration=timedelta(hours=number) if number else None,
            create_action={"created": START + timedelta(days=number), "created_by_id": 1 + number % 3},
            rescind_action={"created": START, "created_by_id": 9} if number % 2 else None,
        )
    await Note.bulk_create([{"infraction_id": n, "text": f"to {n}", "author_id": 2} for n in (1, 1, 2, None)])
    return repository


async def test_a_summary_joins_what_it_refers_to(joined: JoinedRepository, commands: list[Any]) -> None:
    first, second, *_ = await joined.find(sort=["created"], projection=Joined)
    assert len(commands) == 1, "one trip"
    assert first.create_action.created_by == UserBrief(id=1, name="cyd")
    assert [(note.text, note.author) for note in first.notes] == [("to 1", UserBrief(id=2, name="bob"))] * 2
    assert first.rescind_action is None
    assert first.expires is None
    assert second.rescind_action == ActionBrief(created=START, created_by=None)
    assert second.expires == START + timedelta(days=1, hours=1)


async def test_a_summary_is_sorted_by_what_it_refers_to(joined: JoinedRepository) -> None:
    for sort, ids in ((["author"], [3, 2, 1, 4]), (["-author", "-created"], [4, 1, 2, 3])):
        assert [one.id for one in await joined.find(sort=sort, projection=Joined)] == ids
        assert [one.id for one in await joined.find(sort=sort, skip=1, limit=2, projection=Joined)] == ids[1:3]
        page = await joined.page(sort=sort, page=2, size=3, projection=Joined)
        assert ([one.id for one in page.items], page.total) == (ids[3:], 4)
    with pytest.raises(UnknownFieldError, match="created_by"):
        await joined.find(sort=["author"])


async def test_references_hold_in_transactions_and_obey_soft_deletion(joined: JoinedRepository) -> None:
    async with transaction():
        await joined.update(1, reason="now")
        page = await joined.page(sort=["author"], size=1, projection=Joined)
        assert (page.total, page.items[0].id) == (4, 3)
    bob = await User.get_by_id(2)
    assert bob is not None
    await bob.delete()
    (one,) = await joined.find(Q(id=2), projection=Joined)
    assert one.create_action.created_by is None


async def test_an_order_by_a_summary_holds_for_that_summary_alone(joined: JoinedRepository) -> None:
    query = Infraction.all().project(Joined).order_by("create_action.created_by.name")
    for other in (lambda: query.project(InfractionSummary), query.raw, lambda: query.only("guild_id"), query.values):
        with pytest.raises(InvalidValueError, match="order_by"):
            other()
    assert [one.id for one in await query.project(Joined)] == [3, 2, 1, 4]


async def test_a_window_of_an_order_by_a_summary_holds_in_figures_and_samples(joined: JoinedRepository) -> None:
    window = Infraction.all().project(Joined).order_by("create_action.created_by.name").limit(2)
    assert [one.id for one in await window] == [3, 2]
    assert {one.id for one in await window.sample(2)} == {3, 2}
    assert await window.sum("id") == 5


async def test_every_way_of_reading_joins(joined: JoinedRepository) -> None:
    query = Infraction.filter(id__lte=2).project(Joined).order_by("create_action.created_by.name")
    assert [one.id async for one in query] == [2, 1]
    assert (await query.first() or await query.one()).id == 2
    assert {one.id for one in await query.sample(2)} == {1, 2}
    assert await query.count() == 2
    assert "$lookup" in query.mql()
    assert "_id_" in str(await query.explain())
    with pytest.raises(NotSupportedError, match="collection"):
        await query.paginate_after()


class InList(pydantic.BaseModel):
    author: Annotated[UserBrief, Reference(User, "created_by_id")]


class Scattered(BaseModel):
    actions: list[Action]
    owner_id: int = 1


class BadList(pydantic.BaseModel):
    actions: list[InList]


class BadType(pydantic.BaseModel):
    owner: Annotated[str, Reference(User, "owner_id")]


class BadBy(pydantic.BaseModel):
    owner: Annotated[UserBrief, Reference(User, "ownr_id")]


@pytest.mark.parametrize(
    ("summary", "says"), [(BadList, "in a list"), (BadType, "Pydantic model"), (BadBy, "owner_id")]
)
def test_references_that_cannot_be_joined(summary: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        Scattered.all().project(summary)


async def test_a_backend_without_joins_says_so(register_any: Any, any_config: Any) -> None:
    await register_any(Infraction, User, Note)
    if any_config.mongo_uri.startswith("memory"):
        with pytest.raises(NotSupportedError):
            await Repository[Infraction]().find(projection=Joined)
    else:
        assert await Repository[Infraction]().find(projection=Joined) == []
