"""What the compiler of a stage may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..exceptions import QueryError
from ..expressions import Checked, Condition
from .agg_expressions import rename_expression
from .filters import compile_filter_on, rename_filter
from .names import Scope
from .places import is_near

UNKNOWN = Scope(None)
"""What names mean where nothing is known of the documents."""

Result = tuple[Any, Scope]
"""A compiled stage, and what names mean after it."""


@dataclass(frozen=True)
class StageContext:
    """What the compiler of a stage may ask for.

    Attributes:
        model: The model's name, for messages.
        collection: The collection that is read.
        allow_javascript: Whether server-side JavaScript may pass.
        is_scoped: Whether joined models are seen through their scopes.
        is_raw: Whether names are left as they are.
        is_check: Whether only names are proved, so that no scope is asked what it hides today.
        joined: The models that were named as classes where a collection is read.
    """

    model: str
    collection: str
    allow_javascript: bool = False
    is_scoped: bool = False
    is_raw: bool = False
    is_check: bool = False
    joined: set[type] = field(default_factory=set)

    def run(self, scope: Scope, pipeline: Sequence[Mapping[str, Any] | Checked]) -> tuple[list[dict[str, Any]], Scope]:
        """Compile a pipeline that begins in a scope."""
        raise NotImplementedError

    def expression(self, scope: Scope, value: Any) -> Any:
        """Translate an expression."""
        return rename_expression(scope, value, allow_javascript=self.allow_javascript)

    def filter(self, scope: Scope, value: Any) -> Any:
        """Translate a condition or a raw query document; anything else is the server's to refuse."""
        if isinstance(value, Condition):
            compiled = compile_filter_on(scope, value, allow_javascript=self.allow_javascript)
            if is_near(compiled):
                raise QueryError(
                    "Inside a pipeline there is no condition on nearness.",
                    hint="Begin with geo_near(), or with filter(...) before aggregate().",
                    model=self.model,
                )
            return compiled
        if not isinstance(value, Mapping):
            return value
        lenient = replace(scope, is_strict=False)
        return rename_filter(lenient, value, model=self.model, allow_javascript=self.allow_javascript)
