"""What names mean at one point of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..exceptions import UnknownFieldError
from ..schema import Shape, member_names, step
from .records import members_of, refuse_ambiguous


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at one point of a pipeline.

    Attributes:
        root: The shape of the documents, None when nothing is known of them.
        variables: The shapes of variables, by their names without dollars.
        name: What messages call the documents.
        is_strict: Whether a name that leads nowhere is an error; otherwise it stays as it is.
    """

    root: Shape | None
    variables: Mapping[str, Shape | None] = field(default_factory=dict)
    name: str = ""
    is_strict: bool = False

    def find(self, dotted: str) -> tuple[str, Shape | None]:
        """Translate a dotted path as far as it is known, and return what is found there.

        Raises:
            UnknownFieldError: When it leads nowhere, in a strict scope.
            QueryError: When it means different fields in documents that were put together.
        """
        if self.is_strict and "__" in dotted and (self.root is None or step(self.root, dotted) is None):
            dotted = dotted.replace("__", ".")
        stored: list[str] = []
        current = self.root
        parts = dotted.split(".")
        for position, part in enumerate(parts):
            found = None if current is None else step(current, part)
            if found is None:
                if self.is_strict and current is not None:
                    raise UnknownFieldError(".".join((self.name, *parts[:position])), part, member_names(current))
                found_name, current = part, None
            else:
                found_name, current = found
            refuse_ambiguous(current, dotted)
            stored.append(found_name)
        return ".".join(stored), current

    def path(self, dotted: str) -> str:
        """Translate a dotted path."""
        return self.find(dotted)[0]

    def is_own(self, name: str) -> bool:
        """Return whether the documents have a field of just that name."""
        return name in members_of(self.root)[0]

    def of(self, root: Shape | None) -> Scope:
        """Return the scope of documents of another shape."""
        return self if root is self.root else replace(self, root=root)

    def binding(self, variables: Mapping[str, Shape | None]) -> Scope:
        """Return the scope with more variables."""
        return replace(self, variables={**self.variables, **variables}) if variables else self

    def variable(self, name: str) -> Shape | None:
        """Return what is known of a variable."""
        if name == "ROOT":
            return self.root
        if name == "CURRENT":
            return self.variables.get("CURRENT", self.root)
        return self.variables.get(name)

    @property
    def current(self) -> Scope:
        """The scope in which `$name` is looked up, which `$$CURRENT` may have moved."""
        moved = self.variables.get("CURRENT")
        return self if moved is None else self.of(moved)
