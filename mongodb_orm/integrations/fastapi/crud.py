"""Routes that create, read, list, update and delete the documents of a model."""

# Without `from __future__ import annotations`: FastAPI reads the annotations of functions whose types are made here.

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

import pydantic
from fastapi import APIRouter, Depends, Query, Response

from ...exceptions import ConfigurationError, DocumentNotFoundError
from ...model import BaseModel
from ...queryset import Page
from ...repository import Criteria
from ...repository.criteria import condition_of
from ...schema import spec_of
from .criteria import criteria_params
from .paging import PageParams
from .schemas import create_model_of, response_model_of, update_model_of

M = TypeVar("M", bound=BaseModel)
Operation = Literal["create", "list", "read", "update", "delete"]

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such document."}}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "A unique index refuses the values."}}

_PAGE: Any = Page


def crud_router(
    model: type[M],
    *,
    operations: Collection[Operation] = get_args(Operation),
    response_model: Any = None,
    create_model: type[pydantic.BaseModel] | None = None,
    update_model: type[pydantic.BaseModel] | None = None,
    exclude: Sequence[str] = (),
    hidden: Sequence[str] | None = None,
    sortable: Sequence[str] | None = None,
    criteria: type[Criteria] | None = None,
    **options: Any,
) -> APIRouter:
    """Return a router with the five usual routes for a model.

    `POST` and `GET` (a page) at the prefix, with and without a slash at its end; `GET /{id}`, `PATCH /{id}` and
    `DELETE /{id}`. Errors become responses through `add_exception_handlers`.

    Args:
        model: The document class.
        operations: Which of `"create"`, `"list"`, `"read"`, `"update"`, `"delete"` to offer.
        response_model: What is shown of a document; default: the model itself without `hidden`.
        create_model: What `POST` takes; default: `create_model_of(model)`.
        update_model: What `PATCH` takes; default: `update_model_of(model)`.
        exclude: Fields that a client may not set, beside those that the model manages itself.
        hidden: Fields that are not shown, beside those with `Field(exclude=True)`; default: the marks of soft deletion.
        sortable: The fields that a client may sort by; None for every field.
        criteria: What a client may search the list by, as query parameters; nothing where it is not given.
        options: Further options of FastAPI's `APIRouter`, such as `prefix`, `tags` and `dependencies`.

    Raises:
        ConfigurationError: When an operation is not known.

    Example:
        >>> app.include_router(crud_router(User, prefix="/users", sortable=("username",)))
    """
    unknown = set(operations) - set(get_args(Operation))
    if unknown:
        raise ConfigurationError(
            f"crud_router has no operation {sorted(unknown)[0]!r}.", hint=f"It has: {', '.join(get_args(Operation))}."
        )
    router = APIRouter(**{"tags": [model.__name__], **options})
    routes = _Routes(
        model,
        create_model or create_model_of(model, exclude=exclude),
        update_model or update_model_of(model, exclude=exclude),
        None if sortable is None else tuple(sortable),
        criteria or _NoCriteria,
    )
    shown, page = response_model or _shown(model, hidden), _PAGE

    def at_the_prefix(function: Any, **how: Any) -> None:
        if router.prefix:
            router.add_api_route("", function, **how)
        router.add_api_route("/", function, include_in_schema=not router.prefix, **how)

    if "create" in operations:
        at_the_prefix(routes.create(), methods=["POST"], status_code=201, response_model=shown, responses=_CONFLICT)
    if "list" in operations:
        at_the_prefix(routes.listed(), methods=["GET"], response_model=page[shown])
    if "read" in operations:
        router.add_api_route("/{id}", routes.read(), methods=["GET"], response_model=shown, responses=_NOT_FOUND)
    if "update" in operations:
        responses = {**_NOT_FOUND, **_CONFLICT}
        router.add_api_route("/{id}", routes.update(), methods=["PATCH"], response_model=shown, responses=responses)
    if "delete" in operations:
        router.add_api_route("/{id}", routes.delete(), methods=["DELETE"], status_code=204, responses=_NOT_FOUND)
    return router


class _NoCriteria(Criteria):
    """Searches by nothing."""


def _shown(model: type[BaseModel], hidden: Sequence[str] | None) -> Any:
    deletion = spec_of(model).deletion
    marks = () if deletion is None else (deletion.flag, deletion.moment)
    left_out = marks if hidden is None else hidden
    return response_model_of(model, exclude=left_out) if left_out else model


class _Routes:
    """The functions behind the routes of one model, whose annotations FastAPI reads."""

    def __init__(
        self,
        model: type[BaseModel],
        create_model: type[pydantic.BaseModel],
        update_model: type[pydantic.BaseModel],
        sortable: tuple[str, ...] | None,
        criteria: type[Criteria],
    ) -> None:
        self._model = model
        self._create_model: Any = create_model
        self._update_model: Any = update_model
        self._sortable = sortable
        self._criteria: Any = criteria
        self._id: Any = spec_of(model).id_shape.annotation
        self._name = model.__name__

    def create(self) -> Any:
        async def create(body: self._create_model) -> Any:  # type: ignore[name-defined]
            return await self._model.create(**_sent(body))

        return self._named("create", create)

    def listed(self) -> Any:
        searched_by = criteria_params(self._criteria)

        async def listed(params: Annotated[PageParams, Query()], criteria: Annotated[Any, Depends(searched_by)]) -> Any:
            query = self._model.all().filter(condition_of(criteria, self._model))
            return await params.page_of(query, sortable=self._sortable)

        return self._named("list", listed)

    def read(self) -> Any:
        async def read(id: self._id) -> Any:  # type: ignore[name-defined]  # noqa: A002
            return await self._found(id)

        return self._named("read", read)

    def update(self) -> Any:
        async def update(id: self._id, body: self._update_model) -> Any:  # type: ignore[name-defined]  # noqa: A002
            return await (await self._found(id)).patch(body)

        return self._named("update", update)

    def delete(self) -> Any:
        async def delete(id: self._id) -> Response:  # type: ignore[name-defined]  # noqa: A002
            await (await self._found(id)).delete()
            return Response(status_code=204)

        return self._named("delete", delete)

    async def _found(self, id_: Any) -> BaseModel:
        document = await self._model.get_by_id(id_)
        if document is None:
            raise DocumentNotFoundError(f"There is no {self._name} with that id.", model=self._name, id=id_)
        return document

    def _named(self, operation: Operation, function: Any) -> Any:
        """Name a function as OpenAPI shall: `list_User` is the operation's id, "List User" its summary."""
        function.__name__ = f"{operation}_{self._name}"
        return function


def _sent(body: pydantic.BaseModel) -> dict[str, Any]:
    """Return what a client sent, as Python values under the names of fields."""
    return {name: getattr(body, name) for name in body.model_fields_set}
