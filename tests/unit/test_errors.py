"""What every error has in common."""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from pathlib import Path

import pytest

import mongodb_orm
from mongodb_orm import (
    DuplicateDocumentError,
    InvalidValueError,
    MongoDBORMError,
    QueryError,
    UnknownFieldError,
    UnknownLookupError,
    exceptions,
)

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
ERRORS = [
    value
    for name in exceptions.__all__
    if isinstance(value := getattr(exceptions, name), type) and issubclass(value, MongoDBORMError)
]


class OurOwnError(QueryError):
    """An application's error."""


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_leads_to_its_section(kind: type[MongoDBORMError]) -> None:
    error = kind.__new__(kind, "It failed.")
    page, _, anchor = error.docs_page.partition("#")
    assert page == "errors.md"
    assert anchor in {heading.lower() for heading in re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)}


def test_a_traceback_shows_where_to_read_on_and_the_message_does_not() -> None:
    error = InvalidValueError("It does not fit.", hint="Give a number.", field="age")
    shown = "".join(traceback.format_exception(error))
    assert shown.splitlines()[-2:] == [
        "mongodb_orm.exceptions.queries.InvalidValueError: It does not fit. Give a number.",
        "More: errors.md#invalidvalueerror in the documentation of mongodb_orm.",
    ]
    assert str(error) == "It does not fit. Give a number."


def test_an_error_of_the_application_leads_to_what_it_derives_from() -> None:
    assert OurOwnError("It failed.").docs_page == "errors.md#queryerror"


@pytest.mark.parametrize(
    "error",
    [
        DuplicateDocumentError("It is there.", hint="Take another.", model="User", fields=("name",), value="ann"),
        UnknownFieldError("User", "nam", ["name"]),
        UnknownLookupError("User", "age", "gtx", ["gt", "gte"]),
        mongodb_orm.ConnectionError("It broke.", code=91, labels=["RetryableWriteError"]),
        OurOwnError("It failed.", field="age"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_processes(error: MongoDBORMError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
