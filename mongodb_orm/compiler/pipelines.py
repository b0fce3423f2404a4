"""Aggregation pipelines: names followed from stage to stage, JavaScript and unasked writes refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..codec import MAX_DEPTH, is_too_deep
from ..exceptions import InvalidValueError, UnsafeQueryError
from ..expressions import Checked
from ..schema import ModelSpec, Shape
from .agg_expressions import refuse_javascript
from .joins import JOINS
from .names import Scope
from .stage_context import UNKNOWN, StageContext
from .stages import STAGES

_HANDLERS = {**STAGES, **JOINS}
_WRITES = ("$out", "$merge")


@dataclass(frozen=True, slots=True)
class CompiledPipeline:
    """A pipeline under stored names.

    Attributes:
        stages: What is sent.
        scope: What names mean for the results.
        writes: Whether the results are written to a collection instead of returned.
        joined: The models that were named as classes, which must lie in the same database.
    """

    stages: list[dict[str, Any]]
    scope: Scope
    writes: bool = False
    joined: frozenset[type] = frozenset()

    @property
    def shape(self) -> Shape | None:
        """The shape of the results, None when nothing is known of them."""
        return self.scope.root


def compile_pipeline(
    spec: ModelSpec,
    pipeline: Sequence[Mapping[str, Any] | Checked],
    *,
    allow_javascript: bool = False,
    allow_writes: bool = False,
    is_scoped: bool = False,
    is_raw: bool = False,
    is_check: bool = False,
    start: Scope | None = None,
) -> CompiledPipeline:
    """Translate a pipeline on a model's collection; the original is not changed.

    Args:
        spec: The model's mapping.
        pipeline: The stages.
        allow_javascript: Whether server-side JavaScript may pass.
        allow_writes: Whether `$out` and `$merge` may pass.
        is_scoped: Whether registered models that are joined are seen through their scopes.
        is_raw: Whether names are left as they are.
        is_check: Whether only names are proved, and what scopes hide is left out.
        start: What names mean where the pipeline begins; the model's documents unless given.

    Raises:
        InvalidValueError: When it is no pipeline.
        UnsafeQueryError: When it runs JavaScript that nobody asked for, or writes where nobody allowed it.
    """
    if isinstance(pipeline, list) and is_too_deep(pipeline):
        raise InvalidValueError(f"The pipeline is nested more than {MAX_DEPTH} levels deep.", model=spec.name)
    compiler = _PipelineCompiler(spec.name, spec.collection, allow_javascript, is_scoped, is_raw, is_check)
    begin = UNKNOWN if is_raw else start or Scope(spec.documents, name=spec.name)
    stages, scope = compiler.run(begin, pipeline)
    if not allow_javascript:
        refuse_javascript_anywhere(stages, spec.name)
    written = [stage for stage in stages if stage.keys() & set(_WRITES)]
    if written and not allow_writes:
        (name,) = written[0]
        raise UnsafeQueryError(
            f"{name} writes to a collection, and an aggregation is taken for a read.",
            hint="Allow it (allow_writes=True) when the pipeline is your own.",
            model=spec.name,
            field=name,
        )
    if written and written != stages[-1:]:
        raise InvalidValueError(f"{next(iter(written[0]))} is the last stage of a pipeline.", model=spec.name)
    return CompiledPipeline(stages, scope, bool(written), frozenset(compiler.joined))


class _PipelineCompiler(StageContext):
    def run(self, scope: Scope, pipeline: Any) -> tuple[list[dict[str, Any]], Scope]:
        if isinstance(pipeline, Mapping | str | bytes) or not isinstance(pipeline, Sequence):
            raise InvalidValueError(
                f"A pipeline is a list of stages, not a {type(pipeline).__name__}.", model=self.model, value=pipeline
            )
        stages: list[dict[str, Any]] = []
        for position, given in enumerate(pipeline):
            is_checked = isinstance(given, Checked)
            name, body = self._taken_apart(position, given.stage if is_checked else given)
            context = self
            if is_checked and given.is_scoped is not None:
                context = replace(self, is_scoped=given.is_scoped)
            before = replace(scope, is_strict=is_checked)
            handler = _HANDLERS.get(name)
            if handler is None:
                self._refuse_misspelt(name)
                self.expression(UNKNOWN, body)
                compiled, after = body, UNKNOWN
            else:
                compiled, after = handler(context, before, body)
            if after.root is not before.root:
                label = (is_checked and given.label) or name
                after = replace(after, name=f"{self.model} after {label}", variables=scope.variables)
            scope = after
            stages.append({name: compiled})
        return stages, scope

    def _taken_apart(self, position: int, stage: Any) -> tuple[str, Any]:
        if not isinstance(stage, Mapping) or len(stage) != 1:
            raise InvalidValueError(f"Stage {position} is not a mapping with one key.", model=self.model, value=stage)
        ((name, body),) = stage.items()
        if not isinstance(name, str) or not name.startswith("$"):
            raise InvalidValueError(
                f"Stage {position} is named {name!r}.",
                hint=f"Stages begin with a dollar: '${name}'.",
                model=self.model,
                field=str(name),
            )
        return name, body

    def _refuse_misspelt(self, name: str) -> None:
        near = get_close_matches(name, _HANDLERS, n=1, cutoff=0.8)
        if near:
            raise InvalidValueError(
                f"There is no stage {name!r}.", hint=f"Did you mean {near[0]!r}?", model=self.model, field=name
            )


def refuse_javascript_anywhere(value: Any, model: str) -> None:
    """Refuse JavaScript wherever it stands, also where no handler looks; literals are data.

    Raises:
        UnsafeQueryError: When there is any.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "$literal":
                refuse_javascript(key, False, model)
                refuse_javascript_anywhere(inner, model)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_javascript_anywhere(item, model)
