"""What a model is: its mapping as data."""

from .deletion import SoftDeletion
from .indexes import Indexed, IndexSpec, index_from, keys_from
from .kinds import Family, family_of
from .mapped import (
    STATE_SLOTS,
    MappedModel,
    carry_state,
    database_of,
    doubt,
    is_abstract,
    is_deleted,
    is_doubtful,
    is_new,
    mark_deleted,
    raw_of,
    set_database,
    set_snapshot,
    snapshot_of,
    spec_of,
)
from .registry import model_for, remember
from .settings import LoadValidation, ModelConfig
from .shapes import ANY, Shape, is_set, markers_of, shape_of
from .signing import Signing
from .spec import FieldSpec, ModelSpec, Resolved, fields_of, member_names, resolve, resolve_from, step, stored_name
from .versioning import Versioning

__all__ = [
    "ANY",
    "STATE_SLOTS",
    "Family",
    "FieldSpec",
    "IndexSpec",
    "Indexed",
    "LoadValidation",
    "MappedModel",
    "ModelConfig",
    "ModelSpec",
    "Resolved",
    "Shape",
    "Signing",
    "SoftDeletion",
    "Versioning",
    "carry_state",
    "database_of",
    "doubt",
    "family_of",
    "fields_of",
    "index_from",
    "is_abstract",
    "is_deleted",
    "is_doubtful",
    "is_new",
    "is_set",
    "keys_from",
    "mark_deleted",
    "markers_of",
    "member_names",
    "model_for",
    "raw_of",
    "remember",
    "resolve",
    "resolve_from",
    "set_database",
    "set_snapshot",
    "shape_of",
    "snapshot_of",
    "spec_of",
    "step",
    "stored_name",
]
