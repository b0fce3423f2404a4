"""The routes of users."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from mongodb_orm import Page
from mongodb_orm.integrations.fastapi import PageParams, response_model_of

from ..models import User
from ..repositories import UserSummary
from ..services import Profile, SignUp, UserChange
from .dependencies import Search, Users, limit_sign_ups

router = APIRouter(prefix="/users", tags=["users"])

UserResponse = response_model_of(User, exclude=["is_deleted", "deleted_at"])


@router.post("", status_code=201, response_model=UserResponse, dependencies=[Depends(limit_sign_ups)])
async def sign_up(body: SignUp, users: Users) -> User:
    """Make an account."""
    return await users.create_user(body)


@router.get("")
async def list_users(search: Search, params: Annotated[PageParams, Query()], users: Users) -> Page[UserSummary]:
    """A page of users."""
    return await users.list_users(search, params.sort, params.page, params.size)


@router.get("/search")
async def search_users(words: Annotated[str, Query(min_length=2, max_length=50)], users: Users) -> list[UserSummary]:
    """Active users whose name or address holds the words."""
    return await users.users.search_users(words)


@router.get("/{user_id}")
async def profile(user_id: int, users: Users) -> Profile:
    """A user, with what is known of the user's posts."""
    return await users.get_user_profile(user_id)


@router.patch("/{user_id}", response_model=UserResponse)
async def update_user(user_id: int, body: UserChange, users: Users) -> User:
    """Change an account."""
    return await users.update_user(user_id, body)


@router.delete("/{user_id}", status_code=204)
async def delete_user(user_id: int, users: Users) -> Response:
    """Delete an account with its posts."""
    await users.delete_user(user_id)
    return Response(status_code=204)
