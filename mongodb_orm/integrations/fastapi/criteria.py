"""Search criteria as query parameters."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ...repository import Criteria

C = TypeVar("C", bound=Criteria)


def criteria_params(criteria: type[C]) -> Callable[..., C]:
    """Return a dependency that reads criteria from the query parameters, one for each field.

    Beside `PageParams` it takes the place of `Annotated[..., Query()]`, by which criteria would refuse `page`, `size`
    and `sort` as unknown. What does not fit is 422, as with any parameter.

    Args:
        criteria: The class of the criteria.

    Example:
        >>> @app.get("/users")
        ... async def users(
        ...     criteria: Annotated[UserCriteria, Depends(criteria_params(UserCriteria))],
        ...     params: Annotated[PageParams, Query()],
        ... ) -> Page[User]:
        ...     return await UserRepository().page(criteria, params.sort, params.page, params.size)
    """

    def read(**values: Any) -> C:
        try:
            return criteria(**values)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            raise RequestValidationError(
                [{**detail, "loc": ("query", *detail["loc"])} for detail in details]
            ) from error

    parameters = [_parameter(name, info) for name, info in criteria.model_fields.items()]
    read.__signature__ = Signature(parameters, return_annotation=criteria)  # type: ignore[attr-defined]
    return read


def _parameter(name: str, info: FieldInfo) -> Parameter:
    kind: Any = Annotated
    query = Query(alias=info.alias, description=info.description)
    annotation = kind[(info.annotation, *info.metadata, query)]
    default = Parameter.empty if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
