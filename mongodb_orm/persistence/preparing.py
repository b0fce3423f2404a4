"""Objects on their way to be saved: validated, compared with what is stored, and what is to be sent of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic_core import SchemaValidator

from ..codec import codec_for, codec_of, decode, encode
from ..compiler.filters import compile_filter, merge
from ..compiler.signatures import changed_by
from ..exceptions import InvalidValueError, UnencodableValueError, ValidationError, relocated
from ..expressions import join
from ..hooks import hooks_of
from ..schema import MappedModel, ModelSpec, set_snapshot, spec_of
from ..timestamps import later_than
from ..tracking import PLAIN, SCALARS, Changes
from .changing import Compared, changed_names, compare, stored_id
from .locking import next_version, version_filter
from .validating import validate

D = TypeVar("D", bound=MappedModel)

_ABSENT: Any = object()


class Pending(NamedTuple):
    """The update that would save an object, ready to be sent.

    Attributes:
        filter: Which document it is for: the id, the version where there is one, and conditions.
        update: MongoDB's operators.
        raw: The whole object as it will be, as BSON.
        before: The fields that saving itself sets or validation changed, as they were.
        is_conditional: Whether the caller added conditions.
    """

    filter: dict[str, Any]
    update: dict[str, Any]
    raw: bytes
    before: Mapping[str, Any]
    is_conditional: bool = False


async def prepare(
    document: MappedModel, *, force: bool = False, if_match: Mapping[str, Any] | None = None
) -> Pending | None:
    """Return the update that saves a stored object, or None when there is nothing to save.

    The changed fields are validated, and `updated_at` and the version are set in the object: follow it by `accept`
    when the update was done, by `take_back` when it was not.

    Args:
        document: The object.
        force: Whether every loaded field is sent, changed or not.
        if_match: Keyword lookups that the stored document must fulfil.

    Raises:
        ValidationError: When a changed value does not fit its field.
        InvalidValueError: When a field that is frozen changed.
        QueryError: When `if_match` makes no sense.
    """
    spec = spec_of(type(document))
    conditions = [] if if_match is None else [compile_filter(spec, join(**_lookups(spec, if_match))).filter]
    checked = check(document, force=force)
    if checked is None:
        return None
    is_watched = bool(hooks_of(type(document)))
    if is_watched:
        try:
            await validate((document,), (frozenset(checked.names),))
        except BaseException:
            unadopt(document, checked)
            raise
    return finish(document, checked, is_outdated=is_watched, force=force, conditions=conditions)


class Checked(NamedTuple):
    """A stored object whose changed fields were validated.

    Attributes:
        compared: How it differs from its document.
        names: In which fields.
        adopted: Values as the caller made them, where validation made others of them.
    """

    compared: Compared
    names: Sequence[str]
    adopted: Mapping[str, Any]


def check(document: MappedModel, *, force: bool = False) -> Checked | None:
    """Validate what changed in a stored object; None when there is nothing to save.

    Raises:
        ValidationError: When a changed value does not fit its field.
        InvalidValueError: When a field that is frozen changed.
    """
    spec = spec_of(type(document))
    adopted: dict[str, Any] = {}
    try:
        compared = _compared(document, adopted)
        if not compared.changes and not force:
            return None
        names = changed_names(spec, compared.changes)
        _refuse_frozen(spec, names)
        _revalidate_changed(document, names, adopted)
        _revalidate_nested(document, names, adopted)
        _revalidate_extra(document, compared.changes, adopted)
        if adopted:
            compared = compare(document)
            if not compared.changes and not force:
                return None
            names = changed_names(spec, compared.changes)
    except BaseException:
        _restore(document, adopted)
        raise
    return Checked(compared, names, adopted)


def unadopt(document: MappedModel, checked: Checked) -> None:
    """Give an object that will not be sent the values that its caller made."""
    _restore(document, checked.adopted)


def finish(
    document: MappedModel,
    checked: Checked,
    *,
    is_outdated: bool = False,
    force: bool = False,
    conditions: Sequence[dict[str, Any]] = (),
) -> Pending:
    """Return the update of an object that was checked; see `prepare`.

    Args:
        document: The object.
        checked: What `check` returned.
        is_outdated: Whether validators and hooks ran since, which may have changed the object.
        force: Whether every loaded field is sent, changed or not.
        conditions: Further filters.
    """
    model, spec = type(document), spec_of(type(document))
    values, before = vars(document), dict(checked.adopted)
    try:
        compared = compare(document) if is_outdated else checked.compared
        stored, changes = compared.old, compared.changes
        settled = codec_of(model).settled
        # Pydantic takes an Enum of texts for an int, and makes a text of it: only what fitted as it was can be trusted.
        is_settled = not (is_outdated or before) and all(spec.names.get(path) in settled for path in changes.paths())
        signed = changed_by(spec)
        managed = {"updated_at": later_than(values.get("updated_at")), **next_version(spec, stored), **signed}
        before = {**{name: values.get(name, _ABSENT) for name in managed}, **before}
        values.update(managed)
        document.__pydantic_fields_set__.update(managed)
        written = {spec.fields[name].stored: value for name, value in managed.items()}
        if signed:
            changes.drop(spec.fields[name].stored for name in signed)
        changes.set.update(written)
        raw = encode({**compared.new, **written}, model=spec.name)
        if signed or not is_settled:
            codec_for(document).check(raw)
        update = _everything(raw) if force else changes.operators()
    except BaseException:
        _restore(document, before)
        raise
    id_ = stored["_id"]
    filter_ = {"_id": id_ if type(id_) in SCALARS else stored_id(document), **version_filter(spec, stored)}
    return Pending(merge([filter_, *conditions]) if conditions else filter_, update, raw, before, bool(conditions))


def _compared(document: MappedModel, adopted: dict[str, Any]) -> Compared:
    """Compare an object with its document; what was assigned in another form than its field's is validated first."""
    try:
        return compare(document)
    except UnencodableValueError:
        fields = type(document).__pydantic_fields__
        names = [name for name in vars(document) if name in fields and not fields[name].frozen]
        _revalidate_changed(document, names, adopted)
        return compare(document)


