"""What is done: rules, and several models in one transaction. Nothing here knows of HTTP."""

from .errors import AccountError, AlreadyTakenError, UnknownUserError
from .mail_service import MailService, Sender
from .rate_limiter import RateLimiter
from .retry import Backoff, retried
from .user_service import Profile, SignUp, UserChange, UserService

__all__ = [
    "AccountError",
    "AlreadyTakenError",
    "Backoff",
    "MailService",
    "Profile",
    "RateLimiter",
    "Sender",
    "SignUp",
    "UnknownUserError",
    "UserChange",
    "UserService",
    "retried",
]
