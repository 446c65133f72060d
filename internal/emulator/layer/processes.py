"""Tasks and databases as processes of this machine, where it runs no containers.

Only where the emulator was given a folder of programs. The engine below is the
part of docker's client that ECS, RDS and the layer use:

image ``.../shop/orders:latest``  the program ``orders`` of that folder
image ``postgres:17-alpine``      PostgreSQL, as it is installed here
container                         a process
volume                            a folder of the emulator's state

A process has the environment, the command, the log, the health check, the stop
timeout and the exit code of its container. User, file system, capabilities and
limits are this machine's: a process is no container.
"""

import collections
import concurrent.futures
import functools
import glob
import hashlib
import io
import logging
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import types
import uuid

from docker.errors import ImageNotFound, NotFound
from ministack import app
from ministack.services import alb

from layer.wrapping import wrap

logger = logging.getLogger("layer")

BINARIES = os.environ.get("LAYER_BINARIES", "")
NETWORK = "loopback"
HOST = "127.0.0.1"
POSTGRESQL = "postgres"
POSTGRESQL_PORT = 5432

# What each database starts with: the role whose members log in by token.
POSTGRESQL_ROLES = "CREATE ROLE rds_iam NOLOGIN"
POSTGRESQL_ACCESS = """local all all trust
hostssl all +rds_iam all trust
hostssl all all all scram-sha-256
"""

HEALTH_SECONDS = 30
END_SECONDS = 4  # less than lifetime.py waits
KEPT_SECONDS = 60  # ECS asks a process that has ended for its exit code
# Below those that systems give to connections, which may take any of theirs at any time.
PORTS = range(20000, 32000)

_Result = collections.namedtuple("_Result", ("exit_code", "output"))


