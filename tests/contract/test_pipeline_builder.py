"""The builder of pipelines, as users write it, on the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    CorruptDocumentError,
    F,
    InvalidValueError,
    Point,
    Q,
    QueryError,
    SoftDeleteMixin,
    UnknownFieldError,
    UnknownLookupError,
    UnsafeQueryError,
    add_to_set,
    avg,
    bottom,
    bottom_n,
    count,
    covariance,
    dense_rank,
    derivative,
    document_number,
    exp_moving_avg,
    first,
    first_n,
    integral,
    last,
    last_n,
    linear_fill,
    locf,
    max_,
    max_n,
    merge_objects,
    min_,
    min_n,
    push,
    rank,
    register_models,
    shift,
    std_dev,
    std_dev_sample,
    sum_,
    top,
    top_n,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


class Address(pydantic.BaseModel):
    city: str
    code: str = Field(default="", alias="zip")


class Member(BaseModel):
    name: str
    nick: str = Field(default="", alias="nickName")
    age: int
    city: str
    home: Address | None = None
    tags: list[str] = Field(default_factory=list)
    spot: Point | None = None
    boss_id: int | None = None

    class Meta:
        indexes = [[("spot", "2dsphere")]]


class Article(BaseModel, SoftDeleteMixin):
    author_id: int
    title: str
    stars: int = 0
    price: Decimal = Decimal(0)
    day: datetime = START
    tenant: int = 1

    class Meta:
        default_scope = {"tenant": 1}


class CityTotal(BaseModel):
    """A materialised view whose id is the city."""

    city: str
    n: int

    class Meta:
        id_field = "city"


class TitleCount(BaseModel):
    title: str = Field(alias="heading")
    n: int = 0

    class Meta:
        auto_create_indexes = False


@pytest.fixture
async def members(register: Any) -> None:
    await register(Member, Article, CityTotal, TitleCount)
    await Member.bulk_create(
        [
            {"name": "Ann", "nick": "a", "age": 30, "city": "Oslo", "home": Address(city="Oslo", zip="1"), "tags": ["x", "y"], "spot": Point(10, 60)},
            {"name": "Bob", "nick": "b", "age": 17, "city": "Oslo", "tags": ["x"], "boss_id": 1, "spot": Point(11, 60)},
            {"name": "Cem", "nick": "c", "age": 50, "city": "Rome", "home": Address(city="Rome", zip="2"), "boss_id": 2},
            {"name": "Dee", "nick": "d", "age": 40, "city": "Oslo", "boss_id": 1},
        ]
    )  # fmt: skip
    await Article.bulk_create(
        [
            {"author_id": 1, "title": "one", "stars": 3, "price": Decimal("1.5"), "day": START},
            {"author_id": 1, "title": "two", "stars": 5, "price": Decimal("2.5"), "day": START + timedelta(days=1)},
            {"author_id": 3, "title": "three", "stars": 1, "day": START + timedelta(days=3)},
            {"author_id": 3, "title": "gone", "stars": 9},
            {"author_id": 3, "title": "foreign", "stars": 9, "tenant": 2},
        ]
    )
    await Article.filter(title="gone").delete()


async def test_the_line_of_the_issue(members: None) -> None:
    pipeline = Member.pipeline().match(age__gte=18).group(by="city", n=count(), oldest=max_("age")).sort("-n").limit(5)
    assert await pipeline == [{"city": "Oslo", "n": 2, "oldest": 40}, {"city": "Rome", "n": 1, "oldest": 50}]
    assert [row async for row in pipeline] == await pipeline.to_list()
    assert await pipeline.to_list(1) == [{"city": "Oslo", "n": 2, "oldest": 40}]
    assert await pipeline.to_list(0) == []
    assert await pipeline.first() == {"city": "Oslo", "n": 2, "oldest": 40}
    assert str(pipeline) == repr(pipeline) == pipeline.mql()
    assert pipeline.mql() == (
        "db.member.aggregate([\n"
        "  {$match: {age: {$gte: 18}}},\n"
        '  {$group: {_id: "$city", n: {$sum: 1}, oldest: {$max: "$age"}}},\n'
        '  {$project: {_id: 0, city: "$_id", n: "$n", oldest: "$oldest"}},\n'
        "  {$sort: {n: -1}},\n"
        "  {$limit: 5},\n"
        "])"
    )


async def test_what_is_grouped_by(members: None) -> None:
    start = Member.pipeline()
    assert await start.group(by="home.code", n=count()).sort("code") == [
        {"code": None, "n": 2}, {"code": "1", "n": 1}, {"code": "2", "n": 1},
    ]  # fmt: skip
    assert await start.group(by="home__city", n=count()).sort("city") == await start.group(
        by=Member.f.home.city, n=count()
    ).sort("city")
    both = await start.group(by=["city", "boss_id"], n=count()).sort("city", "boss_id")
    assert both[0] == {"city": "Oslo", "boss_id": None, "n": 1}
    assert both[1] == {"city": "Oslo", "boss_id": 1, "n": 2}
    named = await start.group(by={"adult": Member.f.age >= 18}, n=count()).sort("-n")
    assert named == [{"adult": True, "n": 3}, {"adult": False, "n": 1}]
    decade = await start.group(by={"decade": {"$subtract": ["$age", {"$mod": ["$age", 10]}]}}, n=count()).sort("decade")
    assert [row["decade"] for row in decade] == [10, 30, 40, 50]
    assert await start.group(by=Member.f.age - Member.f.age % 10, n=count()).sort("key").limit(1) == [
        {"key": 10, "n": 1}
    ]
    assert await start.group(n=count(), ages=sum_("age")) == [{"n": 4, "ages": 137}]
    assert await start.match(age__gt=99).group(n=count()) == []
    assert await start.group(by="city").sort("city") == [{"city": "Oslo"}, {"city": "Rome"}]
    assert await start.group({"by": count()}, by="city").sort("-by").limit(1) == [{"city": "Oslo", "by": 3}]
    # Null and missing are one group, in compound keys too.
    hole = {"$set": {"boss_id": {"$cond": [{"$eq": ["$id", 3]}, "$$REMOVE", "$boss_id"]}}}
    holes = await start.stage(hole).group(by={"boss": "boss_id", "none": {"$literal": 0}}, n=count()).sort("boss")
    assert holes == [{"boss": None, "none": 0, "n": 2}, {"boss": 1, "none": 0, "n": 2}]


async def test_accumulators(members: None) -> None:
    (row,) = await (
        Member.pipeline()
        .sort("id")
        .group(
            n=count(), adults=count(Member.f.age >= 18), others=count(Q(age__lt=18) | Q(city="Rome")),
            some=count(Q(city__in=["Oslo"], home__isnull=False)), tagged=count(Q(tags__contains="x")),
            written=count({"$gt": ["$age", 17]}),
            total=sum_("age"), oslo=sum_("age", where=Q(city="Oslo")), double=sum_(Member.f.age * 2),
            mean=avg("age"), mean_oslo=avg("age", where=Q(city="Oslo")), low=min_("age"), high=max_(Member.f.age),
            high_oslo=max_("age", where=Q(city="Oslo")), low_rome=min_("age", where=Q(city="Rome")),
            one=first("nick"), other=last("nick"), nicks=push("nick"), cities=add_to_set("city"),
            merged=merge_objects("home"), spread=std_dev("age"), spread_sample=std_dev_sample("age"),
            f2=first_n("name", 2), l2=last_n("name", 2), max2=max_n("age", 2), min2=min_n("age", 2),
            youngest=top("name", sort_by="age"), eldest=bottom("name", sort_by=Member.f.age.asc()),
            young2=top_n("name", 2, sort_by=["age", "-nick"]), old2=bottom_n("name", 2, sort_by={"age": 1}),
            raw={"$sum": "$age"},
        )
    )  # fmt: skip
    assert (row["n"], row["adults"], row["others"], row["some"], row["tagged"]) == (4, 3, 2, 1, 2)
    assert row["written"] == 3
    assert (row["total"], row["oslo"], row["double"], row["raw"]) == (137, 87, 274, 137)
    assert (row["mean"], row["mean_oslo"]) == (34.25, 29.0)
    assert (row["low"], row["high"], row["high_oslo"], row["low_rome"]) == (17, 50, 40, 50)
    assert (row["one"], row["other"], row["nicks"]) == ("a", "d", ["a", "b", "c", "d"])
    assert sorted(row["cities"]) == ["Oslo", "Rome"]
    assert row["merged"] == {"city": "Rome", "code": "2"}
    assert 12 < row["spread"] < row["spread_sample"] < 15
    assert (row["f2"], row["l2"]) == (["Ann", "Bob"], ["Cem", "Dee"])
    assert (row["max2"], row["min2"]) == ([50, 40], [17, 30])
    assert (row["youngest"], row["eldest"], row["young2"], row["old2"]) == (
        "Bob",
        "Cem",
        ["Bob", "Ann"],
        ["Dee", "Cem"],
    )
    whole = await Member.pipeline().match(id=1).group(by="city", all=push("$$ROOT"))
    assert whole[0]["all"][0]["id"] == 1
    assert "_id" not in whole[0]["all"][0]
    assert whole[0]["all"][0]["home"] == {"city": "Oslo", "code": "1"}


async def test_reshaping(members: None) -> None:
    start = Member.pipeline().sort("id").limit(1)
    assert await start.project("name", "home.code") == [{"name": "Ann", "home": {"code": "1"}}]
    assert await start.project("id", code="$home.code", two=2, word="x", old=Member.f.age > 18) == [
        {"id": 1, "code": "1", "two": 2, "word": "x", "old": True}
    ]
    assert await start.project({"home": {"code": 1}}, nick={"$toUpper": "$nick"}) == [
        {"home": {"code": "1"}, "nick": "A"}
    ]
    added = await start.add_fields({"home.code": "9"}, twice=Member.f.age * 2, n=1).project("home.code", "twice", "n")
    assert added == [{"home": {"code": "9"}, "twice": 60, "n": 1}]
    assert await start.set(age=F("age") + 1).unset("created_at", "updated_at", "spot", "home.city", "boss_id") == [
        {"id": 1, "name": "Ann", "nick": "a", "age": 31, "city": "Oslo", "home": {"code": "1"}, "tags": ["x", "y"]}
    ]
    tags = Member.pipeline().unwind("tags", index="place").match(tags="x").sort("id").project("name", "tags", "place")
    assert await tags == [{"name": "Ann", "tags": "x", "place": 0}, {"name": "Bob", "tags": "x", "place": 0}]
    kept = Member.pipeline().unwind("tags", keep_empty=True).count()
    assert await kept == [{"count": 5}]
    assert await start.replace_root("home") == [{"city": "Oslo", "code": "1"}]
    assert await start.replace_root("home").match(code="1").project("code") == [{"code": "1"}]
    assert await start.replace_root({"who": "$name"}) == [{"who": "Ann"}]
    assert len(await Member.pipeline().sample(2)) == 2
    assert await Member.pipeline().sort("-age").skip(1).limit(1).project("age") == [{"age": 40}]
    (whole,) = await start
    assert whole["id"] == 1
    assert whole["nick"] == "a"
    assert "_id" not in whole
    assert "nickName" not in whole
    counted = await Member.pipeline().stage({"$match": {"nick": "a"}}, {"$project": {"nick": 1}}).match(nick="a")
    assert counted == [{"id": 1, "nick": "a"}]


async def test_buckets_and_facets(members: None) -> None:
    start = Member.pipeline()
    assert await start.bucket("age", [0, 18, 65]) == [{"age": 0, "count": 1}, {"age": 18, "count": 3}]
    assert await start.bucket("age", [0, 18], default="older", name="from_", n=count(), names=push("name")) == [
        {"from_": 0, "n": 1, "names": ["Bob"]}, {"from_": "older", "n": 3, "names": ["Ann", "Cem", "Dee"]},
    ]  # fmt: skip
    auto = await start.bucket_auto("age", 2, n=count())
    assert auto == [{"age": {"min": 17, "max": 40}, "n": 2}, {"age": {"min": 40, "max": 50}, "n": 2}]
    assert await start.sort_by_count("city") == [{"city": "Oslo", "count": 3}, {"city": "Rome", "count": 1}]
    (row,) = await start.group(by="city", n=count()).facet(
        most=lambda rows: rows.sort("-n").limit(1), total=lambda rows: rows.group(n=sum_("n"))
    )
    assert row == {"most": [{"city": "Oslo", "n": 3}], "total": [{"n": 4}]}
    (row,) = await start.facet(first=start.sort("id").limit(1).project("id", "nick"), raw=[{"$count": "n"}])
    assert row == {"first": [{"id": 1, "nick": "a"}], "raw": [{"n": 4}]}
    assert await start.match(age__gt=99).count() == []


async def test_joins(members: None) -> None:
    joined = Member.pipeline().lookup(Article, local="id", foreign="author_id", as_="articles").sort("id")
    rows = await joined.project("name", n={"$size": "$articles"}, titles="$articles.title")
    assert [(row["name"], row["titles"]) for row in rows] == [
        ("Ann", ["one", "two"]), ("Bob", []), ("Cem", ["three"]), ("Dee", []),
    ]  # fmt: skip
    assert "is_deleted: {$in: [false, null]}" in joined.mql()
    everything = Member.pipeline().lookup(Article, local="id", foreign="author_id", as_="a", scoped=False).match(id=3)
    assert len((await everything)[0]["a"]) == 3
    deleted = Member.pipeline().lookup(
        Article, local="id", foreign="author_id", as_="a", pipeline=Article.pipeline().with_deleted().sort("title")
    )
    assert [a["title"] for a in (await deleted.match(id=3))[0]["a"]] == ["foreign", "gone", "three"]
    best = Article.pipeline().sort("-stars").limit(1).project("title", "stars")
    top_article = Member.pipeline().lookup(
        Article, local="id", foreign="author_id", as_="best", pipeline=best, one=True
    )
    assert await top_article.match(best__stars__gte=2).project("name", "best") == [
        {"name": "Ann", "best": {"title": "two", "stars": 5}}
    ]
    author = Article.pipeline().sort("id").lookup(Member, local="author_id", as_="author", one=True)
    assert [row["author"]["nick"] for row in await author] == ["a", "a", "c"]
    assert await author.replace_root("author").limit(1).into(Member) == [await Member.get_by_id(1)]
    let = Member.pipeline().lookup(
        Article,
        let={"me": "id", "limit": Member.f.age / 10},
        pipeline=Article.pipeline().match(
            {"$expr": {"$and": [{"$eq": ["$author_id", "$$me"]}, {"$gt": ["$stars", "$$limit"]}]}}
        ),
        as_="good",
    )
    assert [row["name"] for row in await let.match(good__title="two")] == ["Ann"]
    missing = Member.pipeline().lookup("nowhere", local="id", foreign="whatever", as_="x").match(id=1).project("x")
    assert await missing == [{"x": []}]
    bosses = Member.pipeline().graph_lookup(
        Member, start="boss_id", connect_from="boss_id", connect_to="id", as_="bosses", depth_field="steps",
        where=Q(age__gt=0),
    )  # fmt: skip
    (cem,) = await bosses.match(name="Cem")
    assert {boss["name"]: boss["steps"] for boss in cem["bosses"]} == {"Bob": 0, "Ann": 1}
    nested = Member.pipeline().lookup(
        Member,
        as_="x",
        pipeline=Member.pipeline().lookup(Article, local="id", foreign="author_id", as_="all", scoped=False),
    )
    assert "is_deleted" not in nested.mql()
    names = Member.pipeline().project("name").union_with(Article.pipeline().project(name="$title"))
    assert len(await names) == 7
    assert await names.match(name="one") == [{"name": "one"}]
    assert len(await Member.pipeline().union_with(Article)) == 7
    assert len(await Member.pipeline().union_with(Article, scoped=False)) == 9


async def test_windows_and_series(members: None) -> None:
    ranked = (
        Member.pipeline()
        .set_window(
            partition_by="city", sort_by="-age", place=rank(), dense=dense_rank(), number=document_number(),
            older=shift("name", by=-1, default="nobody"), total=sum_("age").over(documents=("unbounded", "current")),
        )
        .sort("city", "place").project("name", "place", "dense", "number", "older", "total")
    )  # fmt: skip
    assert await ranked == [
        {"name": "Dee", "place": 1, "dense": 1, "number": 1, "older": "nobody", "total": 40},
        {"name": "Ann", "place": 2, "dense": 2, "number": 2, "older": "Dee", "total": 70},
        {"name": "Bob", "place": 3, "dense": 3, "number": 3, "older": "Ann", "total": 87},
        {"name": "Cem", "place": 1, "dense": 1, "number": 1, "older": "nobody", "total": 50},
    ]
    series = Article.pipeline().set_window(
        sort_by="day",
        speed=derivative("stars", unit="day").over(documents=(-1, 0)),
        area=integral("stars", unit="day").over(documents=("unbounded", "current")),
        smooth=exp_moving_avg("stars", n=2),
        together=covariance("stars", "price").over(documents=("unbounded", "unbounded")),
        lately=avg("stars").over(range=(-1, 0), unit="day"),
        stars2=locf("stars"),
        stars3=linear_fill("stars"),
    )
    rows = await series.project("speed", "lately", "stars2", "stars3")
    assert [row["speed"] for row in rows] == [None, 2, -2]
    assert [row["lately"] for row in rows] == [3, 4, 1]
    dense = (
        Article.pipeline().project("day", "stars").densify("day", step=1, unit="day")
        .fill(sort_by="day", stars="linear").sort("day")
    )  # fmt: skip
    assert [row["stars"] for row in await dense] == [3, 5, 3, 1]
    filled = Article.pipeline().project("day", "stars").densify("day", step=1, unit="day").fill(stars=0).sort("day")
    assert [row["stars"] for row in await filled] == [3, 5, 0, 1]
    carried = (
        Article.pipeline()
        .group(by="day", stars=sum_("stars"))
        .densify("day", step=1, unit="day")
        .fill(sort_by="day", stars="locf")
    )
    assert [row["stars"] for row in await carried.sort("day")] == [3, 5, 5, 1]
    near = Member.pipeline().geo_near((10, 60), age__gte=18, max_distance=1000).project("name", "distance")
    assert await near == [{"name": "Ann", "distance": 0}]


class Stats(pydantic.BaseModel):
    city: str
    n: int
    total: Decimal = Decimal(0)


class AuthorPage(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    nick: str
    home: Address | None
    articles: list[Article]


async def test_typed_results(members: None) -> None:
    grouped = Member.pipeline().group(by="city", n=count()).sort("city")
    assert await grouped.into(Stats) == [Stats(city="Oslo", n=3), Stats(city="Rome", n=1)]
    assert [row async for row in grouped.into(Stats)] == await grouped.into(Stats)
    money = Article.pipeline().group(by={"city": "title"}, n=count(), total=sum_("price")).sort("city")
    assert (await money.into(Stats))[0].total == Decimal("1.5")
    page = Member.pipeline().match(id=1).lookup(Article, local="id", foreign="author_id", as_="articles")
    (made,) = await page.project("name", "nick", "home", "articles").into(AuthorPage)
    assert made.home == Address(city="Oslo", zip="1")
    assert [article.title for article in made.articles] == ["one", "two"]
    assert made.articles[0].day == START
    assert await Member.pipeline().project("age").sort("age").into(dict[str, int]) == [
        {"age": 17}, {"age": 30}, {"age": 40}, {"age": 50},
    ]  # fmt: skip
    mixed = Member.pipeline().match(id=2).set(x={"$ifNull": [Member.f.home, Member.f.nick]}).fill(boss_id=Member.f.age)
    assert await mixed.project("x", "boss_id") == [{"x": "b", "boss_id": 1}]
    assert await Member.pipeline().set(x={}).limit(1).project("x") == [{"x": {}}]
    with pytest.raises(CorruptDocumentError, match="Stats"):
        await Member.pipeline().project("name").into(Stats)
    raw = await Member.aggregate([{"$match": {"id": 1}}, {"$project": {"nick": 1, "home": 1}}], into=Nicked)
    assert raw == [Nicked(id=1, nick="a", home=Address(city="Oslo", zip="1"))]


class Nicked(pydantic.BaseModel):
    id: int
    nick: str
    home: Address


async def test_whole_documents_can_be_saved_and_others_are_new(members: None, raw: Any) -> None:
    (oldest,) = await Member.pipeline().sort("-age").limit(1).into(Member)
    oldest.age = 51
    await oldest.save()
    assert raw.member.find_one({"name": "Cem"})["age"] == 51
    (part,) = await Member.aggregate([{"$match": {"id": 1}}, {"$unset": "tags"}], into=Member)
    assert part.tags == []
    part.age = 31
    with pytest.raises(Exception, match="same id"):
        await part.save()  # it is no loaded object, so it is inserted, which the id forbids
    assert raw.member.find_one({"_id": 1})["tags"] == ["x", "y"]
    totals = await Member.pipeline().group(by="city", n=count()).into(CityTotal)
    for total in totals:
        await total.save()
    assert await CityTotal.count() == 2


async def test_writing(members: None, raw: Any) -> None:
    totals = Member.pipeline().group(by="city", n=count())
    assert await totals.merge(CityTotal) == []
    await totals.merge(CityTotal)
    assert {total.city: total.n for total in await CityTotal.all()} == {"Oslo": 3, "Rome": 1}
    raw.title_count.create_index("heading", unique=True)
    titles = Article.pipeline().group(by="title", n=count())
    with pytest.raises(InvalidValueError, match="on="):
        titles.merge(TitleCount)
    await titles.merge(TitleCount, on="title")
    await titles.merge(TitleCount, on="title", when_matched=[{"$set": {"n": {"$add": ["$n", "$$new.n"]}}}])
    assert {(row["heading"], row["n"]) for row in raw.title_count.find()} == {("one", 2), ("two", 2), ("three", 2)}
    assert await Member.pipeline().project("id", "nick").out("nicks") == []
    assert raw.nicks.find_one({"_id": 1}) == {"_id": 1, "nickName": "a"}
    with pytest.raises(InvalidValueError, match="last"):
        Member.pipeline().out("nicks").limit(1)
    with pytest.raises(UnsafeQueryError, match="allow_writes"):
        Member.pipeline().stage({"$out": "nicks"})


async def test_the_query_before(members: None) -> None:
    query = Member.filter(city="Oslo").order_by("-age").limit(2)
    assert [row["name"] for row in await query.aggregate([])] == ["Dee", "Ann"]
    assert await query.pipeline().group(n=count(), ages=push("age")) == [{"n": 2, "ages": [40, 30]}]
    assert await query.aggregate([{"$project": {"nick": 1}}], into=Picked) == [
        Picked(id=4, nick="d"),
        Picked(id=1, nick="a"),
    ]
    with pytest.raises(InvalidValueError, match="first stage"):
        query.pipeline().geo_near((1, 1))
    with pytest.raises(InvalidValueError, match="itself"):
        Member.filter(city="Oslo").only("name").aggregate([])
    explained = Member.filter(id=1).pipeline().group(by="city", n=count())
    assert (await explained.explain()).index is not None
    assert (await Member.pipeline().match(age=1).explain()).index is None
    mql = Member.filter(id=1).collation("en", strength=1).aggregate([{"$limit": 1}], comment="why", max_time=2).mql()
    assert mql.endswith('], {collation: {locale: "en", strength: 1}, maxTimeMS: 2000, comment: "why"})')


class Picked(pydantic.BaseModel):
    id: int
    nick: str


CONDITIONS: list[Any] = [
    Member.f.age == 30, Member.f.age != 30, Member.f.age > 30, Member.f.age >= 30, Member.f.age < 40, Member.f.age <= 40,
    Member.f.boss_id < 5, Member.f.boss_id <= 1, Member.f.boss_id > 0, Member.f.boss_id == None, Member.f.boss_id != None,  # noqa: E711
    ~Q(boss_id__lt=2), ~Q(city="Oslo"), Q(city="Oslo") & ~Q(age=17), Q(city="Rome") | Q(age__lt=20), Q(age__between=(17, 30)),
    Q(boss_id__in=[1, None]), Q(boss_id__nin=[1]), Q(boss_id__not_in=[1, None]), Q(boss_id__isnull=True), Q(boss_id__isnull=False),
    Q(home__code="1"), Q(home__city__in=["Rome"]), Q(home__isnull=False), Q(tags__contains="x"), ~Q(tags__contains="x"),
    Q(age__exact="30"), Q(age=30, city="Oslo"), Q(), Q(name="$name"), Member.f.age > Member.f.boss_id, Member.f.age * 2 >= 60,
    Q(boss_id__between=(0, 1)), Q(home__code__gt=""), Q(nick__ne="a"),
]  # fmt: skip


async def test_conditions_count_the_documents_that_filters_find(members: None) -> None:
    for condition in CONDITIONS:
        (row,) = await Member.pipeline().group(n=count(condition))
        assert row["n"] == await Member.filter(condition).count(), condition
    for lookup in ("name__startswith", "tags__size", "age__mod", "tags"):
        with pytest.raises(UnknownLookupError):
            Member.pipeline().group(n=count(Q(**{lookup: "a"})))


class Faraway(BaseModel):
    member_id: int


async def test_joins_stay_within_a_database(members: None, config: Any) -> None:
    await register_models(Faraway, db_config=config.model_copy(update={"database_name": f"{config.database_name}_far"}))
    with pytest.raises(QueryError, match="one database"):
        await Member.pipeline().lookup(Faraway, local="id", foreign="member_id", as_="x")
    with pytest.raises(QueryError, match="one database"):
        await Member.aggregate([{"$unionWith": Faraway}])


class Branch(BaseModel):
    label: str = Field(default="", alias="lbl")
    children: list[Branch] = Field(default_factory=list)
    by_name: dict[str, Branch] = Field(default_factory=dict)


async def test_names_reach_into_models_that_contain_themselves(register: Any, admin: Any, config: Any) -> None:
    await register(Branch)
    leaf = Branch(lbl="leaf")
    await Branch.create(label="root", children=[Branch(label="stem", children=[leaf])], by_name={"x": leaf})
    (row,) = await Branch.pipeline()
    assert row["children"][0]["children"][0]["label"] == row["by_name"]["x"]["label"] == "leaf"
    (row,) = await Branch.aggregate([])
    assert row["children"][0]["children"][0]["label"] == row["children"][0]["children"][0]["lbl"] == "leaf"
    elsewhere = f"{config.database_name}_b"
    admin[elsewhere].branch.insert_one({"_id": 1, "lbl": "there", "children": [], "by_name": {}})
    (found,) = await Branch.all().using(database=elsewhere).aggregate([{"$match": {"label": "there"}}], into=Branch)
    found.label = "changed"
    await found.save()
    assert admin[elsewhere].branch.find_one()["lbl"] == "changed"
    admin.drop_database(elsewhere)
    with pytest.raises(InvalidValueError, match="dicts"):
        await Branch.aggregate([{"$project": {"lbl": 1}}], raw=True, into=Picked)


async def test_options_reach_the_server(members: None) -> None:
    rows = await Member.aggregate(
        [{"$match": {"$expr": {"$eq": ["$name", "$$who"]}}}],
        let={"who": "ANN"}, collation={"locale": "en", "strength": 1}, hint="_id_", comment="x", batch_size=1,
        allow_disk_use=True, max_time=5, read_preference="primaryPreferred",
    )  # fmt: skip
    assert [row["id"] for row in rows] == [1]
    assert len([row async for row in Member.aggregate([], batch_size=1)]) == 4
    with pytest.raises(UnsafeQueryError, match="JavaScript"):
        await Member.aggregate(
            [], let={"x": {"$function": {"body": "function() { return 1 }", "args": [], "lang": "js"}}}
        )
    typed = Member.aggregate([{"$limit": 1}, {"$project": {"x": "$$d", "id": 0}}], let={"d": Decimal("1.5")})
    assert await typed == [{"x": Decimal("1.5")}]
    assert await Member.pipeline().with_options(let={"x": 5}).project(y="$$x").limit(1) == [{"y": 5}]


@pytest.mark.parametrize(
    ("option", "value"),
    [("max_time", 0), ("max_time", True), ("batch_size", -1), ("read_preference", "any"), ("let", 5), ("raw", 1),
     ("hint", ""), ("collation", {}), ("allow_disk", True), ("allow_writes", "yes")],
)  # fmt: skip
def test_options_that_make_no_sense(option: str, value: Any) -> None:
    with pytest.raises(InvalidValueError):
        Member.aggregate([], **{option: value})


def bad(build: Any, error: type[Exception], words: str) -> Any:
    return pytest.param(build, error, words)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        bad(lambda p: p.match(agee=1), UnknownFieldError, "'age'"),
        bad(lambda p: p.match(age__gtee=1), UnknownLookupError, "gte"),
        bad(lambda p: p.match(age="x"), InvalidValueError, "integer"),
        bad(lambda p: p.match(home={"$ne": 1}), QueryError, "operator"),
        bad(lambda p: p.match(spot__near=(1, 1)), QueryError, "geo_near"),
        bad(lambda p: p.sort("agee"), UnknownFieldError, "'age'"),
        bad(lambda p: p.sort(), InvalidValueError, "at least one"),
        bad(lambda p: p.project("agee"), UnknownFieldError, "'age'"),
        bad(lambda p: p.project(x=F("agee")), UnknownFieldError, "'age'"),
        bad(lambda p: p.project(x="$agee"), UnknownFieldError, "'age'"),
        bad(lambda p: p.unset("agee"), UnknownFieldError, "'age'"),
        bad(lambda p: p.unwind("tagss"), UnknownFieldError, "'tags'"),
        bad(lambda p: p.group(by="citty", n=count()), UnknownFieldError, "'city'"),
        bad(lambda p: p.group(by="city", n=sum_("agee")), UnknownFieldError, "'age'"),
        bad(lambda p: p.group(by="city", n=top("name", sort_by="agee")), UnknownFieldError, "'age'"),
        bad(lambda p: p.group(by="city", n=5), InvalidValueError, "accumulator"),
        bad(lambda p: p.group(by="city", city=count()), InvalidValueError, "grouped by"),
        bad(lambda p: p.group(), InvalidValueError, "accumulator"),
        bad(lambda p: p.group(by=["city", "home.city"], n=count()), InvalidValueError, "Two fields"),
        bad(lambda p: p.group(by=5, n=count()), InvalidValueError, "no field"),
        bad(lambda p: p.group(by="city", oldest=max_("age")).match(oldst=1), UnknownFieldError, "'oldest'"),
        bad(lambda p: p.group(by="city", oldest=max_("age")).match(age=1), UnknownFieldError, "after group"),
        bad(lambda p: p.group(by="city", oldest=max_("age")).match(oldest="x"), InvalidValueError, "integer"),
        bad(lambda p: p.group(by="city", oldest=max_("age")).sort("-oldst"), UnknownFieldError, "'oldest'"),
        bad(lambda p: p.count("n").match(m=1), UnknownFieldError, "It has: n"),
        bad(lambda p: p.unset("age").match(age=1), UnknownFieldError, "no field 'age'"),
        bad(lambda p: p.project("name").match(age=1), UnknownFieldError, "no field 'age'"),
        bad(lambda p: p.lookup(Article, local="idd", as_="x"), UnknownFieldError, "'id'"),
        bad(lambda p: p.lookup(Article, local="id", foreign="author", as_="x"), UnknownFieldError, "'author_id'"),
        bad(lambda p: p.lookup(Article, as_="x"), InvalidValueError, "local"),
        bad(lambda p: p.lookup(Article, local="id", foreign="author_id", as_="x").match(x__titel=1), UnknownLookupError, "'title'"),
        bad(lambda p: p.lookup(Article, pipeline=Article.only_deleted().pipeline(), as_="x"), InvalidValueError, "whole"),
        bad(lambda p: p.facet(a=lambda rows: rows.sort("agee")), UnknownFieldError, "'age'"),
        bad(lambda p: p.facet(a=5), InvalidValueError, "branch"),
        bad(lambda p: p.facet(), InvalidValueError, "branch"),
        bad(lambda p: p.fill(), InvalidValueError, "at least one"),
        bad(lambda p: p.group(by="city", **{"a.b": count()}), InvalidValueError, "name"),
        bad(lambda p: p.group({"$x": count()}, by="city"), InvalidValueError, "name"),
        bad(lambda p: p.group({"": count()}), InvalidValueError, "name"),
        bad(lambda p: p.count("a.b"), InvalidValueError, "name"),
        bad(lambda p: p.add_fields({"$x": 1}), InvalidValueError, "name"),
        bad(lambda p: p.project(**{"$x": 1}), InvalidValueError, "name"),
        bad(lambda p: p.bucket("age", [1]), InvalidValueError, "boundaries"),
        bad(lambda p: p.bucket("age", 5), InvalidValueError, "boundaries"),
        bad(lambda p: p.densify("age", step=0), InvalidValueError, "step"),
        bad(lambda p: p.lookup(5, local="id", as_="x"), InvalidValueError, "collection"),
        bad(lambda p: p.lookup(Article, local="id", as_="$x"), InvalidValueError, "name"),
        bad(lambda p: p.union_with(None), InvalidValueError, "collection"),
        bad(lambda p: p.out(""), InvalidValueError, "collection"),
        bad(lambda p: p.group(by="homee.city"), UnknownFieldError, "'home'"),
        bad(lambda p: p.limit(0), InvalidValueError, "limit"),
        bad(lambda p: p.skip(-1), InvalidValueError, "skip"),
        bad(lambda p: p.limit(True), InvalidValueError, "limit"),
        bad(lambda p: p.sample("x"), InvalidValueError, "sample"),
        bad(lambda p: p.stage({"$limt": 1}), InvalidValueError, "'\\$limit'"),
        bad(lambda p: p.stage({"$match": {"$where": "1"}}), UnsafeQueryError, "JavaScript"),
        bad(lambda p: p.match({"$where": "1"}), UnsafeQueryError, "JavaScript"),
        bad(lambda p: p.add_fields(x={"$function": {}}), UnsafeQueryError, "JavaScript"),
        bad(lambda p: p.group(by="city", x={"$accumulator": {}}), UnsafeQueryError, "JavaScript"),
        bad(lambda p: p.set_window(sort_by="agee", r=rank()), UnknownFieldError, "'age'"),
        bad(lambda p: p.fill(agee=1), UnknownFieldError, "'age'"),
        bad(lambda p: p.densify("agee", step=1), UnknownFieldError, "'age'"),
        bad(lambda p: p.group(by="city", n=count(Q({"a": 1}))), QueryError, "inside an expression"),
    ],
)  # fmt: skip
def test_mistakes_are_found_where_they_are_written(build: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(Member.pipeline())
