"""A stand-in for MongoDB 8: a proxy before a real, older server that runs the command `bulkWrite` for it.

No binary of MongoDB 8 can be had where these tests run. The proxy says in the handshake that it has MongoDB 8's wire
version (25), passes everything on, and runs `bulkWrite` as manual and source of the server describe it: one `insert`,
`update` or `delete` of the real server for each of its writes, with the statement id that `bulkWrite` gives it. Retried
writes, transactions, write concerns and errors are the real server's own, then. What it cannot show is how MongoDB 8
itself behaves: its speed, its limits, and anything in which it differs from its description.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import bson

Document = dict[str, Any]

_WIRE_VERSION = 25
_OP_MSG = 2013
_MORE_TO_COME = 2
_HEADER = struct.Struct("<iiii")
_PASSED_ON = ("lsid", "$clusterTime", "comment", "let", "bypassDocumentValidation", "maxTimeMS")


@dataclass
class Request:
    """A `bulkWrite` that was asked for."""

    command: Document
    ops: list[Document]
    namespaces: list[str]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What each write does, and to which collection."""
        return [(kind, self.namespaces[op[kind]].partition(".")[2]) for op in self.ops for kind in [next(iter(op))]]


@dataclass
class MongoDB8:
    """The proxy, and what a test does to it.

    It runs on an event loop of its own, since a Motor client that is closed blocks the loop of the test.

    Attributes:
        upstream: The port of the real server.
        port: Its own.
        wire_version: What it says in the handshake.
        requests: Every `bulkWrite` with writes, in order; a retry is one more.
        probes: How many there were without.
        is_downgraded: Whether it refuses `bulkWrite`, as with an older `featureCompatibilityVersion`.
        breaks: For each coming `bulkWrite`, after how many writes its connection breaks; None for not at all.
        pause: Seconds that pass before a `bulkWrite` is answered.
    """

    upstream: int
    port: int = 0
    wire_version: int = _WIRE_VERSION
    requests: list[Request] = field(default_factory=list)
    probes: int = 0
    is_downgraded: bool = False
    breaks: list[int | None] = field(default_factory=list)
    pause: float = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread = field(init=False)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def uri(self) -> str:
        """The connection string for clients."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> MongoDB8:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        real = _Real(*await asyncio.open_connection("127.0.0.1", self.upstream))
        writers = {writer, real.writer}
        self._writers |= writers
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer(await _read(reader), real, writer)
        finally:
            self._writers -= writers
            for each in writers:
                each.close()

    async def _answer(self, message: _Message, real: _Real, writer: asyncio.StreamWriter) -> None:
        command = message.document() if message.kind == _OP_MSG else {}
        if next(iter(command), "") == "bulkWrite":
            reply = await self._bulk_write(command, real)
            writer.write(_op_msg(message.request, reply))
            await writer.drain()
            return
        real.writer.write(message.raw)
        if message.expects_no_reply:
            return
        while True:
            answer = await _read(real.reader)
            writer.write(self._newer(answer))
            await writer.drain()
            if not answer.expects_no_reply:
                return

    def _newer(self, answer: _Message) -> bytes:
        """Return a reply, a handshake's with another wire version."""
        if b"maxWireVersion" not in answer.raw:
            return answer.raw
        raw, start = answer.raw, answer.body
        changed = bson.encode({**bson.decode(raw[start:]), "maxWireVersion": self.wire_version})
        length = start + len(changed)
        return _HEADER.pack(length, *_HEADER.unpack_from(raw)[1:]) + raw[_HEADER.size : start] + changed

    async def _bulk_write(self, command: Document, real: _Real) -> Document:
        ops, infos = command.pop("ops"), command.pop("nsInfo")
        if self.is_downgraded:
            return _refusal(115, "BulkWrite may not be run without featureFlagBulkWriteCommand enabled")
        if command["$db"] != "admin":
            return _refusal(13, "bulkWrite may only be run against the admin database.")
        if not ops:
            self.probes += 1
            return _refusal(16, "Write batch sizes must be between 1 and 100000. Got 0 operations.")
        request = Request(command, ops, [info["ns"] for info in infos])
        self.requests.append(request)
        ends = self.breaks.pop(0) if self.breaks else None
        run = _Run(request, real)
        for index in range(len(ops)):
            if index == ends:
                raise ConnectionResetError
            if not await run.write(index):
                break
        if ends is not None and ends >= len(ops):
            raise ConnectionResetError  # everything is written, and the answer lost
        await asyncio.sleep(self.pause)
        return run.reply()


