"""What type checkers must refuse: each marked line is an error; never run."""

# pyright: strict

from __future__ import annotations

import pydantic

from mongodb_orm import BaseModel, field
from mongodb_orm.integrations.fastapi import crud_router
from mongodb_orm.repository import Repository


class User(BaseModel):
    username: str
    age: int | None = None


class Summary(pydantic.BaseModel):
    username: str


class Users(Repository[User]): ...


async def mistakes() -> None:
    User.filter(User.f.usernam == "ann")  # refused
    User.all().order_by(User.f.agee)  # refused
    user = await User.create(username="ann")
    print(user.agee)  # refused
    users = await User.filter(age=1)
    users.username  # refused
    (await User.get_by_id(1)).username  # refused
    field(User.f.age).in_(["seventeen"])  # refused
    field(User.f.age).nothing_like_it()  # refused
    await User.countt()  # refused
    for _ in User.filter():  # refused
        pass
    User.pipeline().sort(User.f.agee)  # refused
    User.pipeline().grup(by="age")  # refused
    User.aggregate([], max_tim=5)  # refused
    (await User.pipeline().into(User))[0].agee  # refused
    await Users().create(username="ann").named()  # refused
    (await Users().find(projection=Summary))[0].age  # refused
    await Users().finde(Summary())  # refused
    crud_router(Summary)  # refused
    crud_router(User, operations=["purge"])  # refused
