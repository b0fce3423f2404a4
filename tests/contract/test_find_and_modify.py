"""Documents found and changed in one trip, objects updated at once, patched, and made or updated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    DocumentNotFoundError,
    DuplicateDocumentError,
    HistoryMixin,
    Indexed,
    InvalidValueError,
    NotSupportedError,
    Q,
    SoftDeleteMixin,
    StaleDocumentError,
    UnknownFieldError,
    UnsafeQueryError,
    ValidationError,
    VersionedMixin,
    after,
    before,
    observe,
    transaction,
    updates,
)
from mongodb_orm.hooks import QueryUpdate, Save, Update


class Address(pydantic.BaseModel):
    city: str = "Oslo"
    zip: str = Field(default="0001", min_length=4)


class Member(BaseModel):
    class Meta:
        indexes = [{"fields": "email", "unique": True}]
        protected = ["role"]

    email: str
    name: str = "nobody"
    role: str = "guest"
    visits: int = Field(default=10, ge=0)
    tags: list[str] = Field(default_factory=lambda: ["new"])
    address: Address = Field(default_factory=Address)
    data: dict[str, Any] = Field(default_factory=dict)


class Note(BaseModel, SoftDeleteMixin):
    text: str


F = Member.f


async def test_find_one_and_update_returns_new_or_old(register_any: Any) -> None:
    await register_any(Member)
    await Member.bulk_create([{"email": "a", "visits": 1}, {"email": "b", "visits": 2}])
    query = Member.filter(visits__gte=1).order_by("-visits")
    new = await query.find_one_and_update(updates.inc(F.visits), name="bob")
    assert new is not None
    assert (new.email, new.visits, new.name) == ("b", 3, "bob")
    old = await Member.find_one_and_update({"email": "a"}, return_old=True, visits__inc=5)
    assert old is not None and old.visits == 1
    assert (await Member.filter(email="a").get()).visits == 6  # type: ignore[union-attr]
    assert await Member.filter(email="z").find_one_and_update(name="x") is None
    new.name = "ben"
    await new.save()
    assert await Member.exists(name="ben")


async def test_find_one_and_update_refuses(register_any: Any) -> None:
    for call in (
        lambda: Member.all().find_one_and_update(),
        lambda: Member.all().limit(1).find_one_and_update(name="x"),
        lambda: Member.all().values("name").find_one_and_update(name="x"),
    ):
        with pytest.raises(InvalidValueError):
            await call()


async def test_find_one_and_replace_keeps_id_and_creation(register_any: Any) -> None:
    await register_any(Member)
    ann = await Member.create(email="a", visits=3, tags=["x"])
    new = await Member.filter(email="a").find_one_and_replace({"email": "b", "data": {"$x": "$y"}})
    assert new is not None
    assert (new.id, new.created_at, new.email, new.visits, new.tags) == (ann.id, ann.created_at, "b", 10, ["new"])
    assert new.data == {"$x": "$y"}
    assert new.updated_at >= ann.updated_at
    old = await Member.find_one_and_replace({"email": "b"}, Member(email="c"), return_old=True)
    assert old is not None and old.email == "b"
    assert await Member.filter(email="c").replace({"email": "d"}) is True
    assert await Member.filter(email="c").replace({"email": "d"}) is False
    for wrong in (ann, Note(text="x"), {"id": 5, "email": "x"}):
        with pytest.raises(InvalidValueError):
            await Member.filter(email="d").replace(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        await Member.filter(email="d").replace({"email": "x", "visits": -1})


async def test_a_replacement_of_what_lacks_fields_and_in_an_order(register_any: Any) -> None:
    class Priced(BaseModel, VersionedMixin):
        name: Annotated[str, Indexed(unique=True)]
        price: Decimal = Decimal("1.5")
        data: dict[str, Any] = {}

    await register_any(Priced)
    await Priced.bulk_create([{"name": "a"}, {"name": "b", "price": 3}])
    await Priced.filter(name="b").update({"$unset": {"price": "", "created_at": "", "version": ""}})
    query = Priced.all().order_by("-name")
    new = await query.find_one_and_replace({"name": "c", "data": {"$x": ["$y"], "a.b": 1}})
    assert new is not None
    stored = await Priced.filter(name="c").one()
    assert new == stored
    assert (stored.id, stored.price, stored.data) == (2, Decimal("1.5"), {"$x": ["$y"], "a.b": 1})
    assert stored.version == 2 and stored.created_at == stored.updated_at
    stored.price += 1
    await stored.save()
    assert (stored.version, await Priced.count(price=Decimal("2.5"))) == (3, 1)
    with pytest.raises(DuplicateDocumentError):
        await query.replace({"name": "a"})
    assert await query.values_list("name", flat=True) == ["c", "a"]
    await query.update([{"$unset": "price"}])
    assert [priced.price async for priced in query] == [Decimal("1.5")] * 2  # the default


async def test_memory_replaces_by_names_alone(register_any: Any, any_config: Any) -> None:
    class Loose(BaseModel):
        class Meta:
            strict_mode = False

    await register_any(Loose)
    await Loose.create()
    for name in ("a.b", "$a"):
        if any_config.mongo_uri.startswith("memory"):
            with pytest.raises(NotSupportedError):
                await Loose.all().replace({name: 1})
        else:
            replaced = await Loose.all().find_one_and_replace({name: 1})
            assert replaced is not None and replaced.model_extra == {name: 1}


async def test_find_one_and_delete(register_any: Any) -> None:
    await register_any(Member, Note)
    await Member.bulk_create([{"email": "a"}, {"email": "b"}])
    gone = await Member.all().order_by("-email").find_one_and_delete()
    assert gone is not None and gone.email == "b"
    with pytest.raises(DocumentNotFoundError):
        await gone.save()
    assert await Member.find_one_and_delete(email="b") is None
    assert await Member.count() == 1

    await Note.create(text="x")
    marked = await Note.find_one_and_delete(text="x")
    assert marked is not None and marked.is_deleted
    assert await Note.find_one_and_delete(text="x") is None
    assert (await Note.count(), await Note.all().with_deleted().count()) == (0, 1)


async def test_update_of_an_object_keeps_unsaved_changes(register_any: Any) -> None:
    await register_any(Member)
    ann = await Member.create(email="a")
    other = await Member.get_by_id(ann.id)
    assert other is not None
    await other.update(visits__inc=5)
    ann.name, ann.address.city, address = "Ann", "Rome", ann.address
    assert await ann.update(updates.push(F.tags, "x"), visits__inc=1) is ann
    assert (ann.visits, ann.tags, ann.name, ann.address) == (16, ["new", "x"], "Ann", address)
    stored = await Member.get_by_id(ann.id)
    assert stored is not None
    assert (stored.name, stored.address.city, stored.visits, stored.updated_at) == (
        "nobody",
        "Oslo",
        16,
        ann.updated_at,
    )
    await ann.update(address__zip="9999")
    assert (ann.address.city, ann.address.zip) == ("Rome", "9999")
    await ann.save()
    stored = await Member.get_by_id(ann.id)
    assert stored is not None
    assert (stored.name, stored.address.city, stored.address.zip) == ("Ann", "Rome", "9999")


async def test_update_of_an_object_refuses(register_any: Any) -> None:
    await register_any(Member)
    with pytest.raises(DocumentNotFoundError):
        await Member(email="a").update(name="x")
    ann = await Member.create(email="a")
    for values, error in (
        ({"id": 5}, InvalidValueError),
        ({"nam": 5}, UnknownFieldError),
        ({"visits": -1}, ValidationError),
        ({"tags__push": {"$each": []}}, UnsafeQueryError),
    ):
        with pytest.raises(error):
            await ann.update(**values)
    await Member.delete_many()
    with pytest.raises(DocumentNotFoundError):
        await ann.update(name="x")


async def test_update_of_a_partial_object(register_any: Any) -> None:
    await register_any(Member)
    await Member.create(email="a")
    (ann,) = await Member.all().only("name", "visits")
    await ann.update(visits__inc=1, name="Ann")
    assert (ann.name, ann.visits) == ("Ann", 11)
    ann.name = "Bob"
    await ann.save()
    stored = await Member.get_by_id(ann.id)
    assert stored is not None and (stored.name, stored.email, stored.tags) == ("Bob", "a", ["new"])


async def test_hooks_of_an_update(register_any: Any) -> None:
    happened: list[str] = []

    class Page(BaseModel):
        title: str
        slug: str = ""
        hits: int = 0

        @before(Save)
        def make_slug(self) -> None:
            self.slug = self.title.lower()

        @after(Update)
        def note(self) -> None:
            happened.append(f"after {self.hits}")

        @before(QueryUpdate)
        @classmethod
        def by_query(cls, write: Any) -> None:
            happened.append("query")

    await register_any(Page)
    page = await Page.create(title="A")
    page.title = "B"
    await page.update(hits__inc=1)
    assert happened == ["after 1"]
    stored = await Page.get_by_id(page.id)
    assert stored is not None and (stored.title, stored.slug, stored.hits) == ("A", "b", 1)
    await Page.find_one_and_update({}, hits__inc=1)
    assert happened == ["after 1", "query"]


class AddressPatch(pydantic.BaseModel):
    city: str | None = None
    zip: str | None = None


class MemberPatch(pydantic.BaseModel):
    name: str | None = None
    visits: int | None = None
    address: AddressPatch | None = None


async def test_patch(register_any: Any) -> None:
    await register_any(Member)
    ann = await Member.create(email="a", name="Ann")
    assert await ann.patch(MemberPatch(visits=3, address=AddressPatch(city="Rome"))) is ann
    assert await ann.patch({"tags": ["x"]}) is ann
    stored = await Member.get_by_id(ann.id)
    assert stored is not None
    assert (stored.name, stored.visits, stored.tags) == ("Ann", 3, ["x"])
    assert stored.address == ann.address == Address(city="Rome", zip="0001")


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    weight: int = 1


class Nicknames(pydantic.RootModel[list[str]]): ...


class Line(pydantic.BaseModel):
    sku: str
    count: int = Field(default=1, ge=1)


class LinePatch(pydantic.BaseModel):
    sku: str
    count: int | None = None


class NicknamesPatch(pydantic.RootModel[list[str]]): ...


class OwnerPatch(pydantic.BaseModel):
    lines: list[LinePatch] | None = None
    by_sku: dict[str, LinePatch] | None = None
    nicknames: NicknamesPatch | None = None


class Owner(BaseModel):
    pet: Cat | Dog | None = None
    nicknames: Nicknames | None = None
    lines: list[Line] = Field(default_factory=list)
    by_sku: dict[str, Line] = Field(default_factory=dict)


async def test_patch_takes_objects_of_the_fields_own_classes_whole(register_any: Any) -> None:
    await register_any(Owner)
    ann = await Owner.create()
    for patch, field, expected in (
        ({"pet": Cat()}, "pet", Cat()),
        ({"pet": Dog(weight=3)}, "pet", Dog(weight=3)),
        ({"nicknames": Nicknames(["a"])}, "nicknames", Nicknames(["a"])),
        ({"lines": [Line(sku="a")]}, "lines", [Line(sku="a")]),
    ):
        await ann.patch(patch)
        stored = await Owner.get_by_id(ann.id)
        assert getattr(ann, field) == getattr(stored, field) == expected


async def test_patch_takes_lists_and_dicts_of_objects_of_other_classes(register_any: Any) -> None:
    await register_any(Owner)
    ann = await Owner.create()
    await ann.patch(OwnerPatch(lines=[LinePatch(sku="a"), LinePatch(sku="b", count=2)]))
    await ann.patch(OwnerPatch(by_sku={"a.b": LinePatch(sku="a")}, nicknames=NicknamesPatch(["n"])))
    stored = await Owner.filter(id=ann.id).one()
    assert stored.lines == ann.lines == [Line(sku="a"), Line(sku="b", count=2)]
    assert (stored.by_sku, stored.nicknames) == ({"a.b": Line(sku="a")}, Nicknames(["n"]))
    with pytest.raises(ValidationError):
        await ann.patch(OwnerPatch(lines=[LinePatch(sku="a", count=0)]))
    assert len(ann.lines) == 2


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"id": 5}, InvalidValueError),
        ({"_id": 5}, InvalidValueError),
        ({"created_at": None}, InvalidValueError),
        ({"role": "admin"}, InvalidValueError),
        ({"nam": "x"}, UnknownFieldError),
        ({"name": "x", "$set": {"role": "admin"}}, UnknownFieldError),
        ({"address.city": "x"}, UnknownFieldError),
        ({"name": {"$set": 1}}, ValidationError),
        ({"name": "x", "visits": -1}, ValidationError),
        ({"name": None}, ValidationError),
        (MemberPatch(name="x", address=AddressPatch(zip="1")), ValidationError),
        ("name", InvalidValueError),
    ],
)
async def test_patch_refuses_all_or_nothing(data: Any, error: type[Exception], register_any: Any) -> None:
    await register_any(Member)
    ann = await Member.create(email="a", name="Ann")
    state = ann.model_dump()
    with pytest.raises(error):
        await ann.patch(data)
    assert ann.model_dump() == state
    assert (await Member.get_by_id(ann.id)).model_dump() == state  # type: ignore[union-attr]


async def test_a_subclass_keeps_what_is_protected(register_any: Any) -> None:
    class Admin(Member):
        class Meta:
            protected = ["name"]

    await register_any(Admin, Note)
    admin = await Admin.create(email="a")
    for field in ("name", "role"):
        with pytest.raises(InvalidValueError):
            await admin.patch({field: "x"})
    note = await Note.create(text="x")
    with pytest.raises(InvalidValueError):
        await note.patch({"is_deleted": True})


async def test_protecting_an_unknown_field_is_an_error(register_any: Any) -> None:
    class Wrong(BaseModel):
        class Meta:
            protected = ["rolle"]

        role: str = ""

    await register_any(Wrong)
    wrong = await Wrong.create()
    with pytest.raises(ConfigurationError):
        await wrong.patch({"role": "x"})


async def test_upsert(register_any: Any) -> None:
    await register_any(Member)
    change = (updates.push(F.tags, "x"), updates.set_on_insert(F.role, "owner"))
    made, is_new = await Member.upsert({"email": "a"}, *change, name="Ann", visits__inc=1)
    assert is_new
    assert (made.name, made.visits, made.tags, made.role) == ("Ann", 11, ["new", "x"], "owner")
    stored = await Member.get_by_id(made.id)
    assert stored == made
    found, is_new = await Member.upsert({"email": "a"}, *change, name="Bob", visits__inc=1)
    assert not is_new
    assert (found.id, found.name, found.visits, found.role) == (made.id, "Bob", 12, "owner")
    assert found.created_at == made.created_at
    made.name = "Eve"
    await made.save()
    given, is_new = await Member.upsert({"id": 50}, email="z", address__city="Rome")
    assert is_new and given.id == 50 and given.address == Address(city="Rome")
    assert (await Member.create(email="y")).id > 50


async def test_a_value_for_a_document_that_no_update_makes(register_any: Any) -> None:
    await register_any(Member)
    member = await Member.create(email="a")
    for change, values in (
        ((updates.set_on_insert(F.role, "x"),), {"name": "Ann"}),
        ((), {"name": "Ann", "role__set_on_insert": "x"}),
        (({"$set": {"name": "Ann"}, "$setOnInsert": {"role": "x"}},), {}),
    ):
        calls: list[Callable[[], Any]] = [
            partial(Member.filter(email="a").update, *change, **values),
            partial(Member.filter(email="a").find_one_and_update, *change, **values),
            partial(member.update, *change, **values),
        ]
        for call in calls:
            with pytest.raises(InvalidValueError, match="role does nothing") as caught:
                await call()
            assert "Member.upsert()" in str(caught.value.hint) and caught.value.field == "role"
    with pytest.raises(InvalidValueError, match="role does nothing"):
        await Member.bulk_update({member.id: {"role__set_on_insert": "x"}})
    assert await Member.all().values_list("name", "role") == [("nobody", "guest")]


async def test_upsert_refuses(register_any: Any) -> None:
    await register_any(Member)
    for by, values, error in (
        ({"email": "a"}, {"visits": -1}, ValidationError),
        ({"name": "a"}, {"visits": 1}, ValidationError),
        ({"email__gte": "a"}, {"visits": 1}, UnknownFieldError),
        ({"email": {"$ne": ""}}, {"visits": 1}, UnsafeQueryError),
        ({"email": "a"}, {"visits__inc": -20}, ValidationError),
        ({"email": "a"}, {}, InvalidValueError),
    ):
        with pytest.raises(error):
            await Member.upsert(by, **values)
    assert await Member.count() == 0


async def test_fifty_concurrent_upserts_make_one_document(register: Any) -> None:
    await register(Member)
    results = await asyncio.gather(*(Member.upsert({"email": "a"}, visits__inc=1) for _ in range(50)))
    assert sum(made for _, made in results) == 1
    assert (await Member.filter(email="a").one()).visits == 60


async def test_observers_hear_of_every_verb(register_any: Any) -> None:
    await register_any(Member, Note)
    heard: list[Any] = []
    stops = [observe(model, heard.append) for model in (Member, Note)]
    try:
        ann, _ = await Member.upsert({"email": "a"}, visits=1)
        await Member.upsert({"email": "a"}, visits=2)
        await ann.update(visits__inc=1)
        await ann.patch({"visits": 7})
        await Member.find_one_and_update({}, return_old=True, visits__inc=1)
        await Member.find_one_and_delete()
        await Note.create(text="x")
        await Note.find_one_and_delete()
    finally:
        for stop in stops:
            stop()
    kinds = [(written.kind, written.is_by_query) for written in heard]
    assert kinds == [
        ("create", False),
        ("update", True),
        ("update", False),
        ("update", False),
        ("update", True),
        ("delete", True),
        ("create", False),
        ("delete", True),
    ]
    assert heard[2].before["visits"] == 1 and heard[2].after["visits"] == 3
    assert heard[4].before["visits"] == 7 and heard[4].after is None
    assert heard[5].before["visits"] == 8


async def test_history_of_every_verb(register: Any) -> None:
    class Page(BaseModel, HistoryMixin):
        title: str
        hits: int = 0

    await register(Page)
    page, _ = await Page.upsert({"title": "a"}, hits=1)
    await page.update(hits__inc=1)
    await page.patch({"hits": 3})
    await Page.find_one_and_update({"title": "a"}, hits=4)
    await Page.find_one_and_replace({"title": "a"}, {"title": "b"})
    await Page.find_one_and_delete(title="b")
    versions = await page.history()
    assert [version.kind for version in sorted(versions, key=lambda v: v.version)] == [
        "create",
        "update",
        "update",
        "update",
        "update",
        "delete",
    ]


async def test_a_transaction_that_is_dropped_gives_the_object_back(register: Any) -> None:
    await register(Member)
    ann = await Member.create(email="a")
    state = ann.model_dump()
    with pytest.raises(RuntimeError):
        async with transaction():
            await ann.update(visits__inc=1)
            await ann.patch({"name": "Ann"})
            await Member.upsert({"email": "b"}, visits=1)
            raise RuntimeError
    assert ann.model_dump() == state
    assert await Member.count() == 1
    await ann.update(visits__inc=1)
    assert ann.visits == 11


async def test_a_failed_write_leaves_the_object(register_any: Any) -> None:
    await register_any(Member)
    await Member.create(email="a")
    bob = await Member.create(email="b")
    state = bob.model_dump()
    for write in (lambda: bob.update(email="a"), lambda: bob.patch({"email": "a"})):
        with pytest.raises(DuplicateDocumentError):
            await write()
        assert bob.model_dump() == state
    with pytest.raises(DuplicateDocumentError):
        await Member.upsert({"name": "nobody else"}, email="a")


FIRSTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((updates.push(F.tags, "b", "a", sort=1, slice=-2),), {}),
    ((updates.push(F.tags, "b", position=0),), {}),
    ((updates.add_to_set(F.tags, "new", "b", "c"),), {}),
    ((updates.pull(F.tags, "new"),), {}),
    ((updates.pull_all(F.tags, ["new"]),), {}),
    ((updates.inc(F.visits, 2), updates.set_("data.a.b", 1)), {"name": "Ann"}),
    ((updates.min_(F.visits, 3),), {"address__city": "Rome"}),
    ((updates.max_(F.visits, 30),), {"address": Address(city="Bonn")}),
]


@pytest.mark.parametrize("case", FIRSTS, ids=str)
async def test_a_document_that_upsert_makes_is_the_default_one_updated(case: Any, register_any: Any) -> None:
    await register_any(Member)
    changes, values = case
    await Member.create(email="a")
    await Member.filter(email="a").update(*changes, **values)
    updated = await Member.filter(email="a").one()
    made, is_new = await Member.upsert({"email": "b"}, *changes, **values)
    stored = await Member.filter(email="b").one()
    own = {"id", "email", "created_at", "updated_at"}
    assert is_new
    assert made.model_dump() == stored.model_dump()
    assert stored.model_dump(exclude=own) == updated.model_dump(exclude=own)


async def test_upsert_cannot_make_what_it_cannot_know(register_any: Any) -> None:
    await register_any(Member)
    for change in (
        updates.bit(F.visits, or_=1),
        updates.pull(F.tags, Q(startswith="n")),
        updates.rename(F.name, F.role),
    ):
        with pytest.raises((InvalidValueError, NotSupportedError)):
            await Member.upsert({"email": "a"}, change)
    assert await Member.count() == 0


class Balance(BaseModel, VersionedMixin, SoftDeleteMixin):
    name: str = ""
    amount: int = 100


QUERY_WRITES: list[Any] = [
    lambda: Balance.all().update(amount__inc=-30),
    lambda: Balance.all().find_one_and_update(amount=70),
    lambda: Balance.upsert({"name": "ann"}, amount__inc=-30),
    lambda: Balance.all().delete(),
    lambda: Balance.find_one_and_delete(),
]
SERVER_WRITES: list[Any] = [
    lambda: Balance.all().update([{"$set": {"amount": 70}}]),
    lambda: Balance.all().replace({"amount": 70}),
]


async def _overwrite(write: Any) -> None:
    stale = await Balance.create(name="ann")
    await write()
    stale.amount = 90
    with pytest.raises(StaleDocumentError) as caught:
        await stale.save()
    assert (caught.value.expected, caught.value.found) == (1, 2)


@pytest.mark.parametrize("position", range(len(QUERY_WRITES)))
async def test_an_object_never_overwrites_an_update_by_query(position: int, register_any: Any) -> None:
    await register_any(Balance)
    await _overwrite(QUERY_WRITES[position])


@pytest.mark.parametrize("position", range(len(SERVER_WRITES)))
async def test_an_object_never_overwrites_a_pipeline(position: int, register_any: Any) -> None:
    await register_any(Balance)
    await _overwrite(SERVER_WRITES[position])