def _state(*names):
    path = pathlib.Path(os.environ["STATE_DIR"], *names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.absolute()


# Processes -------------------------------------------------------------------


@functools.cache
def _supervisor():
    """The program that ends what the emulator leaves behind: see supervisor.py."""
    return subprocess.Popen(
        [sys.executable, "-I", str(pathlib.Path(__file__).with_name("supervisor.py"))],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


_supervising = threading.Lock()


def _tell_supervisor(change, pid):
    with _supervising:
        supervisor = _supervisor()
        supervisor.stdin.write(f"{change}{pid}\n".encode())
        supervisor.stdin.flush()


# Runs a program as soon as there is a line to read, and not if there is none.
_WHEN_TOLD = 'read -r told && exec "$@" </dev/null'


def _spawn(command, environment, log):
    """Starts a program that cannot outlive the emulator, not even if that is killed at this very moment."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _WHEN_TOLD, "sh", *command],
            env=environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _tell_supervisor("+", process.pid)
    with process.stdin:
        process.stdin.write(b"go\n")
    return process


class Process:
    """A process as docker's client shows a container."""

    end_signal = signal.SIGTERM

    def __init__(self, engine, address, options):
        self.id = uuid.uuid4().hex * 2
        self.name, self.labels, self.address = options["name"], options["labels"], address
        self.attrs = {"NetworkSettings": {"Networks": {NETWORK: {"IPAddress": address}}}}
        self.ended_at = None
        self._engine = engine
        self._log = _state("processes", f"{self.id[:12]}.log")
        self._process = None
        self._ended = threading.Event()

    def _start(self, command, environment):
        self._process = _spawn(command, environment, self._log)
        self._ended.clear()
        threading.Thread(target=self._await, daemon=True, name=f"layer-wait-{self.name}").start()

    def _await(self):
        self._process.wait()
        self._kill()  # what it started ends with it, as in a container
        _tell_supervisor("-", self._process.pid)
        self.ended_at = time.monotonic()
        self._ended.set()

    def _kill(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            pass

    @property
    def status(self):
        if self._ended.is_set():
            return "exited"
        return "running" if self._process else "created"

    def reload(self):
        pass

    def wait(self):
        self._ended.wait()
        code = self._process.returncode if self._process else 1
        return {"StatusCode": code if code >= 0 else 128 - code}

    def stop(self, timeout=10):
        if self.status == "running":
            self._process.send_signal(self.end_signal)
            if not self._ended.wait(timeout):
                self._kill()
                self._ended.wait()

    def remove(self, v=False, force=False):
        if force:
            self.stop(timeout=0)
        self._engine.containers.forget(self)
        self._log.unlink(missing_ok=True)

    def logs(self, stream=False, **_):
        return self._lines() if stream else self._log.read_bytes()

    def _lines(self):
        """The lines of its log until it has ended and all is read."""
        with self._log.open("rb") as log:
            rest = b""
            while True:
                ended = self._ended.is_set()
                *lines, rest = (rest + log.read()).split(b"\n")
                yield from lines
                if ended:
                    yield rest
                    return
                time.sleep(0.1)


class Program(Process):
    """A program of the folder, which listens on PORT if on any."""

    def __init__(self, engine, program, options):
        super().__init__(engine, _task_address(engine), options)
        self.port = _free_port()
        self._program = program
        self._command = [program, *(options["command"] or [])]
        self._environment = {
            "PATH": os.environ["PATH"],
            **options["environment"],
            "PORT": str(self.port),
        }

    def start(self):
        self._start(self._command, self._environment)

    def exec_run(self, command):
        program = self._program if command[0] == "/app" else command[0]
        ran = subprocess.run(
            [program, *command[1:]],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=HEALTH_SECONDS,
        )
        return _Result(ran.returncode, ran.stdout)


_ports = set()


def _free_port():
    """A port that no process here has or had: one that ended may leave connections at its own."""
    while True:
        port = random.choice(PORTS)
        if port not in _ports and _can_listen("", port):
            _ports.add(port)
            return port


def _can_listen(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def _task_address(engine):
    """An address that tells the task: what asks for it is led to the task's port, see below."""
    while True:
        address = f"127.100.{random.randrange(256)}.{random.randrange(1, 255)}"
        if engine.containers.by_address(address) is None:
            return address


# Databases -------------------------------------------------------------------


class Database(Process):
    """PostgreSQL, with its data in a folder that outlives the process."""

    end_signal = signal.SIGINT  # what PostgreSQL ends at without waiting for its clients

    def __init__(self, engine, programs, options):
        super().__init__(engine, database_address(volume_of(options)), options)
        self._folder = _volume(volume_of(options))
        self._log = self._folder / "log"
        self._programs, self._user = programs, _database_user()
        self._environment = options["environment"]

    def put_archive(self, _, archive):
        """Takes the certificate and its key out of what a container gets."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._give(self._folder)
        with tarfile.open(fileobj=io.BytesIO(archive)) as bundle:
            for member in bundle:
                name = pathlib.PurePath(member.name).name
                if name in ("server.crt", "server.key"):
                    path = self._folder / name
                    path.unlink(missing_ok=True)
                    path.touch(mode=0o600)
                    path.write_bytes(bundle.extractfile(member).read())
                    self._give(path)
        return True

    def start(self):
        data = self._folder / "data"
        try:
            _await_free(self.address)
            if not data.exists():
                self._initialize(data)
        except Exception as problem:
            # RDS finds a container that ended, and the instance has failed.
            logger.error("database %s does not start: %s", self.name, problem)
            self._ended.set()
            return
        settings = {
            "listen_addresses": self.address,
            "port": POSTGRESQL_PORT,
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": self._folder / "server.crt",
            "ssl_key_file": self._folder / "server.key",
            "fsync": "off",  # nothing here has to survive the machine
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._start([*self._command("postgres"), "-D", str(data), *options], self._clean())

    def _initialize(self, data):
        """Makes the data folder, or none: what was begun and not finished is begun again."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        user, password, name = (
            self._environment[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB")
        )
        fresh.mkdir(mode=0o700)
        self._give(fresh)
        self._run(
            [
                *self._command("initdb"),
                f"--pgdata={fresh}",
                f"--username={user}",
                "--pwfile=/dev/stdin",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            password,
        )
        quoted = name.replace('"', '""')
        statements = f'{POSTGRESQL_ROLES}\nCREATE DATABASE "{quoted}"\n'
        self._run(
            [*self._command("postgres"), "--single", "-D", str(fresh), "postgres"],
            statements if name != "postgres" else f"{POSTGRESQL_ROLES}\n",
        )
        (fresh / "pg_hba.conf").write_text(POSTGRESQL_ACCESS)
        fresh.rename(data)

    def _run(self, command, text):
        ran = subprocess.run(
            command, input=f"{text}\n", env=self._clean(), cwd="/", capture_output=True, text=True
        )
        # The server alone in its process ends well even if a statement did not.
        if ran.returncode or "ERROR:" in ran.stderr:
            raise RuntimeError(f"{command[0]}: {ran.stderr.strip()}")

    def _command(self, program):
        path = str(pathlib.Path(self._programs, program))
        if self._user is None:
            return [path]
        # The folder may be below one that only root may enter, e.g. its home.
        enter = "+dac_override"
        return [
            "setpriv",
            f"--reuid={self._user.pw_uid}",
            f"--regid={self._user.pw_gid}",
            "--clear-groups",
            f"--inh-caps={enter}",
            f"--ambient-caps={enter}",
            path,
        ]

    def _give(self, path):
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _clean(self):
        return {"PATH": os.environ["PATH"], "LC_ALL": "C"}

    def remove(self, v=False, force=False):
        super().remove(v, force)
        if v and "db_id" in self.labels:  # a cluster's data are its own, and outlive its servers
            shutil.rmtree(self._folder)


def _database_user():
    """Whom PostgreSQL runs as, where it would be root: it refuses that."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def postgresql_programs(major):
    """The folder of PostgreSQL's programs: of the version that is asked for, or what there is."""
    folders = [f"/usr/lib/postgresql/{major}/bin"]
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        folders.append(asked.stdout.strip())
    if on_path := shutil.which("initdb"):
        folders.append(os.path.dirname(os.path.realpath(on_path)))
    folders += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    for folder in folders:
        if os.access(f"{folder}/initdb", os.X_OK) and os.access(f"{folder}/postgres", os.X_OK):
            return folder
    raise ImageNotFound(
        "PostgreSQL is not installed: neither pg_config, PATH nor /usr/lib/postgresql leads to initdb"
    )


def volume_of(options):
    """The volume of a database that is started with the options, or the name that it would have."""
    return next(iter(options.get("volumes") or {}), options["name"])


def _volume(name):
    return _state("databases", name)


@functools.cache
def database_address(volume):
    """The address of a database, which stays: it follows from the name of its volume.

    Where the machine has no loopback address but one, as macOS, it is that.
    """
    hashed = hashlib.sha256(volume.encode()).digest()
    address = f"127.101.{hashed[0]}.{1 + hashed[1] % 254}"
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        address = HOST
    return address


def _await_free(address):
    """Waits for what may be about to end there: the server of the last emulator."""
    deadline = time.monotonic() + END_SECONDS
    while not _can_listen(address, POSTGRESQL_PORT):
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"{address}:{POSTGRESQL_PORT} is in use: end the PostgreSQL that listens there"
            )
        time.sleep(0.1)


# The engine ------------------------------------------------------------------


class Engine:
    def __init__(self):
        self.images = _Images()
        self.containers = _Containers(self)
        self.volumes = types.SimpleNamespace(get=_Folder)


class _Folder:
    def __init__(self, name):
        self._path = _volume(name)
        if not self._path.exists():
            raise NotFound(f"no volume {name}")

    def remove(self):
        shutil.rmtree(self._path)


_IMAGE = re.compile(r"(?:.*/)?(?P<name>[^/:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?")


class _Images:
    """Programs. One that has run is kept as it was then, by its digest, like an image in a registry."""

    def get(self, image):
        """Where the program is, or the folder of PostgreSQL's."""
        name, tag, wanted = _IMAGE.fullmatch(image).group("name", "tag", "digest")
        if name == POSTGRESQL:
            return postgresql_programs((tag or "").partition("-")[0])
        if wanted:
            kept = _state("programs", wanted.removeprefix("sha256:"))
            if not kept.exists():
                raise ImageNotFound(f"no program {name} with the digest {wanted} has been run")
            return kept
        program = pathlib.Path(BINARIES, name)
        if not program.is_file():
            raise ImageNotFound(f"no program {name} in {BINARIES}")
        return self._keep(program)

    def _keep(self, program):
        with program.open("rb") as content:
            kept = _state("programs", hashlib.file_digest(content, "sha256").hexdigest())
        if not kept.exists():
            fresh = kept.with_name(uuid.uuid4().hex)
            shutil.copy(program, fresh)
            fresh.rename(kept)
        return kept

    def get_registry_data(self, image, **_):
        return types.SimpleNamespace(id=f"sha256:{self.get(image).name}")

    def pull(self, image, **_):
        self.get(image)
        return types.SimpleNamespace(tag=lambda *_, **__: True)


class _Containers:
    def __init__(self, engine):
        self._engine = engine
        self._known = {}

    def get(self, identifier):
        if identifier == os.environ.get("HOSTNAME", ""):  # how ministack looks for its own network
            networks = {NETWORK: {"IPAddress": HOST}}
            return types.SimpleNamespace(attrs={"NetworkSettings": {"Networks": networks}})
        for process in self.list():
            if identifier in (process.id, process.name):
                return process
        raise NotFound(f"no process {identifier}")

    def list(self, filters=None, **_):
        wanted = set((filters or {}).get("label", ()))
        return [
            process
            for process in list(self._known.values())
            if wanted <= {f"{name}={value}" for name, value in process.labels.items()}
        ]

    def create(self, image, **options):
        program = self._engine.images.get(image)
        kind = Database if _IMAGE.fullmatch(image)["name"] == POSTGRESQL else Program
        process = kind(self._engine, program, options)
        self._forget_old()
        self._known[process.id] = process
        return process

    def run(self, image, **options):
        process = self.create(image, **options)
        process.start()
        return process

    def forget(self, process):
        self._known.pop(process.id, None)

    def _forget_old(self):
        for process in self.list():
            ended = process.ended_at
            if isinstance(process, Program) and ended and time.monotonic() - ended > KEPT_SECONDS:
                process.remove()

    def by_address(self, address):
        return next((p for p in self.list() if p.address == address), None)

    def end(self):
        """Ends all, databases last."""
        programs = [process for process in self.list() if isinstance(process, Program)]
        databases = [process for process in self.list() if isinstance(process, Database)]
        for processes in (programs, databases):
            if processes:
                with concurrent.futures.ThreadPoolExecutor(len(processes)) as pool:
                    list(pool.map(lambda process: process.stop(END_SECONDS), processes))


engine = Engine()

# How a task is reached -------------------------------------------------------
#
# Stock: a load balancer sends requests to the task's address and port.
# Here:  the address is a name for the process, which listens at a port of its
#        own on the machine's: only Linux has more loopback addresses than one.


async def proxy(stock, target, *arguments):
    process = engine.containers.by_address(target.get("Id"))
    if isinstance(process, Program):
        target = {"Id": HOST, "Port": process.port}
    return await stock(target, *arguments)


# How everything ends ---------------------------------------------------------
#
# Stock: the emulator removes its containers when it ends.
# Here:  it ends its processes.


def stop_containers(stock, *at_start):
    stock(*at_start)
    if not at_start:
        engine.containers.end()


if BINARIES:
    wrap(alb, "_proxy_http_target")(proxy)
    wrap(app, "_stop_docker_containers")(stop_containers)
