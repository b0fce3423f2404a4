"""Values and documents, from Python to BSON and back."""

from .documents import DocumentCodec, codec_of, decode, decode_all, encode, split
from .schemas import cast_validator
from .values import CODEC_OPTIONS, encode_value, register_encoder

__all__ = [
    "CODEC_OPTIONS",
    "DocumentCodec",
    "cast_validator",
    "codec_of",
    "decode",
    "decode_all",
    "encode",
    "encode_value",
    "register_encoder",
    "split",
]
