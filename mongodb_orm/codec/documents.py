"""Whole documents, from BSON to objects and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from struct import Struct
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import bson
import pydantic
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pydantic import ValidationError
from pydantic_core import SchemaSerializer, SchemaValidator

from ..exceptions import CorruptDocumentError, DocumentTooLargeError, MongoDBORMError, UnencodableValueError
from ..garbage import uncollected
from ..hooks import Load, call_hooks, hooks_of, is_skipped
from ..schema import MappedModel, set_snapshot, spec_of
from ..schema.normalizing import trim_nested_datetimes
from ..types import Document
from .kinds import loader, patient_loader
from .serializers import storage_serializer
from .settled import nesting_fields, settled_fields
from .values import CODEC_OPTIONS, DRIVER_OPTIONS, PLAIN_OPTIONS, register_encoder

M = TypeVar("M", bound=MappedModel)

MAX_SIZE = 16 * 1024 * 1024
"""MongoDB's limit of one document (https://www.mongodb.com/docs/manual/reference/limits/)."""

MAX_DEPTH = 100
"""MongoDB's limit of nesting (same page)."""

_DECODED_AT_ONCE = 32
_PARTIAL_CODECS = 64
_LENIENT_OPTIONS = CODEC_OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)

_LEAST_PER_LEVEL = 7  # bytes that one more level adds: type, a name's end, length and end of the document
_NESTING = (dict, list, tuple)

_length_at = Struct("<i").unpack_from


def split(chunk: bytes) -> Iterator[bytes]:
    """Take concatenated BSON documents apart."""
    position, end = 0, len(chunk)
    while position < end:
        (size,) = _length_at(chunk, position)
        yield chunk[position : position + size]
        position += size


def unwrap(chunk: bytes, value: str, document: str) -> tuple[list[Any], bytes]:
    """Take apart results that pair a value with a whole document.

    Returns:
        The values, and the documents as concatenated BSON, byte for byte as they came.
    """
    pairs = [RawBSONDocument(raw) for raw in split(chunk)]
    return [pair.get(value) for pair in pairs], b"".join(pair[document].raw for pair in pairs)


def decode(raw: bytes) -> Document:
    """Return one document as a dict, under stored names."""
    return bson.decode(raw, CODEC_OPTIONS)


def decode_plain(raw: bytes) -> Document:
    """Return one document as a dict of what decodes fastest: datetimes are naive, decimals `Decimal128`."""
    return bson.decode(raw, PLAIN_OPTIONS)


def decode_all(chunk: bytes) -> list[Document]:
    """Return concatenated documents as dicts, under stored names."""
    return bson.decode_all(chunk, CODEC_OPTIONS)


def decode_raw(chunk: bytes) -> list[Document]:
    """Return concatenated documents as dicts of the driver's own values, such as `Decimal128`."""
    return bson.decode_all(chunk, DRIVER_OPTIONS)


