"""Tables of searches: what is searched for, and what is found. Both backends answer them."""

from __future__ import annotations

import pytest

from examples.moderation.criteria import DesignatedChannelMappingCriteria as MappingCriteria
from examples.moderation.criteria import InfractionCriteria
from examples.moderation.models import DesignatedChannelType, InfractionType
from examples.moderation.repositories import DesignatedChannelMappingRepository, InfractionRepository
from examples.moderation.tests.data import day
from mongodb_orm import OperationError, ValidationError
from mongodb_orm.testing import SearchCase, search_cases

MAPPINGS = search_cases(
    [
        ("empty criteria", MappingCriteria(), [1, 2, 3, 4]),
        ("id 1", MappingCriteria(id=1), [1]),
        ("id 2", MappingCriteria(id=2), [2]),
        ("no such id", MappingCriteria(id=5), []),
        ("guild 1", MappingCriteria(guild_id=1), [1, 3]),
        ("guild 2", MappingCriteria(guild_id=2), [2, 4]),
        ("no such guild", MappingCriteria(guild_id=3), []),
        ("channel 1", MappingCriteria(channel_id=1), [1]),
        ("channel 3", MappingCriteria(channel_id=3), [2, 4]),
        ("no such channel", MappingCriteria(channel_id=4), []),
        ("message log", MappingCriteria(type=DesignatedChannelType.MESSAGE_LOG), [1]),
        ("moderation log", MappingCriteria(type=DesignatedChannelType.MODERATION_LOG), [2, 3]),
        ("nothing unmoderated", MappingCriteria(type=DesignatedChannelType.UNMODERATED), []),
        ("created by 1", MappingCriteria(created_by_id=1), [1, 3]),
        ("created by 3", MappingCriteria(created_by_id=3), [4]),
        ("created by nobody", MappingCriteria(created_by_id=4), []),
        ("deleted", MappingCriteria(is_deleted=True), [1]),
        ("not deleted", MappingCriteria(is_deleted=False), [2, 3, 4]),
        ("either of two", MappingCriteria(id=1) | MappingCriteria(channel_id=2), [1, 3]),
    ],
    all_ids=[1, 2, 3, 4],
)

INFRACTIONS = search_cases(
    [
        ("empty criteria", InfractionCriteria(), [1, 2, 3, 4, 5]),
        ("id", InfractionCriteria(id=3), [3]),
        ("guild", InfractionCriteria(guild_id=1), [1, 2, 4, 5]),
        ("types", InfractionCriteria(types=[InfractionType.NOTICE, InfractionType.BAN]), [1, 3]),
        ("no types", InfractionCriteria(types=[]), [1, 2, 3, 4, 5]),
        ("subject", InfractionCriteria(subject_id=4), [4, 5]),
        ("words of the reason", InfractionCriteria(reason__icontains="SPAM"), [1, 2]),
        ("signs are no patterns", InfractionCriteria(reason__icontains="(50%)"), [4]),
        ("created from", InfractionCriteria(created_from=day(4)), [3, 4, 5]),
        ("created before", InfractionCriteria(created_before=day(4)), [1, 2]),
        ("created between", InfractionCriteria(created_from=day(3), created_before=day(6)), [2, 3]),
        ("created by", InfractionCriteria(created_by_id=2), [3, 4]),
        ("rescinded", InfractionCriteria(is_rescinded=True), [3]),
        ("not rescinded", InfractionCriteria(is_rescinded=False), [1, 2, 4, 5]),
        ("deleted", InfractionCriteria(is_deleted=True), [1]),
        ("all hold", InfractionCriteria(guild_id=1, subject_id=3, is_deleted=False), [2]),
    ],
    all_ids=[1, 2, 3, 4, 5],
)

EXPIRY = search_cases(
    [
        ("nothing before", InfractionCriteria(expires_before=day(4)), []),
        ("one before", InfractionCriteria(expires_before=day(5)), [2]),
        ("two before", InfractionCriteria(expires_before=day(8)), [2, 5]),
        ("two in one guild", InfractionCriteria(expires_before=day(8), guild_id=2), []),
    ]
)


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("case", MAPPINGS)
async def test_channel_mappings(case: SearchCase) -> None:
    await case.check(DesignatedChannelMappingRepository())


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("case", INFRACTIONS)
async def test_infractions(case: SearchCase) -> None:
    await case.check(InfractionRepository())


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("case", EXPIRY)
async def test_what_has_expired(case: SearchCase) -> None:
    await case.check(InfractionRepository())


@pytest.mark.usefixtures("memory")
async def test_memory_does_not_calculate() -> None:
    with pytest.raises(OperationError, match="memory backend"):
        await InfractionRepository().find(InfractionCriteria(expires_before=day(5)))


def test_a_search_for_what_is_no_type() -> None:
    with pytest.raises(ValidationError, match="types"):
        InfractionCriteria(types=["kick"])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match="gild_id"):
        InfractionCriteria(gild_id=1)  # type: ignore[call-arg]
