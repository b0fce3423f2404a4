"""Factories of made-up documents, through Polyfactory; the extra `testing`."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pydantic
from polyfactory.factories.pydantic_factory import ModelFactory
from polyfactory.field_meta import FieldMeta

from ..ids import AssignedId
from ..model import BaseModel
from ..schema import spec_of

M = TypeVar("M", bound=BaseModel)

_MANAGED = frozenset({"created_at", "updated_at"})


class DocumentFactory(ModelFactory[M], Generic[M]):
    """Makes documents with random values that fit; attributes of a subclass fix some of them.

    Ids, timestamps and marks of soft deletion are left to the model.

    Example:
        >>> class UserFactory(DocumentFactory[User]):
        ...     city = "Oslo"
        >>> user = UserFactory.build()                  # not stored
        >>> user = await UserFactory.create(age=18)     # stored
        >>> users = await UserFactory.create_batch(5)
    """

    __is_base_factory__ = True

    @classmethod
    def should_set_field_value(cls, field_meta: FieldMeta, **kwargs: Any) -> bool:
        """Leave to the model what the model manages."""
        return field_meta.name not in _managed(cls.__model__) and super().should_set_field_value(field_meta, **kwargs)

    @classmethod
    async def create(cls, **values: Any) -> M:
        """Make a document and store it.

        Args:
            values: Values of your own.
        """
        return await cls.build(**values).save()

    @classmethod
    async def create_batch(cls, size: int, **values: Any) -> list[M]:
        """Make several documents and store them at once.

        Args:
            size: How many.
            values: Values of your own for all of them.
        """
        return await cls.__model__.bulk_create(cls.batch(size, **values))


def _managed(model: type[pydantic.BaseModel]) -> frozenset[str]:
    if not issubclass(model, BaseModel):  # a nested model
        return frozenset()
    spec = spec_of(model)
    names = set(_MANAGED)
    if not isinstance(spec.id_strategy, AssignedId):
        names.add(spec.id_field)
    if spec.deletion is not None:
        names |= {spec.deletion.flag, spec.deletion.moment}
    return frozenset(names)
