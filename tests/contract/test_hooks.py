"""Hooks: when they run, in which order, and what becomes of an object that they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field, PrivateAttr

from mongodb_orm import (
    BaseModel,
    BulkDuplicateError,
    ConfigurationError,
    Create,
    Delete,
    DuplicateDocumentError,
    Indexed,
    InvalidValueError,
    Load,
    NotSupportedError,
    QueryDelete,
    QueryUpdate,
    QueryWrite,
    Restore,
    Save,
    SoftDeleteMixin,
    UnknownFieldError,
    Update,
    Validate,
    ValidationError,
    after,
    async_validator,
    before,
    exists,
    on,
    skip_hooks,
    unique,
    updates,
)

log: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> Iterator[None]:
    log.clear()
    yield


class Traced(BaseModel, SoftDeleteMixin):
    name: str

    @before(Save)
    def before_save(self) -> None:
        log.append("before save")

    @before(Create)
    async def before_create(self) -> None:
        log.append("before create")

    @before(Update)
    def before_update(self) -> None:
        log.append("before update")

    @before(Validate)
    def before_validate(self) -> None:
        log.append("before validate")

    @after(Validate)
    async def after_validate(self) -> None:
        log.append("after validate")

    @after(Create)
    def after_create(self) -> None:
        log.append(f"after create {self.id}")

    @after(Update)
    def after_update(self) -> None:
        log.append("after update")

    @after(Save)
    async def after_save(self) -> None:
        log.append("after save")

    @before(Delete)
    def before_delete(self) -> None:
        log.append("before delete")

    @after(Delete, Restore)
    def after_delete(self) -> None:
        log.append(f"gone {self.is_deleted}")


async def test_the_order_of_events(register_any: Any) -> None:
    await register_any(Traced)
    one = await Traced.create(name="one")
    checks = ["before validate", "after validate"]
    assert log == ["before save", "before create", *checks, "after create 1", "after save"]
    log.clear()
    one.name = "uno"
    await one.save()
    assert log == ["before save", "before update", *checks, "after update", "after save"]
    log.clear()
    await one.save()
    assert log == ["before save", "before update", "before validate"]  # nothing was written
    log.clear()
    await one.delete()
    await one.restore()
    await one.hard_delete()
    assert log == ["before delete", "gone True", "gone False", "before delete", "gone False"]


async def test_what_a_hook_changes_is_saved_and_validated(register_any: Any) -> None:
    class Account(BaseModel):
        email: str
        slug: str = ""
        tags: list[str] = []

        @before(Save)
        async def normalize(self) -> None:
            self.email = self.email.lower()
            self.slug = self.email.partition("@")[0]

        @before(Update)
        def spoil(self) -> None:
            if self.slug == "bad":
                self.tags = 5  # type: ignore[assignment]

    await register_any(Account)
    ann = await Account.create(email="ANN@X.org")
    assert (await Account.get_by_id(ann.id)).slug == "ann"
    ann.email = "BEN@X.org"
    await ann.save()
    assert (await Account.get(slug="ben")).email == "ben@x.org"
    ann.email = "BAD@X.org"
    with pytest.raises(ValidationError):
        await ann.save()
    assert (ann.email, ann.slug, ann.tags) == ("BAD@X.org", "ben", [])
    many = await Account.bulk_create([{"email": "A@x"}, {"email": "B@x"}])
    assert [account.slug for account in many] == ["a", "b"]


async def test_a_veto_writes_nothing_and_leaves_the_object_as_it_was(register_any: Any) -> None:
    class Guarded(BaseModel):
        name: Annotated[str, Indexed(unique=True)]
        tags: list[str] = []

        @before(Save, Delete)
        def touch(self) -> None:
            self.tags.append("touched")

        @before(Save, Delete)
        def refuse(self) -> None:
            if self.name == "no":
                raise PermissionError("not that one")

    await register_any(Guarded)
    fresh = Guarded(name="no")
    with pytest.raises(PermissionError):
        await fresh.save()
    assert fresh.id is None and fresh.tags == []
    with pytest.raises(PermissionError):
        await Guarded.bulk_create([{"name": "a"}, fresh])
    assert await Guarded.count() == 0 and fresh.tags == []
    ben = await Guarded.create(name="ben")
    ann = await Guarded.create(name="ann")
    assert ann.tags == ["touched"]
    ann.name = "no"
    for write in (ann.save, ann.delete):
        with pytest.raises(PermissionError):
            await write()
    assert (ann.name, ann.tags) == ("no", ["touched"])
    ann.name = "ben"
    with pytest.raises(DuplicateDocumentError):  # what a hook did is not done twice when the save is tried again
        await ann.save()
    assert ann.tags == ["touched"] and ben.tags == ["touched"]
    assert (await Guarded.get_by_id(ann.id)).name == "ann"


async def test_fields_of_the_users_own_come_back_too_and_hooks_may_save_again(register_any: Any) -> None:
    class Open(BaseModel):
        name: str
        saved: int = 0

        class Meta:
            strict_mode = False

        @before(Save)
        def mark(self) -> None:
            self.extra = "set"
            if self.name == "no":
                raise ValueError("no")

        @after(Save)
        async def count(self) -> None:
            if self.saved < 2:
                self.saved += 1
                await self.save()

    await register_any(Open)
    refused = Open(name="no", own=1)
    with pytest.raises(ValueError):
        await refused.save()
    assert refused.model_extra == {"own": 1}
    made = await Open.create(name="yes")
    assert made.saved == 2 and (await Open.get_by_id(made.id)).saved == 2


async def test_order_inheritance_and_functions_outside(register_any: Any) -> None:
    class Base(BaseModel):
        class Meta:
            abstract = True

        @before(Save)
        def base(self) -> None:
            log.append("base")

        @before(Save)
        def replaced(self) -> None:
            log.append("never")

    class Mixin(BaseModel):
        class Meta:
            abstract = True

        @before(Save, order=-1)
        def early(self) -> None:
            log.append("early")

    class Leaf(Base, Mixin):
        name: str = ""

        @before(Save)
        def own(self) -> None:
            log.append("own")

        def replaced(self) -> None:
            log.append("replaced")

    @on(Base, before=Save, after=(Create, Load))
    def outside(leaf: Leaf) -> None:
        log.append("outside")

    await register_any(Leaf)
    await Leaf.create()
    assert log == ["early", "base", "replaced", "own", "outside", "outside"]
    log.clear()
    with skip_hooks():
        await Leaf.create()
        await Leaf.all()
    with skip_hooks(Create):
        await Leaf.create()
    assert log == ["early", "base", "replaced", "own", "outside"]

    @on(Leaf, before=Create)
    async def later(leaf: Leaf) -> None:
        log.append("later")

    await Leaf.create()
    assert "later" in log


async def test_hooks_after_loading(register_any: Any) -> None:
    class Loaded(BaseModel):
        name: str
        note: str = ""
        _shout: str = PrivateAttr("")

        @after(Load)
        def shout(self) -> None:
            self._shout = self.name.upper()

    await register_any(Loaded)
    made = await Loaded.create(name="ann")
    assert made._shout == ""
    assert (await Loaded.get_by_id(made.id))._shout == "ANN"
    assert [found._shout for found in await Loaded.all()] == ["ANN"]
    assert (await made.refresh_from_db())._shout == "ANN"
    assert [found.id for found in await Loaded.all().only("note")] == [1]  # not for parts of objects
    with pytest.raises(ConfigurationError):
        before(Load)
    with pytest.raises(ConfigurationError):

        class Wrong(BaseModel):
            @after(Load)
            async def wait(self) -> None: ...

        await register_any(Wrong)
        await Wrong.create()


async def test_writes_by_query_have_hooks_of_their_own(register_any: Any) -> None:
    seen: list[QueryWrite] = []

    class Item(BaseModel):
        name: str
        editor: str = ""

        @before(Save)
        def own(self) -> None:
            log.append("instance")

        @before(QueryUpdate)
        @classmethod
        async def sign(cls, write: QueryWrite) -> None:
            write.update["$set"]["editor"] = cls.__name__

        @before(QueryDelete)
        @classmethod
        def refuse(cls, write: QueryWrite) -> None:
            if not write.filter:
                raise PermissionError("not all at once")

        @classmethod
        @after(QueryUpdate, QueryDelete)
        def note(cls, write: QueryWrite) -> None:
            seen.append(write)

    @on(Item, after=QueryDelete)
    async def outside(write: QueryWrite) -> None:
        assert write.model is Item
        seen.append(write)

    await register_any(Item)
    with skip_hooks():
        await Item.bulk_create([{"name": "a"}, {"name": "b"}])
    assert await Item.filter(name="a").update(name="c") == 1
    assert (await Item.get(name="c")).editor == "Item"
    with pytest.raises(PermissionError):
        await Item.delete_many()
    assert await Item.filter(name="b").delete() == 1
    assert [(write.kind, write.matched) for write in seen] == [("update", 1), ("delete", 1), ("delete", 1)]
    assert not log


class Invoice(BaseModel):
    """The hooks of the documentation, which each write has to run, whatever form its update has."""

    number: Annotated[int, Indexed(unique=True)]
    total: int = 0
    reviewed: bool = False

    @before(QueryUpdate)
    @classmethod
    def unreview(cls, write: QueryWrite) -> None:
        if log[-1:] == ["by hand"]:
            write.update.setdefault("$set", {})["reviewed"] = False
        else:
            write.set_(reviewed=False)

    @after(QueryUpdate)
    @classmethod
    async def note(cls, write: QueryWrite) -> None:
        log.append(f"{write.kind} {write.filter.get('_id', '')} {write.matched}")


UPDATES: dict[str, Any] = {
    "update": lambda: Invoice.filter(number=1).update(total=5),
    "update what it sets": lambda: Invoice.filter(number=1).update(total=5, reviewed=True),
    "update_many": lambda: Invoice.update_many({"number": 1}, {"$set": {"total": 5, "reviewed": True}}),
    "calculated": lambda: Invoice.filter(number=1).update(total=Invoice.f.total + 4),
    "pipeline": lambda: Invoice.filter(number=1).update([{"$set": {"total": 5}}]),
    "update_one": lambda: Invoice.filter(number=1).update_one(total=5),
    "find_one_and_update": lambda: Invoice.find_one_and_update({"number": 1}, total=5),
    "replace": lambda: Invoice.filter(number=1).replace({"number": 1, "total": 5, "reviewed": True}),
    "bulk_update": lambda: Invoice.bulk_update({1: {"total": 5}}),
    "bulk_update what it sets": lambda: Invoice.bulk_update({1: {"total__inc": 4, "reviewed": True}}),
    "bulk_update, calculated": lambda: Invoice.bulk_update({1: {"total": Invoice.f.total + 4}}),
    "upsert, find": lambda: Invoice.upsert({"number": 1}, total=5),
    "upsert, make": lambda: Invoice.upsert({"number": 7}, total=5, reviewed=True),
}
STAGES = {"calculated", "pipeline", "replace", "bulk_update, calculated"}


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_hook_adds_to_every_update(register_any: Any, any_config: Any, by_hand: bool) -> None:
    await register_any(Invoice)
    for verb, write in UPDATES.items():
        if by_hand and verb in STAGES:
            continue
        await Invoice.delete_many()
        await Invoice.bulk_create([{"id": 1, "number": 1, "total": 1, "reviewed": True}])
        log[:] = ["by hand"] if by_hand else []
        try:
            answer = await write()
        except NotSupportedError:
            assert any_config.mongo_uri.startswith("memory")
            continue
        stored = await Invoice.filter(number=7 if "make" in verb else 1).one()
        assert (stored.total, stored.reviewed) == (5, False), verb
        if isinstance(answer, tuple):
            assert answer == (stored, "make" in verb)
        assert len(log) == 1 + by_hand and log[-1].startswith("create" if "make" in verb else "update"), verb


async def test_bulk_update_runs_hooks_for_each_document(register_any: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mongodb_orm.persistence.bulk.CHUNK", 2)
    await register_any(Invoice)
    await Invoice.bulk_create([{"id": n, "number": n, "reviewed": True} for n in range(1, 6)])
    assert await Invoice.bulk_update({1: {"total": 1}, 99: {"total": 1}, "2": {"total": 2}}) == 2
    assert log == ["update 1 1", "update 2 1"]  # of those that were there
    assert await Invoice.filter(reviewed=False).count() == 2
    log.clear()
    with pytest.raises(BulkDuplicateError) as caught:
        await Invoice.bulk_update({3: {"number": 1}, 98: {"total": 1}, 4: {"total": 4}, 5: {"number": 1}})
    assert (caught.value.written, log) == ((2,), ["update 4 1"])
    log.clear()
    with pytest.raises(BulkDuplicateError):
        await Invoice.bulk_update({1: {"total": 7}, 2: {"total": 7}, 3: {"number": 1}, 4: {"total": 7}}, ordered=True)
    assert log == ["update 1 1", "update 2 1"]
    log.clear()
    with skip_hooks(QueryUpdate):
        await Invoice.bulk_update({5: {"total": 5}})
    assert log == [] and (await Invoice.get_by_id(5)).reviewed


async def test_a_veto_of_one_document_stops_the_whole_bulk_update(
    register_any: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mongodb_orm.persistence.bulk.CHUNK", 2)

    class Capped(BaseModel):
        total: int = 0

        @before(QueryUpdate)
        @classmethod
        def cap(cls, write: QueryWrite) -> None:
            log.append("asked")
            if write.update["$set"]["total"] > 10:
                raise PermissionError(f"{write.filter['_id']} is too much")

    await register_any(Capped)
    await Capped.bulk_create([{} for _ in range(5)])
    with pytest.raises(PermissionError, match="5 is too much"):
        await Capped.bulk_update({1: {"total": 1}, 2: {"total": 2}, 3: {"total": 3}, 5: {"total": 50}})
    assert await Capped.count(total=0) == 5
    log.clear()
    await Capped.bulk_update({1: {"total": 1}, 2: {"total": 2}, 3: {"total": 3}})
    assert log == ["asked"] * 3


async def test_what_a_hook_may_set(register_any: Any) -> None:
    class Sheet(BaseModel):
        name: str = Field(default="", max_length=3)
        old: str = ""
        rows: list[int] = []
        size: int = 0

    values: dict[str, Any] = {}
    sent: list[Any] = []

    @on(Sheet, before=(QueryUpdate, QueryDelete), after=QueryUpdate)
    def give(write: QueryWrite) -> None:
        if write.matched:
            sent.append(write.update)
        write.set_(**values)

    await register_any(Sheet)
    with skip_hooks():
        await Sheet.create(name="a", old="b", rows=[1])
    for wrong, error in (
        ({"nam": 1}, UnknownFieldError),
        ({"rows.0": 1}, UnknownFieldError),
        ({"name": "long"}, ValidationError),
        ({"id": 5}, InvalidValueError),
        ({"size": Sheet.f.size + 1}, InvalidValueError),
    ):
        values = wrong
        with pytest.raises(error):
            await Sheet.all().update(old="c")
    values = {"name": "x"}
    with pytest.raises(InvalidValueError, match="removes"):
        await Sheet.delete_many()
    with pytest.raises(InvalidValueError, match="done"):
        await Sheet.all().update(updates.rename(Sheet.f.old, Sheet.f.name))
    values = {"rows": [7]}
    with pytest.raises(InvalidValueError, match="done"):
        await Sheet.all().update(updates.push(Sheet.f.rows, 2))
    values = {"rows": []}
    with pytest.raises(InvalidValueError, match="done"):
        await Sheet.all().update({"$set": {"rows.0": 9}})
    assert [(sheet.name, sheet.rows) async for sheet in Sheet.all()] == [("x", [])]
    assert all(map(all, (update.values() for update in sent)))  # old servers take no operator without fields
    with pytest.raises(InvalidValueError, match="done"):
        await Sheet.upsert({"name": "new"}, old="y")
    assert sent[-1].keys() == {"$setOnInsert"}  # or it would change the document of somebody who was faster


async def test_validators_that_ask_the_database(register_any: Any) -> None:
    class Team(BaseModel, SoftDeleteMixin):
        name: str

    class Member(BaseModel):
        email: str
        nickname: str | None = None
        team_id: int | None = None
        friends: list[int] = []

        class Meta:
            validators = [
                unique("email"),
                unique("team_id", "nickname"),
                exists(Team, "team_id"),
                exists(Team, "friends"),
            ]

        @async_validator("email", "nickname")
        async def no_teams(self, value: str | None) -> None:
            log.append(str(value))
            if value is not None and await Team.exists(name=value):
                raise ValueError("that is a team")

    await register_any(Team, Member)
    red, gone = await Team.bulk_create([{"name": "red"}, {"name": "gone"}])
    await gone.delete()
    ann = await Member.create(email="ann", nickname="a", team_id=red.id)
    with pytest.raises(ValidationError) as caught:
        await Member.create(email="ann", nickname="red", team_id=gone.id, friends=[red.id, 77])
    found = [(error["type"], error["loc"], error["input"]) for error in caught.value.errors()]
    assert found == [
        ("unique", ("email",), "ann"),
        ("exists", ("team_id",), gone.id),
        ("exists", ("friends", 1), 77),
        ("value_error", ("nickname",), "red"),
    ]
    part = (
        await Member.filter(id=(await Member.create(email="ben", nickname="b", team_id=red.id)).id).only("nickname")
    )[0]
    part.nickname = "a"
    with pytest.raises(ValidationError):  # together with the team, which was not loaded
        await part.save()
    await Member.filter(email="ben").delete()
    log.clear()
    ann.friends = [red.id]
    await ann.save()
    assert log == []  # neither of its fields changed
    ann.email = "ann2"
    await ann.save()
    assert log == ["ann2"]
    with pytest.raises(ValidationError) as caught:
        await Member.bulk_create([{"email": "x"}, {"email": "ann2"}, {"email": "x"}])
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [
        ("unique", (1, "email")),
        ("unique", (2, "email")),
    ]
    assert await Member.count() == 1


@pytest.mark.parametrize(
    "declare",
    [
        lambda: before(),
        lambda: before("save"),  # type: ignore[arg-type]
        lambda: on(BaseModel),
        lambda: on(BaseModel, after=str),  # type: ignore[arg-type]
        lambda: on("User", after=Save),  # type: ignore[arg-type]
        lambda: on(BaseModel, after=Save, order="first"),  # type: ignore[arg-type]
        lambda: after(Save, order=True),
        lambda: skip_hooks("Save").__enter__(),  # type: ignore[arg-type]
        lambda: unique(),
        lambda: exists("Team", "team_id"),  # type: ignore[arg-type]
        lambda: async_validator(),
    ],
)
def test_declarations_that_make_no_sense(declare: Any) -> None:
    with pytest.raises(ConfigurationError):
        declare()


async def test_hooks_on_the_wrong_kind_of_method_and_wrong_settings(register_any: Any) -> None:
    class Mixed(BaseModel):
        @before(QueryUpdate)
        def wrong(self, write: QueryWrite) -> None: ...

    class Static(BaseModel):
        @before(Save)
        @staticmethod
        def wrong() -> None: ...

    await register_any(Mixed, Static)
    for model in (Mixed, Static):
        with pytest.raises(ConfigurationError):
            await model.create()
    with pytest.raises(ConfigurationError):

        class Bad(BaseModel):
            class Meta:
                validators = ["email"]


async def test_classes_that_share_a_collection(register_any: Any) -> None:
    class Media(BaseModel):
        title: str

        class Meta:
            discriminator = "kind"
            validators = [unique("title")]

        @after(Load)
        def note(self) -> None:
            log.append(type(self).__name__)

    class Book(Media):
        isbn: str = ""

        class Meta:
            validators = [unique("isbn")]

        @before(Save)
        def clean(self) -> None:
            self.isbn = self.isbn.replace("-", "")

        @after(Load)
        def note_book(self) -> None:
            log.append("book")

    await register_any(Media, Book)
    made = await Media.bulk_create([Media(title="a"), Book(title="b", isbn="1-2")])
    assert [document.isbn for document in made if isinstance(document, Book)] == ["12"]
    await Media.all().order_by("id")
    assert sorted(log) == ["Book", "Media", "book"]
    with pytest.raises(ValidationError) as caught:  # titles are unique among all media
        await Media.bulk_create([Book(title="a", isbn="7"), Media(title="c"), Book(title="c", isbn="12")])
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [
        ("unique", (0, "title")),
        ("unique", (2, "title")),
        ("unique", (2, "isbn")),
    ]
