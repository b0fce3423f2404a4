"""Index declarations, compiled and compared with what a server has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..compiler.agg_expressions import Scope
from ..compiler.filters import rename_filter, root_shape
from ..exceptions import InvalidValueError
from ..schema import IndexSpec, ModelSpec, resolve
from ..types import Document

_COMPARED = (
    "unique",
    "sparse",
    "expireAfterSeconds",
    "partialFilterExpression",
    "weights",
    "default_language",
    "collation",
    "hidden",
    "wildcardProjection",
)
_DEFAULTS = {"unique": False, "sparse": False, "hidden": False, "default_language": "english"}


class CompiledIndex(NamedTuple):
    """An index under stored names: keys and the server's options, its name among them."""

    keys: tuple[tuple[str, Any], ...]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """The index's name."""
        return str(self.options["name"])


def compile_index(spec: ModelSpec, index: IndexSpec) -> CompiledIndex:
    """Translate an index.

    Raises:
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When options contradict each other.
    """
    keys = tuple((_stored(spec, field), direction) for field, direction in index.keys)
    if len({field for field, _ in keys}) < len(keys):
        raise InvalidValueError("An index names each field once.", model=spec.name, value=index.keys)
    options: dict[str, Any] = {"name": index.name or "_".join(f"{field}_{kind}" for field, kind in keys)}
    if index.unique:
        options["unique"] = True
    if index.sparse:
        options["sparse"] = True
    if index.partial_filter_expression is not None:
        options["partialFilterExpression"] = rename_filter(
            Scope(root_shape(spec)), index.partial_filter_expression, model=spec.name
        )
    if index.expire_after_seconds is not None:
        if len(keys) > 1:
            raise InvalidValueError("Only an index of one field can expire documents.", model=spec.name)
        options["expireAfterSeconds"] = index.expire_after_seconds
    if index.text_weights is not None:
        if not any(kind == "text" for _, kind in keys):
            raise InvalidValueError("Weights belong to a text index.", hint='Use index_type="text".', model=spec.name)
        options["weights"] = {_stored(spec, field): weight for field, weight in index.text_weights.items()}
    options.update(index.options or {})
    return CompiledIndex(keys, options)


def _stored(spec: ModelSpec, field: str) -> str:
    if field.endswith("$**"):
        return field
    return resolve(spec, (field,) if field in spec.fields else tuple(field.replace("__", ".").split("."))).stored


def find_existing(wanted: CompiledIndex, existing: Sequence[Document]) -> Document | None:
    """Return the server's index with the same name or the same keys, if any."""
    by_name = next((index for index in existing if index["name"] == wanted.name), None)
    return by_name or next((index for index in existing if _same_keys(wanted, index)), None)


def is_same(wanted: CompiledIndex, existing: Mapping[str, Any]) -> bool:
    """Return whether the server's index is the wanted one, apart from its name."""
    return _same_keys(wanted, existing) and all(
        _option(wanted.options, name, wanted) == _option(existing, name, wanted) for name in _COMPARED
    )


def _same_keys(wanted: CompiledIndex, existing: Mapping[str, Any]) -> bool:
    if _is_text(wanted):
        plain = [(field, kind) for field, kind in wanted.keys if kind != "text"]
        stored = [(field, kind) for field, kind in existing["key"].items() if field not in ("_fts", "_ftsx")]
        return "weights" in existing and plain == stored and _text_fields(wanted) == set(existing["weights"])
    return list(wanted.keys) == [
        (field, int(kind) if isinstance(kind, float) else kind) for field, kind in existing["key"].items()
    ]


def _is_text(index: CompiledIndex) -> bool:
    return any(kind == "text" for _, kind in index.keys)


def _text_fields(index: CompiledIndex) -> set[str]:
    return {field for field, kind in index.keys if kind == "text"} | set(index.options.get("weights", ()))


def _option(options: Mapping[str, Any], name: str, wanted: CompiledIndex) -> Any:
    if name == "weights" and _is_text(wanted):
        return {**dict.fromkeys(_text_fields(wanted), 1), **options.get("weights", {})}
    value = options.get(name, _DEFAULTS.get(name))
    if name == "default_language" and not _is_text(wanted):
        return None
    if name == "collation" and isinstance(value, Mapping):
        return value.get("locale")
    return value
