"""What is stored."""

from .mail import Mail, MailState
from .post import Post
from .rate_window import RateWindow
from .user import User

__all__ = ["Mail", "MailState", "Post", "RateWindow", "User"]