class DocumentCodec(Generic[M]):
    """Loads and dumps the documents of one model; get it by `codec_of`."""

    def __init__(self, model: type[M], only: frozenset[str] | None = None) -> None:
        self._spec = spec_of(model)
        self._model = model
        self._only = only
        self._validate, is_plain = loader(model, only)
        self._options = PLAIN_OPTIONS if is_plain else CODEC_OPTIONS
        self._serialize: Any = storage_serializer(model).to_python if only is None else codec_of(model)._serialize
        self._partial: dict[frozenset[str], DocumentCodec[M]] = {}

    def partial(self, only: frozenset[str]) -> DocumentCodec[M]:
        """Return the codec for documents of which only these fields are known."""
        codec = self._partial.get(only)
        if codec is None:
            if len(self._partial) >= _PARTIAL_CODECS:
                self._partial.clear()
            codec = self._partial[only] = DocumentCodec(self._model, only)
        return codec

    def load(self, raw: bytes) -> M:
        """Return the object that a stored document stands for; it remembers the BSON.

        Raises:
            CorruptDocumentError: When the document does not fit the model.
        """
        try:
            document: M = self._validate(bson.decode(raw, self._options))
        except (ValidationError, BSONError):
            document = self._load_patiently(raw)
        set_snapshot(document, raw)
        self._loaded((document,))
        return document

    def load_chunk(self, chunk: bytes) -> list[M]:
        """Return the objects of concatenated documents.

        This loop is the hot path of every read. Documents are decoded a few at a time: one call of the decoder for
        all of them is cheaper, and what it made is still in the processor's cache when it is validated. The loop makes
        no garbage that counting references does not free at once, so the collector would only walk the results again
        and again.

        Raises:
            CorruptDocumentError: When a document does not fit the model.
        """
        documents: list[M] = []
        append, validate, options, unpack = documents.append, self._validate, self._options, _length_at
        position, end = 0, len(chunk)
        with uncollected():
            while position < end:
                start = position
                raws: list[bytes] = []
                while position < end and len(raws) < _DECODED_AT_ONCE:
                    (size,) = unpack(chunk, position)
                    raws.append(chunk[position : position + size])
                    position += size
                for raw, values in zip(raws, _decoded(chunk[start:position], raws, options), strict=True):
                    try:
                        document = validate(values)
                    except ValidationError:
                        document = self._load_patiently(raw)
                    set_snapshot(document, raw)
                    append(document)
        self._loaded(documents)
        return documents

    def _loaded(self, documents: Sequence[M]) -> None:
        models = {self._model} if spec_of(self._model).family is None else set(map(type, documents))
        for model in models:
            hooks = hooks_of(model).after.get(Load)
            if hooks and self._only is None and not is_skipped(Load):
                for document in documents:
                    if type(document) is model:
                        call_hooks(hooks, document)

    def _load_patiently(self, raw: bytes) -> M:
        """Load a document that the fast way refused, through everything that BSON knows of its values."""
        try:
            document: M = patient_loader(self._model, self._only)(bson.decode(raw, CODEC_OPTIONS))
        except (ValidationError, BSONError) as error:
            raise self._corrupt(raw, error) from error
        return document

    def check(self, raw: bytes) -> M:
        """Return what will be read of what is about to be stored, or raise when that cannot be.

        Pydantic takes an object of a nested model as it is, so a change inside one shows here for the first time.

        Raises:
            ValidationError: When a value does not fit.
        """
        document: M = self._validate(bson.decode(raw, self._options))
        return document

    @cached_property
    def nesting(self) -> frozenset[str]:
        """The fields that hold objects, whose own fields Pydantic does not validate again."""
        return nesting_fields(self._model)

    @cached_property
    def nesting_keys(self) -> tuple[str, ...]:
        """Under what names a caller may give values of those fields."""
        fields = self._model.__pydantic_fields__
        keys = [key for name in self.nesting for key in (name, fields[name].alias, fields[name].validation_alias)]
        return tuple({key for key in keys if isinstance(key, str)})

    @cached_property
    def settled(self) -> Mapping[str, SchemaValidator]:
        """The fields that can be validated alone, and can be read again when they fit."""
        return settled_fields(self._model)

    def dump(self, document: M) -> bytes:
        """Return an object as BSON.

        Raises:
            UnencodableValueError: When BSON cannot hold a value; it names the field.
            DocumentTooLargeError: When the document is over 16 MiB.
        """
        return encode(self.dump_value(document), model=self._spec.name)

    def dump_value(self, document: M) -> Document:
        """Return an object as plain data under stored names, not yet encoded.

        Raises:
            UnencodableValueError: When a value contains itself, or cannot be made plain data.
        """
        fields = vars(document)
        try:
            for name in self._spec.nested_datetimes:
                trim_nested_datetimes(fields.get(name))
            values: Document = self._serialize(document, by_alias=True, warnings=False)
        except MongoDBORMError:
            raise
        except (RecursionError, ValueError) as error:
            raise UnencodableValueError(
                f"{self._spec.name}: a value contains itself, is nested too deeply, or cannot be serialized.",
                model=self._spec.name,
            ) from error
        return values

    def _corrupt(self, raw: bytes, error: ValidationError | BSONError) -> CorruptDocumentError:
        readable = _decoded_or_none(raw, _LENIENT_OPTIONS) or {}
        id_ = readable.get("_id")
        if isinstance(error, ValidationError):
            details = error.errors(include_input=False)
            problem = "does not fit the model: " + ", ".join(sorted({".".join(map(str, at["loc"])) for at in details}))
        else:
            problem = f"cannot be decoded: {error}"
        return CorruptDocumentError(
            f"The stored {self._spec.name} with id {id_!r} {problem}.",
            hint="Repair the document, or loosen the model (Meta.validation_on_load = 'types' skips validators).",
            model=self._spec.name,
            id=id_,
        )


def _decoded(chunk: bytes, raws: list[bytes], options: Any) -> list[Any]:
    try:
        return bson.decode_all(chunk, options)
    except BSONError:  # one document is broken, or holds a date that Python has not: the error is its own alone
        return [_decoded_or_none(raw, options) for raw in raws]