def accept(document: MappedModel, pending: Pending) -> None:
    """Let an object be what was saved."""
    set_snapshot(document, pending.raw)


def take_back(document: MappedModel, pending: Pending) -> None:
    """Give an object that was not saved the `updated_at` and version that it had, the actor, and the values."""
    _restore(document, pending.before)


def _restore(document: MappedModel, before: Mapping[str, Any]) -> None:
    extra = document.__pydantic_extra__ or {}
    for name, value in before.items():
        if name in extra:
            extra[name] = value
        elif value is _ABSENT:
            vars(document).pop(name, None)
            document.__pydantic_fields_set__.discard(name)
        else:
            vars(document)[name] = value


def revalidate(document: MappedModel) -> None:
    """Validate an object that may have been changed since it was made, and adopt what validation makes of it.

    Raises:
        ValidationError: When a value does not fit.
    """
    spec = spec_of(type(document))
    values = {name: value for name, value in vars(document).items() if name != spec.id_field or value is not None}
    checked = type(document).model_validate({**values, **(document.__pydantic_extra__ or {})}, by_name=True)
    vars(checked)[spec.id_field] = vars(document)[spec.id_field]
    given = set(document.__pydantic_fields_set__)
    object.__setattr__(document, "__dict__", vars(checked))
    object.__setattr__(document, "__pydantic_extra__", checked.__pydantic_extra__)
    object.__setattr__(document, "__pydantic_fields_set__", given)
    _revalidate_nested(document, list(spec.fields), {})


def build(model: type[D], values: Mapping[str, Any]) -> D:
    """Return a new object; nested objects that come as such may have been changed since they were made.

    Raises:
        ValidationError: When a value does not fit.
    """
    document = model(**values)
    for key in codec_of(model).nesting_keys:
        if not _is_data(values.get(key)):
            revalidate(document)
            break
    return document


def _is_data(value: Any) -> bool:
    """Return whether a value is plain data, which Pydantic validates to its depth."""
    kind = type(value)
    if kind is dict:
        return all(map(_is_data, value.values()))
    return all(map(_is_data, value)) if kind is list else kind in PLAIN


