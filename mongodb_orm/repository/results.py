"""Results of any kind as BSON for a cache, and back: records as they are stored, anything else as a value."""

from __future__ import annotations

from typing import Any

from ..codec import codec_of, decode, encode
from ..exceptions import InvalidValueError
from ..model import BaseModel
from ..schema import snapshot_of, spec_of


def pack_result(model: type[BaseModel], result: Any) -> bytes | None:
    """Return a result as BSON, None for nothing: None and an empty list are not cached.

    Raises:
        InvalidValueError: When a record of the model is new, or loaded in parts.
        UnencodableValueError: When BSON cannot hold a value.
    """
    if result is None or result == []:
        return None
    if isinstance(result, model):
        packed: dict[str, Any] = {"one": _raw(result)}
    elif isinstance(result, list) and all(isinstance(item, model) for item in result):
        packed = {"many": b"".join(_raw(item) for item in result)}
    else:
        packed = {"value": result}
    return encode(packed, model=spec_of(model).name)


def unpack_result(model: type[BaseModel], raw: bytes | None) -> Any:
    """Return what was packed.

    Raises:
        CorruptDocumentError: When a record does not fit the model.
    """
    if raw is None:
        return None
    packed = decode(raw)
    if "one" in packed:
        return codec_of(model).load(packed["one"])
    if "many" in packed:
        return codec_of(model).load_chunk(packed["many"])
    return packed["value"]


def _raw(record: BaseModel) -> bytes:
    raw = snapshot_of(record)
    if raw is None or record.get_deferred_fields():
        raise InvalidValueError(
            f"{record!r} cannot be cached: it is {'new' if raw is None else 'loaded in parts'}.",
            hint="Cache whole records as they were read, or values of your own such as dicts.",
            model=type(record).__name__,
        )
    return raw
