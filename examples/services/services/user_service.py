"""What is done with accounts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import pydantic
from pydantic import ConfigDict, EmailStr, Field, SecretStr

from mongodb_orm import DuplicateDocumentError, Page, transactional

from ..models import Mail, Post, User
from ..repositories import UserCriteria, UserRepository, UserSummary
from .errors import AlreadyTakenError, UnknownUserError
from .passwords import hash_password, is_password
from .retry import retried


class SignUp(pydantic.BaseModel):
    """What somebody sends who wants an account: this, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(min_length=3, max_length=50)]
    email: EmailStr
    first_name: Annotated[str, Field(min_length=1, max_length=50)]
    last_name: Annotated[str, Field(min_length=1, max_length=50)]
    password: Annotated[SecretStr, Field(min_length=10, max_length=200)]


class UserChange(pydantic.BaseModel):
    """What users may change; what is not sent stays, and the model says what fits."""

    model_config = ConfigDict(extra="forbid")

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    bio: str | None = None


class Profile(pydantic.BaseModel):
    """A user, with what is known from other collections."""

    user: User
    post_count: int
    last_activity: datetime | None


class UserService:
    """The rules for accounts; it finds users through a repository, which a test may replace."""

    def __init__(self, users: UserRepository | None = None) -> None:
        self.users = users or UserRepository()

    async def create_user(self, sign_up: SignUp) -> User:
        """Make an account, and the mail that welcomes its owner: both or neither.

        Raises:
            AlreadyTakenError: When somebody has the name or the address. The unique index decides, not a look before:
                of two requests at once only one can win.
        """
        password_hash = await asyncio.to_thread(hash_password, sign_up.password.get_secret_value())
        try:
            return await self._store(sign_up, password_hash)
        except DuplicateDocumentError as error:
            raise AlreadyTakenError(error.fields) from error

    @transactional
    async def _store(self, sign_up: SignUp, password_hash: str) -> User:
        user = await self.users.create(**sign_up.model_dump(exclude={"password"}), password_hash=password_hash)
        await Mail.create(to=user.email, subject="Welcome", body=f"Dear {user.first_name}, good to have you.")
        return user

    async def get_user(self, user_id: int) -> User:
        """Return a user.

        Raises:
            UnknownUserError: When there is none.
        """
        user = await retried(lambda: self.users.get_by_id(user_id))
        if user is None:
            raise UnknownUserError(f"There is no user {user_id}.")
        return user

    async def get_user_profile(self, user_id: int) -> Profile:
        """Return a user with the number of posts and the time of the last one; the three reads run side by side."""
        posts = Post.filter(author_id=user_id)
        user, post_count, last = await asyncio.gather(
            self.get_user(user_id), posts.count(), posts.order_by("-created_at").only("created_at").first()
        )
        return Profile(user=user, post_count=post_count, last_activity=last.created_at if last else None)

    async def list_users(
        self, criteria: UserCriteria | None = None, sort: list[str] | None = None, page: int = 1, size: int = 20
    ) -> Page[UserSummary]:
        """Return a page of users, with the total."""
        return await self.users.page(criteria, sort or ["name"], page, size, projection=UserSummary)

    async def authenticate(self, username: str, password: str) -> User | None:
        """Return the active user of a name and password, or None."""
        user = await self.users.get_by_username(username)
        if user is None or not user.is_active:
            return None
        return user if await asyncio.to_thread(is_password, password, user.password_hash) else None

    async def update_user(self, user_id: int, change: UserChange) -> User:
        """Change what was sent.

        Raises:
            UnknownUserError: When there is no such user.
            AlreadyTakenError: When somebody has the address.
        """
        try:
            user = await self.users.update(user_id, **change.model_dump(exclude_unset=True))
        except DuplicateDocumentError as error:
            raise AlreadyTakenError(error.fields) from error
        if user is None:
            raise UnknownUserError(f"There is no user {user_id}.")
        return user

    @transactional
    async def delete_user(self, user_id: int) -> int:
        """Delete a user with all posts; return how many posts.

        Raises:
            UnknownUserError: When there is no such user; nothing is deleted then.
        """
        posts = await Post.delete_many(author_id=user_id)
        if not await self.users.delete(user_id):
            raise UnknownUserError(f"There is no user {user_id}.")
        return posts
