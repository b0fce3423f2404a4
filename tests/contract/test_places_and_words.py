"""Places and words: GeoJSON in documents, distances, areas, searches with scores, calculations with fields."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import Field, ValidationError

from mongodb_orm import (
    AnyGeometry,
    BaseModel,
    Box,
    Circle,
    GeometryCollection,
    Indexed,
    InvalidValueError,
    LineString,
    MissingIndexError,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Near,
    NotSupportedError,
    Point,
    Polygon,
    Q,
    QueryError,
    SoftDeleteMixin,
    UnknownFieldError,
    expr,
)

OSLO, BERGEN, ROME = Point(10.75, 59.91), Point(5.32, 60.39), Point(12.48, 41.89)
SQUARE = Polygon([[(10, 59), (11, 59), (11, 60), (10, 60), (10, 59)]])


class Shop(BaseModel, SoftDeleteMixin):
    name: str
    location: Annotated[Point, Indexed(index_type="2dsphere")] | None = None
    open: bool = True


class Shape(BaseModel):
    geometry: AnyGeometry


class Post(BaseModel):
    class Meta:
        indexes = ({"keys": {"title": "text", "body": "text"}, "text_weights": {"title": 10}},)

    title: str
    body: str = ""
    status: str = "published"
    likes: int = 0


class Order(BaseModel):
    price: Decimal = Decimal(0)
    quantity: int = 0
    discount: float | None = None
    started: datetime | None = None
    ended: datetime | None = None
    allowed: timedelta = timedelta(hours=1)
    first: str = ""
    last: str = ""
    due: date | None = None


@pytest.fixture
async def shops(register: Any) -> None:
    await register(Shop)
    await Shop.bulk_create(
        [
            {"name": "oslo", "location": OSLO},
            {"name": "bergen", "location": BERGEN},
            {"name": "rome", "location": ROME, "open": False},
            {"name": "online"},
        ]
    )


@pytest.mark.parametrize(
    "geometry",
    [
        OSLO,
        Point(10.75, 59.91, 23.5),
        LineString([OSLO, BERGEN]),
        SQUARE,
        Polygon([[(0, 0), (9, 0), (9, 9), (0, 0)], [(5, 1), (6, 1), (6, 2), (5, 1)]]),
        MultiPoint([OSLO, (5, 60)]),
        MultiLineString([LineString([OSLO, BERGEN]), [(0, 0), (1, 1)]]),
        MultiPolygon([SQUARE]),
        GeometryCollection([OSLO, LineString([OSLO, BERGEN])]),
    ],
    ids=lambda geometry: str(geometry.type),
)
async def test_every_geometry_is_stored_and_read(register: Any, raw: Any, geometry: Any) -> None:
    await register(Shape)
    made = await Shape.create(geometry=geometry)
    assert raw.shape.find_one()["geometry"] == geometry.__geo_interface__
    found = await Shape.get_by_id(made.id)
    assert found is not None
    assert found.geometry == geometry
    assert type(found.geometry) is type(geometry)
    assert Shape.model_validate_json(found.model_dump_json()).geometry == geometry
    assert not found.__class__.model_fields_set.fget(found) - {"id", "geometry", "created_at", "updated_at"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [
        {"type": "Point", "coordinates": [181, 0]},
        {"type": "Point", "coordinates": [0, -91]},
        {"type": "Point", "coordinates": [0]},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "LineString", "coordinates": [[0, 0]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]},
        {"type": "Circle", "coordinates": [0, 0]},
        {"coordinates": [0, 0]},
        None,
    ],
)
def test_what_is_no_geometry(data: Any) -> None:
    with pytest.raises(ValidationError):
        Shape(geometry=data)


async def test_near_orders_by_distance_and_counts(shops: None) -> None:
    query = Shop.filter(location__near=Near((10, 60), max_distance=500_000))
    assert [shop.name for shop in await query] == ["oslo", "bergen"]
    assert await query.count() == 2
    assert await query.exists()
    assert [shop.name async for shop in query.limit(1)] == ["oslo"]
    assert [shop.name for shop in await Shop.filter(location__near=(10, 60), open=True)] == ["oslo", "bergen"]
    with pytest.raises(NotSupportedError, match="within"):  # the total would need another query
        await query.paginate(1, 1)


async def test_nearest_gives_metres(shops: None) -> None:
    found = await Shop.nearest("location", OSLO)
    assert [(near.document.name, round(near.distance / 1000)) for near in found] == [
        ("oslo", 0), ("bergen", 305), ("rome", 2009),
    ]  # fmt: skip
    far = Shop.all().filter(open=True).nearest(Shop.f.location, OSLO, min_distance=1000)
    assert [near.document.name for near in await far] == ["bergen"]
    first = await Shop.nearest("location", BERGEN).first()
    assert first is not None
    assert first.document.name == "bergen"
    assert [near.document.name async for near in Shop.nearest("location", OSLO).skip(1).limit(1)] == ["bergen"]
    rows = await Shop.all().values("name").nearest("location", OSLO).limit(1)
    assert rows[0].document == {"name": "oslo"}
    assert far.limit(1).mql().split()[:3] == ["db.shop.aggregate([", "{", "$geoNear:"]
    assert "{$limit: 1}" in far.limit(1).mql()


async def test_nearest_hides_the_deleted_and_saves(shops: None) -> None:
    bergen = await Shop.filter(name="bergen").one()
    await bergen.delete()
    found = await Shop.nearest("location", OSLO)
    assert [near.document.name for near in found] == ["oslo", "rome"]
    oslo = found[0].document
    oslo.open = False
    await oslo.save()
    assert await Shop.count(open=False) == 2


async def test_nearest_needs_a_field_and_an_index(register: Any) -> None:
    class Bare(BaseModel):
        location: Point

    await register(Bare)
    await Bare.create(location=OSLO)
    with pytest.raises(UnknownFieldError):
        await Bare.nearest("loc", OSLO)
    with pytest.raises(MissingIndexError, match="2dsphere"):
        await Bare.nearest("location", OSLO)
    with pytest.raises(QueryError):
        await Bare.filter(location__near=OSLO).nearest("location", BERGEN)


async def test_areas(shops: None) -> None:
    async def names(**lookups: Any) -> list[str]:
        return sorted([shop.name async for shop in Shop.filter(**lookups)])

    assert await names(location__within=Circle(OSLO, 400_000)) == ["bergen", "oslo"]
    assert await names(location__within=Box(west=5, south=59, east=11, north=61)) == ["bergen", "oslo"]
    assert await names(location__within=SQUARE) == ["oslo"]
    assert await names(location__within=MultiPolygon([SQUARE])) == ["oslo"]
    assert await names(location__within=SQUARE.__geo_interface__) == ["oslo"]
    assert await names(location__intersects=LineString([OSLO, BERGEN])) == ["bergen", "oslo"]
    outside = Shop.exclude(location__within=SQUARE).order_by("name")
    assert [shop.name async for shop in outside] == ["bergen", "online", "rome"]
    either = Shop.filter(Q(location__within=SQUARE) | Q(name="rome")).order_by("name")
    assert [shop.name async for shop in either] == ["oslo", "rome"]


async def test_a_box_across_the_antimeridian(register: Any) -> None:
    await register(Shop)
    await Shop.bulk_create(
        [{"name": "fiji", "location": Point(179.5, -17)}, {"name": "samoa", "location": Point(-172, -13.5)}]
    )
    box = Box(west=179, south=-20, east=-170, north=-10)
    assert sorted([shop.name async for shop in Shop.filter(location__within=box)]) == ["fiji", "samoa"]


@pytest.fixture
async def posts(register: Any) -> None:
    await register(Post)
    await Post.bulk_create(
        [
            {"title": "Coffee", "body": "flat white and more coffee"},
            {"title": "Tea", "body": "no coffee here, but café au lait", "likes": 5},
            {"title": "Decaf coffee", "body": "decaf", "status": "draft"},
            {"title": "Water"},
        ]
    )


async def test_search(posts: None) -> None:
    assert [post.title for post in await Post.search("coffee")][-1] == "Tea"
    assert [post.title for post in await Post.search("coffee").filter(status="published")] == ["Coffee", "Tea"]
    assert [post.title for post in await Post.search("coffee -decaf").order_by("-title")] == ["Tea", "Coffee"]
    assert [post.title for post in await Post.search('"flat white"')] == ["Coffee"]
    assert [post.title for post in await Post.search("CAFE")] == ["Tea"]
    assert await Post.all().search("CAFÉ", diacritic_sensitive=True, case_sensitive=True).count() == 0
    assert await Post.search("coffees", language="none").count() == 0
    assert await Post.search("coffees").count() == 3
    assert await Post.search("").count() == 0
    assert await Post.search("nothing like it") == []


async def test_scores(posts: None) -> None:
    scored = await Post.search("coffee").with_scores()
    assert [result.document.title for result in scored][-1] == "Tea"
    assert [result.score for result in scored] == sorted((result.score for result in scored), reverse=True)
    assert all(result.score > 0 for result in scored)
    document = scored[0].document
    document.likes += 1
    await document.save()
    assert await Post.count(likes=1) == 1
    with pytest.raises(QueryError):
        await Post.all().with_scores()


async def test_the_order_by_score_is_hinted_at(posts: None) -> None:
    with pytest.raises(QueryError, match="search"):
        await Post.all().order_by({"score": {"$meta": "textScore"}})  # type: ignore[arg-type]


async def test_a_missing_index_that_is_hinted_at_hides_the_filter(posts: None) -> None:
    with pytest.raises(MissingIndexError, match="hint") as caught:
        await Post.filter(title="secret-value").hint("no_such_index")
    assert "secret-value" not in str(caught.value)


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def orders(register: Any) -> None:
    await register(Order)
    await Order.bulk_create(
        [
            {"price": 10, "quantity": 3, "discount": 0.5, "first": "ann", "last": "lee", "due": date(2026, 5, 2),
             "started": NOON, "ended": NOON + timedelta(minutes=30)},
            {"price": 10, "quantity": 20, "first": "bo", "last": "bo", "allowed": timedelta(days=1),
             "started": NOON, "ended": NOON + timedelta(hours=2)},
            {"price": 300, "quantity": 1, "started": NOON},
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    "condition, expected",
    [
        (lambda o: o.price * o.quantity > 100, [2, 3]),
        (lambda o: expr(o.price * o.quantity > Decimal(100)), [2, 3]),
        (lambda o: expr(o.price > 100), [3]),
        (lambda o: o.price + 5 == 15, [1, 2]),
        (lambda o: 5 + o.quantity < 10, [1, 3]),
        (lambda o: o.price - o.quantity >= 299, [3]),
        (lambda o: o.price / 3 > 50, [3]),
        (lambda o: o.quantity % 3 == 0, [1]),
        (lambda o: o.quantity**2 == 9, [1]),
        (lambda o: -o.quantity < -10, [2]),
        (lambda o: abs(o.quantity - 4) == 1, [1]),
        (lambda o: o.first == o.last, [2, 3]),
        (lambda o: o.first + " " + o.last == "ann lee", [1]),
        (lambda o: o.ended - o.started < o.allowed, [1, 2]),
        (lambda o: o.ended - o.started >= timedelta(hours=1), [2]),
        (lambda o: o.started + o.allowed < o.ended, []),
        (lambda o: o.started + timedelta(minutes=45) > o.ended, [1]),
        (lambda o: o.due > o.started, [1]),
        (lambda o: o.discount * o.price > 1, [1]),
        (lambda o: o.discount * o.price < 1, []),
        (lambda o: ~(o.price * o.quantity > 100), [1]),
        (lambda o: (o.price * o.quantity > 100) & (o.quantity == 1), [3]),
        (lambda o: expr({"$gt": [{"$multiply": ["$price", "$quantity"]}, 100]}), [2, 3]),
    ],
)
async def test_calculations(orders: None, condition: Any, expected: list[int]) -> None:
    assert [order.id async for order in Order.filter(condition(Order.f)).order_by("id")] == expected


@pytest.mark.parametrize("make", [lambda: expr(5), lambda: expr(None), lambda: expr("price > 5")])
def test_what_is_no_expression(make: Any) -> None:
    with pytest.raises(TypeError):
        make()


def test_a_misspelt_field_in_a_calculation() -> None:
    with pytest.raises(UnknownFieldError, match="quantity"):
        Order.filter(Order.f.price * Order.f.quantiti > 3).filter_document()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "make", [lambda o: o.first + 1 == "x1", lambda o: o.first * 2 == "xx", lambda o: 5 - o.last == 1]
)
def test_text_is_no_number(make: Any) -> None:
    with pytest.raises(InvalidValueError, match="text and what is none"):
        Order.filter(make(Order.f)).filter_document()


def test_values_of_users_never_become_expressions() -> None:
    class Named(pydantic.BaseModel):
        name: str = Field(default="$password")

    document = Order.filter(Order.f.first == Order.f.last + Named().name).filter_document()
    assert {"$literal": "$password"} in document["$expr"]["$eq"][1]["$concat"]
