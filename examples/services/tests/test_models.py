"""What people type is cleaned, once and for all."""

from __future__ import annotations

from typing import Any

import pytest

from examples.services.models import Post, User
from examples.services.models.base import sanitized
from mongodb_orm import DatabaseConfig, ValidationError


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("  Ann  ", "Ann"),
        ("<b>Ann</b>", "Ann"),
        ("<scr<script>ipt>alert(1)</script>", "alert(1)"),
        ("a\x00b\x1b", "ab"),
        ("two\nlines", "two\nlines"),
        ("1 < 2 & 3", "1 < 2 & 3"),
        (["<i>x</i>", {"y": "<i>z</i>"}], ["x", {"y": "z"}]),
        (5, 5),
    ],
)
def test_sanitizing_is_done_once_and_for_all(typed: object, kept: object) -> None:
    assert sanitized(typed) == kept
    assert sanitized(kept) == kept


def a_user(**values: Any) -> User:
    given: dict[str, Any] = {"username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}
    return User(**{**given, "password_hash": "scrypt$<salt>$x", **values})


def test_new_objects_and_assignments_are_cleaned() -> None:
    user = a_user(first_name=" <b>Ann</b> ")
    user.bio = "<script>x</script> hello"
    assert (user.first_name, user.bio) == ("Ann", "x hello")
    assert user.password_hash == "scrypt$<salt>$x"


def test_what_is_nothing_but_markup_is_refused() -> None:
    with pytest.raises(ValidationError):
        a_user(first_name="<b></b>")


async def test_what_is_read_is_not_changed(mongo: DatabaseConfig) -> None:
    post = await Post.create(title="1 < 2", body="x\ny", author_id=1)
    again = await Post.get_by_id(post.id)
    assert again == post
    assert again is not None
    assert not again.is_changed


async def test_a_password_hash_is_never_shown() -> None:
    assert "scrypt" not in a_user().model_dump_json() + repr(a_user())