def revalidate_all(documents: Iterable[tuple[int, MappedModel]]) -> None:
    """Validate objects that come with the positions by which errors name them; see `revalidate`.

    Raises:
        ValidationError: With every complaint; locations begin with the position.
    """
    errors: list[tuple[tuple[int | str, ...], ValidationError]] = []
    for index, document in documents:
        try:
            revalidate(document)
        except ValidationError as error:
            errors.append(((index,), error))
    if errors:
        raise relocated(errors[0][1].title, errors)


def _lookups(spec: ModelSpec, if_match: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(if_match, Mapping) or not all(isinstance(name, str) for name in if_match):
        raise InvalidValueError(
            'if_match is a mapping of lookups, such as {"status": "open"}.', model=spec.name, value=if_match
        )
    return dict(if_match)


def _refuse_frozen(spec: ModelSpec, names: Sequence[str]) -> None:
    for name in names:
        if spec.model.__pydantic_fields__[name].frozen:
            raise InvalidValueError(
                f"{spec.name}.{name} is frozen: it never changes once the document is stored.",
                model=spec.name,
                field=name,
            )


def _everything(raw: bytes) -> dict[str, Any]:
    return {"$set": {name: value for name, value in decode(raw).items() if name != "_id"}}


def _revalidate_changed(document: MappedModel, names: Sequence[str], adopted: dict[str, Any]) -> None:
    """Validate the fields that changed, as an assignment would, and adopt what that makes of the object.

    The check runs on a copy; what the object's values were before goes to `adopted`.
    """
    settled = codec_of(type(document)).settled
    for name in names:
        values = vars(document)
        if name in settled and _fits(settled[name], values[name]):
            continue
        draft = _draft(document)
        type(document).__pydantic_validator__.validate_assignment(draft, name, values[name])
        made = {key: value for key, value in vars(draft).items() if value is not values.get(key, _ABSENT)}
        for key in [key for key in made if key in values and _is_same(made[key], values[key])]:
            del made[key]
        for key, value in made.items():
            adopted.setdefault(key, values.get(key, _ABSENT))
            values[key] = value


def _revalidate_nested(document: MappedModel, names: Sequence[str], adopted: dict[str, Any]) -> None:
    """Do the same for what changed inside nested objects, which Pydantic takes as they are: adopt what is read of them.

    An object that is read as it is stays the caller's own.
    """
    codec, spec = codec_of(type(document)), spec_of(type(document))
    nested = [name for name in names if name in codec.nesting]
    if not nested:
        return
    stored = [spec.fields[name].stored for name in nested]
    sent = codec.dump_value(document)
    read = codec_for(document).check(encode(sent, model=spec.name))
    made = codec.dump_value(read)
    for name, key in zip(nested, stored, strict=True):
        if encode({key: made[key]}, model=spec.name) != encode({key: sent[key]}, model=spec.name):
            adopted.setdefault(name, vars(document)[name])
            vars(document)[name] = vars(read)[name]


def _revalidate_extra(document: MappedModel, changes: Changes, adopted: dict[str, Any]) -> None:
    """Do the same for values that changed and are no fields, where the model allows those."""
    values = document.__pydantic_extra__ or {}
    for name in {path.partition(".")[0] for path in changes.paths()} & values.keys():
        draft = _draft(document)
        type(document).__pydantic_validator__.validate_assignment(draft, name, values[name])
        made = (draft.__pydantic_extra__ or {}).get(name)
        if made is not values[name] and not _is_same(made, values[name]):
            adopted.setdefault(name, values[name])
            values[name] = made


def _fits(validator: SchemaValidator, value: Any) -> bool:
    """Return whether a value is valid as it is; who asks finds out the rest, and tells what is wrong."""
    try:
        return _is_same(validator.validate_python(value), value)
    except ValidationError:
        return False


def _is_same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and type(left) in SCALARS and bool(left == right)


def _draft(document: D) -> D:
    """Return what is enough of a copy to validate an assignment on: `copy.copy` takes four times as long."""
    draft = object.__new__(type(document))
    object.__setattr__(draft, "__dict__", dict(vars(document)))
    object.__setattr__(draft, "__pydantic_fields_set__", set(document.__pydantic_fields_set__))
    extra = document.__pydantic_extra__
    object.__setattr__(draft, "__pydantic_extra__", extra if extra is None else dict(extra))
    object.__setattr__(draft, "__pydantic_private__", document.__pydantic_private__)
    return draft
