"""The builder of pipelines: immutable, proved stage by stage, awaited like the aggregation that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ..compiler.joins import model_of
from ..compiler.records import members_of
from ..exceptions import InvalidValueError
from ..expressions import FieldPath, join, path_text, value_of
from ..schema import spec_of
from .grouping import Grouping


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline(Grouping):
    """A pipeline in the making: every method gives a new one, `await` runs it, `str` prints it.

    Names are proved as soon as they are written: a misspelt field is an error that suggests the nearest one, and after
    `group` the fields are the group's own. The rows are dicts under the model's names, or what `into` says.

    Example:
        >>> await User.pipeline().match(age__gte=18).group(by="city", n=count(), oldest=max_("age")).sort("-n").limit(5)
        [{'city': 'Oslo', 'n': 3, 'oldest': 64}, ...]
    """

    def lookup(
        self,
        foreign_model: Any,
        *,
        as_: str,
        local: Any = None,
        foreign: Any = None,
        pipeline: Any = None,
        let: Mapping[str, Any] | None = None,
        one: bool = False,
        scoped: bool = True,
    ) -> Self:
        """Join documents of another model, as a list in a new field.

        Args:
            foreign_model: The model, or the name of a collection.
            as_: The new field.
            local: The field here whose value is looked for.
            foreign: The field there; the id when only `local` is given.
            pipeline: What is done with the documents there: a builder of that model, or a list of stages.
            let: Values of here that the pipeline sees as `$$name`.
            one: Whether the field becomes the first document, or None, instead of a list.
            scoped: Whether the other model's default scope and soft deletion hold.

        Example:
            >>> User.pipeline().lookup(Post, local="id", foreign="author_id", as_="posts")
            >>> Post.pipeline().lookup(User, local="author_id", as_="author", one=True)
        """
        self.refuse_names([as_], with_dots=True)
        body: dict[str, Any] = {"from": self._collection(foreign_model)}
        if local is not None:
            model = model_of(foreign_model)
            body["localField"] = path_text(local)
            body["foreignField"] = path_text(foreign) if foreign is not None else _id_name(model)
        elif foreign is not None or pipeline is None:
            raise InvalidValueError("lookup takes local and foreign fields, or a pipeline.", model=self.model.__name__)
        if let is not None:
            body["let"] = {name: value_of(value) for name, value in let.items()}
        if pipeline is not None:
            body["pipeline"] = self._steps(pipeline)
            scoped = scoped and self._sees_active(pipeline)
        joined = self.then({"$lookup": {**body, "as": as_}}, is_scoped=scoped)
        if not one:
            return joined
        return joined.then({"$set": {as_: {"$ifNull": [{"$first": f"${as_}"}, None]}}})

    def graph_lookup(
        self,
        foreign_model: Any,
        *,
        start: Any,
        connect_from: Any,
        connect_to: Any,
        as_: str,
        max_depth: int | None = None,
        depth_field: str | None = None,
        where: Any = None,
        scoped: bool = True,
    ) -> Self:
        """Join documents that are reached from one to the next, such as all superiors of an employee.

        Args:
            foreign_model: The model, or the name of a collection.
            start: The field or expression that the search begins with.
            connect_from: The field there that leads further.
            connect_to: The field there that is reached.
            as_: The new field.
            max_depth: How many steps beyond the first are taken.
            depth_field: A new field in the joined documents for the number of steps.
            where: A condition that joined documents must fulfil.
            scoped: Whether the other model's default scope and soft deletion hold.
        """
        options = {
            "maxDepth": max_depth,
            "depthField": depth_field,
            "restrictSearchWithMatch": None if where is None else join(where),
        }
        body = {
            "from": self._collection(foreign_model),
            "startWith": value_of(start),
            "connectFromField": path_text(connect_from),
            "connectToField": path_text(connect_to),
            "as": as_,
        }
        given = {name: value for name, value in options.items() if value is not None}
        return self.then({"$graphLookup": {**body, **given}}, is_scoped=scoped)

    def union_with(self, other: Any, *, pipeline: Any = None, scoped: bool = True) -> Self:
        """Add the documents of another model behind these.

        Args:
            other: A builder of that model, the model, or the name of a collection.
            pipeline: What is done with the documents there, when `other` is no builder.
            scoped: Whether the other model's default scope and soft deletion hold.
        """
        if isinstance(other, Grouping):
            other, pipeline = other.model, other
        body: dict[str, Any] = {"coll": self._collection(other)}
        if pipeline is not None:
            body["pipeline"] = self._steps(pipeline)
            scoped = scoped and self._sees_active(pipeline)
        return self.then({"$unionWith": body}, is_scoped=scoped)

    def merge(
        self, into: Any, *, on: Any = None, when_matched: Any = "merge", when_not_matched: str = "insert"
    ) -> Self:
        """Write the results into a collection when the pipeline is run, which returns nothing then.

        Args:
            into: A model, or the name of a collection. A model's documents get its stored names; validation and hooks
                do not run, the server writes.
            on: The field, or fields, that say which document is the same; they need a unique index. The id unless
                given.
            when_matched: `"merge"`, `"replace"`, `"keepExisting"`, `"fail"`, or a list of stages.
            when_not_matched: `"insert"`, `"discard"` or `"fail"`.

        Example:
            >>> await Order.pipeline().group(by="city", total=sum_("amount")).merge(CityTotal, on="city")
        """
        prepared = self._named_for(into, needs_id=on is None)
        body: dict[str, Any] = {
            "into": self._collection(into),
            "whenMatched": when_matched,
            "whenNotMatched": when_not_matched,
        }
        if on is not None:
            body["on"] = path_text(on) if isinstance(on, str | FieldPath) else [path_text(name) for name in on]
        return prepared._writing().then({"$merge": body})

    def out(self, into: Any) -> Self:
        """Replace a collection by the results when the pipeline is run, which returns nothing then.

        Args:
            into: A model, or the name of a collection. Whatever it held is gone.
        """
        return self._named_for(into, needs_id=False)._writing().then({"$out": self._collection(into)})

    def _collection(self, given: Any) -> Any:
        """Return a model, or the name of a collection, proved."""
        if model_of(given) is None and not (isinstance(given, str) and given and "\0" not in given):
            raise InvalidValueError(
                f"{given!r} is no model and no name of a collection.", model=self.model.__name__, value=given
            )
        return given

    def _writing(self) -> Self:
        return self.with_options(allow_writes=True)

    def _named_for(self, into: Any, *, needs_id: bool) -> Self:
        """Give fields the names under which the model of the target stores them."""
        members, is_open = members_of(self.shape())
        target = model_of(into)
        moved: dict[str, str] = {}
        if target is not None:
            for name, field in spec_of(target).fields.items():
                if name in members and members[name][0] != field.stored:
                    moved[name] = field.stored
        has_id = is_open or "_id" in moved.values() or any(stored == "_id" for stored, _ in members.values())
        if needs_id and not has_id:
            raise InvalidValueError(
                "The results have no id by which stored documents could be found.",
                hint="Say on=, a field with a unique index.",
                model=self.model.__name__,
            )
        if not moved:
            return self
        return self.stage({"$set": {stored: f"${name}" for name, stored in moved.items()}}, {"$unset": list(moved)})

    def _steps(self, pipeline: Any) -> Any:
        if isinstance(pipeline, Grouping):
            if pipeline.lead is not None or pipeline.visibility == "deleted":
                raise InvalidValueError(
                    "A pipeline that is joined begins with the whole model.",
                    hint="Write its conditions as match().",
                    model=pipeline.model.__name__,
                )
            return pipeline.pipeline
        return pipeline

    @staticmethod
    def _sees_active(pipeline: Any) -> bool:
        return not isinstance(pipeline, Grouping) or (pipeline.visibility == "active" and pipeline.is_scoped)


def _id_name(model: Any) -> str:
    return "_id" if model is None else spec_of(model).id_field


def pipeline_on(model: Any, **state: Any) -> Pipeline:
    """Return an empty builder on a model."""
    return replace(Pipeline(model, ()), has_own_names=True, **state)
