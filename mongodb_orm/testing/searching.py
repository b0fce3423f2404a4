"""Table-driven tests of a repository's searches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ..exceptions import ConfigurationError
from ..repository import CriteriaLike, RepositoryProtocol


@dataclass(frozen=True, slots=True)
class SearchCase:
    """One row of a table of searches: what is searched for, and the ids of what should be found.

    Attributes:
        name: What the search is about; it names the test.
        criteria: The criteria; None for none.
        ids: The ids of the records that should be found, in any order.
    """

    name: str
    criteria: CriteriaLike | None
    ids: tuple[Any, ...]

    @property
    def __name__(self) -> str:
        """The name that pytest gives the test."""
        return self.name

    async def check(self, repository: RepositoryProtocol[Any]) -> None:
        """Search in every way that a repository has, and compare.

        Raises:
            AssertionError: When one of them finds something else.
        """
        found = [_id_of(record) for record in await repository.find(self.criteria)]
        assert sorted(found) == sorted(self.ids), f"{self.name}: find() found {found}, not {list(self.ids)}"
        streamed = [_id_of(record) async for record in repository.stream(self.criteria)]
        assert streamed == found, f"{self.name}: stream() found {streamed}, find() {found}"
        counted = await repository.count(self.criteria)
        assert counted == len(self.ids), f"{self.name}: count() is {counted}, not {len(self.ids)}"
        for verb in (repository.any, repository.exists):
            said = await verb(self.criteria)
            assert said is bool(self.ids), f"{self.name}: {verb.__name__}() is {said}"
        first = await repository.find_one(self.criteria)
        assert (first is not None) is bool(self.ids), f"{self.name}: find_one() found {first}"
        page = await repository.page(self.criteria, size=1)
        assert page.total == len(self.ids), f"{self.name}: page() counts {page.total}, not {len(self.ids)}"


def _id_of(record: Any) -> Any:
    return getattr(record, getattr(record, "__mongo_id_field__", "id"))


def search_cases(
    cases: Iterable[tuple[str, CriteriaLike | None, Collection[Any]]], *, all_ids: Collection[Any] = ()
) -> list[SearchCase]:
    """Return the rows of a table of searches, for `pytest.mark.parametrize`.

    Args:
        cases: A name, criteria and the expected ids for each search.
        all_ids: The ids of all records: with them, a case is added that null criteria find everything.

    Raises:
        ConfigurationError: When two cases have the same name.

    Example:
        >>> @pytest.mark.parametrize("case", search_cases(
        ...     [("by guild", ChannelCriteria(guild_id=1), [1, 3]), ("by nobody", ChannelCriteria(guild_id=9), [])],
        ...     all_ids=[1, 2, 3, 4],
        ... ))
        ... async def test_search(case, channels):
        ...     await case.check(channels)
    """
    table = [SearchCase(name, criteria, tuple(ids)) for name, criteria, ids in cases]
    if all_ids:
        table.insert(0, SearchCase("null criteria", None, tuple(all_ids)))
    names = [case.name for case in table]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"Two searches are called {name!r}.", hint="Give each case a name of its own.")
    return table
