"""Which indexes the queries of this process would need: pure, from the shapes that were seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..compiler.keywords import root_shape
from ..compiler.scopes import scope_filter
from ..schema import IndexSpec, ModelSpec, Shape, step
from ..sightings import SeenFilter, Sighting
from .compiling import CompiledIndex, model_path

Served = Literal["whole", "partly", "not"]

_EQUAL = frozenset({"$eq", "$in", "$all"})
_RANGE = frozenset({"$gt", "$gte", "$lt", "$lte"})
_UNHELPED = frozenset({"$text", "$near", "$nearSphere"})  # they have an index, or they fail
_MAX_BRANCHES = 8


@dataclass(frozen=True, slots=True)
class Advice:
    """An index that would serve queries which no index serves now.

    Attributes:
        model: The model's name.
        keys: Pairs of field path, under the model's names, and direction: equality first, then sort, then range.
        reason: Which queries, and what is wrong, in words.
        queries: How many of them were seen.
        seconds: How long they took together until their first results.
    """

    model: str
    keys: tuple[tuple[str, int], ...]
    reason: str
    queries: int
    seconds: float

    @property
    def index(self) -> IndexSpec:
        """The index, to declare it or to pass it to `create`."""
        return IndexSpec(keys=self.keys)

    def __str__(self) -> str:
        return f"{self.model}: index {dict(self.keys)}. {self.reason}"


@dataclass(frozen=True, slots=True)
class QueryShape:
    """What of a query an index can serve, under stored names; all of it must hold."""

    equal: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    sort: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class _Proposal:
    keys: tuple[tuple[str, int], ...]
    shape: QueryShape
    served: Served
    queries: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    seen: set[int] = field(default_factory=set)

    def add(self, sighting: Sighting) -> None:
        if id(sighting) not in self.seen:  # the branches of one $or may need the same index
            self.seen.add(id(sighting))
            self.queries += sighting.count
            self.seconds += sighting.seconds
            self.slowest = max(self.slowest, sighting.slowest)


def advise(
    spec: ModelSpec,
    seen: Mapping[tuple[SeenFilter, Any], Sighting],
    existing: Sequence[CompiledIndex],
    *,
    slow_ms: float,
) -> list[Advice]:
    """Propose indexes, those that would save most first.

    A query needs one when no index finds its documents or gives its order; when one helps in part, only when such
    queries take at least `slow_ms` on average.
    """
    wanted: list[tuple[tuple[tuple[str, int], ...], QueryShape, Served, Sighting]] = []
    for (filter_, sort), sighting in seen.items():
        is_slow = sighting.seconds * 1000 >= slow_ms * sighting.count
        usable = [index for index in existing if _is_usable(spec, index, filter_)]
        for shape in query_shapes(spec, filter_, sort):
            served = best_service(usable, shape)
            if served == "not" or (served == "partly" and is_slow):
                keys = proposed_keys(spec, shape)
                if keys and not any(index.keys == keys for index in usable):
                    wanted.append((keys, shape, served, sighting))
    proposals: list[_Proposal] = []
    for keys, shape, served, sighting in sorted(wanted, key=lambda one: -len(one[0])):
        proposal = next((one for one in proposals if service(CompiledIndex(one.keys, {}), shape) == "whole"), None)
        if proposal is None:
            proposal = _Proposal(keys, shape, served)
            proposals.append(proposal)
        proposal.add(sighting)
    proposals.sort(key=lambda one: -one.seconds)
    return [_advice(spec, proposal) for proposal in proposals]


def query_shapes(spec: ModelSpec, filter_: SeenFilter, sort: Any) -> list[QueryShape]:
    """Return what an index must serve: one shape, or one for each branch of an `$or`."""
    ordered = tuple((path, direction) for path, direction in sort if direction in (1, -1))
    if len(ordered) < len(sort):
        return []
    flag = None if spec.deletion is None else spec.fields[spec.deletion.flag].stored
    shapes: list[QueryShape] = []
    for fields in _conjunctions(filter_):
        if any(operators & _UNHELPED for operators in fields.values()):
            continue
        named = {path: operators for path, operators in fields.items() if path != flag}
        equal = tuple(path for path, operators in named.items() if operators & _EQUAL)
        ranges = tuple(path for path, operators in named.items() if operators & _RANGE and path not in equal)
        if equal or ranges or ordered:
            shapes.append(QueryShape(equal, ranges, ordered))
    return shapes


def best_service(indexes: Sequence[CompiledIndex], shape: QueryShape) -> Served:
    """Return how well the best of the indexes serves a shape."""
    found = {service(index, shape) for index in indexes}
    return "whole" if "whole" in found else "partly" if "partly" in found else "not"


def service(index: CompiledIndex, shape: QueryShape) -> Served:
    """Return how well an index serves a shape: wholly, by finding fewer documents, or not."""
    first, kind = index.keys[0]
    filtered = {*shape.equal, *shape.ranges}
    if first.endswith("$**"):
        covered = any(path.startswith(first[:-3]) for path in filtered)
        return "partly" if covered and not shape.sort else "not"
    if kind == "hashed":
        return (
            ("whole" if (first,) == shape.equal and not shape.ranges else "partly") if first in shape.equal else "not"
        )
    paths = [path for path, _ in index.keys]
    if index.options.get("unique") and set(paths) <= set(shape.equal):
        return "whole"
    position, in_order = _walk(index, shape)
    if not in_order or (first not in filtered and (shape.equal or not position or index.options.get("sparse"))):
        return "not"
    used = set(paths[: position + 1])
    return "whole" if set(shape.equal) <= set(paths[:position]) and used.issuperset(shape.ranges[:1]) else "partly"


def proposed_keys(spec: ModelSpec, shape: QueryShape) -> tuple[tuple[str, int], ...]:
    """Return the keys that serve a shape: equality, then sort, then the first range."""
    keys: dict[str, int] = dict.fromkeys(shape.equal, 1)
    for path, direction in shape.sort:
        keys.setdefault(path, direction)
    for path in shape.ranges[:1]:
        keys.setdefault(path, 1)
    arrays = [path for path in keys if _holds_arrays(spec, path)]
    for path in arrays[1:]:  # MongoDB indexes one list in a compound index
        del keys[path]
    return () if list(keys) == ["_id"] else tuple(keys.items())


def _walk(index: CompiledIndex, shape: QueryShape) -> tuple[int, bool]:
    """Go along the keys of an index as far as the shape fixes them; return how far, and whether its order comes out."""
    equal = set(shape.equal)
    position, turned = 0, 0
    left = [(path, direction) for path, direction in shape.sort if path not in equal]
    while position < len(index.keys):
        path, kind = index.keys[position]
        if kind not in (1, -1):
            break
        if path not in equal:
            if not left or left[0][0] != path or turned == -kind * left[0][1]:
                break
            turned = kind * left.pop(0)[1]
        position += 1
    return position, not left


def _conjunctions(filter_: SeenFilter) -> list[dict[str, frozenset[str]]]:
    """Return the ways in which a filter can hold, each as fields and their operators; none when they are too many."""
    result: list[dict[str, frozenset[str]]] = [{}]
    for part in filter_:
        name: str = part if isinstance(part, str) else part[0]
        operators: tuple[Any, ...] = ("$eq",) if isinstance(part, str) else part[1:]
        if name == "$and":
            for inner in operators:
                result = _both(result, _conjunctions(inner))
        elif name == "$or":
            result = _both(result, [way for inner in operators for way in _conjunctions(inner)])
        elif not name.startswith("$") or name in _UNHELPED:
            result = _both(result, [{name: frozenset((name, *operators))}])
        if len(result) > _MAX_BRANCHES:
            return []
    return result


def _both(
    left: list[dict[str, frozenset[str]]], right: list[dict[str, frozenset[str]]]
) -> list[dict[str, frozenset[str]]]:
    return [
        {path: one.get(path, frozenset()) | other.get(path, frozenset()) for path in dict.fromkeys((*one, *other))}
        for one in left
        for other in right
    ]


def _is_usable(spec: ModelSpec, index: CompiledIndex, filter_: SeenFilter) -> bool:
    options = index.options
    if options.get("hidden") or options.get("collation") or index.is_text:
        return False
    partial = options.get("partialFilterExpression")
    if partial is None:
        return True
    scope = {} if spec.deletion is None else scope_filter(spec, "active")
    return partial == scope and all((path, *value) in filter_ for path, value in scope.items())


def _holds_arrays(spec: ModelSpec, path: str) -> bool:
    shape: Shape | None = root_shape(spec)
    for part in path.split("."):
        if shape is not None and shape.kind == "array":
            return True
        found = None if shape is None else step(shape, part)
        shape = None if found is None else found[1]
    return shape is not None and shape.kind == "array"


def _advice(spec: ModelSpec, proposal: _Proposal) -> Advice:
    keys = tuple((model_path(spec, path), direction) for path, direction in proposal.keys)
    times = "1 query" if proposal.queries == 1 else f"{proposal.queries} queries"
    what = " and ".join(_parts(spec, proposal.shape))
    lacking = "no index finds these" if proposal.served == "not" else "an index serves these only in part"
    average = proposal.seconds * 1000 / proposal.queries
    reason = f"{times} {what}; {lacking} ({average:.1f} ms on average, {proposal.slowest * 1000:.1f} ms at most)."
    return Advice(spec.name, keys, reason, proposal.queries, proposal.seconds)


def _parts(spec: ModelSpec, shape: QueryShape) -> Iterator[str]:
    if shape.equal:
        yield "with " + ", ".join(f"{model_path(spec, path)} =" for path in shape.equal)
    if shape.sort:
        yield "sorted by " + ", ".join(
            ("-" if direction < 0 else "") + model_path(spec, path) for path, direction in shape.sort
        )
    if shape.ranges:
        yield "with a range of " + ", ".join(model_path(spec, path) for path in shape.ranges)
