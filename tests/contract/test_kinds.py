"""Classes that share a collection: a discriminator tells them apart."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import ValidationError

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    CorruptDocumentError,
    DuplicateDocumentError,
    Indexed,
    InvalidValueError,
    ModelNotInitializedError,
    SoftDeleteMixin,
    UnknownFieldError,
    UnloadedFieldError,
)


class Animal(BaseModel):
    class Meta:
        discriminator = "kind"

    name: Annotated[str, Indexed(unique=True)]
    kind: str = ""


class Dog(Animal):
    chip: Annotated[int | None, Indexed(unique=True)] = None


class Puppy(Dog):
    kind: str = "puppy"
    weeks: int = 0


class Cat(Animal):
    kind: Literal["cat"] = "cat"
    lives: int = 9


@pytest.fixture
async def animals(register_any: Any) -> None:
    await register_any(Animal)
    await Animal.create(name="it")
    await Dog.create(name="rex", chip=1)
    await Puppy.create(name="pip", weeks=3, chip=2)
    await Cat.bulk_create([{"name": "tom"}, {"name": "kit", "lives": 7}])


async def names(query: Any) -> list[str]:
    return sorted(animal.name for animal in await query)


async def test_the_parent_gives_objects_of_every_class(animals: None) -> None:
    found = await Animal.all().order_by("id")
    assert [(type(each), each.kind) for each in found] == [
        (Animal, "Animal"), (Dog, "Dog"), (Puppy, "puppy"), (Cat, "cat"), (Cat, "cat"),
    ]  # fmt: skip
    assert [each.weeks for each in found if isinstance(each, Puppy)] == [3]
    assert [type(each) async for each in Animal.all().order_by("-id")][0] is Cat
    assert isinstance(await Animal.get_by_id(2), Dog)
    assert isinstance(await Animal.get(name="pip"), Puppy)
    assert await names(Animal.filter(kind="cat")) == ["kit", "tom"]
    assert await names(Animal.filter(kind__in=["puppy", "Animal"])) == ["it", "pip"]


async def test_a_replacement_says_of_which_class_it_is(animals: None) -> None:
    for values in ({"name": "tim"}, {"name": "tim", "kind": "fish"}, {"name": "tim", "kind": ["cat"]}):
        with pytest.raises(InvalidValueError, match="which it is") as caught:
            await Animal.find_one_and_replace({"name": "tom"}, values)
        assert caught.value.field == "kind"
    assert await names(Cat.all()) == ["kit", "tom"]
    tim = await Animal.find_one_and_replace({"name": "tom"}, {"name": "tim", "kind": "cat"})
    assert type(tim) is Cat and tim.lives == 9
    pip = await Animal.filter(name="tim").find_one_and_replace(Puppy(name="tip", weeks=5))
    assert type(pip) is Puppy and (pip.id, pip.weeks) == (tim.id, 5)
    assert await Cat.filter(name="kit").replace({"name": "kat"})
    assert await names(Cat.all()) == ["kat"]


async def test_a_subclass_sees_its_own(animals: None) -> None:
    assert await names(Dog.all()) == ["pip", "rex"]
    assert await names(Puppy.all()) == ["pip"]
    assert await names(Dog.exclude(chip=1)) == ["pip"]
    assert await names(Dog.all().unscoped()) == ["pip", "rex"]
    assert (await Cat.count(), await Dog.all().estimated_count(), await Animal.count()) == (2, 2, 5)
    assert await Cat.exists(name="rex") is False
    assert await Dog.get(name="tom") is None
    assert await Dog.get_by_id(4) is None
    assert type(await Dog.get_by_id(3)) is Puppy
    assert sorted(await Dog.distinct("kind")) == ["Dog", "puppy"]
    assert (await Cat.paginate(size=1)).total == 2
    assert Dog.filter(name="rex").filter_document() == {"name": "rex", "kind": {"$in": ["Dog", "puppy"]}}
    assert Puppy.all().filter_document() == {"kind": "puppy"}


async def test_aggregations_see_their_own(animals: None) -> None:
    assert await Cat.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}]) == [{"_id": None, "n": 2}]
    assert await Cat.all().sum("lives") == 16
    found = await Animal.aggregate([{"$sort": {"id": 1}}], into=Animal)
    assert [type(each) for each in found] == [Animal, Dog, Puppy, Cat, Cat]


async def test_a_join_with_a_subclass_sees_its_own(register: Any) -> None:
    await register(Animal)
    await Dog.create(name="rex")
    await Cat.create(name="tom")
    pipeline = [{"$lookup": {"from": Dog, "pipeline": [], "as": "dogs"}}, {"$project": {"n": {"$size": "$dogs"}}}]
    assert [row["n"] for row in await Cat.aggregate(pipeline)] == [1]


async def test_writes_touch_their_own(animals: None) -> None:
    pip = await Animal.get(name="pip")
    assert isinstance(pip, Puppy)
    pip.weeks = 4
    await pip.save()
    await pip.refresh_from_db()
    assert pip.weeks == 4
    assert await Cat.update_many(None, lives=1) == 2
    assert await Cat.delete_many() == 2
    assert await names(Animal.all()) == ["it", "pip", "rex"]
    made, is_new = await Cat.get_or_create(name="new")
    assert (type(made), is_new) == (Cat, True)
    mixed = await Animal.bulk_create([Dog(name="a"), Cat(name="b"), {"name": "c"}])
    assert [type(each) for each in mixed] == [Dog, Cat, Animal]
    assert type(await Animal.get(name="b")) is Cat


async def test_ids_are_counted_together(animals: None) -> None:
    assert sorted(each.id for each in await Animal.all()) == [1, 2, 3, 4, 5]


async def test_a_part_keeps_its_class(animals: None) -> None:
    rex = await Animal.filter(name="rex").only("name").one()
    assert (type(rex), rex.kind) == (Dog, "Dog")
    with pytest.raises(UnloadedFieldError):
        _ = rex.chip  # type: ignore[attr-defined]
    rex.name = "max"
    await rex.save()
    assert await Dog.exists(name="max", chip=1)


async def test_pages_keep_the_fields_of_subclasses(animals: None) -> None:
    page = json.loads((await Animal.paginate(sort_by="id")).model_dump_json())
    assert [item.get("lives") for item in page["items"]] == [None, None, None, 9, 7]
    after = await Animal.all().order_by("name").paginate_after(size=2)
    assert "lives" in json.loads(after.model_dump_json())["items"][1]


async def test_a_unique_field_of_a_subclass_binds_only_that_class(register: Any) -> None:
    await register(Animal, Dog, Puppy, Cat)
    await Cat.bulk_create([{"name": "tom"}, {"name": "kit"}])
    await Dog.create(name="rex", chip=1)
    with pytest.raises(DuplicateDocumentError):
        await Puppy.create(name="pip", chip=1)
    with pytest.raises(DuplicateDocumentError):
        await Cat.create(name="rex")
    for model in (Animal, Dog, Puppy, Cat):
        plan = await model.indexes.plan()
        assert (plan.missing, plan.changed, plan.extra) == ((), (), ()), str(plan)
    assert (await Dog.filter(chip=1).explain()).index == "chip_1_Dog"


async def test_a_document_without_a_kind_is_of_the_class_that_asks(register: Any, raw: Any) -> None:
    await register(Animal)
    await Cat.create(name="tom")
    raw.animal.update_one({}, {"$unset": {"kind": 1}})
    assert type(await Animal.get(name="tom")) is Animal
    assert await Cat.all() == []


@pytest.mark.parametrize("kind", ["fish", 5, ["cat"], {"cat": 1}])
async def test_a_kind_without_a_class_is_an_error(register: Any, raw: Any, kind: Any) -> None:
    await register(Animal)
    await Cat.create(name="tom")
    raw.animal.update_one({}, {"$set": {"kind": kind}})
    with pytest.raises(CorruptDocumentError, match="no class stands for.*Known kinds: Animal, Dog, cat, puppy"):
        await Animal.all()


def test_the_kind_cannot_be_something_else() -> None:
    with pytest.raises(ValidationError):
        Dog(name="rex", kind="cat")
    assert Dog(name="rex", kind="Dog").kind == "Dog"
    assert Cat.model_json_schema()["properties"]["kind"]["const"] == "cat"


def test_the_parent_has_no_fields_of_subclasses() -> None:
    with pytest.raises(UnknownFieldError):
        Animal.filter(lives=9).filter_document()


async def test_the_field_needs_no_declaration_and_the_base_may_be_abstract(register_any: Any, any_config: Any) -> None:
    class Base(BaseModel, SoftDeleteMixin):
        class Meta:
            abstract = True
            discriminator = "kind"

    class Shape(Base):
        class Meta:
            collection_name = "shapes"

    class Round(Shape):
        class Meta:
            abstract = True

    class Disc(Round):
        radius: float

    class Other(Base):
        pass

    await register_any(Shape, Other)
    disc = await Disc.create(radius=1)
    assert type(await Shape.get_by_id(disc.id)) is Disc
    assert Disc.all().mql().startswith("db.shapes.find(")
    await disc.delete()
    assert (await Shape.count(), await Disc.count(), await Disc.all().with_deleted().count()) == (0, 0, 1)
    assert await Other.all().with_deleted().count() == 0


async def test_a_subclass_that_comes_later_is_known(register_any: Any) -> None:
    class Vehicle(BaseModel):
        class Meta:
            discriminator = "kind"

    await register_any(Vehicle)
    assert await Vehicle.all() == []

    class Car(Vehicle):
        doors: int = 4

    await Car.create()
    assert [type(each) for each in await Vehicle.all()] == [Car]


async def test_a_class_that_nobody_registered_says_so() -> None:
    with pytest.raises(ModelNotInitializedError):
        await Cat.count()


def test_what_makes_no_family() -> None:
    with pytest.raises(ConfigurationError, match="both of kind 'cat'"):

        class Lion(Animal):
            kind: str = "cat"

    with pytest.raises(ConfigurationError, match="share the collection"):

        class Fish(Animal):
            class Meta:
                collection_name = "fish"

    with pytest.raises(ConfigurationError, match="a name without an underscore in front"):

        class Hidden(BaseModel):
            class Meta:
                discriminator = "_type"

    with pytest.raises(ConfigurationError, match="it is a str"):

        class Thing(BaseModel):
            class Meta:
                discriminator = "kind"

            kind: int = 5
