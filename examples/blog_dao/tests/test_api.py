"""The routes, asked over HTTP."""

from __future__ import annotations

import httpx

from mongodb_orm.testing import assert_commands

ANN = {"username": "ann", "email": "ann@example.com"}


async def test_users(client: httpx.AsyncClient) -> None:
    made = await client.post("/users", json=ANN)
    assert made.status_code == 201
    assert made.json()["id"] == 1
    for path in ("/users/1", "/users/by-username/ann", "/users/search?text=an", "/users", "/users/count"):
        first = await client.get(path)
        assert first.status_code == 200, first.text
        with assert_commands(0):
            assert (await client.get(path)).json() == first.json()
    changed = await client.patch("/users/1", json={"username": "anna"})
    assert changed.json()["username"] == "anna"
    assert (await client.get("/users/1")).json() == changed.json()
    assert (await client.get("/users/by-username/ann")).status_code == 404
    assert (await client.get("/users/by-username/anna")).json() == changed.json()
    assert [user["username"] for user in (await client.get("/users/search?text=an")).json()] == ["anna"]
    assert (await client.delete("/users/1")).status_code == 204
    assert (await client.get("/users/1")).status_code == 404
    assert (await client.get("/users/count")).json() == 0


async def test_what_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/users", json=ANN)
    assert (await client.post("/users", json=ANN)).status_code == 409
    assert (await client.post("/users", json={**ANN, "username": {"$ne": ""}})).status_code == 422
    assert (await client.patch("/users/1", json={"id": 7})).status_code == 422
    assert (await client.patch("/users/1", json={"username": "a"})).status_code == 422
    assert (await client.patch("/users/9", json={"full_name": "x"})).status_code == 404
    assert (await client.delete("/users/9")).status_code == 404
    assert (await client.post("/posts", json={"title": "x", "author_id": 9})).status_code == 404
    assert (await client.get("/users/1")).json()["username"] == "ann"


async def test_posts_and_comments(client: httpx.AsyncClient) -> None:
    await client.post("/users", json=ANN)
    assert (await client.get("/users/1/stats")).json()["drafts"] == 0
    await client.post("/posts", json={"title": "Coffee", "author_id": 1})
    assert (await client.get("/users/1/stats")).json()["drafts"] == 1
    assert (await client.get("/users/1/posts")).json() == []
    await client.patch("/posts/1", json={"status": "published"})
    assert [post["title"] for post in (await client.get("/users/1/posts")).json()] == ["Coffee"]
    assert (await client.get("/users/1/stats")).json() == {"published": 1, "drafts": 0, "latest": "Coffee"}
    assert (await client.post("/posts/1/comments", json={"text": "Good."})).status_code == 201
    assert [comment["text"] for comment in (await client.get("/posts/1/comments")).json()] == ["Good."]
    assert (await client.post("/posts/9/comments", json={"text": "Good."})).status_code == 404
    assert (await client.delete("/posts/1")).status_code == 204
    assert (await client.get("/users/1/posts")).json() == []
