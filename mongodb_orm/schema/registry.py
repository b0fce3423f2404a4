"""Which model class stands for which collection, so that `$lookup` can translate names."""

from __future__ import annotations

from weakref import WeakValueDictionary

from .kinds import family_of
from .mapped import MappedModel, spec_of

_BY_COLLECTION: WeakValueDictionary[str, type[MappedModel]] = WeakValueDictionary()


def remember(model: type[MappedModel]) -> None:
    """Let later lookups of the model's collection find it; a collection of several kinds stands for all of them."""
    family = family_of(model)
    _BY_COLLECTION[spec_of(model).collection] = model if family is None else family.root


def model_for(collection: str) -> type[MappedModel] | None:
    """Return the model that was registered for a collection last, or None."""
    return _BY_COLLECTION.get(collection)
