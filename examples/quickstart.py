"""Models created, queried, aggregated and health-checked on a real MongoDB."""

import asyncio
import os
from typing import Any

from pydantic import EmailStr, Field

from mongodb_orm import (
    BaseModel,
    DatabaseConfig,
    DuplicateDocumentError,
    Q,
    SoftDeleteMixin,
    close_all_connections,
    health_report,
    register_all_models,
)


class User(BaseModel):
    username: str = Field(min_length=3)
    email: EmailStr
    age: int = Field(ge=0, le=150)
    city: str = "Oslo"
    is_active: bool = True


class BlogPost(BaseModel, SoftDeleteMixin):
    title: str
    author_id: int
    tags: list[str] = Field(default_factory=list)


def say(step: str, result: object = "") -> None:
    print(f"  {step:<46} {result}")


async def main() -> None:
    config = DatabaseConfig(mongo_uri=os.environ.get("MONGO_URI", "embedded://"), database_name="quickstart")
    kind = "a throw-away MongoDB, started for you" if config.backend == "embedded" else config
    print(f"mongodb_orm quick start, on {kind}\n")

    models = await register_all_models(__name__, db_config=config)
    await User.delete_many()
    await BlogPost.filter().hard_delete()
    say("Registered", ", ".join(model.__name__ for model in models))

    print("\nCreate")
    ann = await User.create(username="ann", email="ann@example.com", age=31)
    say("create() gave", f"{ann}, made at {ann.created_at:%H:%M:%S} UTC")
    people = await User.bulk_create(
        [
            {"username": f"user{n}", "email": f"user{n}@example.com", "age": 20 + n, "city": city}
            for n, city in enumerate(["Oslo", "Rome", "Bonn", "Rome", "Oslo"])
        ]
    )
    say("bulk_create() gave ids", [user.id for user in people])

    print("\nFind")
    say("get_by_id()", (await User.get_by_id(ann.id)) == ann)
    say("filter(age__gte=23, sort_by=...)", await User.filter(age__gte=23, sort_by={"age": -1}))
    say("filter(User.f.age < 25, Q | Q)", await User.filter(User.f.age < 25, Q(city="Oslo") | Q(city="Bonn")))
    say("projection", await User.filter(city="Rome", projection={"id": 1, "email": 1}))
    say("count(), exists()", (await User.count(city="Rome"), await User.exists(email="nobody@example.com")))
    async for user in User.filter(city="Bonn"):
        say("streamed", user.username)

    print("\nChange")
    ann.city = "Rome"
    await ann.save()
    say("save() sent only the city", (await ann.refresh_from_db()).city)
    await User.create_index("email", unique=True)
    try:
        await User.create(username="imposter", email="ann@example.com", age=40)
    except DuplicateDocumentError as error:
        say("a duplicate is refused", error)

    print("\nAggregate")
    await BlogPost.bulk_create([{"title": f"Post {n}", "author_id": ann.id, "tags": ["news"]} for n in range(3)])
    by_city: list[dict[str, Any]] = [
        {"$group": {"_id": "$city", "n": {"$sum": 1}, "oldest": {"$max": "$age"}}},
        {"$sort": {"n": -1}},
    ]
    for row in await User.aggregate(by_city):
        say("$group by city", row)
    with_posts: list[dict[str, Any]] = [
        {"$match": {"id": ann.id}},
        {"$lookup": {"from": "blog_post", "localField": "id", "foreignField": "author_id", "as": "posts"}},
        {"$project": {"username": 1, "posts": {"$size": "$posts"}}},
    ]
    say("$lookup of posts", await User.aggregate(with_posts))

    print("\nDelete")
    post = await BlogPost.filter(title="Post 0").one()
    await post.delete()
    say("a soft delete hides", (await BlogPost.count(), await BlogPost.only_deleted().count()))
    await post.restore()
    say("restore() brings back", await BlogPost.count())
    say("delete_many(age__lt=22) removed", await User.delete_many(age__lt=22))

    report = await health_report(db_config=config)
    print("\nHealth")
    say("healthy", f"{report.healthy} ({report.topology}, MongoDB {report.server_version}, {report.latency_ms:.1f} ms)")
    await close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
