"""What differs between the declared indexes and those of the server, as a value that reads as words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..exceptions import ConfigurationError
from ..schema import ModelSpec, spec_of
from ..types import Document
from .comparing import are_rivals, differences
from .compiling import CompiledIndex, compile_index, compiled_from, model_path

_KINDS = {1: "ascending", -1: "descending"}
_HIDDEN_FROM_WORDS = frozenset({"name", "textIndexVersion", "2dsphereIndexVersion", "weights"})


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index, declared or found on the server.

    Attributes:
        name: Its name.
        keys: Pairs of field path, under the model's names, and direction or kind.
        options: Its options, under MongoDB's names and with stored field names.
    """

    name: str
    keys: tuple[tuple[str, Any], ...]
    options: Mapping[str, Any]
    stored: CompiledIndex = field(repr=False, compare=False)

    def __str__(self) -> str:
        weights = self.stored.options.get("weights", {})
        keys = [
            f"{path} {_KINDS.get(kind, kind)}" + (f" x{weights[key]}" if weights.get(key, 1) != 1 else "")
            for (path, kind), (key, _) in zip(self.keys, self.stored.keys, strict=True)
        ]
        options = [_words(name, value) for name, value in self.options.items() if name not in _HIDDEN_FROM_WORDS]
        return f"{self.name} on {', '.join(keys)}" + (f" ({', '.join(options)})" if options else "")


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """An index that is declared in one way and stored in another.

    Attributes:
        declared: As the model wants it.
        existing: As the server has it.
        options: What differs, as pairs of what exists and what is declared; `"keys"` and `"name"` count as options.
        needs_rebuild: Whether it must be dropped and built again. Expiry, visibility and becoming unique do not need
            that.
    """

    declared: IndexInfo
    existing: IndexInfo
    options: Mapping[str, tuple[Any, Any]]
    needs_rebuild: bool

    @property
    def name(self) -> str:
        """The name that the index has on the server."""
        return self.existing.name

    def __str__(self) -> str:
        what = "; ".join(f"{name} is {old!r}, declared {new!r}" for name, (old, new) in self.options.items())
        return f"{self.name}: {what}"


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """How the indexes of a collection differ from what its model declares; true when they do.

    Attributes:
        model: The model's name.
        collection: The collection's name.
        missing: Declared, and not on the server.
        changed: Declared in another way than the server has them.
        extra: On the server, and not declared.
        unchanged: On the server as declared.

    Example:
        >>> print(await User.indexes.plan())
    """

    model: str
    collection: str
    missing: tuple[IndexInfo, ...] = ()
    changed: tuple[IndexDifference, ...] = ()
    extra: tuple[IndexInfo, ...] = ()
    unchanged: tuple[IndexInfo, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.extra)

    def __str__(self) -> str:
        lines = [f"+ build {index}" for index in self.missing]
        lines += [f"~ {'rebuild' if index.needs_rebuild else 'change'} {index}" for index in self.changed]
        lines += [f"- not declared: {index}" for index in self.extra]
        lines += [f"= as declared: {index.name}" for index in self.unchanged]
        return "\n".join([f"Indexes of {self.model} ({self.collection}):", *(lines or ["nothing declared"])])


def plan_indexes(spec: ModelSpec, existing: Sequence[Document]) -> IndexPlan:
    """Compare a model's declarations with a server's answer to `listIndexes`.

    Raises:
        ConfigurationError: When two declarations cannot both be built.
        QueryError: When a declaration makes no sense for the model.
    """
    left = [compiled_from(document) for document in existing if document["name"] != "_id_"]
    open_ = declared_indexes(spec)
    pairs: dict[str, CompiledIndex] = {}
    for fits in _FITS:
        for wanted in open_:
            found = next((index for index in left if fits(wanted, index)), None)
            if found is not None and wanted.name not in pairs:
                pairs[wanted.name] = found
                left.remove(found)
    unchanged, changed = [], []
    for wanted in open_:
        found = pairs.get(wanted.name)
        options = {} if found is None else differences(wanted, found)
        if found is not None and options:
            changed.append(
                IndexDifference(info(spec, wanted), info(spec, found), options, not _can_stay(options, wanted))
            )
        elif found is not None:
            unchanged.append(info(spec, found))
    return IndexPlan(
        spec.name,
        spec.collection,
        tuple(info(spec, wanted) for wanted in open_ if wanted.name not in pairs),
        tuple(changed),
        tuple(info(spec, index) for index in left),
        tuple(unchanged),
    )


def declared_indexes(spec: ModelSpec) -> list[CompiledIndex]:
    """Return what a model, and any other class of its collection, declares; each index once.

    Raises:
        ConfigurationError: When two declarations cannot both be built.
    """
    result: list[CompiledIndex] = []
    members = [spec_of(member) for member in spec.family.members.values()] if spec.family else [spec]
    for wanted in (compile_index(member, index) for member in members for index in member.indexes):
        rival = next((index for index in result if are_rivals(wanted, index)), None)
        if rival is None:
            result.append(wanted)
        elif differences(wanted, rival):
            raise ConfigurationError(
                f"{spec.name} declares the indexes {rival.name!r} and {wanted.name!r}, which MongoDB cannot both have.",
                hint="A collection has one text index." if wanted.is_text else "Declare one, or name them differently.",
                model=spec.name,
                index=wanted.name,
            )
    return result


def info(spec: ModelSpec, index: CompiledIndex) -> IndexInfo:
    """Return an index under the model's names."""
    keys = tuple((model_path(spec, path), kind) for path, kind in index.keys)
    options = {name: value for name, value in index.options.items() if name != "name"}
    return IndexInfo(index.name, keys, options, index)


_FITS: tuple[Callable[[CompiledIndex, CompiledIndex], bool], ...] = (
    lambda wanted, existing: not differences(wanted, existing),
    lambda wanted, existing: wanted.name == existing.name,
    are_rivals,
)
"""Which index of the server a declaration is about: the same before a namesake before one that is in its way."""


def _can_stay(options: Mapping[str, tuple[Any, Any]], wanted: CompiledIndex) -> bool:
    return (
        options.keys() <= {"hidden", "expireAfterSeconds", "unique"}
        and ("expireAfterSeconds" not in options or "expireAfterSeconds" in wanted.options)
        and ("unique" not in options or bool(wanted.options.get("unique")))
    )


def _words(name: str, value: Any) -> str:
    if value is True:
        return name
    if name == "expireAfterSeconds":
        return f"expires after {value} s"
    if name == "partialFilterExpression":
        return f"only where {value!r}"
    if name == "collation":
        return f"collation {value.get('locale')}"
    return f"{name} {value!r}"
