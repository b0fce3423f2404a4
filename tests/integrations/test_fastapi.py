"""FastAPI applications on the real server, asked over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import pydantic
import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import EmailStr, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

import mongodb_orm
from mongodb_orm import (
    BaseModel,
    DatabaseConfig,
    Indexed,
    KeysetPage,
    ObjectId,
    Page,
    SoftDeleteMixin,
    start_embedded,
    stop_embedded,
)
from mongodb_orm.integrations.asgi import HealthEndpoint
from mongodb_orm.integrations.fastapi import (
    HealthRouter,
    KeysetParams,
    PageParams,
    add_exception_handlers,
    create_model_of,
    criteria_params,
    crud_router,
    lifespan,
    response_model_of,
    update_model_of,
)
from mongodb_orm.repository import Criteria, Lookup, Repository


class Role(Enum):
    ADMIN = "admin"
    GUEST = "guest"


class Address(pydantic.BaseModel):
    city: str


class Member(BaseModel):
    username: Annotated[str, Indexed(unique=True), Field(min_length=3)]
    email: EmailStr | None = None
    role: Role = Role.GUEST
    balance: Decimal = Decimal(0)
    born: date | None = None
    address: Address | None = None


class Note(BaseModel, SoftDeleteMixin):
    id: ObjectId
    text: str


class NoteCriteria(Criteria):
    text__startswith: str | None = None
    texts: Annotated[list[str] | None, Lookup("text", "in"), Field(max_length=3)] = None


class MemberCriteria(Criteria):
    role: Role | None = None
    city: Annotated[str | None, Lookup("address.city")] = Field(default=None, alias="lives-in", description="Where.")
    at_least: Annotated[Decimal, Lookup("balance", "gte")] = Decimal(0)


class MemberRepository(Repository[Member]):
    sortable = {"name": "username"}


class Tag(BaseModel):
    id: UUID
    name: str


class Country(BaseModel):
    class Meta:
        use_auto_id = False

    id: str
    name: str


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


@pytest.fixture
async def client(config: DatabaseConfig) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(lifespan=lifespan([Member, Note, Tag, Country], config))
    add_exception_handlers(app)
    app.include_router(HealthRouter(config))
    app.include_router(crud_router(Member, prefix="/members", sortable=("username", "balance")))
    app.include_router(crud_router(Note, prefix="/notes", criteria=NoteCriteria))
    app.include_router(crud_router(Tag, prefix="/tags"))
    app.include_router(crud_router(Country, prefix="/countries"))

    @app.get("/after")
    async def after(params: Annotated[KeysetParams, Query()]) -> KeysetPage[Member]:
        return await params.page_of(Member.all())

    @app.get("/page")
    async def page(params: Annotated[PageParams, Query()]) -> Page[Member]:
        return await params.page_of(Member.filter(role=Role.GUEST))

    @app.get("/searched")
    async def searched(
        criteria: Annotated[MemberCriteria, Depends(criteria_params(MemberCriteria))],
        params: Annotated[PageParams, Query()],
    ) -> Page[Member]:
        return await MemberRepository().page(criteria, params.sort, params.page, params.size)

    @app.get("/busy")
    async def busy() -> None:
        raise mongodb_orm.TransientTransactionError("A write conflict.")

    @app.get("/stale")
    async def stale() -> None:
        raise mongodb_orm.StaleDocumentError("It is stale.", model="Member", expected=1, found=2)

    @app.get("/large")
    async def large() -> None:
        await Note.create(text="x" * 17_000_000)

    async with client_of(app) as connected:
        yield connected


async def test_the_five_routes(client: httpx.AsyncClient) -> None:
    made = await client.post(
        "/members/",
        json={"username": "Zoë", "role": "admin", "balance": "1.50", "born": "1990-02-01", "address": {"city": "Oslo"}},
    )
    assert made.status_code == 201
    body = made.json()
    assert body["id"] == 1
    assert "_id" not in body
    assert (body["username"], body["role"], body["balance"], body["born"]) == ("Zoë", "admin", "1.50", "1990-02-01")
    assert body["address"] == {"city": "Oslo"}
    assert (await client.get("/members/1")).json() == body
    changed = await client.patch("/members/1", json={"balance": "2"})
    assert changed.status_code == 200
    assert changed.json()["balance"] == "2"
    assert changed.json()["updated_at"] > body["updated_at"]
    assert (await client.get("/members/")).json()["total"] == 1
    assert (await client.delete("/members/1")).status_code == 204
    assert (await client.get("/members/1")).status_code == 404
    assert (await client.delete("/members/1")).json() == {"detail": "Member was not found."}


@pytest.mark.parametrize("path, values", [("notes", {"text": "hello"}), ("tags", {"name": "new"})])
async def test_ids_of_other_types(client: httpx.AsyncClient, path: str, values: dict[str, Any]) -> None:
    made = (await client.post(f"/{path}/", json=values)).json()
    assert isinstance(made["id"], str)
    assert (await client.get(f"/{path}/{made['id']}")).json() == made
    assert (await client.get(f"/{path}/nonsense")).status_code == 422


async def test_an_id_that_the_client_gives(client: httpx.AsyncClient) -> None:
    assert (await client.post("/countries/", json={"name": "Norway"})).status_code == 422
    made = await client.post("/countries/", json={"id": "no", "name": "Norway"})
    assert made.status_code == 201
    assert (await client.patch("/countries/no", json={"id": "se"})).status_code == 422
    assert (await client.post("/countries/", json={"id": "no", "name": "Norge"})).status_code == 409


async def test_deleting_softly(client: httpx.AsyncClient) -> None:
    note = (await client.post("/notes/", json={"text": "hello"})).json()
    assert (await client.delete(f"/notes/{note['id']}")).status_code == 204
    assert (await client.get(f"/notes/{note['id']}")).status_code == 404
    assert await Note.all().only_deleted().count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "ab"},
        {"username": "ann", "unknown": 1},
        {"username": "ann", "id": 7},
        {"username": "ann", "created_at": "2020-01-01T00:00:00Z"},
        {"username": {"$ne": ""}},
        {"username": "ann", "role": "king"},
        {"username": "nul\0byte\0", "address": {"town": "Oslo"}},
    ],
)
async def test_what_create_refuses(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post("/members/", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"]
    assert await Member.count() == 0


async def test_what_update_refuses(client: httpx.AsyncClient) -> None:
    await client.post("/members/", json={"username": "ann"})
    for body in ({"username": None}, {"username": "x"}, {"id": 3}, {"updated_at": "2020-01-01T00:00:00Z"}):
        assert (await client.patch("/members/1", json=body)).status_code == 422, body
    unchanged = await client.patch("/members/1", json={})
    assert unchanged.status_code == 200
    assert unchanged.json()["username"] == "ann"
    assert (await client.patch("/members/1", json={"email": None})).status_code == 200
    assert (await client.patch("/members/99", json={})).status_code == 404


async def test_a_duplicate_names_the_field_and_hides_the_value(client: httpx.AsyncClient) -> None:
    await client.post("/members/", json={"username": "secret-name"})
    answer = await client.post("/members/", json={"username": "secret-name"})
    assert answer.status_code == 409
    assert answer.json()["fields"] == ["username"]
    assert "secret-name" not in answer.text


async def test_pages(client: httpx.AsyncClient) -> None:
    await Member.bulk_create([{"username": f"user{n:02}"} for n in range(25)])
    page = (await client.get("/members/", params={"page": 2, "size": 10, "sort": "-username"})).json()
    assert (page["total"], page["pages"], page["has_next"], page["has_prev"]) == (25, 3, True, True)
    assert page["items"][0]["username"] == "user14"
    assert "_id" not in page["items"][0]
    for params in ({"page": 0}, {"size": 101}, {"sort": "email"}, {"sort": "$where"}, {"page": "x"}):
        assert (await client.get("/members/", params=params)).status_code == 422, params
    assert (await client.get("/page", params={"sort": "nonsense"})).status_code == 422

    seen: list[int] = []
    params: dict[str, Any] = {"size": 10}
    while True:
        answer = (await client.get("/after", params=params)).json()
        seen += [item["id"] for item in answer["items"]]
        if not answer["has_next"]:
            break
        params["token"] = answer["next_token"]
    assert seen == list(range(1, 26))
    assert (await client.get("/after", params={"token": "forged"})).status_code == 422


async def test_criteria_are_query_parameters(client: httpx.AsyncClient) -> None:
    await Member.bulk_create(
        [
            {
                "username": f"user{n}",
                "role": Role.ADMIN if n % 2 else Role.GUEST,
                "balance": n,
                "address": {"city": city},
            }
            for n, city in enumerate(["Oslo", "Rome", "Oslo", "Oslo"])
        ]
    )
    for params, found in (
        ({}, [0, 1, 2, 3]),
        ({"role": "admin"}, [1, 3]),
        ({"lives-in": "Oslo", "at_least": "1", "sort": "-name"}, [3, 2]),
        ({"lives-in": "Oslo", "size": 1, "page": 2}, [2]),
    ):
        page = (await client.get("/searched", params=params)).json()
        assert [int(item["username"][-1]) for item in page["items"]] == found, params
    refused = await client.get("/searched", params={"role": "king"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["query", "role"]
    assert (await client.get("/searched", params={"sort": "balance"})).status_code == 422
    parameters = (await client.get("/openapi.json")).json()["paths"]["/searched"]["get"]["parameters"]
    assert {each["name"] for each in parameters} == {"role", "lives-in", "at_least", "page", "size", "sort"}
    assert next(each for each in parameters if each["name"] == "lives-in")["description"] == "Where."


async def test_a_list_searched_by_criteria_that_hides_marks_of_deletion(client: httpx.AsyncClient) -> None:
    for text in ("one", "two", "three"):
        await client.post("/notes", json={"text": text})
    for params, found in (
        ({"text__startswith": "t"}, {"two", "three"}),
        ({"texts": ["one", "two"]}, {"one", "two"}),
        ({"texts": ["one"], "text__startswith": "t"}, set()),
    ):
        page = (await client.get("/notes", params=params)).json()
        assert {item["text"] for item in page["items"]} == found, params
    assert (await client.get("/notes", params={"texts": ["a", "b", "c", "d"]})).status_code == 422
    item = (await client.get("/notes")).json()["items"][0]
    assert item.keys() == {"id", "text", "created_at", "updated_at"}


class WithValidator(Criteria):
    low: int | None = None
    high: int | None = None

    @pydantic.model_validator(mode="after")
    def ordered(self) -> WithValidator:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self


async def test_criteria_that_do_not_fit_each_other_are_the_clients_fault() -> None:
    app = FastAPI()

    @app.get("/")
    async def found(criteria: Annotated[Any, Depends(criteria_params(WithValidator))]) -> dict[str, int]:
        return criteria.model_dump()

    async with client_of(app) as client:
        assert (await client.get("/", params={"low": 1, "high": 2})).json() == {"low": 1, "high": 2}
        answer = await client.get("/", params={"low": 3, "high": 2})
        assert answer.status_code == 422
        assert "low is above high" in answer.text


async def test_other_errors(client: httpx.AsyncClient) -> None:
    assert (await client.get("/busy")).status_code == 503
    assert (await client.get("/stale")).status_code == 409
    assert (await client.get("/large")).status_code == 413


async def test_health(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/ready"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"
        assert answer.headers["cache-control"] == "no-store"


async def test_a_database_that_is_down() -> None:
    config = DatabaseConfig(
        mongo_uri="mongodb://user:s3cret@localhost:1", database_name="x", server_selection_timeout_ms=200
    )
    app = FastAPI(lifespan=lifespan([Tag], config))
    add_exception_handlers(app)
    app.include_router(HealthRouter(config, timeout=1))
    app.include_router(crud_router(Tag, prefix="/tags"))
    app.mount("/alive", HealthEndpoint(config, timeout=1))
    async with client_of(app) as client:
        for path in ("/health", "/ready", "/alive"):
            answer = await client.get(path, follow_redirects=True)
            assert answer.status_code == 503
            assert answer.json()["status"] == "unavailable"
            assert answer.json()["reason"]
            assert "s3cret" not in answer.text
        answer = await client.get("/tags/")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert "localhost" not in answer.text


async def test_a_database_that_dies_and_comes_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        uri = f"embedded://{tmp_path}/data?port={probe.getsockname()[1]}"
    server = start_embedded(uri)
    config = DatabaseConfig(mongo_uri=server.uri, database_name="x", server_selection_timeout_ms=300)
    app = FastAPI(lifespan=lifespan([Tag], config))
    add_exception_handlers(app)
    app.include_router(HealthRouter(config, timeout=2))
    app.include_router(crud_router(Tag, prefix="/tags"))
    try:
        async with client_of(app) as client:
            made = (await client.post("/tags", json={"name": "kept"})).json()
            assert (await client.get("/health")).status_code == 200
            os.kill(server.pid, signal.SIGKILL)
            for path in ("/health", "/ready"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
                assert answer.json()["reason"]
                assert str(server.port) not in answer.text
            assert (await client.get("/tags")).status_code == 503
            assert (await client.post("/tags", json={"name": "lost"})).headers["retry-after"] == "1"
            await asyncio.to_thread(start_embedded, uri)
            for _ in range(100):
                if (await client.get("/health")).status_code == 200:
                    break
                await asyncio.sleep(0.1)
            assert (await client.get("/ready")).status_code == 200
            assert (await client.get(f"/tags/{made['id']}")).json() == made
    finally:
        stop_embedded(uri)


async def test_starlette_alone(config: DatabaseConfig) -> None:
    async def read(request: Request) -> JSONResponse:
        found = await Member.filter(username=request.path_params["name"]).one()
        return JSONResponse(found.model_dump(mode="json"))

    async def sign_up(request: Request) -> JSONResponse:
        return JSONResponse((await Member.create(**await request.json())).model_dump(mode="json"), 201)

    routes = [
        Route("/members/{name}", read),
        Route("/members", sign_up, methods=["POST"]),
        Mount("/health", HealthEndpoint(config)),
    ]
    app = Starlette(routes=routes, lifespan=lifespan([Member], config))
    add_exception_handlers(app)
    async with client_of(app) as client:
        assert (await client.post("/members", json={"username": "ann"})).json()["id"] == 1
        assert (await client.get("/members/ann")).json()["username"] == "ann"
        assert (await client.get("/members/bob")).status_code == 404
        assert (await client.post("/members", json={"username": "ann"})).json()["fields"] == ["username"]
        refused = await client.post("/members", json={"username": "x"})
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["username"])
        assert (await client.get("/health", follow_redirects=True)).json()["status"] == "ok"


async def test_the_lifespan_waits_and_gives_up(server_uri: str) -> None:
    config = DatabaseConfig(mongo_uri="mongodb://localhost:1", database_name="x", server_selection_timeout_ms=100)
    app = FastAPI(lifespan=lifespan([Member], config, wait=0.6))
    with pytest.raises(mongodb_orm.ConnectionError):
        async with app.router.lifespan_context(app):
            pass


async def test_the_lifespan_takes_another_one_inside(config: DatabaseConfig) -> None:
    events: list[Any] = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        events.append(await Tag.count())
        yield {"own": 1}
        events.append(await Tag.count())

    app = FastAPI(lifespan=lifespan([Tag], config, inner=own))
    async with app.router.lifespan_context(app) as state:
        assert state == {"own": 1}
    assert events == [0, 0]


async def test_the_neutral_endpoint(config: DatabaseConfig) -> None:
    transport = httpx.ASGITransport(HealthEndpoint(config))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/")).json()["topology"] == "replica_set"
        head = await client.head("/")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.post("/")).status_code == 405


async def test_open_api_knows_ids_and_no_underscore(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    schemas = schema["components"]["schemas"]
    assert "_id" not in str(schemas)
    assert "id" in schemas["Member"]["properties"]
    assert schemas["Member"]["properties"]["id"]["type"] == "integer"
    assert {"id", "created_at", "username", "role"} <= set(schemas["Member"]["required"])
    assert "/members" in schema["paths"]
    assert "/members/" not in schema["paths"]
    assert [way["summary"] for way in schema["paths"]["/members"].values()] == ["Create Member", "List Member"]
    assert set(schemas["MemberCreate"]["properties"]) == {"username", "email", "role", "balance", "born", "address"}
    assert schemas["MemberCreate"]["required"] == ["username"]
    assert "required" not in schemas["MemberUpdate"]
    assert schemas["MemberCreate"]["properties"]["username"]["minLength"] == 3
    assert "Page_Member_" in schemas


def test_derived_models() -> None:
    assert create_model_of(Note).model_fields.keys() == {"text"}
    assert update_model_of(Member)(balance=2).model_dump(exclude_unset=True) == {"balance": Decimal(2)}
    assert create_model_of(Member, exclude=["balance"]).model_fields.keys() == {
        "username", "email", "role", "born", "address",
    }  # fmt: skip


class Profile(BaseModel):
    name: str
    password_hash: str = Field(default="", exclude=True)
    secret: str = ""
    weight: float = Field(default=0, alias="weightInKg")

    @pydantic.computed_field(alias="upperName")
    @property
    def upper_name(self) -> str:
        return self.name.upper()

    @pydantic.field_serializer("weight", "secret")
    def rounded(self, value: Any) -> Any:
        return round(value) if isinstance(value, float) else value


async def test_what_is_shown_of_a_document(config: DatabaseConfig) -> None:
    shown = response_model_of(Profile, exclude=["secret"])
    assert shown.__name__ == "ProfileResponse"
    assert shown.model_fields.keys() == {"id", "created_at", "updated_at", "name", "weight"}
    schema = shown.model_json_schema(mode="serialization")
    assert set(schema["required"]) == {"id", "created_at", "updated_at", "name", "weightInKg", "upperName"}
    app = FastAPI(lifespan=lifespan([Profile], config))
    app.include_router(crud_router(Profile, prefix="/profiles", hidden=["secret"]))
    async with client_of(app) as client:
        made = (await client.post("/profiles", json={"name": "ann", "secret": "x", "weightInKg": 61.7})).json()
        assert made.keys() == {"id", "created_at", "updated_at", "name", "weightInKg", "upperName"}
        assert (made["upperName"], made["weightInKg"]) == ("ANN", 62)
        assert (await client.get("/profiles")).json()["items"] == [made]
        assert (await client.get("/profiles/")).json()["items"] == [made]


def test_an_operation_that_does_not_exist() -> None:
    with pytest.raises(mongodb_orm.ConfigurationError, match="purge"):
        crud_router(Member, operations=["purge"])  # type: ignore[list-item]


def test_some_operations_only() -> None:
    router = crud_router(Member, operations=["read"])
    assert [(route.path, route.methods) for route in router.routes] == [("/{id}", {"GET"})]  # type: ignore[attr-defined]


class Employee(BaseModel):
    class Meta:
        protected = ["salary"]

    name: str
    salary: int = 0
    tags: dict[str, Any] = Field(default_factory=dict)


async def test_a_client_never_sets_what_is_protected(config: DatabaseConfig) -> None:
    app = FastAPI(lifespan=lifespan([Employee], config))
    add_exception_handlers(app)
    app.include_router(crud_router(Employee, prefix="/employees"))
    assert "salary" not in {*create_model_of(Employee).model_fields, *update_model_of(Employee).model_fields}
    async with client_of(app) as client:
        assert (await client.post("/employees/", json={"name": "ann", "salary": 5})).status_code == 422
        await client.post("/employees/", json={"name": "ann"})
        for body in ({"salary": 5}, {"$set": {"salary": 5}}, {"id": 7}):
            assert (await client.patch("/employees/1", json=body)).status_code == 422
        answer = await client.patch("/employees/1", json={"tags": {"$inc": {"salary": 5}}})
        assert answer.json()["tags"] == {"$inc": {"salary": 5}}
        assert answer.json()["salary"] == 0
