"""Real servers for tests, from the machine's own programs: on a temporary folder, a free port, gone afterwards.

    with mariadb() as server:
        url = server.new_database()

Each can be stopped, killed, frozen and started again, so that tests can see what happens then.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

PASSWORD = "sesame-open"  # noqa: S105 # of servers that live for one test run
PACKAGES = {"mariadb": "mariadb-server", "postgresql": "postgresql", "redis": "redis-server"}
START_SECONDS = 30.0


class MissingProgram(Exception):  # noqa: N818 # a reason to skip, not an error
    """The machine lacks a server; says which package brings it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"NOT TESTED on {kind}: the machine has none. Run: apt-get install {PACKAGES[kind]}")


@dataclass
class Server:
    """One server.

    Attributes:
        kind: mariadb, postgresql or redis.
        port: on 127.0.0.1.
        folder: everything of it.
        command: starts it in the foreground.
        url: of the server, for its administrator.
    """

    kind: str
    port: int
    folder: Path
    command: Sequence[str]
    url: str
    process: "subprocess.Popen[bytes] | None" = None
    made: int = 0

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(_bound_to_us(self.command), stdout=log, stderr=log, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2_000:]
            if self._answers():
                return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"{self.kind} did not start in {START_SECONDS} s")

    def stop(self) -> None:
        """Stop it at once but properly, with whoever is connected."""
        self._end(signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM)

    def kill(self) -> None:
        """As if the power had failed."""
        self._end(signal.SIGKILL)

    def drop(self) -> None:
        """Stop it for good, whatever becomes of its data."""
        self._end(signal.SIGQUIT if self.kind == "postgresql" else signal.SIGKILL)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        self._signal(signal.SIGCONT)

    def revive(self) -> None:
        """Let it run, whatever was done to it."""
        self.thaw()
        if self.process is None or self.process.poll() is not None:
            self.start()

    def new_database(self) -> str:
        """An empty database on it; the URL."""
        self.made += 1
        name = f"store_{os.getpid()}_{self.made}"
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def _answers(self) -> bool:
        if self.kind == "redis":
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            return False
        engine = sa.create_engine(self.url)
        try:
            with engine.connect():
                return True
        except sa.exc.DBAPIError:
            return False
        finally:
            engine.dispose()

    def _signal(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for process in [self.process.pid, *_children(self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _end(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        if number == signal.SIGKILL:
            self._signal(number)
        else:
            self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait(20)


@contextmanager
def mariadb() -> Iterator[Server]:
    """MariaDB, with the default collation that merges case and accents."""
    daemon, install = _program("mariadb", "mariadbd"), _program("mariadb", "mariadb-install-db")
    with _folder() as folder:
        data, port = folder / "data", _free_port()
        _run([install, "--no-defaults", f"--datadir={data}", "--skip-test-db", f"--user={getpass.getuser()}",
              "--auth-root-authentication-method=normal"])  # fmt: skip
        setup = folder / "setup.sql"
        setup.write_text(f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';\n", encoding="utf-8")
        command = [daemon, "--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--socket={folder / 'sock'}", f"--pid-file={folder / 'pid'}",
                   f"--init-file={setup}", "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=64M",
                   "--skip-name-resolve=0"]  # fmt: skip
        url = f"mysql+pymysql://root:{PASSWORD}@127.0.0.1:{port}/mysql"
        with _running(Server("mariadb", port, folder, command, url)) as server:
            yield server


@contextmanager
def postgresql() -> Iterator[Server]:
    """PostgreSQL, which refuses to be run by root."""
    folders = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))]
    found = shutil.which("initdb")
    binaries = folders[-1] if folders else Path(found).parent if found else None
    if binaries is None:
        raise MissingProgram("postgresql")
    with _folder() as folder:
        data, port, secret = folder / "data", _free_port(), folder / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        as_nobody = _as_nobody(folder)
        _run([*as_nobody, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--encoding=UTF8",
              "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={secret}"], folder)  # fmt: skip
        command = [*as_nobody, str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c",
                   "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]  # fmt: skip
        url = f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
        with _running(Server("postgresql", port, folder, command, url)) as server:
            yield server


@contextmanager
def redis() -> Iterator[Server]:
    """Redis, keeping nothing."""
    with _folder() as folder:
        port = _free_port()
        command = [_program("redis", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", str(folder)]  # fmt: skip
        with _running(Server("redis", port, folder, command, f"redis://127.0.0.1:{port}/0")) as server:
            yield server


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.thaw()
        server.drop()


@contextmanager
def _folder() -> Iterator[Path]:
    """Outside of pytest's folders, which other users may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="kuajie-server-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(kind: str, name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgram(kind)
    return found


def _bound_to_us(command: Sequence[str]) -> list[str]:
    """The command, ended by the system when we are."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else list(command)


def _as_nobody(folder: Path) -> list[str]:
    """What to put before a command that root must not run; the folder becomes that user's."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "setpriv (util-linux) is needed to run PostgreSQL as somebody else than root"
    shutil.chown(folder, "nobody")
    for path in folder.iterdir():
        shutil.chown(path, "nobody")
    return [setpriv, "--reuid=nobody", "--clear-groups", "--pdeathsig", "KILL"]


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1_000:]} {done.stderr[-1_000:]}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _children(parent: int) -> list[int]:
    """Processes that a process has started (Linux)."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in path.read_text().split()] if path.is_file() else []
