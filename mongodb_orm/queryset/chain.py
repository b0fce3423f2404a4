"""What narrows, orders and tunes a query: every method returns a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar

from ..compiler.ordering import compile_sort
from ..exceptions import InvalidValueError, QueryError
from ..expressions import TextSearch, join
from ..schema import MappedModel, spec_of
from .results import sorted_beside
from .state import QueryState

M = TypeVar("M", bound=MappedModel)

ReadPreference = Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"]

_READ_PREFERENCES = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")


@dataclass(frozen=True, slots=True, repr=False)
class Chain(QueryState[M]):
    """The part of a query that is chained; it says nothing about what the results are."""

    def filter(self, /, *conditions: Any, **lookups: Any) -> Self:
        """Narrow the query: all of the conditions must hold too.

        Args:
            conditions: `Q` objects, expressions such as `User.f.age >= 18`, or raw query documents.
            lookups: Keyword lookups, such as `age__gte=18`.
        """
        return self.narrowed(join(*conditions, **lookups))

    def exclude(self, /, *conditions: Any, **lookups: Any) -> Self:
        """Narrow the query to documents for which the conditions do not all hold; no conditions exclude nothing."""
        return self.narrowed(~join(*conditions, **lookups))

    def order_by(self, *order: Any) -> Self:
        """Sort by fields, `"-name"` descending; replaces an earlier order, and without arguments removes it.

        After `project`, what a `Reference` joins or `From` calculates can be sorted by too:
        `project(PostSummary).order_by("author.name", "-word_count")`.
        """
        return self.but(sort=compile_sort(spec_of(self.model), order, sorted_beside(self.kind)))

    def sort_by(self, order: Any) -> Self:
        """Sort by a mapping of fields to directions, or any other form that `filter(sort_by=...)` takes."""
        return self.but(sort=compile_sort(spec_of(self.model), order, sorted_beside(self.kind)))

    def search(
        self,
        words: str,
        *,
        language: str | None = None,
        case_sensitive: bool = False,
        diacritic_sensitive: bool = False,
    ) -> Self:
        """Narrow the query to documents with these words, the best match first unless the query has an order.

        The collection needs a text index, and all fields of that index are searched.

        Args:
            words: Any of these words; `"a phrase"` in quotation marks must occur, a word after a minus must not.
            language: Whose endings and stop words are known, such as `"norwegian"`; the index's own by default.
            case_sensitive: Whether capitals count.
            diacritic_sensitive: Whether accents count.

        Example:
            >>> posts = await Post.search('coffee "flat white" -decaf').limit(10)
            >>> for post, score in await Post.search("coffee").with_scores(): ...
        """
        found = self.narrowed(TextSearch(words, language, case_sensitive, diacritic_sensitive))
        return found if self.sort else found.order_by_score()

    def order_by_score(self) -> Self:
        """Sort the results of a search by words, the best match first; `search` does that by itself."""
        return self.but(sort=(("score", {"$meta": "textScore"}),))

    def limit(self, count: int) -> Self:
        """Take at most `count` documents; 0 takes all."""
        return self.but(limited=self.whole_number("limit", count))

    def skip(self, count: int) -> Self:
        """Leave out the first `count` documents."""
        return self.but(skipped=self.whole_number("skip", count))

    def with_deleted(self) -> Self:
        """Include documents that were deleted softly."""
        return self.but(visibility="all")

    def only_deleted(self) -> Self:
        """Take only documents that were deleted softly."""
        return self.but(visibility="deleted")

    def scope(self, name: str, /, *arguments: Any, **options: Any) -> Self:
        """Narrow the query by a scope that `Meta.scopes` names.

        Args:
            name: The scope's name.
            arguments: What a scope that is a function is called with.
            options: Likewise.

        Raises:
            QueryError: When the model has no such scope.

        Example:
            >>> class Post(BaseModel):
            ...     status: str
            ...     class Meta:
            ...         scopes = {"published": Q(status="published"), "by": lambda author: Q(author_id=author)}
            >>> await Post.all().scope("published").scope("by", 5)
        """
        scopes = spec_of(self.model).settings.scopes
        if name not in scopes:
            near = get_close_matches(str(name), scopes, n=1)
            raise QueryError(
                f"{self.model.__name__} has no scope {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Its scopes are: {', '.join(scopes) or 'none'}.",
                model=self.model.__name__,
            )
        declared = scopes[name]
        return self.narrowed(join(declared(*arguments, **options) if callable(declared) else declared))

    def unscoped(self) -> Self:
        """Leave out the model's default scope; soft deletion stays."""
        return self.but(is_scoped=False)

    def using(self, *, database: str) -> Self:
        """Run the query on another database of the same server; objects remember it when they are saved."""
        is_name = isinstance(database, str) and 0 < len(database.encode(errors="replace")) < 64
        if not is_name or set(database) & set('/\\. "$\0'):
            raise InvalidValueError(f"{database!r} is no name of a database.", field="database", value=database)
        return self.but(database=database)

    def batch_size(self, count: int) -> Self:
        """Fetch `count` documents per trip."""
        return self.but(batch=self.whole_number("batch_size", count))

    def hint(self, index: str) -> Self:
        """Make the server use an index, by its name.

        Raises:
            InvalidValueError: When it is no name. A name that the server does not know is a `MissingIndexError` there.
        """
        if not isinstance(index, str) or not index:
            raise InvalidValueError(
                f"{index!r} is no name of an index.", hint="list_indexes() has the names.", field="hint", value=index
            )
        return self.but(index_hint=index)

    def comment(self, text: Any) -> Self:
        """Attach a comment that shows in the server's log and profiler."""
        return self.but(note=text)

    def collation(self, locale: str | Mapping[str, Any], *, strength: int | None = None, **options: Any) -> Self:
        """Compare and sort strings by the rules of a language.

        Args:
            locale: The language, such as `"de"`, or MongoDB's whole collation document.
            strength: 1 ignores accents and case, 2 ignores case, 3 is the default.
            options: Further options under MongoDB's names, such as `numericOrdering=True`
                (https://www.mongodb.com/docs/manual/reference/collation/).

        Example:
            >>> await User.filter(name="ZOË").collation("en", strength=1)
        """
        rules: dict[str, Any] = dict(locale) if isinstance(locale, Mapping) else {"locale": locale}
        if strength is not None:
            rules["strength"] = strength
        if not isinstance(rules.get("locale"), str):
            raise InvalidValueError(f"{locale!r} is no collation.", hint='Write collation("en", strength=2).')
        return self.but(rules={**rules, **options})

    def max_time(self, seconds: float) -> Self:
        """Let the server give up after so many seconds."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 2**31:
            raise InvalidValueError(f"max_time is a number of seconds above 0, not {seconds!r}.", value=seconds)
        return self.but(deadline_ms=max(1, int(seconds * 1000)))

    def read_preference(self, mode: ReadPreference) -> Self:
        """Say which members of a replica set may answer: what a secondary answers may be a little old."""
        if mode not in _READ_PREFERENCES:
            raise InvalidValueError(
                f"{mode!r} is no read preference.", hint=f"Use one of {', '.join(_READ_PREFERENCES)}.", value=mode
            )
        return self.but(read_from=mode)

    def allow_disk_use(self, allowed: bool = True) -> Self:
        """Let the server sort more than 100 MB by way of temporary files."""
        return self.but(disk_use=allowed)

    def allow_javascript(self) -> Self:
        """Let `$where` and `$function` pass; never with input from outside."""
        return self.but(javascript=True)

    def __getitem__(self, window: slice) -> Self:
        """Take a slice, as of a list; negative bounds and steps are refused."""
        if not isinstance(window, slice) or window.step not in (None, 1):
            raise InvalidValueError(
                "A query is sliced as query[start:stop].", hint="One result is first(), last() or one().", value=window
            )
        if any(isinstance(bound, int) and bound < 0 for bound in (window.start, window.stop)):
            raise InvalidValueError(
                "A query cannot be sliced from its end, which only the server knows.",
                hint='Turn the order round, order_by("-id")[:n], or use last().',
                value=window,
            )
        start = self.whole_number("skip", window.start or 0)
        stop = None if window.stop is None else self.whole_number("limit", window.stop)
        inner = None if stop is None else max(0, stop - start)
        left = max(0, self.limited - start) if self.limited else None
        limits = [count for count in (inner, left) if count is not None]
        limit = min(limits) if limits else 0
        is_empty = self.is_empty or (bool(limits) and limit == 0)
        return self.but(skipped=self.skipped + start, limited=limit, is_empty=is_empty)

    if not TYPE_CHECKING:  # a checker refuses the loop without it

        def __iter__(self) -> NoReturn:
            raise TypeError("A query is read with `await query` or `async for`, not with `for`, `in` or list().")
