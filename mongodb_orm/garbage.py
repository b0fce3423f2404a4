"""The garbage collector, out of the way of loops that make many objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from running in a block that makes many objects and no cycles.

    Counting references frees at once what such a block drops; the collector would only walk what it keeps, again and
    again. The block must not wait for anything: other tasks may need the collector.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()