def _decoded_or_none(raw: bytes, options: Any) -> Document | None:
    try:
        values: Document = bson.decode(raw, options)
    except BSONError:
        return None
    return values


def encode(values: Mapping[str, Any], *, model: str) -> bytes:
    """Return a mapping as BSON.

    Raises:
        UnencodableValueError: When BSON cannot hold a value; it names the field.
        DocumentTooLargeError: When the result is over 16 MiB.
    """
    try:
        raw = bson.encode(values, codec_options=CODEC_OPTIONS)
    except (BSONError, OverflowError, UnicodeEncodeError, RecursionError, TypeError, UnencodableValueError) as error:
        raise _unencodable(values, error, model) from error
    if len(raw) > MAX_SIZE:
        raise DocumentTooLargeError(
            f"The {model} document has {len(raw):,} bytes; MongoDB takes at most {MAX_SIZE:,}.",
            hint="Split it, or keep large binary data in GridFS.",
            model=model,
            size=len(raw),
        )
    if len(raw) > _LEAST_PER_LEVEL * MAX_DEPTH and is_too_deep(values):
        raise UnencodableValueError(f"The {model} document is nested more than {MAX_DEPTH} levels deep.", model=model)
    return raw


def is_too_deep(value: Any, depth: int = 1) -> bool:
    """Return whether dicts and lists are nested deeper than MongoDB takes; cyclic ones are."""
    if depth > MAX_DEPTH:
        return True
    items = value.values() if isinstance(value, dict) else value
    return any(is_too_deep(item, depth + 1) for item in items if type(item) in _NESTING)


def _unencodable(values: Mapping[str, Any], error: Exception, model: str) -> MongoDBORMError:
    path, value = _culprit(values)
    if isinstance(error, UnencodableValueError):
        problem, hint = error.problem, error.hint
    elif isinstance(error, OverflowError) and isinstance(value, datetime):
        problem, hint = "The moment in UTC is not within the years 1 to 9999.", ""
    elif isinstance(error, OverflowError):
        problem, hint = "MongoDB's integers have at most 64 bits.", "Use Decimal or str for larger numbers."
    elif isinstance(error, UnicodeEncodeError):
        problem, hint = "The text has a lone surrogate, which is no valid UTF-8.", ""
    elif isinstance(error, RecursionError):
        problem, hint = "The value is nested too deeply.", ""
    else:
        problem, hint = f"BSON cannot hold the value: {str(error).splitlines()[0][:120]}.", ""
    return UnencodableValueError(
        f"{model}.{path}: {problem}" if path else f"{model}: {problem}", hint=hint, model=model, field=path, value=value
    )


def _culprit(values: Any, prefix: str = "") -> tuple[str | None, Any]:
    """Return the path and value of the first part that cannot be encoded."""
    items: Any = values.items() if isinstance(values, Mapping) else ((str(i), v) for i, v in enumerate(values))
    for key, value in items:
        try:
            bson.encode({key: value}, codec_options=CODEC_OPTIONS)
        except (BSONError, OverflowError, UnicodeEncodeError, RecursionError, TypeError, UnencodableValueError):
            path = f"{prefix}{key}"
            if isinstance(value, Mapping | list | tuple) and len(prefix) < 500:
                inner, found = _culprit(value, path + ".")
                return (inner, found) if inner else (path, value)
            return path, value
    return None, None


def codec_of(model: type[M]) -> DocumentCodec[M]:
    """Return the codec of a model, built on first use."""
    codec: DocumentCodec[M] | None = model.__dict__.get("__mongo_codec__")
    if codec is None:
        codec = DocumentCodec(model)
        model.__mongo_codec__ = codec
    return codec


def codec_for(document: M) -> DocumentCodec[M]:
    """Return the codec of an object, which knows when only a part of it was loaded."""
    codec = codec_of(type(document))
    fields, loaded = spec_of(type(document)).fields.keys(), vars(document).keys()
    return codec if fields <= loaded else codec.partial(frozenset(fields & loaded))


_NESTED: WeakKeyDictionary[type[pydantic.BaseModel], SchemaSerializer] = WeakKeyDictionary()


def _dump_nested(value: pydantic.BaseModel) -> Any:
    """Return a Pydantic object that stands alone, in a filter or an update, as it is stored inside a document."""
    serializer = _NESTED.get(type(value))
    if serializer is None:
        serializer = _NESTED[type(value)] = storage_serializer(type(value))
    return serializer.to_python(value, by_alias=True, warnings=False)


register_encoder(pydantic.BaseModel, _dump_nested)
