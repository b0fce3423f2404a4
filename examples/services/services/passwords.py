"""Passwords, kept as hashes."""

from __future__ import annotations

import hashlib
import hmac
import os

_COST = {"n": 2**14, "r": 8, "p": 1}


def hash_password(password: str) -> str:
    """Return a salted hash; it takes tens of milliseconds on purpose, so call it in a thread."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_COST).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Return whether a hash was made of the password."""
    _, salt, digest = stored.split("$")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_COST).hex()
    return hmac.compare_digest(found, digest)
