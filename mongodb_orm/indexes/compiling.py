"""Index declarations, translated to what `createIndexes` takes, and back to the model's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..codec import decode, encode
from ..compiler.filters import merge, rename_filter
from ..compiler.keywords import root_shape
from ..compiler.names import Scope
from ..compiler.scopes import kind_filter, names_deletion, scope_filter
from ..exceptions import ConfigurationError, InvalidValueError
from ..schema import IndexSpec, ModelSpec, Shape, fields_of, resolve, spec_of, step
from ..types import Document

_OPTIONS = {
    "unique": "unique",
    "sparse": "sparse",
    "partial_filter_expression": "partialFilterExpression",
    "expire_after_seconds": "expireAfterSeconds",
    "text_weights": "weights",
    "default_language": "default_language",
    "language_override": "language_override",
    "wildcard_projection": "wildcardProjection",
    "collation": "collation",
    "hidden": "hidden",
}
"""MongoDB's name of every option."""

_ALL = "$**"


class CompiledIndex(NamedTuple):
    """An index under stored names.

    Attributes:
        keys: Pairs of stored path and kind; a text index has one for each of its fields.
        options: The server's options, the name among them.
        is_named: Whether somebody chose the name.
    """

    keys: tuple[tuple[str, Any], ...]
    options: dict[str, Any]
    is_named: bool = False

    @property
    def name(self) -> str:
        """The index's name."""
        return str(self.options["name"])

    @property
    def is_text(self) -> bool:
        """Whether it is a text index."""
        return any(kind == "text" for _, kind in self.keys)


def compile_index(spec: ModelSpec, index: IndexSpec) -> CompiledIndex:
    """Translate an index.

    Raises:
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When options contradict each other.
        ConfigurationError: When it ignores deleted documents of a model that has none.
    """
    keys = tuple((stored_path(spec, field), direction) for field, direction in index.keys)
    if len({field for field, _ in keys}) < len(keys):
        raise InvalidValueError("An index names each field once.", model=spec.name, value=index.keys)
    given = {theirs: getattr(index, ours) for ours, theirs in _OPTIONS.items()} | dict(index.options or {})
    options = {name: value for name, value in given.items() if value is not None and value is not False}
    _check(spec, keys, options)
    for name, translate in _TRANSLATED.items():
        if name in options:
            options[name] = translate(spec, options[name])
    hidden = [_deleted_ones(spec, index, options), _other_kinds(spec, index, options)]
    _leave_out(hidden, keys, options)
    options["name"] = options.get("name") or index.name or _made_name(spec, keys, bool(hidden[1]))
    compiled = decode(encode(options, model=spec.name))  # what the server will give back
    return CompiledIndex(keys, compiled, index.name is not None)


def compiled_from(document: Mapping[str, Any]) -> CompiledIndex:
    """Return a server's definition of an index as one that could be created."""
    keys: list[tuple[str, Any]] = []
    for field, kind in document["key"].items():
        if field == "_fts":
            keys += [(weighted, "text") for weighted in document["weights"]]
        elif field != "_ftsx":
            keys.append((field, int(kind) if isinstance(kind, float) else kind))
    return CompiledIndex(
        tuple(keys), {key: value for key, value in document.items() if key not in ("v", "key", "ns", "background")}
    )


def stored_path(spec: ModelSpec, field: str) -> str:
    """Translate the path of an index key.

    Raises:
        UnknownFieldError: When it leads nowhere.
    """
    if field == _ALL:
        return field
    if field.endswith(f".{_ALL}"):
        return f"{stored_path(spec, field[: -len(_ALL) - 1])}.{_ALL}"
    path = (field,) if field in spec.fields else tuple(field.replace("__", ".").split("."))
    return resolve(spec, path).stored


def model_path(spec: ModelSpec, stored: str) -> str:
    """Translate a stored path back, as far as it is known."""
    names: list[str] = []
    shape: Shape | None = root_shape(spec)
    for part in stored.split("."):
        found = None if shape is None else step(shape, part)
        names.append(part if found is None or shape is None else _member_name(shape, part))
        shape = None if found is None else found[1]
    return ".".join(names)


