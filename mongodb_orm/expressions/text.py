"""Search by words, through the collection's text index."""

from __future__ import annotations

from dataclasses import dataclass

from .nodes import Condition


@dataclass(frozen=True, slots=True)
class TextSearch(Condition):
    """Match documents by words, in any of the fields of the collection's text index.

    Attributes:
        words: Any of these words; `"a phrase"` in quotation marks must occur, a word after a minus must not.
        language: Whose endings and stop words are known, such as `"norwegian"`, or `"none"`; default: the index's own.
        case_sensitive: Whether capitals count.
        diacritic_sensitive: Whether accents count.

    Example:
        >>> await Post.filter(TextSearch("coffee -decaf"), status="published")
    """

    words: str
    language: str | None = None
    case_sensitive: bool = False
    diacritic_sensitive: bool = False
