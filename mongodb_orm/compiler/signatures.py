"""Who acts at present, as the fields of a model take it."""

from __future__ import annotations

from typing import Any

from ..actors import current_actor
from ..schema import ModelSpec, resolve
from .casting import Place
from .fitting import fitted


def made_by(spec: ModelSpec) -> dict[str, Any]:
    """Return what a new document says of who makes it, by field; nothing where nobody acts, or the model does not ask.

    Raises:
        ValidationError: When the actor does not fit the field.
    """
    return {} if spec.signing is None else _signed(spec, (spec.signing.creator, spec.signing.updater))


def changed_by(spec: ModelSpec) -> dict[str, Any]:
    """Return what a document says of who changes it; see `made_by`."""
    return {} if spec.signing is None else _signed(spec, (spec.signing.updater,))


def _signed(spec: ModelSpec, names: tuple[str, ...]) -> dict[str, Any]:
    who = current_actor()
    if who is None:
        return {}
    return {name: fitted(spec, resolve(spec, (name,)), name, who, Place(spec.name, name)) for name in names}
