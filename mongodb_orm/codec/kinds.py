"""Reading documents of several classes: each is validated by the class that its kind names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..exceptions import CorruptDocumentError
from ..schema import MappedModel, ModelSpec, family_of, fields_of, spec_of
from .schemas import Only, load_validator, patient_load_validator

Validate = Callable[[Any], Any]


def loader(model: type[MappedModel], only: Only = None) -> tuple[Validate, bool]:
    """Return what makes objects of decoded documents, and whether it wants them as `PLAIN_OPTIONS` decode them."""
    validator, is_plain = load_validator(model, only)
    members = _subclasses(model)
    if not members:
        return validator.validate_python, is_plain
    loaders = {kind: load_validator(member, only) for kind, member in members.items()}
    if not (is_plain and all(plain for _, plain in loaders.values())):
        return patient_loader(model, only), False
    fast = {kind: each.validate_python for kind, (each, _) in loaders.items()}
    return _by_kind(model, validator.validate_python, fast), True


def patient_loader(model: type[MappedModel], only: Only = None) -> Validate:
    """Return what makes objects of documents that `CODEC_OPTIONS` decode, which works for every model."""
    own = patient_load_validator(model, only).validate_python
    members = _subclasses(model)
    if not members:
        return own
    return _by_kind(
        model, own, {kind: patient_load_validator(member, only).validate_python for kind, member in members.items()}
    )


def _subclasses(model: type[MappedModel]) -> Mapping[str, type[MappedModel]]:
    family = family_of(model)
    if family is None:
        return {}
    return {kind: member for kind, member in family.below(model).items() if member is not model}


def _by_kind(model: type[MappedModel], own: Validate, validators: Mapping[str, Validate]) -> Validate:
    """Return the validator that looks at the kind; a document without one is of the class that was asked for."""
    stored = fields_of(model)[model.__mongo_kind_field__].stored
    known: dict[Any, Validate] = {**validators, model.__mongo_kind__: own, None: own}

    def validate(values: Any) -> Any:
        kind = values.get(stored)
        try:
            chosen = known[kind]
        except (KeyError, TypeError):
            raise _unknown(spec_of(model), kind, values.get("_id"), known) from None
        return chosen(values)

    return validate


def _unknown(spec: ModelSpec, kind: Any, id_: Any, known: Mapping[Any, Any]) -> CorruptDocumentError:
    kinds = ", ".join(sorted(name for name in known if name is not None))
    return CorruptDocumentError(
        f"The stored {spec.name} with id {id_!r} is of the kind {kind!r}, which no class stands for.",
        hint=f"Import the module that defines it, or repair the document. Known kinds: {kinds}.",
        model=spec.name,
        id=id_,
    )