def _member_name(shape: Shape, part: str) -> str:
    if shape.model is not None:
        return next((field.name for field in fields_of(shape.model).values() if field.stored == part), part)
    inner = shape.element if shape.kind == "array" else None
    for member in (inner,) if inner is not None and not part.isdigit() else shape.members:
        if step(member, part) is not None:
            return _member_name(member, part)
    return part


def _check(spec: ModelSpec, keys: tuple[tuple[str, Any], ...], options: Document) -> None:
    if "expireAfterSeconds" in options and len(keys) > 1:
        raise InvalidValueError("Only an index of one field can expire documents.", model=spec.name)
    is_text = any(kind == "text" for _, kind in keys)
    if not is_text and options.keys() & {"weights", "default_language", "language_override"}:
        raise InvalidValueError(
            "Weights and languages belong to a text index.", hint='Use index_type="text".', model=spec.name
        )
    if "wildcardProjection" in options and (_ALL, 1) not in keys:
        raise InvalidValueError('wildcard_projection belongs to an index on "$**".', model=spec.name)


def _filter(spec: ModelSpec, value: Any) -> Document:
    return rename_filter(Scope(root_shape(spec)), value, model=spec.name)


def _paths(spec: ModelSpec, value: Mapping[str, Any]) -> Document:
    return {stored_path(spec, field): inner for field, inner in value.items()}


def _language_field(spec: ModelSpec, value: Any) -> Any:
    # It may be a field of embedded documents only, so a name that the model does not have is no error.
    return spec.fields[value].stored if value in spec.fields else value


def _collation(spec: ModelSpec, value: Any) -> Any:
    return getattr(value, "document", value)  # PyMongo's own Collation


_TRANSLATED: dict[str, Callable[[ModelSpec, Any], Any]] = {
    "partialFilterExpression": _filter,
    "weights": _paths,
    "wildcardProjection": _paths,
    "language_override": _language_field,
    "collation": _collation,
}


def _deleted_ones(spec: ModelSpec, index: IndexSpec, options: Document) -> Document:
    """Return the filter that leaves deleted documents out of an index, empty when they stay in."""
    if index.ignore_deleted is None:
        wanted = bool(options.get("unique")) and spec.deletion is not None
        if not wanted or names_deletion(spec, frozenset(options.get("partialFilterExpression", {}))):
            return {}
    elif not index.ignore_deleted:
        return {}
    elif spec.deletion is None:
        raise ConfigurationError(
            f"An index of {spec.name} cannot ignore deleted documents: the model does not delete softly.",
            hint="Derive it from SoftDeleteMixin too.",
            model=spec.name,
        )
    return scope_filter(spec, "active")


def _other_kinds(spec: ModelSpec, index: IndexSpec, options: Document) -> Document:
    """Return the filter that leaves other classes out of a unique index: they lack its field, and null comes once."""
    if spec.family is None or not options.get("unique"):
        return {}
    lineage = [each for each in reversed(spec.model.__mro__) if each in spec.family.members.values()]
    declaring = next((each for each in lineage if index in spec_of(each).indexes), spec.model)
    return kind_filter(spec_of(declaring))


def _leave_out(hidden: list[Document], keys: tuple[tuple[str, Any], ...], options: Document) -> None:
    """Restrict an index to the documents that reads see.

    The restriction is the very filter of reads, so that the planner finds that the index serves them.
    """
    if not any(hidden):
        return
    parts = [options.get("partialFilterExpression", {}), *hidden]
    if options.pop("sparse", False):  # MongoDB does not take both, and can say the same in the filter
        present: list[Document] = [{field: {"$exists": True}} for field, _ in keys]
        parts.insert(1, present[0] if len(present) == 1 else {"$or": present})
    options["partialFilterExpression"] = merge(parts)


def _made_name(spec: ModelSpec, keys: tuple[tuple[str, Any], ...], is_of_kind: bool) -> str:
    name = "_".join(f"{field}_{kind}" for field, kind in keys)
    return f"{name}_{spec.kind}" if is_of_kind else name
