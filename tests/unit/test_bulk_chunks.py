"""How many documents are cut into commands."""

from __future__ import annotations

import pytest

from mongodb_orm.persistence import bulk


def test_chunks_end_at_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)
    assert list(bulk.chunks([b"a", b"b", b"c"], len)) == [(0, [b"a", b"b"]), (2, [b"c"])]
    assert list(bulk.chunks([], len)) == []


def test_chunks_end_at_the_bytes_and_a_large_document_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK_BYTES", 4)
    assert list(bulk.chunks([b"aa", b"bb", b"c", b"dddddd", b"e"], len)) == [
        (0, [b"aa", b"bb"]),
        (2, [b"c"]),
        (3, [b"dddddd"]),
        (4, [b"e"]),
    ]