class _Run:
    """One `bulkWrite` as it runs."""

    def __init__(self, request: Request, real: _Real) -> None:
        self._request = request
        self._real = real
        self._is_transaction = request.command.get("autocommit") is False
        self._items: list[Document] = []
        self._counts = dict.fromkeys(("nErrors", "nInserted", "nMatched", "nModified", "nUpserted", "nDeleted"), 0)
        self._extra: Document = {}
        self._failure: Document | None = None

    async def write(self, index: int) -> bool:
        """Run one of the writes; return whether to go on."""
        answer = await self._real.run(self._translated(index))
        self._extra.update({name: answer[name] for name in ("$clusterTime", "operationTime") if name in answer})
        if not answer["ok"]:  # the command as a whole fails, as when the server throws
            self._failure = answer
            return False
        if "writeConcernError" in answer:
            self._extra["writeConcernError"] = answer["writeConcernError"]
        self._extra.setdefault("retriedStmtIds", []).extend(answer.get("retriedStmtIds", ()))
        kind = next(iter(self._request.ops[index]))
        for error in answer.get("writeErrors", ()):
            said = {name: value for name, value in error.items() if name != "index"}
            self._items.append({"ok": 0.0, "idx": index, **said, "n": 0})
            self._counts["nErrors"] += 1
            return not (self._is_transaction or self._request.command.get("ordered", True))
        self._items.append({"ok": 1.0, "idx": index, "n": answer["n"], **self._count(kind, answer)})
        return True

    def reply(self) -> Document:
        """Return the answer of the whole."""
        if self._failure is not None:
            return self._failure
        only_errors = self._request.command.get("errorsOnly", False)
        batch = [item for item in self._items if not (only_errors and item["ok"])]
        if not self._extra.get("retriedStmtIds"):
            self._extra.pop("retriedStmtIds", None)
        cursor = {"id": bson.Int64(0), "firstBatch": batch, "ns": "admin.$cmd.bulkWrite"}
        return {"cursor": cursor, **self._counts, **self._extra, "ok": 1.0}

    def _count(self, kind: str, answer: Document) -> Document:
        if kind == "insert":
            self._counts["nInserted"] += answer["n"]
            return {}
        if kind == "delete":
            self._counts["nDeleted"] += answer["n"]
            return {}
        self._counts["nModified"] += answer["nModified"]
        if "upserted" in answer:
            self._counts["nUpserted"] += 1
            return {"nModified": answer["nModified"], "upserted": {"_id": answer["upserted"][0]["_id"]}}
        self._counts["nMatched"] += answer["n"]
        return {"nModified": answer["nModified"]}

    def _translated(self, index: int) -> Document:
        """Return the real server's command for one of the writes."""
        asked, op = self._request.command, self._request.ops[index]
        kind = next(iter(op))
        database, _, collection = self._request.namespaces[op[kind]].partition(".")
        command: Document = {kind: collection}
        options = {name: op[name] for name in ("collation", "hint", "arrayFilters", "upsert") if name in op}
        if kind == "insert":
            command["documents"] = [op["document"]]
        elif kind == "update":
            command["updates"] = [{"q": op["filter"], "u": op["updateMods"], "multi": op["multi"], **options}]
        else:
            command["deletes"] = [{"q": op["filter"], "limit": 0 if op["multi"] else 1, **options}]
        command |= {name: asked[name] for name in _PASSED_ON if name in asked and (name != "let" or kind != "insert")}
        if self._is_transaction:
            command |= {"txnNumber": asked["txnNumber"], "autocommit": False}
            if index == 0:  # the first command of a transaction begins it
                command |= {name: asked[name] for name in ("startTransaction", "readConcern") if name in asked}
        else:
            command |= {name: asked[name] for name in ("writeConcern", "txnNumber") if name in asked}
            if "txnNumber" in asked:
                command["stmtIds"] = [asked.get("stmtId", 0) + index]
        return {**command, "$db": database}


def _refusal(code: int, reason: str) -> Document:
    names = {13: "Unauthorized", 16: "InvalidLength", 115: "CommandNotSupported"}
    return {"ok": 0.0, "errmsg": reason, "code": code, "codeName": names[code]}


@dataclass
class _Real:
    """A connection to the real server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def run(self, command: Document) -> Document:
        self.writer.write(_op_msg(0, command))
        return (await _read(self.reader)).document()


@dataclass
class _Message:
    raw: bytes

    @property
    def request(self) -> int:
        return int(_HEADER.unpack_from(self.raw)[1])

    @property
    def kind(self) -> int:
        return int(_HEADER.unpack_from(self.raw)[3])

    @property
    def body(self) -> int:
        """Where the document of an `OP_MSG` or `OP_REPLY` begins."""
        return _HEADER.size + (5 if self.kind == _OP_MSG else 20)

    @property
    def expects_no_reply(self) -> bool:
        """Whether more messages follow without being asked for, or a write is not acknowledged."""
        return self.kind == _OP_MSG and bool(struct.unpack_from("<i", self.raw, _HEADER.size)[0] & _MORE_TO_COME)

    def document(self) -> Document:
        """Return the command or answer, with the documents of its sequences in it."""
        found: Document = {}
        for name, documents in self._sections():
            if name is None:
                found |= documents[0]
            else:
                found[name] = documents
        return found

    def _sections(self) -> Iterator[tuple[str | None, list[Mapping[str, Any]]]]:
        position = _HEADER.size + 4
        while position < len(self.raw):
            kind, position = self.raw[position], position + 1
            size = struct.unpack_from("<i", self.raw, position)[0]
            section = self.raw[position : position + size]
            position += size
            if kind == 0:
                yield None, [bson.decode(section)]
            else:
                name, _, documents = section[4:].partition(b"\0")
                yield name.decode(), bson.decode_all(documents)


async def _read(reader: asyncio.StreamReader) -> _Message:
    length = await reader.readexactly(4)
    return _Message(length + await reader.readexactly(struct.unpack("<i", length)[0] - 4))


def _op_msg(response_to: int, document: Document) -> bytes:
    body = struct.pack("<iB", 0, 0) + bson.encode(document)
    return _HEADER.pack(_HEADER.size + len(body), 0, response_to, _OP_MSG) + body
