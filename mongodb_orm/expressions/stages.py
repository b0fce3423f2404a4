"""Stages that a builder has made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Checked:
    """A stage in which every name must be known, as opposed to one that was written by hand.

    Attributes:
        stage: The stage under the model's names; conditions, expressions and accumulators stand in it as values.
        is_scoped: Whether what it joins is seen through the default scope and without softly deleted documents;
            None when that is as around the stage.
        label: What messages call the stage.
    """

    stage: Mapping[str, Any]
    is_scoped: bool | None = None
    label: str = ""
