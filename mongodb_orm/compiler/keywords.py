"""Keywords such as `address__city__icontains`, taken apart into a field and a lookup."""

from __future__ import annotations

from collections.abc import Callable

from ..exceptions import UnknownFieldError, UnknownLookupError
from ..schema import ModelSpec, Resolved, Shape, fields_of, member_names, step
from .lookups import fits
from .operators import LOOKUPS, lookup_named

_COMPOUND = ("elem_match", "not")


def root_shape(spec: ModelSpec) -> Shape:
    """Return the shape of whole documents of a model."""
    return spec.documents


def lookups_for(shape: Shape) -> list[str]:
    """Return the names of the lookups that make sense for a shape."""
    names = [name for name, lookup in LOOKUPS.items() if lookup.applies_to(shape)]
    return [*names, "not", *(["elem_match"] if fits("list", shape) else [])]


def split_keyword(spec: ModelSpec, name: str) -> tuple[Resolved, str]:
    """Take a keyword apart into the field that it names and the lookup.

    Raises:
        UnknownFieldError: When it names no field.
        UnknownLookupError: When what follows the field is no lookup.
    """
    found: tuple[Resolved, str] | None = spec.keywords.get(name)
    if found is None:
        found = split(spec.name, root_shape(spec), name)
        if len(spec.keywords) < 10_000:
            spec.keywords[name] = found
    return found


def split_path(spec: ModelSpec, keyword: str, ends: Callable[[Shape, str], bool]) -> tuple[Resolved, list[str]]:
    """Return where a keyword leads and the parts that are no members any more.

    Args:
        spec: The model's mapping.
        keyword: Names with `__` between them.
        ends: Whether the last part is no key of a dict, which could have any.
    """
    return _walk(root_shape(spec), keyword, ends)


def _walk(shape: Shape, name: str, ends: Callable[[Shape, str], bool]) -> tuple[Resolved, list[str]]:
    parts = name.split("__")
    steps: list[tuple[str, Shape]] = []
    position = 0
    while position < len(parts):
        may_end = position == len(parts) - 1 or parts[position] == "not"
        if steps and may_end and _takes_any_key(shape) and ends(shape, "__".join(parts[position:])):
            break
        width, found = _longest_member(shape, parts[position:])
        if found is None:
            break
        steps.append((found[0], shape))
        shape = found[1]
        position += width
    return Resolved(".".join(stored for stored, _ in steps), shape, tuple(steps)), parts[position:]


def split(model: str, shape: Shape, name: str) -> tuple[Resolved, str]:
    """Take a keyword apart that begins at a shape; see `split_keyword`."""
    target, rest = _walk(shape, name, _ends_path)
    if not target.stored:
        raise UnknownFieldError(model, rest[0], member_names(shape))
    if not rest:
        return target, "eq"
    if is_lookup("__".join(rest)):
        return target, "__".join(rest)
    field = name[: -len("__".join(rest)) - 2]
    raise UnknownLookupError(model, field, "__".join(rest), [*member_names(target.shape), *lookups_for(target.shape)])


def is_lookup(name: str) -> bool:
    """Return whether a name is that of a lookup, or of one with `not__` in front."""
    return lookup_named(name) is not None or name in _COMPOUND or (name[:5] == "not__" and is_lookup(name[5:]))


def _takes_any_key(shape: Shape) -> bool:
    """Return whether any name could be a key of what is there, in a dict or in the elements of a list."""
    if shape.kind == "array" and shape.element is not None:
        return _takes_any_key(shape.element)
    return shape.kind in ("mapping", "any") or any(map(_takes_any_key, shape.members))


def _ends_path(shape: Shape, part: str) -> bool:
    """Return whether the last part of a path below a dict is a lookup, not a key.

    A dict itself is no date, so `settings__date` is a key of it.
    """
    lookup = lookup_named(part)
    if lookup is None:
        return is_lookup(part)
    return shape.kind == "any" or lookup.fits not in ("date", "time")


def _longest_member(shape: Shape, parts: list[str]) -> tuple[int, tuple[str, Shape] | None]:
    """Return the member that the first parts name; a field's own name may contain a double underscore."""
    if shape.kind == "model" and shape.model is not None:
        fields = fields_of(shape.model)
        for width in range(len(parts), 1, -1):
            field = fields.get("__".join(parts[:width]))
            if field is not None:
                return width, (field.stored, field.shape)
    if not parts[0]:
        return 0, None
    return 1, step(shape, parts[0])
