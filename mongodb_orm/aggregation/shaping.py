"""The stages of a builder that select, order and reshape documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..compiler.names import Scope
from ..compiler.pipelines import compile_pipeline
from ..exceptions import InvalidValueError
from ..expressions import Checked, FieldPath, join, path_text, point_from, value_of
from ..schema import Shape, spec_of
from ..types import Document
from .aggregation import Aggregation


@dataclass(frozen=True, slots=True, repr=False)
class Shaping(Aggregation[Document]):
    """The part of a builder that selects, orders and reshapes.

    Attributes:
        here: What names mean after the stages so far; None before the first.
        is_written: Whether the last stage writes, so that none can follow.
    """

    here: Scope | None = field(default=None, compare=False)
    is_written: bool = False

    def match(self, /, *conditions: Any, **lookups: Any) -> Self:
        """Keep the documents that fulfil all conditions, which are written as in `filter`.

        Example:
            >>> User.pipeline().match(age__gte=18).group(by="city", n=count()).match(n__gte=5)
        """
        return self.then({"$match": join(*conditions, **lookups)})

    def project(self, *fields: Any, **computed: Any) -> Self:
        """Keep these fields only; unlike MongoDB's `$project`, the id only when it is named.

        Args:
            fields: Names, paths such as `"address.city"`, `User.f.name`, or MongoDB's mapping.
            computed: New fields: an expression, or a path with a dollar (`city="$address.city"`).
        """
        body = _named(fields, 1)
        body.update({name: _computed(value) for name, value in computed.items()})
        self.refuse_names(body, with_dots=True)
        if not body:
            raise InvalidValueError("A projection names at least one field.", model=self.model.__name__)
        names = {self._id_name, "_id"}
        return self.then({"$project": body if names & body.keys() else {"_id": 0, **body}})

    def add_fields(self, *fields: Mapping[str, Any], **computed: Any) -> Self:
        """Add fields, or replace them.

        Args:
            fields: Mappings of paths to values, for what is no keyword.
            computed: An expression (`User.f.price * 2`), a path with a dollar, or a plain value.
        """
        body = {str(name): value for mapping in fields for name, value in mapping.items()} | computed
        if not body:
            raise InvalidValueError("add_fields adds at least one field.", model=self.model.__name__)
        self.refuse_names(body, with_dots=True)
        return self.then({"$set": {name: _constant(value) for name, value in body.items()}})

    set = add_fields

    def unset(self, *fields: Any) -> Self:
        """Remove fields."""
        return self.then({"$unset": [path_text(field) for field in fields]})

    def sort(self, *order: Any) -> Self:
        """Order the documents: `"-n"` descending, `User.f.age.desc()`, `{"n": -1}`."""
        if not order:
            raise InvalidValueError("sort takes at least one field.", model=self.model.__name__)
        return self.then({"$sort": list(order)})

    def limit(self, count: int) -> Self:
        """Keep the first `count` documents."""
        return self.then({"$limit": self.number("limit", count, least=1)})

    def skip(self, count: int) -> Self:
        """Leave out the first `count` documents."""
        return self.then({"$skip": self.number("skip", count, least=0)})

    def sample(self, count: int) -> Self:
        """Take `count` documents at random."""
        return self.then({"$sample": {"size": self.number("sample", count, least=1)}})

    def unwind(self, field: Any, *, index: str | None = None, keep_empty: bool = False) -> Self:
        """Make a document of each element of a list.

        Args:
            field: The list, which is the element afterwards.
            index: A new field for the element's position.
            keep_empty: Whether documents whose list is empty or missing stay.
        """
        body: dict[str, Any] = {"path": value_of(path_text(field))}
        if index is not None:
            self.refuse_names([index], with_dots=True)
            body["includeArrayIndex"] = index
        if keep_empty:
            body["preserveNullAndEmptyArrays"] = True
        return self.then({"$unwind": body if len(body) > 1 else body["path"]})

    def replace_root(self, new: Any) -> Self:
        """Put an embedded document, or an expression that gives one, in the place of the document."""
        return self.then({"$replaceRoot": {"newRoot": value_of(new)}})

    def geo_near(
        self,
        near: Any,
        *conditions: Any,
        key: Any = None,
        distance: str = "distance",
        location: str | None = None,
        max_distance: float | None = None,
        min_distance: float | None = None,
        **lookups: Any,
    ) -> Self:
        """Begin with the documents near a point, the nearest first, each with its distance in metres.

        Args:
            near: The point, or its longitude and latitude.
            conditions: What the documents must fulfil too, as in `filter`.
            key: The field with the places, where the collection has several 2dsphere indexes.
            distance: The new field for the distance.
            location: A new field for the place that was near, where a document has several.
            max_distance: At most so many metres away.
            min_distance: At least so many metres away.
            lookups: Keyword lookups.
        """
        if self.pipeline or self.lead is not None:
            raise InvalidValueError(
                "geo_near is the first stage.",
                hint="Give it the conditions; a query before it has none of its own.",
                model=self.model.__name__,
            )
        options = {
            "key": None if key is None else path_text(key),
            "includeLocs": location,
            "maxDistance": max_distance,
            "minDistance": min_distance,
            "query": join(*conditions, **lookups) if conditions or lookups else None,
        }
        given = {name: value for name, value in options.items() if value is not None}
        place = point_from(near).model_dump(include={"type", "coordinates"})
        return self.then({"$geoNear": {"near": place, "distanceField": distance, "spherical": True, **given}})

    def stage(self, *stages: Mapping[str, Any]) -> Self:
        """Add stages as MongoDB writes them, under the model's names; names in them are not proved.

        Example:
            >>> User.pipeline().match(age__gte=18).stage({"$sample": {"size": 5}}).sort("name")
        """
        return self._followed_by(stages)

    def then(self, *stages: Mapping[str, Any], is_scoped: bool | None = None, label: str = "") -> Self:
        """Return the builder with more stages in which every name is proved."""
        return self._followed_by([Checked(stage, is_scoped, label) for stage in stages])

    def number(self, option: str, count: Any, *, least: int) -> int:
        """Return a count that a caller gave, proved.

        Raises:
            InvalidValueError: When it is no whole number from `least`.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not least <= count < 2**63:
            raise InvalidValueError(
                f"{option} is a whole number from {least}, not {count!r}.",
                model=self.model.__name__,
                field=option,
                value=count,
            )
        return count

    def refuse_names(self, names: Iterable[str], *, with_dots: bool = False) -> None:
        """Raise when a name cannot be that of a new field.

        Raises:
            InvalidValueError: When one is empty, begins with a dollar, or has a NUL, or a dot where none may be.
        """
        for name in names:
            if (
                not isinstance(name, str)
                or not name
                or name[0] == "$"
                or "\0" in name
                or ("." in name and not with_dots)
            ):
                raise InvalidValueError(
                    f"{name!r} cannot be the name of a new field.", model=self.model.__name__, field=str(name)
                )

    def shape(self) -> Shape | None:
        """Return what is known of the documents at this point."""
        return self.scope().root

    def scope(self) -> Scope:
        """Return what names mean at this point."""
        spec = spec_of(self.model)
        return self.here or Scope(spec.documents, name=spec.name)

    def __repr__(self) -> str:
        return self.mql()

    def _followed_by(self, stages: Sequence[Mapping[str, Any] | Checked]) -> Self:
        if self.is_written:
            raise InvalidValueError("What writes is the last stage of a pipeline.", model=self.model.__name__)
        proved = compile_pipeline(
            spec_of(self.model),
            stages,
            allow_javascript=self.settings.allow_javascript,
            allow_writes=self.settings.allow_writes,
            is_raw=self.settings.is_raw,
            is_check=True,
            start=self.scope(),
        )
        return replace(self, pipeline=(*self.pipeline, *stages), here=proved.scope, is_written=proved.writes)

    @property
    def _id_name(self) -> str:
        return spec_of(self.model).id_field


def _named(fields: tuple[Any, ...], flag: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for given in fields:
        if isinstance(given, Mapping):
            body.update({str(name): value for name, value in given.items()})
        else:
            body[path_text(given)] = flag
    return body


def _constant(value: Any) -> Any:
    """Return the value of an added field: an empty document is one, not a mistake."""
    return {"$literal": {}} if isinstance(value, dict) and not value else value


def _computed(value: Any) -> Any:
    """Return the value of a new field: in `$project` a plain number would be taken for a flag."""
    is_number = isinstance(value, bool | int | float) and not isinstance(value, FieldPath)
    return {"$literal": value} if is_number else value
