"""How what is stored is found."""

from .user_repository import UserCriteria, UserRepository, UserSummary

__all__ = ["UserCriteria", "UserRepository", "UserSummary"]
