"""The embedded stack: real servers that keep what they acknowledged and never outlive us."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka leaves most of its functions without annotations.

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import jars, process
from deploy.local.errors import StartError
from deploy.local.jars import cache_folder, kafka_classpath
from deploy.local.kafka import Kafka
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import Postgres
from deploy.local.process import Child
from deploy.local.stack import LocalStack, local_stack

# Starts the stack, says where, and waits to be killed.
HOLDER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run in the background
from deploy.local.stack import local_stack
with local_stack(environ={}) as stack:
    print(stack.postgres.port, stack.kafka.port, stack.postgres.pid, stack.kafka.pid, flush=True)
    time.sleep(60)
"""
EMBEDDED: dict[str, str] = {}  # an environment that replaces nothing


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack(environ=EMBEDDED) as running:
        yield running


def postgres_of(stack: LocalStack) -> Postgres:
    assert stack.postgres is not None
    return stack.postgres


def kafka_of(stack: LocalStack) -> Kafka:
    assert stack.kafka is not None
    return stack.kafka


@asynccontextmanager
async def connected(stack: LocalStack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(stack.database_url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values = [(await consumer.getone(partition)).value for _ in range(end)]
        return [value for value in values if value is not None]
    finally:
        await consumer.stop()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def comes_true(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    """A zombie that init has not collected yet counts as gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_postgresql_18_answers_and_is_durable(stack: LocalStack) -> None:
    """What Tierstream promises needs synchronous commits on a server that flushes them."""
    async with connected(stack) as connection:
        assert "PostgreSQL 18" in await connection.fetchval("SELECT version()")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval("SELECT current_setting($1)", setting) == "on"
        assert await connection.fetchval("SELECT current_setting('TimeZone')") == "UTC"


async def test_a_wrong_password_is_refused(stack: LocalStack) -> None:
    """Loopback is open to every user of the machine; the database is not."""
    wrong = stack.database_url.replace(stack.database_url.split(":")[2].split("@")[0], "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong, timeout=10)
    password = postgres_of(stack).data_dir / "password"
    assert password.stat().st_mode & 0o777 == 0o600


async def test_kafka_keeps_and_returns_a_record(stack: LocalStack) -> None:
    """A record acknowledged by all replicas comes back."""
    await make_topic(stack.kafka_bootstrap, "round-trip")
    await produce(stack.kafka_bootstrap, "round-trip", [b"one"])
    assert await consume(stack.kafka_bootstrap, "round-trip") == [b"one"]


def test_nothing_listens_outside_loopback(stack: LocalStack) -> None:
    """A laptop in a café shows no open port."""
    addresses = []
    for pid in (postgres_of(stack).pid, kafka_of(stack).pid):
        leader = psutil.Process(pid)
        for member in (leader, *leader.children(recursive=True)):
            found = member.net_connections(kind="inet")
            addresses += [item.laddr for item in found if item.status == psutil.CONN_LISTEN]
    assert {address.ip for address in addresses} == {LOOPBACK}
    assert {postgres_of(stack).port, kafka_of(stack).port} <= {address.port for address in addresses}
    assert all(10_000 < address.port < 32_768 for address in addresses)


async def test_postgresql_keeps_committed_rows_after_kill_9(stack: LocalStack) -> None:
    """All processes killed at once, an open transaction among them: what was committed is there."""
    server = postgres_of(stack)
    doomed = await asyncpg.connect(stack.database_url, timeout=10)
    await doomed.execute("CREATE TABLE kept (id int)")
    await doomed.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    await doomed.execute("BEGIN")
    await doomed.execute("INSERT INTO kept VALUES (-1)")
    members = [item.pid for item in psutil.Process(server.pid).children(recursive=True)]

    server.kill9()

    assert all(is_gone(pid) for pid in members)
    assert not listens(server.port)
    doomed.terminate()
    server.start()
    async with connected(stack) as connection:
        row = await connection.fetchrow("SELECT count(*) AS n, min(id) AS least FROM kept")
    assert row is not None
    assert (row["n"], row["least"]) == (1000, 1)


async def test_kafka_keeps_acknowledged_records_after_kill_9(stack: LocalStack) -> None:
    """The broker comes back on the same port with every acknowledged record."""
    server, values = kafka_of(stack), [str(n).encode() for n in range(100)]
    await make_topic(stack.kafka_bootstrap, "kept")
    await produce(stack.kafka_bootstrap, "kept", values)
    bootstrap = server.bootstrap

    server.kill9()
    assert not listens(server.port)
    server.start()

    assert server.bootstrap == bootstrap
    assert await consume(bootstrap, "kept") == values


def test_a_given_folder_keeps_its_data_and_its_password(reachable: Path) -> None:
    """The second start finds what the first one made, without initdb, on a port of its own."""
    first = Postgres(reachable / "postgres", durable=False)
    first.start()
    first.stop()
    made = (reachable / "postgres" / "pgdata" / "PG_VERSION").stat().st_mtime_ns
    second = Postgres(reachable / "postgres", durable=False)
    second.start()
    second.stop()
    assert (reachable / "postgres" / "pgdata" / "PG_VERSION").stat().st_mtime_ns == made
    assert first.dsn.split("@")[0] == second.dsn.split("@")[0]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Return a folder that others can pass: as root, PostgreSQL is nobody.

    Not pytest's: every other run of it on this machine closes the folder above them all again.
    """
    folder = Path(tempfile.mkdtemp(prefix="tierstream-stack-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_root_is_told_which_folder_postgresql_cannot_enter(tmp_path: Path) -> None:
    """The message names the closed folder and what to choose instead."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(StartError, match=r"can't enter .*Choose a data folder elsewhere"):
        Postgres(closed / "postgres").start()


def test_a_jar_with_wrong_bytes_is_refused(tmp_path: Path) -> None:
    """A tampered jar is never run; the message names it and says what to do."""
    kafka_classpath()  # makes sure that the cache is whole
    shutil.copytree(cache_folder() / "kafka", tmp_path / "kafka")
    victim = next((tmp_path / "kafka").glob("*/kafka-clients-*.jar"))
    victim.write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(StartError, match=rf"{victim.name} is not the jar .*Delete .* and start again"):
        Kafka(tmp_path / "data", cache_dir=tmp_path).start()
    assert not (tmp_path / "data").exists()


def test_the_lock_is_sorted_and_complete() -> None:
    """The lock holds the broker, and its log binding, once each."""
    names = list(jars.read_lock())
    assert names == sorted(set(names))
    assert {"kafka_2.13-4.3.0.jar", "kafka-clients-4.3.0.jar", "log4j-slf4j-impl-2.25.4.jar"} <= set(names)


def test_a_failed_start_shows_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    """Kafka's own complaint is in the message, with the path of its log."""
    broken = Kafka(tmp_path, settings={"num.io.threads": "-1"})
    with pytest.raises(StartError, match=r"num\.io\.threads") as caught:
        broken.start()
    assert str(broken.log_path) in str(caught.value)
    assert not listens(broken.port)


def test_the_environment_replaces_parts() -> None:
    """Nothing embedded starts for a part that is given."""
    ours = {"DATABASE_URL": "postgresql://db.example/x", "KAFKA_BOOTSTRAP": "broker.example:9092"}
    with local_stack(environ=ours) as both:
        assert both == LocalStack(ours["DATABASE_URL"], ours["KAFKA_BOOTSTRAP"], None, None)
    with local_stack(environ={"KAFKA_BOOTSTRAP": "broker.example:9092"}) as half:
        assert (half.kafka, half.kafka_bootstrap) == (None, "broker.example:9092")
        assert listens(postgres_of(half).port)
        port = postgres_of(half).port
    assert not listens(port)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_servers_die_with_the_process_that_started_them(number: signal.Signals, reachable: Path) -> None:
    """Even when it has no chance to clean up; after Ctrl-C its folder is gone too."""
    environment = {**os.environ, "TMPDIR": str(reachable)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout is not None
        try:
            line = holder.stdout.readline()
            assert line, holder.stderr.read() if holder.stderr else b""
            postgres_port, kafka_port, *pids = map(int, line.split())
            assert listens(postgres_port)
            assert listens(kafka_port)
        finally:
            holder.send_signal(number)
        holder.wait(30)
    assert comes_true(lambda: not listens(postgres_port) and not listens(kafka_port), 5)
    assert comes_true(lambda: all(is_gone(pid) for pid in pids), 5)
    if number == signal.SIGINT:
        assert not list(reachable.iterdir())


def test_the_watcher_kills_where_the_kernel_does_not(tmp_path: Path) -> None:
    """The way of macOS, run here too: the pipe closes with us, the watcher ends the child."""
    code = (
        "import sys, time; from pathlib import Path; from deploy.local import process;"
        "process.use_watcher = True;"
        f"child = process.Child(['/bin/sleep', '60'], log_path=Path({str(tmp_path / 'log')!r}));"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert not is_gone(pid)
        holder.kill()
    assert comes_true(lambda: is_gone(pid), 5)


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """Linux ties a child to a thread; ours is tied to the process."""
    started: list[Child] = []
    sleeper = ["/bin/sleep", "60"]
    thread = threading.Thread(target=lambda: started.append(Child(sleeper, log_path=tmp_path / "log")))
    thread.start()
    thread.join()
    assert started[0].wait(0.3) is None
    started[0].stop_signal()
    assert comes_true(lambda: psutil.Process(started[0].pid).status() == psutil.STATUS_STOPPED, 5)
    started[0].cont()
    assert started[0].terminate(5) == -signal.SIGTERM
    assert started[0] not in process._children


def test_ports_are_free_low_and_handed_out_once() -> None:
    """Below the range of outgoing connections, and never twice."""
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert all(10_000 < port < 32_768 for port in ports)
