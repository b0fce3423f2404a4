"""The script `mongodb-orm`, which says what is missing where the extra `cli` is not installed."""

from __future__ import annotations

import sys

from ..exceptions import NotSupportedError
from ..extras import load_extra


def main() -> None:
    """Run the command line."""
    try:
        application = load_extra(
            "mongodb_orm.cli.application", "app", feature="The command line", package="mongodb-orm[cli]"
        )
    except NotSupportedError as error:
        sys.exit(str(error))
    application()
