"""Validators that ask the database, for many objects: one question for all, and contradictions inside the batch."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from mongodb_orm import BaseModel, BulkWriter, ValidationError, async_validator, exists, unique
from mongodb_orm.testing import assert_commands


class Team(BaseModel):
    name: str = ""


class Member(BaseModel):
    email: str
    number: int | None = None
    nickname: str | None = None
    team_id: int | None = None
    age: int = 0

    class Meta:
        validators = [unique("email"), unique("number"), unique("team_id", "nickname"), exists(Team, "team_id")]


async def members(count: int = 4) -> list[Member]:
    return await Member.bulk_create([{"email": f"m{n}"} for n in range(count)])


def complaints(error: ValidationError) -> list[Any]:
    return [(detail["type"], detail["loc"], detail["input"]) for detail in error.errors()]


async def stored() -> list[str]:
    return await Member.all().order_by("id").values_list("email", flat=True)


async def test_each_validator_asks_once_for_all(register_any: Any) -> None:
    await register_any(Team, Member)
    red = await Team.create()
    made = await members(20)
    for position, member in enumerate(made):
        member.email, member.team_id, member.nickname = f"new{position}", red.id, f"n{position}"
    with assert_commands(4):  # email, team and nickname, team; and what is written
        assert (await Member.bulk_save(made)).updated == 20
    parts = await Member.all().only("nickname")
    for part in parts:
        part.nickname = f"{part.nickname}!"
    with assert_commands(3):  # what the other field holds, the question, and what is written
        assert (await Member.bulk_save(parts)).updated == 20
    for member in made:
        await member.refresh_from_db()
        member.age += 1
    with assert_commands(1):
        await Member.bulk_save(made)


async def test_contradictions_inside_the_batch_are_those_of_the_later_object(register_any: Any) -> None:
    await register_any(Team, Member)
    made = await members(3)
    made[0].email = made[2].email = "same"
    made[1].team_id = 7
    batch = [made[0], Member(email="new"), made[1], Member(email="same"), made[2], Member(email="new")]
    with pytest.raises(ValidationError) as caught:
        await Member.bulk_save(batch)
    assert complaints(caught.value) == [
        ("exists", (2, "team_id"), 7),
        ("unique", (3, "email"), "same"),
        ("unique", (4, "email"), "same"),
        ("unique", (5, "email"), "new"),
    ]
    assert await stored() == ["m0", "m1", "m2"]  # nothing, neither changed nor new
    assert made[0].is_changed and batch[1].id is None
    with pytest.raises(ValidationError) as caught:
        async with BulkWriter() as writer:
            await writer.save(Team(), *batch[:2], batch[3])
    assert complaints(caught.value) == [("unique", (3, "email"), "same")]
    assert await stored() == ["m0", "m1", "m2"]


async def test_values_move_on_in_the_order_of_the_batch(register_any: Any) -> None:
    await register_any(Team, Member)
    made = await members(3)
    made[0].email, made[1].email, made[2].email = "m9", "m0", "m1"
    with pytest.raises(ValidationError) as caught:
        await Member.bulk_save(reversed(made))
    assert complaints(caught.value) == [("unique", (0, "email"), "m1"), ("unique", (1, "email"), "m0")]
    assert (await Member.bulk_save(made)).updated == 3
    assert await stored() == ["m9", "m0", "m1"]
    with pytest.raises(ValidationError) as caught:
        await Member.bulk_save([Member(email="m9"), Member(email="free")])
    assert complaints(caught.value) == [("unique", (0, "email"), "m9")]


async def test_numbers_are_compared_as_the_server_does(register: Any, raw: Any) -> None:
    await register(Team, Member)
    made = await members(2)
    raw.member.update_one({"_id": 1}, {"$set": {"number": bson.Int64(5)}})
    made[1].number = 5
    for save in (made[1].save, lambda: Member.bulk_save([made[1]])):
        with pytest.raises(ValidationError):
            await save()


async def test_every_complaint_comes_at_its_place(register_any: Any) -> None:
    class Strict(BaseModel):
        email: str
        age: int = 0

        class Meta:
            validators = [unique("email")]

        @async_validator("email")
        async def no_robots(self, email: str) -> None:
            if email == "robot":
                raise ValueError("no robots")

    await register_any(Strict)
    made = await Strict.bulk_create([{"email": f"s{n}"} for n in range(4)])
    made[1].email, made[2].age, made[3].email = "robot", "old", "s0"  # type: ignore[assignment]
    with pytest.raises(ValidationError) as caught:
        await Strict.bulk_save(made)
    assert sorted(detail["loc"] for detail in caught.value.errors()) == [(1, "email"), (2, "age"), (3, "email")]
    assert await Strict.filter(email__in=["s1", "s2", "s3"]).count() == 3
