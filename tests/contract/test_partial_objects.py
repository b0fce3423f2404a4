"""Objects of which a query loaded only a part."""

from __future__ import annotations

from typing import Any

import pydantic
from pydantic import Field

from mongodb_orm import BaseModel


class Branch(pydantic.BaseModel):
    name: str = Field("", serialization_alias="n")
    upper: Branch | None = None

    @pydantic.model_validator(mode="after")
    def has_a_name(self) -> Branch:
        assert self.name
        return self


class Tree(BaseModel):
    kind: str = ""
    height: int = 0
    trunk: Branch | None = None
    seedlings: list[Tree] = Field(default_factory=list)


async def test_models_that_contain_themselves_are_loaded_in_full(register_any: Any) -> None:
    await register_any(Tree)
    trunk = Branch(name="a", upper=Branch(name="b"))
    oak = await Tree.create(kind="oak", trunk=trunk, seedlings=[Tree(kind="acorn", height=1)])
    part = await Tree.all().only("trunk", "seedlings").one()
    assert part.get_deferred_fields() == {"kind", "height", "created_at", "updated_at"}
    assert part.trunk == trunk
    assert [(seedling.kind, seedling.height, seedling.id) for seedling in part.seedlings] == [("acorn", 1, None)]
    assert not part.is_changed
    assert part.trunk is not None and part.trunk.upper is not None
    part.trunk.upper.name = "c"
    part.seedlings[0].height = 2
    await part.save()
    await oak.refresh_from_db()
    assert oak.trunk == Branch(name="a", upper=Branch(name="c"))
    assert (oak.kind, oak.seedlings[0].kind, oak.seedlings[0].height) == ("oak", "acorn", 2)
