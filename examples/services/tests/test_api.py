"""The API over HTTP."""

from __future__ import annotations

import httpx

from examples.services.config import Settings
from examples.services.models import User


def a_body(name: str, **values: object) -> dict[str, object]:
    given = {"username": name, "email": f"{name}@example.com", "first_name": "Ann", "last_name": "Lee"}
    return {**given, "password": "correct horse battery", **values}


async def test_the_life_of_an_account(client: httpx.AsyncClient) -> None:
    made = await client.post("/users", json=a_body("ann", first_name="<i>Ann</i>"))
    assert made.status_code == 201
    user = made.json()
    assert (user["id"], user["first_name"]) == (1, "Ann")
    assert not {"_id", "password", "password_hash", "is_deleted"} & user.keys()
    profile = (await client.get("/users/1")).json()
    assert (profile["post_count"], profile["user"]["username"]) == (0, "ann")
    assert "password_hash" not in profile["user"]
    changed = await client.patch("/users/1", json={"bio": "Hello"})
    assert changed.json()["bio"] == "Hello"
    assert (await client.delete("/users/1")).status_code == 204
    assert (await client.get("/users/1")).status_code == 404
    assert (await client.delete("/users/1")).status_code == 404


async def test_what_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/users", json=a_body("ann"))
    taken = await client.post("/users", json=a_body("ann", email="other@example.com"))
    assert (taken.status_code, taken.json()["fields"]) == (409, ["username"])
    assert "ann@example.com" not in taken.text
    for body in (a_body("bob", password="short"), a_body("bob", is_active=True), a_body("bob", username={"$ne": ""})):
        refused = await client.post("/users", json=body)
        assert refused.status_code == 422
    assert (await client.patch("/users/1", json={"email": "nonsense"})).status_code == 422
    assert (await client.patch("/users/1", json={"is_active": False})).status_code == 422
    assert await User.count() == 1


async def test_the_rate_is_limited(client: httpx.AsyncClient, settings: Settings) -> None:
    settings.sign_ups_per_hour = 3
    codes = [(await client.post("/users", json=a_body(f"user{n}"))).status_code for n in range(4)]
    assert codes == [201, 201, 201, 429]
    assert int((await client.post("/users", json=a_body("late"))).headers["retry-after"]) > 0


async def test_lists_and_searches(client: httpx.AsyncClient) -> None:
    for name in ("bob", "ann", "bobby"):
        await client.post("/users", json=a_body(name))
    page = (await client.get("/users", params={"username__startswith": "bob", "size": 1})).json()
    assert (page["total"], [item["username"] for item in page["items"]]) == (2, ["bob"])
    assert page["items"][0].keys() == {"id", "username", "first_name", "last_name"}
    ordered = (await client.get("/users", params={"sort": "-joined"})).json()["items"]
    assert [item["username"] for item in ordered] == ["bobby", "ann", "bob"]
    assert (await client.get("/users", params={"sort": "password_hash"})).status_code == 422
    assert len((await client.get("/users/search", params={"words": "BOB"})).json()) == 2


async def test_health_and_schema(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json()["status"] == "ok"
    assert (await client.get("/ready")).status_code == 200
    schema = (await client.get("/openapi.json")).text
    assert '"_id"' not in schema
    assert "password_hash" not in schema
