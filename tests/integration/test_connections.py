"""Loops, lost servers, cancelled tasks: what only a real server can show."""

from __future__ import annotations

import asyncio
import builtins
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from mongomock_motor import AsyncMongoMockClient
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    ConnectionClosedError,
    ConnectionError,
    DatabaseConfig,
    ModelNotInitializedError,
    OperationError,
    RegistrationError,
    TimeoutError,
    close_all_connections,
    health_check,
    health_report,
    register_all_models,
    register_model,
    start_embedded,
    stop_embedded,
)
from mongodb_orm.connections import connections


class Item(BaseModel):
    name: str = "x"


class SubItem(Item):
    pass


class Unregistered(BaseModel):
    name: str


class Based(BaseModel):
    class Meta:
        abstract = True

    name: str


class Concrete(Based):
    class Meta:
        indexes = ("name",)


async def test_an_unregistered_model_says_what_to_write() -> None:
    with pytest.raises(ModelNotInitializedError, match=r"register_model\(Unregistered"):
        await Unregistered.all()


async def test_a_subclass_has_its_own_collection(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    with pytest.raises(ModelNotInitializedError):
        await SubItem.count()
    await register_model(SubItem, config)
    await SubItem.create()
    assert await Item.count() == 0
    assert await SubItem.count() == 1


async def test_register_all_models_of_a_module(config: DatabaseConfig, raw: Any) -> None:
    found = await register_all_models(__name__, db_config=config)
    assert {model.__name__ for model in found} == {"Item", "SubItem", "Unregistered", "Concrete"}
    assert sorted(raw["concrete"].index_information()) == ["_id_", "name_1"]
    assert raw.list_collection_names() == ["concrete"], "nothing else is created unasked"
    connections._bindings.pop(Unregistered)


async def test_register_all_models_of_a_package(config: DatabaseConfig, tmp_path: Any, monkeypatch: Any) -> None:
    package = tmp_path / "shop_models"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "orders.py").write_text("from mongodb_orm import BaseModel\nclass Order(BaseModel):\n    total: int\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [model.__name__ for model in await register_all_models("shop_models", db_config=config)] == ["Order"]


@pytest.mark.parametrize("module", ["no_such_module", "json", "", 5])
async def test_registering_nothing_is_an_error(config: DatabaseConfig, module: Any) -> None:
    with pytest.raises(RegistrationError):
        await register_all_models(module, db_config=config)


@pytest.mark.parametrize("model", [Based, BaseModel, int, "User"])
async def test_only_concrete_models_can_be_registered(config: DatabaseConfig, model: Any) -> None:
    with pytest.raises(RegistrationError):
        await register_model(model, config)


def test_two_loops_in_sequence(config: DatabaseConfig, caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> int:
        await Item.create()
        return await Item.count()

    async def first() -> int:
        await register_model(Item, config)
        return await use()

    assert asyncio.run(first()) == 1
    assert asyncio.run(use()) == 2, "a new loop gets a client of its own"
    assert [record for record in caplog.records if record.name.startswith("mongodb_orm")] == []


def test_a_forked_child_starts_afresh(config: DatabaseConfig, raw: Any) -> None:
    uri, name, driver = config.mongo_uri, config.database_name, config.driver
    script = textwrap.dedent(f"""
        import asyncio, os
        from mongodb_orm import BaseModel, DatabaseConfig, register_model
        class Item(BaseModel):
            name: str = "x"
        async def first():
            await register_model(Item, DatabaseConfig({uri!r}, {name!r}, driver={driver!r}))
            await use()
        async def use():
            for _ in range(20):
                await Item.create()
        asyncio.run(first())
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                asyncio.run(use())
                os._exit(0)
            children.append(child)
        asyncio.run(use())
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    """)
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)
    assert raw["item"].count_documents({}) == 100


def test_loops_in_threads(config: DatabaseConfig) -> None:
    asyncio.run(_register(config))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(_create_some(10))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert asyncio.run(_count()) == 40


async def _register(config: DatabaseConfig) -> None:
    await register_model(Item, config)


async def _create_some(count: int) -> None:
    for _ in range(count):
        await Item.create()


async def _count() -> int:
    ids = {item.id for item in await Item.all()}
    return len(ids)


async def test_concurrent_operations_share_one_client(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    before = set(connections._open)
    made = await asyncio.gather(*[Item.create(name=str(n)) for n in range(500)])
    assert len({item.id for item in made}) == 500
    assert len(connections._open.keys() - before) == 1
    found = await asyncio.gather(*[Item.get_by_id(item.id) for item in made])
    assert found == made


async def test_ids_are_unique_across_processes(config: DatabaseConfig, raw: Any) -> None:
    arguments = (config.mongo_uri, config.database_name)
    script = textwrap.dedent(f"""
        import asyncio
        from mongodb_orm import BaseModel, DatabaseConfig, register_model
        class Item(BaseModel):
            name: str = "x"
        async def main():
            await register_model(Item, DatabaseConfig(*{arguments!r}))
            await asyncio.gather(*[Item.create() for _ in range(200)])
            await Item.bulk_create([{{}} for _ in range(50)])
        asyncio.run(main())
    """)
    workers = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(3)]
    assert [await worker.wait() for worker in workers] == [0, 0, 0]
    assert raw["item"].count_documents({}) == 750


async def test_bulk_create_takes_one_counter_trip(config: DatabaseConfig, admin: Any) -> None:
    await register_model(Item, config)
    await Item.create()
    trips = admin["admin"].command("serverStatus")["metrics"]["commands"]["findAndModify"]["total"]
    made = await Item.bulk_create([{} for _ in range(1000)])
    after = admin["admin"].command("serverStatus")["metrics"]["commands"]["findAndModify"]["total"]
    assert after - trips == 1
    assert len({item.id for item in made}) == 1000


async def test_counters_pass_ids_that_exist(config: DatabaseConfig, raw: Any) -> None:
    raw["item"].insert_one({"_id": 41, "name": "imported"})
    await register_model(Item, config)
    assert (await Item.create()).id == 42
    assert (await Item.create(id=100)).id == 100
    assert (await Item.create()).id == 101


async def test_closing_concurrently_and_in_mid_use(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await Item.create()
    await asyncio.gather(*[close_all_connections() for _ in range(5)])
    assert await Item.count() == 1


async def test_clients_that_were_handed_over_stay_open(config: DatabaseConfig, driver: str) -> None:
    client: Any = (AsyncIOMotorClient if driver == "motor" else AsyncMongoClient)(config.mongo_uri)
    try:
        await register_model(Item, config, client)
        await Item.create()
        await close_all_connections()
        assert await Item.count() == 1
        assert await health_check(client=client)
    finally:
        closing = client.close()
        if closing is not None:
            await closing
    with pytest.raises(ConnectionClosedError):
        await Item.count()
    assert not await health_check(client=client)


async def test_a_mock_client_decides_its_own_driver() -> None:
    await register_model(Item, client=AsyncMongoMockClient())
    await Item.create()
    assert await Item.count() == 1


@pytest.mark.parametrize("client", [5, "mongodb://localhost", object()])
async def test_other_objects_are_no_clients(client: Any) -> None:
    with pytest.raises(ConfigurationError):
        await register_model(Item, client=client)


async def test_an_unreachable_host_is_a_typed_error_in_bounded_time(driver: str) -> None:
    config = DatabaseConfig("mongodb://127.0.0.1:1", driver=driver, server_selection_timeout_ms=300)
    await register_model(Item, config)
    start = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        await Item.count()
    assert time.monotonic() - start < 10
    assert isinstance(caught.value, OSError)
    assert caught.value.__cause__ is not None
    report = await health_report(db_config=config, timeout=2)
    assert not report.healthy
    for text in (str(caught.value), str(report.error)):
        assert "127.0.0.1:1:" in text, "the error tells which server does not answer, and why"
        assert "refused" in text or "Connect call failed" in text
        assert "Topology" not in text
    await close_all_connections()


async def test_a_server_that_dies_and_comes_back(driver: str, tmp_path: Any) -> None:
    uri = f"embedded://{tmp_path}/data"
    config = DatabaseConfig(uri, driver=driver, server_selection_timeout_ms=500, timeout_ms=3000)
    await register_model(Item, config)
    server = await asyncio.to_thread(start_embedded, uri)
    made = await Item.create(name="kept")
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises((ConnectionError, TimeoutError)):
        await Item.count()
    await close_all_connections()
    assert await Item.get_by_id(made.id) == made, "the data is there again after a restart"
    await close_all_connections()
    await asyncio.to_thread(stop_embedded, uri)


async def test_health_answers_in_time_when_a_node_hangs(driver: str) -> None:
    server = await asyncio.to_thread(start_embedded, "embedded://?name=frozen")
    config = DatabaseConfig(server.uri, driver=driver)
    assert await health_check(db_config=config)
    await _freeze(server.pid)
    try:
        start = time.monotonic()
        report = await health_report(db_config=config, timeout=0.5)
        assert time.monotonic() - start < 3
        assert not report.healthy
        assert report.error
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert await health_check(db_config=config, timeout=10)
    await close_all_connections()
    await asyncio.to_thread(stop_embedded, "embedded://?name=frozen")


async def _freeze(pid: int) -> None:
    """Stop a process, and wait until each of its threads stands still."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while any((task / "stat").read_text().rpartition(")")[2].split()[0] != "T" for task in tasks.iterdir()):
        await asyncio.sleep(0.01)


async def test_a_report_of_health(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await asyncio.gather(*[Item.count() for _ in range(5)])
    report = await health_report()
    assert (report.healthy, report.topology, report.error) == (True, "replica_set", None)
    assert report.latency_ms is not None
    assert report.latency_ms > 0
    assert str(report.server_version)[0].isdigit()
    assert report.pool["max_size"] == 100
    assert report.pool["in_use"] == 0
    assert report.pool["idle"] >= 1


async def test_health_checks_leak_nothing(config: DatabaseConfig) -> None:
    for _ in range(3):
        await health_check(db_config=config)
    tasks, threads, clients = len(asyncio.all_tasks()), threading.active_count(), len(connections._open)
    for _ in range(30):
        assert await health_check(db_config=config)
    assert len(asyncio.all_tasks()) <= tasks + 1
    assert threading.active_count() <= threads + 2
    assert len(connections._open) == clients


async def test_a_cancelled_task_leaves_the_pool_healthy(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await Item.bulk_create([{} for _ in range(2000)])
    tasks = [asyncio.create_task(_read_all()) for _ in range(20)]
    await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(result, asyncio.CancelledError) for result in results)
    assert await Item.count() == 2000


async def _read_all() -> list[Item]:
    return await Item.all()


async def test_an_error_in_the_middle_of_a_cursor_reaches_the_caller(config: DatabaseConfig, admin: Any) -> None:
    await register_model(Item, config)
    await Item.bulk_create([{} for _ in range(500)])
    seen = 0
    with pytest.raises(Exception) as caught:
        async for _ in Item.all().batch_size(10).comment("to be killed"):
            seen += 1
            if seen == 1:
                cursors = list(
                    admin["admin"].aggregate(
                        [{"$currentOp": {"idleCursors": True, "allUsers": True}}, {"$match": {"type": "idleCursor"}}]
                    )
                )
                ids = [c["cursor"]["cursorId"] for c in cursors if c["ns"] == f"{config.database_name}.item"]
                admin[config.database_name].command({"killCursors": "item", "cursors": ids})
    assert type(caught.value).__module__.startswith("mongodb_orm.exceptions")
    assert seen < 500


async def test_a_failing_command_is_translated(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await Item.create()
    with pytest.raises(OperationError) as caught:
        await Item.aggregate([{"$project": {"x": {"$divide": [1, 0]}}}])
    assert caught.value.code is not None
    assert caught.value.__cause__ is not None


async def test_a_signal_handlers_task_can_close(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await Item.create()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    async def close() -> None:
        await close_all_connections()
        done.set_result(None)

    tasks: list[Any] = []
    loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.append(asyncio.ensure_future(close())))
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(done, 5)
    loop.remove_signal_handler(signal.SIGUSR1)
    assert await Item.count() == 1


def _impatient(config: DatabaseConfig) -> DatabaseConfig:
    return DatabaseConfig(config.mongo_uri, config.database_name, driver=config.driver, timeout_ms=500)


@pytest.fixture
async def fail(admin: Any) -> Any:
    """Make commands of the server fail until the returned function is called without arguments."""

    async def call(**data: Any) -> None:
        command: dict[str, Any] = {"configureFailPoint": "failCommand", "mode": "alwaysOn" if data else "off"}
        await asyncio.to_thread(admin["admin"].command, {**command, **({"data": data} if data else {})})

    yield call
    await call()


async def test_an_insert_of_unknown_outcome_keeps_its_id(config: DatabaseConfig, fail: Any) -> None:
    await register_model(Item, _impatient(config))
    await Item.create()
    item = Item(name="maybe")
    await fail(failCommands=["insert"], closeConnection=True)
    with pytest.raises((ConnectionError, TimeoutError)):
        await item.save()
    await fail()
    assert item.id is not None, "saving it again cannot store it twice"
    await item.save()
    assert await Item.count(name="maybe") == 1


async def test_a_failed_save_leaves_the_object_as_it_was(config: DatabaseConfig, fail: Any) -> None:
    await register_model(Item, _impatient(config))
    item = await Item.create()
    before = item.updated_at
    item.name = "changed"
    await fail(failCommands=["update"], closeConnection=True)
    with pytest.raises((ConnectionError, TimeoutError)):
        await item.save()
    await fail()
    assert (item.name, item.updated_at) == ("changed", before)
    await item.save()
    assert (await Item.get_by_id(item.id)) == item


async def test_a_refused_insert_gives_its_id_back(config: DatabaseConfig, fail: Any) -> None:
    await register_model(Item, config)
    item = Item()
    await fail(failCommands=["insert"], errorCode=8000)
    with pytest.raises(OperationError) as caught:
        await item.save()
    assert caught.value.code == 8000
    assert item.id is None


async def test_a_query_that_takes_too_long_is_a_timeout(config: DatabaseConfig) -> None:
    await register_model(Item, config)
    await Item.bulk_create([{} for _ in range(20)])
    slow = Item.filter({"$where": "sleep(50) || true"}).allow_javascript().max_time(0.1)
    with pytest.raises(TimeoutError) as caught:
        await slow
    assert isinstance(caught.value, builtins.TimeoutError)
