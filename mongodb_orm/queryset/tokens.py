"""Page tokens: a place in a sorted result as opaque text, signed for one model, filter and order."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion, TypeRegistry

from ..codec import CODEC_OPTIONS, encode
from ..exceptions import InvalidTokenError, InvalidValueError
from ..schema import ModelSpec

EXACT_OPTIONS: CodecOptions[dict[str, Any]] = CODEC_OPTIONS.with_options(
    type_registry=TypeRegistry(),
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Decodes BSON so that encoding gives the same bytes: no Decimal, no UUID, no failing on years that Python lacks."""

Key = tuple[Any, ...]
"""The values of an order's fields in one document, with the types of BSON."""

_VERSION = b"\x01"
_MAC = 32
_QUERY = 8
_HEAD = len(_VERSION) + _MAC + _QUERY
_MAX_TEXT = 16_384
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_NESTING = frozenset({"$not", "$elemMatch"})
_JOINING = frozenset({"$or", "$nor"})
_UNORDERED = frozenset({"$in", "$nin", "$all"})  # may have been a set, whose order differs from process to process

_process_secret = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a sorted result.

    Attributes:
        key: The key of the document there.
        backwards: Whether the page lies before the place, rather than after it.
        inclusive: Whether a document with exactly this key belongs to the page.
    """

    key: Key
    backwards: bool = False
    inclusive: bool = False


class TokenMaker:
    """Makes and reads the tokens of one query.

    Args:
        spec: The model's mapping.
        query: What the tokens are bound to, made by `fingerprint`.
        secret: The key that signs, None for one that lives as long as the process.
    """

    def __init__(self, spec: ModelSpec, query: bytes, secret: str | None) -> None:
        self._spec = spec
        self._query = query
        self._secret = secret.encode() if secret is not None else _process_secret

    def make(self, place: Place) -> str:
        """Return a place as a token.

        Raises:
            InvalidValueError: When the key is too long to travel in a URL.
        """
        values = {"k": list(place.key), "b": place.backwards, "i": place.inclusive}
        signed = self._query + bson.encode(values, codec_options=EXACT_OPTIONS)
        text = urlsafe_b64encode(_VERSION + self._mac(signed) + signed).rstrip(b"=").decode()
        if len(text) > _MAX_TEXT:
            raise InvalidValueError(
                f"A page token of {self._spec.name} would have {len(text):,} characters; at most {_MAX_TEXT:,} travel.",
                hint="Sort by shorter values.",
                model=self._spec.name,
            )
        return text

    def read(self, token: Any) -> Place:
        """Return the place that a token stands for.

        Raises:
            InvalidTokenError: When it was not made here, or for another query.
        """
        if not isinstance(token, str) or not _ALPHABET.fullmatch(token) or len(token) > _MAX_TEXT:
            raise self._refuse("is no page token")
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except Base64Error as error:
            raise self._refuse("is no page token") from error
        mac, signed = raw[len(_VERSION) : len(_VERSION) + _MAC], raw[len(_VERSION) + _MAC :]
        is_canonical = urlsafe_b64encode(raw).rstrip(b"=").decode() == token
        if len(raw) <= _HEAD or raw[:1] != _VERSION or not is_canonical:
            raise self._refuse("is no page token")
        if not hmac.compare_digest(mac, self._mac(signed)):
            raise self._refuse("was changed, or signed with another secret")
        if signed[:_QUERY] != self._query:
            raise self._refuse("belongs to another query")
        values = bson.decode(signed[_QUERY:], EXACT_OPTIONS)
        return Place(tuple(values["k"]), values["b"], values["i"])

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, b"mongodb_orm page token" + _VERSION + signed, "sha256")

    def _refuse(self, why: str) -> InvalidTokenError:
        # The token itself stays out of the message: it would be echoed to whoever sent it.
        return InvalidTokenError(
            f"The page token for {self._spec.name} {why}.",
            hint="Start again without a token; tokens hold for the same model, filter and order, and, unless "
            "token_secret is set, for the life of the process.",
            model=self._spec.name,
        )


def fingerprint(spec: ModelSpec, *, filter: Mapping[str, Any], **query: Any) -> bytes:  # noqa: A002
    """Return what tells a query from others, whatever the order in which its keywords were written.

    Raises:
        UnencodableValueError: When BSON cannot hold a value of the query.
    """
    of_filter = digest_filter(filter, spec.name)
    return digest({"model": spec.name, "collection": spec.collection, "filter": of_filter, **query}, spec.name)[:_QUERY]


def digest(value: Any, model: str) -> bytes:
    """Return what tells a value from others, the same in every process; documents differ by the order of their keys.

    Raises:
        UnencodableValueError: When BSON cannot hold a value.
    """
    return hashlib.sha256(encode({"": value}, model=model)).digest()


def digest_filter(filter: Mapping[str, Any], model: str) -> bytes:  # noqa: A002
    """Return what tells a filter from others: the same in every process, and for conditions in any order.

    Raises:
        UnencodableValueError: When BSON cannot hold a value.
    """
    return hashlib.sha256(b"{" + b"".join(sorted(_conditions(filter, model)))).digest()


def _conditions(filter: Mapping[str, Any], model: str) -> Iterator[bytes]:  # noqa: A002
    """Yield what all have to hold, one by one, however they are joined."""
    for name, value in filter.items():
        if name == "$and":
            for part in value:
                yield from _conditions(part, model)
        elif isinstance(value, Mapping) and not name.startswith("$") and any(str(key).startswith("$") for key in value):
            options = value.get("$options", "")
            for operator, operand in value.items():
                if operator != "$options":
                    yield f"{name}\0{operator}\0{options}\0".encode() + _operand(operator, operand, model)
        elif name != "$options":
            yield f"{name}\0{filter.get('$options', '')}\0".encode() + _operand(name, value, model)


def _operand(operator: str, value: Any, model: str) -> bytes:
    if operator in _NESTING and isinstance(value, Mapping):
        return digest_filter(value, model)
    if operator in (*_JOINING, *_UNORDERED) and isinstance(value, list | tuple):
        one = digest_filter if operator in _JOINING else digest
        return hashlib.sha256(b"[" + b"".join(sorted(one(item, model) for item in value))).digest()
    return digest(value, model)
