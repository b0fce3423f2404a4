"""Saving: what changed is sent and nothing else; stale objects are found; changes of others survive."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Any, Self

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, model_validator

from mongodb_orm import (
    BaseModel,
    BulkSaved,
    Change,
    ConfigurationError,
    DocumentNotFoundError,
    Indexed,
    InvalidValueError,
    Save,
    SoftDeleteMixin,
    StaleDocumentError,
    UnencodableValueError,
    UnknownFieldError,
    Validate,
    ValidationError,
    VersionedMixin,
    after,
    async_validator,
    before,
    close_all_connections,
    register_model,
    retry_on_conflict,
    transaction,
)
from mongodb_orm.testing import assert_commands


class Address(pydantic.BaseModel):
    city: str = "Oslo"
    zip_code: str = Field(default="", alias="zip")


class Line(pydantic.BaseModel):
    sku: str
    price: float = 0


class Person(BaseModel):
    name: str = "ann"
    age: int | None = Field(default=None, alias="years")
    address: Address = Field(default_factory=Address)
    tags: list[str] = Field(default_factory=list)
    lines: list[Line] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    code: Annotated[str, Field(frozen=True)] = "x"
    labels: Annotated[list[str], Field(frozen=True)] = Field(default_factory=list)


class Size(pydantic.BaseModel):
    width: Annotated[int, Field(ge=0)] = 1


class Parcel(BaseModel):
    size: Size
    sizes: list[Size]
    number: Annotated[int, Field(ge=0)] = 0


class Account(BaseModel, VersionedMixin):
    name: str = ""
    balance: int = 0
    tags: list[str] = Field(default_factory=list)
    lines: list[Line] = Field(default_factory=list)


class Note(BaseModel, VersionedMixin, SoftDeleteMixin):
    text: str = ""


async def make(**values: Any) -> Person:
    return await Person.create(**{"settings": {"a": 1, "b": {"c": 2, "d": 3}}, "tags": ["x", "y"], **values})


async def stored(raw: Any) -> dict[str, Any]:
    found: dict[str, Any] = raw.person.find_one()
    return found


async def test_what_changed_is_told(register_any: Any) -> None:
    await register_any(Person)
    person = Person(name="new")
    assert person.is_changed
    with pytest.raises(DocumentNotFoundError):
        person.changes()
    await person.save()
    assert not person.is_changed
    assert person.changes() == {}
    person.name = "bob"
    person.age = 5
    person.address.zip_code = "0150"
    person.tags.append("z")
    person.settings["k"] = 1
    assert person.is_changed
    assert person.changes() == {
        "name": Change("new", "bob"),
        "age": Change(None, 5),
        "address.zip_code": Change("", "0150"),
        "tags": Change([], ["z"]),
        "settings.k": Change(None, 1),
    }
    before_ = person.previous()
    assert (before_.name, before_.age, before_.tags, before_.id) == ("new", None, [], person.id)
    assert person.previous("address") == Address()
    with pytest.raises(UnknownFieldError, match="name"):
        person.previous("nam")
    assert person.rollback() is person
    assert not person.is_changed
    assert (person.name, person.address.zip_code, person.settings) == ("new", "", {})
    person.name = "cecil"
    await person.save()
    assert (await Person.get_by_id(person.id)) == person


@pytest.mark.parametrize(
    "edit, expected",
    [
        (lambda p: p.settings.pop("a"), {"b": {"c": 2, "d": 3}}),
        (lambda p: p.settings["b"].pop("c"), {"a": 1, "b": {"d": 3}}),
        (lambda p: p.settings.clear(), {}),
        (lambda p: p.settings["b"].clear(), {"a": 1, "b": {}}),
        (lambda p: p.settings.setdefault("n", []).append(1), {"a": 1, "b": {"c": 2, "d": 3}, "n": [1]}),
        (lambda p: p.settings.update({"a.b": 1}), {"a": 1, "b": {"c": 2, "d": 3}, "a.b": 1}),
        (lambda p: p.settings.update({"$set": 1}), {"a": 1, "b": {"c": 2, "d": 3}, "$set": 1}),
        (lambda p: p.settings.update({"": 1}), {"a": 1, "b": {"c": 2, "d": 3}, "": 1}),
        (lambda p: p.settings["b"].update({"c": {"e": 1}}), {"a": 1, "b": {"c": {"e": 1}, "d": 3}}),
        (lambda p: p.settings.update(a=1.0), {"a": 1.0, "b": {"c": 2, "d": 3}}),
        (lambda p: p.settings.update(a=True), {"a": True, "b": {"c": 2, "d": 3}}),
        (lambda p: p.settings.update(a=None), {"a": None, "b": {"c": 2, "d": 3}}),
        (lambda p: p.settings.update(b={"d": 3, "c": 2}), {"a": 1, "b": {"d": 3, "c": 2}}),
    ],
)
async def test_edits_of_a_dict(register_any: Any, edit: Any, expected: dict[str, Any]) -> None:
    await register_any(Person)
    person = await make()
    edit(person)
    await person.save()
    found = await Person.get_by_id(person.id)
    assert found is not None
    assert found.settings == expected
    assert type(found.settings.get("a")) is type(expected.get("a"))
    assert list(found.settings.get("b", {})) == list(expected.get("b", {}))
    assert not person.is_changed


@pytest.mark.parametrize(
    "edit, expected",
    [
        (lambda p: p.tags.clear(), []),
        (lambda p: p.tags.append("z"), ["x", "y", "z"]),
        (lambda p: p.tags.insert(0, "z"), ["z", "x", "y"]),
        (lambda p: p.tags.remove("x"), ["y"]),
        (lambda p: p.tags.__setitem__(1, "z"), ["x", "z"]),
        (lambda p: setattr(p, "tags", []), []),
    ],
)
@pytest.mark.parametrize("model", [Person, Account])
async def test_edits_of_a_list(register_any: Any, model: Any, edit: Any, expected: list[str]) -> None:
    await register_any(model)
    document = await model.create(tags=["x", "y"], lines=[{"sku": "a"}, {"sku": "b"}])
    edit(document)
    document.lines[1].price = 5
    await document.save()
    found = await model.get_by_id(document.id)
    assert found == document
    assert found.tags == expected
    assert found.lines[1].price == 5


async def test_changes_of_others_survive(register: Any, raw: Any) -> None:
    await register(Person)
    person = await make()
    other = await Person.get_by_id(person.id)
    assert other is not None
    other.settings["b"]["c"] = 99
    other.address.city = "Rome"
    other.age = 7
    await other.save()
    raw.person.update_one({}, {"$set": {"unknown": 1, "address.floor": 3}})
    person.settings["a"] = 5
    person.address.zip_code = "1"
    await person.save()
    document = await stored(raw)
    assert document["settings"] == {"a": 5, "b": {"c": 99, "d": 3}}
    assert document["address"] == {"city": "Rome", "zip": "1", "floor": 3}
    assert (document["years"], document["unknown"]) == (7, 1)


async def test_a_default_is_not_written_back(register: Any, raw: Any) -> None:
    await register(Person)
    person = await make()
    raw.person.update_one({}, {"$unset": {"tags": "", "name": ""}})
    found = await Person.get_by_id(person.id)
    assert found is not None
    assert found.name == "ann"
    raw.person.update_one({}, {"$set": {"name": "written meanwhile"}})
    found.age = 3
    await found.save()
    document = await stored(raw)
    assert document["name"] == "written meanwhile"


async def test_force(register: Any, raw: Any) -> None:
    await register(Person)
    person = await make()
    raw.person.update_one({}, {"$set": {"name": "other"}, "$unset": {"tags": ""}})
    await person.save()
    assert (await stored(raw))["name"] == "other"
    await person.save(force=True)
    document = await stored(raw)
    assert (document["name"], document["tags"]) == ("ann", ["x", "y"])
    part = await Person.filter(id=person.id).only("name").one()
    raw.person.update_one({}, {"$set": {"tags": ["mine"]}})
    await part.save(force=True)
    assert (await stored(raw))["tags"] == ["mine"]


async def test_a_conditional_save(register_any: Any) -> None:
    await register_any(Person)
    person = await make(age=1)
    person.name = "bob"
    with pytest.raises(StaleDocumentError, match="if_match"):
        await person.save(if_match={"age__gte": 5})
    assert person.is_changed
    await person.save(if_match={"age": 1})
    assert not person.is_changed
    person.name = "cecil"
    with pytest.raises(UnknownFieldError):
        await person.save(if_match={"agee": 1})
    with pytest.raises(InvalidValueError):
        await person.save(if_match="age")  # type: ignore[arg-type]
    with pytest.raises(DocumentNotFoundError):
        await Person().save(if_match={"age": 1})
    await Person.all().hard_delete()
    with pytest.raises(DocumentNotFoundError):
        await person.save(if_match={"age": 1})
    assert await Person.count() == 0


async def test_frozen_fields_stay(register_any: Any) -> None:
    await register_any(Person)
    person = await make(labels=["a"])
    with pytest.raises(ValidationError):
        person.code = "y"
    person.labels.append("b")
    with pytest.raises(InvalidValueError, match="labels is frozen"):
        await person.save()
    person.rollback()
    person.id = 99
    with pytest.raises(InvalidValueError, match="cannot change"):
        await person.save()


async def test_validation_on_assignment_as_configured(register_any: Any) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(validate_assignment=True)
        age: int = Field(default=0, ge=0)

    await register_any(Strict, Person)
    strict = await Strict.create()
    with pytest.raises(ValidationError):
        strict.age = -1
    strict.age = "5"  # type: ignore[assignment]
    assert strict.age == 5
    person = await make()
    person.age = "x"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        await person.save()
    assert person.age == "x"


NEW: list[Any] = [
    lambda parcel: parcel.save(),
    lambda parcel: Parcel.bulk_create([parcel]),
    lambda parcel: Parcel.bulk_insert([parcel]),
    lambda parcel: Parcel.bulk_save([parcel]),
    lambda parcel: Parcel.create(size=parcel.size, sizes=parcel.sizes, number=parcel.number),
    lambda parcel: Parcel.bulk_create([{"size": parcel.size, "sizes": parcel.sizes, "number": parcel.number}]),
]


@pytest.mark.parametrize("write", NEW)
async def test_a_new_object_that_was_changed_is_validated_to_its_depth(register_any: Any, write: Any) -> None:
    await register_any(Parcel)
    for spoil in (
        lambda parcel: setattr(parcel, "number", -1),
        lambda parcel: setattr(parcel.size, "width", -1),
        lambda parcel: setattr(parcel.sizes[0], "width", "wide"),
    ):
        parcel = Parcel(size=Size(), sizes=[Size()])
        spoil(parcel)
        with pytest.raises(ValidationError):
            await write(parcel)
        assert await Parcel.count() == 0
    parcel = Parcel(size=Size(width="5"), sizes=[Size()])
    parcel.sizes[0].width = "7"  # type: ignore[assignment]
    await write(parcel)
    assert (await Parcel.filter().raw())[0]["sizes"] == [{"width": 7}]


async def test_what_changes_inside_a_nested_object_is_stored_as_its_type(register_any: Any) -> None:
    await register_any(Parcel)
    parcel = await Parcel.create(size=Size(), sizes=[Size()])
    size, sizes = parcel.size, parcel.sizes
    size.width = 4
    await parcel.save()
    assert parcel.size is size
    sizes[0].width = "6"  # type: ignore[assignment]
    await parcel.save()
    assert parcel.sizes == [Size(width=6)]
    assert parcel.size is size
    assert (await Parcel.filter().raw())[0]["sizes"] == [{"width": 6}]
    assert not parcel.is_changed
    parcel.sizes[0].width = -1
    with pytest.raises(ValidationError):
        await parcel.save()
    assert parcel.sizes[0].width == -1


async def test_a_save_adopts_what_a_validator_of_the_model_derives(register_any: Any) -> None:
    class Article(BaseModel):
        title: str
        slug: str = ""

        @model_validator(mode="after")
        def derive(self) -> Self:
            self.__dict__["slug"] = self.title.lower().replace(" ", "-")
            return self

    await register_any(Article)
    article = await Article.create(title="A Day")
    article.title = "Two Days"
    await article.save()
    assert article.slug == "two-days"
    assert (await Article.get_by_id(article.id)).slug == "two-days"
    assert not article.is_changed


async def test_what_a_hook_breaks_after_validation_is_not_stored(register_any: Any) -> None:
    class Counted(BaseModel):
        number: int = 0
        name: str = ""

        @after(Validate)
        def spoil(self) -> None:
            if self.name == "spoilt":
                self.number = "many"  # type: ignore[assignment]

    await register_any(Counted)
    counted = await Counted.create()
    counted.name = "spoilt"
    with pytest.raises(ValidationError):
        await counted.save()
    assert (await Counted.get_by_id(counted.id)).name == ""


async def test_what_only_looks_the_same_is_a_change(register: Any, raw: Any) -> None:
    class Loose(BaseModel):
        value: Any = None
        values: list[Any] = []
        members: dict[str, Any] = {}
        moment: datetime | None = None

    await register(Loose)
    moment = datetime(2024, 5, 17, 12, tzinfo=UTC)
    loose = await Loose.create(value=1, values=[1, 2.0], members={"a": 0, "at": moment}, moment=moment)
    loose = await Loose.get_by_id(loose.id)
    assert not loose.is_changed
    loose.moment = moment.astimezone(timezone(timedelta(hours=2))) + timedelta(microseconds=999)
    loose.members["at"] = moment.replace(tzinfo=None)
    assert not loose.is_changed
    loose.moment = moment.replace(tzinfo=None)
    assert not loose.is_changed
    loose.value, loose.values[1], loose.members["a"] = True, 2, False
    assert set(loose.changes()) == {"value", "values", "members.a"}
    await loose.save()
    stored = raw.loose.find_one()
    assert stored["value"] is True
    assert type(stored["values"][1]) is int
    assert stored["members"]["a"] is False


@pytest.mark.parametrize("value", [True, 1.0, "1"])
async def test_what_validation_makes_the_same_again_is_no_change(value: Any, register_any: Any) -> None:
    class Counter(BaseModel):
        number: int = 1

    await register_any(Counter)
    counter = await Counter.create()
    moment = counter.updated_at
    counter.number = value
    with assert_commands(0):
        await counter.save()
        counter.number = value
        assert await Counter.bulk_save([counter]) == BulkSaved(created=0, updated=0, unchanged=1)
    assert type(counter.number) is int
    assert counter.updated_at == moment


@pytest.mark.parametrize("how", ["save", "bulk_save"])
async def test_a_refused_save_leaves_every_value_as_it_was(how: str, register_any: Any) -> None:
    class Counted(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int]
        first: int = 0
        huge: int = 0
        last: int = 0

    class Asked(Counted):
        @async_validator("last")
        async def below_nine(self, last: int) -> None:
            if last >= 9:
                raise ValueError("nine or more")

    await register_any(Counted, Asked)
    errors: Any = (ValidationError, UnencodableValueError)
    for model, name, value in ((Counted, "last", "x"), (Counted, "huge", "1" + "0" * 30), (Asked, "last", "9")):
        counted: Any = await model.create(extra=1)
        counted.first, counted.extra = "1", "2"
        setattr(counted, name, value)
        with pytest.raises(errors):
            await (counted.save() if how == "save" else model.bulk_save([counted]))
        assert (counted.first, counted.extra, getattr(counted, name)) == ("1", "2", value)
        setattr(counted, name, 3)
        await counted.save()
        assert (counted.first, counted.extra) == (1, 2)
        assert await model.get_by_id(counted.id) == counted


async def test_what_pydantic_lets_pass_and_nobody_could_read_is_refused(register_any: Any) -> None:
    class Word(Enum):
        ONE = "one"

    class Counter(BaseModel):
        number: int = 1

    await register_any(Counter)
    counter: Any = await Counter.create()
    counter.number = Word.ONE
    with pytest.raises(ValidationError, match="number"):
        await counter.save()
    assert counter.number is Word.ONE
    assert (await Counter.get_by_id(counter.id)) is not None


async def test_typed_extra_values_are_validated(register_any: Any) -> None:
    class Counts(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int]

    await register_any(Counts)
    counts: Any = await Counts.create(apples=1)
    counts.apples = "many"
    with pytest.raises(ValidationError, match="apples"):
        await counts.save()
    with pytest.raises(ValidationError, match="apples"):
        await Counts.bulk_save([counts])
    assert counts.apples == "many"
    counts.apples = "2"
    await counts.save()
    assert (counts.apples, counts.is_changed) == (2, False)
    assert await Counts.get_by_id(counts.id) == counts
    made: Any = Counts()
    made.pears = "3"
    await made.save()
    assert made.pears == 3
    assert await Counts.get_by_id(made.id) == made


async def test_a_moment_that_utc_does_not_have(register_any: Any) -> None:
    class Diary(BaseModel):
        moment: datetime | None = None
        anything: Any = None
        nested: dict[str, Any] = Field(default_factory=dict)

    await register_any(Diary)
    moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        Diary(moment=moment)
    diary = await Diary.create(moment=datetime(2024, 1, 1, tzinfo=UTC))
    diary.moment = moment
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        await diary.save()
    for name, value in (("anything", moment), ("nested", {"at": moment})):
        diary.rollback()
        setattr(diary, name, value)
        with pytest.raises(UnencodableValueError, match="years 1 to 9999"):
            await diary.save()
    diary.rollback()
    diary.updated_at = datetime.max.replace(tzinfo=UTC)
    await diary.save()
    assert await Diary.get_by_id(diary.id) == diary


async def test_a_validator_from_a_module_whose_name_begins_like_pydantics(register_any: Any) -> None:
    def low_below_high(self: Any) -> Any:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

    low_below_high.__module__ = "pydantic_models"

    class Range(BaseModel):
        low: int = 0
        high: int = 9
        checked = model_validator(mode="after")(low_below_high)

    await register_any(Range)
    found = await Range.create()
    found.low = 10
    with pytest.raises(ValidationError, match="low is above high"):
        await found.save()


async def test_hooks_are_left_out_when_asked(register_any: Any) -> None:
    class Hooked(BaseModel):
        name: str = ""

        @before(Save)
        def shout(self) -> None:
            self.name = self.name.upper()

    await register_any(Hooked)
    hooked = await Hooked(name="a").save(skip_hooks=True)
    assert hooked.name == "a"
    hooked.name = "b"
    await hooked.save()
    assert hooked.name == "B"


async def test_a_stale_save_is_refused(register_any: Any) -> None:
    await register_any(Account)
    account = await Account.create(name="ann", balance=5)
    assert account.version == 1
    other = await Account.get_by_id(account.id)
    assert other is not None
    other.balance = 7
    await other.save()
    assert other.version == 2
    moment = account.updated_at
    account.balance = 9
    with pytest.raises(StaleDocumentError) as caught:
        await account.save()
    assert (caught.value.expected, caught.value.found, caught.value.model) == (1, 2, "Account")
    assert (account.version, account.updated_at, account.is_changed) == (1, moment, True)
    with pytest.raises(StaleDocumentError):
        await account.delete()
    await account.refresh_from_db()
    account.balance += 1
    await account.save()
    assert (account.version, account.balance) == (3, 8)
    await account.save()
    assert account.version == 3
    await other.refresh_from_db()
    await other.delete()
    account.balance = 0
    with pytest.raises(DocumentNotFoundError):
        await account.save()
    assert await account.delete() is False


async def test_soft_deletion_checks_and_increments(register_any: Any) -> None:
    await register_any(Note)
    note = await Note.create(text="a")
    other = await Note.get_by_id(note.id)
    assert other is not None
    assert await note.delete()
    assert note.version == 2
    with pytest.raises(StaleDocumentError):
        await other.delete()
    other.text = "b"
    with pytest.raises(StaleDocumentError):
        await other.save()
    assert await note.restore()
    assert note.version == 3
    note.text = "c"
    await note.save()
    assert note.version == 4
    assert await note.hard_delete()


async def test_updating_an_object_checks_and_increments(register: Any) -> None:
    await register(Account)
    account = await Account.create(balance=1)
    other = await Account.get_by_id(account.id)
    assert other is not None
    await account.update(balance__inc=5)
    assert (account.balance, account.version) == (6, 2)
    with pytest.raises(StaleDocumentError) as caught:
        await other.update(balance__inc=5)
    assert (caught.value.expected, caught.value.found) == (1, 2)
    with pytest.raises(InvalidValueError, match="protected"):
        await account.patch({"version": 9})
    await account.patch({"balance": 7})
    assert (account.balance, account.version) == (7, 3)
    assert await Account.get_by_id(account.id) == account


async def test_documents_from_before_versions(register: Any, raw: Any) -> None:
    await register(Account)
    raw.account.insert_one({"_id": 1, "name": "old"})
    account, other = await Account.get_by_id(1), await Account.get_by_id(1)
    assert account is not None
    assert other is not None
    account.balance = 1
    await account.save()
    assert account.version == 2
    other.balance = 2
    with pytest.raises(StaleDocumentError):
        await other.save()


async def test_a_part_of_a_versioned_object(register: Any) -> None:
    await register(Account)
    account = await Account.create(name="ann")
    part = await Account.filter(id=account.id).only("name").one()
    part.name = "bob"
    await part.save()
    assert part.version == 2
    account.name = "cecil"
    with pytest.raises(StaleDocumentError):
        await account.save()


async def test_lists_of_versioned_objects_are_changed_by_element(register: Any) -> None:
    await register(Account)
    account = await Account.create(tags=["a", "b", "c"], lines=[{"sku": "a"}, {"sku": "b"}, {"sku": "c"}])
    account.tags.append("d")
    account.lines[2].price = 9
    await account.save()
    assert await Account.get_by_id(account.id) == account
    account.tags[0] = "z"
    account.tags.append("e")
    await account.save()
    assert await Account.get_by_id(account.id) == account


async def test_retrying(register: Any) -> None:
    await register(Account)
    made = await Account.create()

    @retry_on_conflict(attempts=50)
    async def deposit(amount: int) -> int:
        account = await Account.filter(id=made.id).one()
        await asyncio.sleep(0)
        account.balance += amount
        await account.save()
        return account.balance

    await asyncio.gather(*[deposit(1) for _ in range(12)])
    await made.refresh_from_db()
    assert (made.balance, made.version) == (12, 13)

    runs = 0

    @retry_on_conflict
    async def never() -> None:
        nonlocal runs
        runs += 1
        raise StaleDocumentError("It is stale.")

    with pytest.raises(StaleDocumentError):
        await never()
    assert runs == 5
    with pytest.raises(ConfigurationError):
        retry_on_conflict(attempts=0)


async def test_fifty_calls_of_update_or_create_at_once(register: Any) -> None:
    class Setting(BaseModel, VersionedMixin):
        name: Annotated[str, Indexed(unique=True)]
        value: int = -1

    await register(Setting)
    results = await asyncio.gather(*[Setting.update_or_create({"value": n}, name="a") for n in range(50)])
    assert sum(made for _, made in results) == 1
    (only,) = await Setting.all()
    assert only.version == 50
    assert only.value in range(50)


async def test_merging(register_any: Any) -> None:
    await register_any(Account)
    account = await Account.create(name="ann", balance=1, tags=["x"])
    other = await Account.get_by_id(account.id)
    assert other is not None
    other.balance = 7
    await other.save()
    account.name = "bob"
    account.tags.append("y")
    await account.save(merge=True)
    assert (account.name, account.balance, account.tags, account.version) == ("bob", 7, ["x", "y"], 3)
    assert await Account.get_by_id(account.id) == account

    await other.refresh_from_db()
    other.name = "cecil"
    await other.save()
    account.name = "dora"
    account.balance = 8
    with pytest.raises(StaleDocumentError, match="name") as caught:
        await account.save(merge=True)
    assert caught.value.paths == ("name",)
    assert (account.name, account.balance) == ("dora", 8)


async def test_versions_go_back_with_a_transaction(register: Any) -> None:
    await register(Account)
    account = await Account.create()
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            account.balance = 5
            await account.save()
            raise ZeroDivisionError
    assert (account.balance, account.version) == (0, 1)
    account.balance = 6
    await account.save()
    assert account.version == 2


KEYS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=5) | st.sampled_from(
    ["a", "b", "a.b", "$set", "", "0", "_id", "é"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=5
) | st.floats(allow_nan=False)  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
LINES = st.lists(st.builds(Line, sku=st.sampled_from("abc"), price=st.sampled_from([0, 1, 2.5])), max_size=4)
CITIES = st.builds(Address, city=st.sampled_from(["Oslo", "Rome"]), zip=st.sampled_from(["", "0150"]))
STATES = st.fixed_dictionaries(
    {
        "tags": st.lists(st.sampled_from("xyz"), max_size=4),
        "labels": st.sets(st.text(alphabet="abcdé", max_size=2), max_size=5),
        "lines": LINES,
        "settings": st.dictionaries(KEYS, TREES, max_size=4),
        "name": st.text(alphabet="abcé", max_size=3),
        "city": st.text(alphabet="ab", max_size=2),
        "places": st.dictionaries(KEYS, CITIES, max_size=3),
        "maybe": st.none() | CITIES,
        "rows": st.lists(st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3),
    }
)


class Free(BaseModel):
    name: str = ""
    other: int = 0
    tags: list[str] = Field(default_factory=list)
    labels: set[str] = Field(default_factory=set)
    lines: list[Line] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    home: Address = Field(default_factory=Address)
    places: dict[str, Address] = Field(default_factory=dict)
    maybe: Address | None = None
    rows: list[dict[str, Any]] = Field(default_factory=list)


class Guarded(Free, VersionedMixin): ...


@pytest.mark.parametrize("model", [Free, Guarded])
def test_any_edit_is_saved_and_nothing_else(server_uri: str, admin: Any, model: Any) -> None:
    from mongodb_orm import DatabaseConfig

    config = DatabaseConfig(mongo_uri=server_uri, database_name="hypothesis")

    async def check(first: dict[str, Any], second: dict[str, Any]) -> None:
        first, second = copy.deepcopy((first, second))
        document = await model.create(home=Address(city=first.pop("city")), **first)
        if model is Free:
            await Free.filter(id=document.id).update(other=document.id, home__zip_code="others")
        document.home.city = second.pop("city")
        for name, value in second.items():
            held = getattr(document, name)
            if isinstance(held, dict) and isinstance(value, dict):  # changed in place, key by key
                for key in [key for key in held if key not in value]:
                    del held[key]
                held.update(value)
            elif isinstance(held, set):
                held.intersection_update(value)
                held.update(value)
            elif isinstance(held, list) and isinstance(value, list):
                held[:] = value
            else:
                setattr(document, name, value)
        await document.save()
        found = await model.get_by_id(document.id)
        left_out: Any = {"other": True, "updated_at": True, "home": {"zip_code"}}
        assert found.model_dump(exclude=left_out) == document.model_dump(exclude=left_out)
        assert (found.other, found.home.zip_code) == ((document.id, "others") if model is Free else (0, ""))
        assert not document.is_changed

    with asyncio.Runner() as runner:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(STATES, STATES)
        def search(first: dict[str, Any], second: dict[str, Any]) -> None:
            runner.run(check(first, second))

        runner.run(register_model(model, config))
        search()
        runner.run(close_all_connections())
    admin.drop_database("hypothesis")
