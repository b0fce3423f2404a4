"""Values and documents, from Python to BSON and back."""

from .documents import (
    MAX_DEPTH,
    DocumentCodec,
    codec_for,
    codec_of,
    decode,
    decode_all,
    decode_plain,
    decode_raw,
    encode,
    is_too_deep,
    split,
    unwrap,
)
from .schemas import cast_validator, summary_validator, value_validator
from .serializers import cast_serializer, text_key, value_serializer
from .values import CODEC_OPTIONS, DRIVER_OPTIONS, WIRE_OPTIONS, encode_value, register_encoder

__all__ = [
    "CODEC_OPTIONS",
    "DRIVER_OPTIONS",
    "MAX_DEPTH",
    "WIRE_OPTIONS",
    "DocumentCodec",
    "cast_serializer",
    "cast_validator",
    "codec_for",
    "codec_of",
    "decode",
    "decode_all",
    "decode_plain",
    "decode_raw",
    "encode",
    "encode_value",
    "is_too_deep",
    "register_encoder",
    "split",
    "summary_validator",
    "text_key",
    "unwrap",
    "value_serializer",
    "value_validator",
]
