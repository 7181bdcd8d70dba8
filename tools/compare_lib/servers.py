"""The servers that are compared: started on free ports of loopback, waited for, stopped."""

import json
import os
import shutil
import socket
import subprocess
import time

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
NODES = 3


class CompareError(Exception):
    """Something that ends the comparison, said in one sentence."""


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def addresses(kinds):
    """So many lists with an address for each node."""
    found = [f"127.0.0.1:{port}" for port in free_ports(kinds * NODES)]
    return [found[kind * NODES:(kind + 1) * NODES] for kind in range(kinds)]


class Servers:
    """Processes of one kind. Owner of them: stop() ends what was started, also after a failure."""

    def __init__(self, folder):
        self.folder = folder
        self.endpoints = []
        self._processes = []

    @property
    def pids(self):
        return [process.pid for process in self._processes]

    def _start(self, command, name, **options):
        path = os.path.join(self.folder, f"{name}.log")
        with open(path, "ab") as log:
            self._processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options))
        return path

    def _wait(self, condition, what):
        give_up = time.monotonic() + START_SECONDS_MAX
        while not condition():
            dead = [p for p in self._processes if p.poll() is not None]
            if dead or time.monotonic() > give_up:
                raise CompareError(f"{what}: {'a server ended' if dead else 'not in time'}")
            time.sleep(0.1)

    def stop(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []


class Quorate(Servers):
    """Three kvd with keyspaces named as the series that are run on them: `quorate` has one
    partition, hence one Raft group, as etcd has; `spread` as many as the server makes unasked;
    `buffered` is the first without fsync, where the server knows that."""

    def __init__(self, folder, binaries):
        super().__init__(folder)
        self._binaries = binaries
        self.has_buffered = False

    def start(self):
        self.endpoints, http, peers = addresses(3)
        for node in range(NODES):
            others = ",".join(peer for peer in peers if peer != peers[node])
            self._start([os.path.join(self._binaries, "kvd"), "--data-dir",
                         os.path.join(self.folder, f"kvd-{node + 1}"), "--listen",
                         self.endpoints[node], "--http", http[node], "--peer-listen", peers[node],
                         "--join", others], f"kvd-{node + 1}")
        self._wait(lambda: self._kvctl("init", endpoints=self.endpoints[:1]).returncode == 0,
                   "kvctl init")
        self._wait(self._all_ready, "three kvd ready")
        one = ["--partitions", "1"]
        self._wait(lambda: self._create("quorate", *one).returncode == 0, "kvctl keyspace create")
        self._wait(lambda: self._create("spread").returncode == 0, "kvctl keyspace create")
        self.has_buffered = self._create("buffered", *one, "--durability",
                                         "buffered").returncode == 0

    def _kvctl(self, *words, endpoints=None):
        return subprocess.run([os.path.join(self._binaries, "kvctl"), "--endpoints",
                               ",".join(endpoints or self.endpoints), "--output", "json",
                               "--timeout", "5s", *words],
                              capture_output=True, timeout=60, check=False)

    def _create(self, name, *more):
        return self._kvctl("keyspace", "create", name, "--replicas", str(NODES), *more)

    def _all_ready(self):
        status = self._kvctl("status")
        if status.returncode != 0:
            return False
        nodes = json.loads(status.stdout).get("nodes", [])
        return sum(1 for node in nodes if node.get("alive") and node.get("ready")) == NODES


class Etcd(Servers):
    """Three members; all options at their defaults but the quota, which long runs would reach."""

    QUOTA_BYTES = 8 << 30

    def __init__(self, folder, program):
        super().__init__(folder)
        self._program = program

    def start(self):
        self.endpoints, peers = addresses(2)
        members = ",".join(f"m{node + 1}=http://{peers[node]}" for node in range(NODES))
        environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine}
        for node in range(NODES):
            client, peer = f"http://{self.endpoints[node]}", f"http://{peers[node]}"
            self._start([self._program, "--name", f"m{node + 1}", "--data-dir",
                         os.path.join(self.folder, f"etcd-{node + 1}"),
                         "--listen-client-urls", client, "--advertise-client-urls", client,
                         "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                         "--initial-cluster", members, "--logger", "zap", "--log-level", "error",
                         "--quota-backend-bytes", str(self.QUOTA_BYTES)],
                        f"etcd-{node + 1}", env=environment)
        self._wait(lambda: all(self._listens(address) for address in self.endpoints),
                   "three etcd listening")

    @staticmethod
    def _listens(address):
        host, port = address.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        return True


class Echo(Servers):
    """kvbench's own server."""

    def __init__(self, folder, binaries):
        super().__init__(folder)
        self._binaries = binaries

    def start(self):
        self.endpoints = [f"127.0.0.1:{free_ports(1)[0]}"]
        log = self._start([os.path.join(self._binaries, "kvbench"), "echo-server", "--listen",
                           self.endpoints[0]], "echo")
        self._wait(lambda: os.path.getsize(log) > 0, "echo server listening")


def etcd_program(folder):
    """Path of etcd: the unpacked Debian package, fetched if it is not there yet. None: cannot be
    had; the reason has been printed."""
    program = os.path.join(folder, "usr", "bin", "etcd")
    if os.path.exists(program):
        return program
    os.makedirs(folder, exist_ok=True)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        print("compare: no etcd: this is not a Debian system")
        return None
    fetched = subprocess.run(["apt-get", "-q", "download", "etcd-server"], cwd=folder,
                             capture_output=True, text=True, check=False)
    packages = [name for name in os.listdir(folder) if name.endswith(".deb")]
    if fetched.returncode != 0 or not packages:
        print(f"compare: no etcd: apt-get download etcd-server: {fetched.stderr.strip()[-300:]}")
        return None
    subprocess.run(["dpkg-deb", "-x", os.path.join(folder, packages[0]), folder], check=True)
    return program


def etcd_version(program):
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return told.stdout.split("\n", 1)[0].removeprefix("etcd Version: ").strip()
