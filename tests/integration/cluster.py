"""Real kvd processes on loopback, in a folder of their own, and kvctl to talk to them.

The programs are taken from the folder that the environment variable QUORATE_BIN names. Processes
are ended by the handles that started them, never by name; a failed test prints the ends of the
nodes' logs. Waiting is always for a condition, with a bound.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BIN = os.path.abspath(os.environ.get("QUORATE_BIN", "build/release/bin"))
LOG_LINES_SHOWN = 80

# Exit codes of kvctl.
DONE, REFUSED, USAGE, UNREACHABLE, NOT_FOUND, CONDITION_FALSE, UNKNOWN, _, CANNOT_SERVE = range(9)


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


# For what has no reason to take long on a machine that does nothing else. Whoever promises less is
# held to that by its test, and five times what is promised at least.
PATIENCE_S = 300
# Of kvctl where nothing is said of time: long enough for elections on a busy machine.
REQUEST_S = 120


def wait_until(condition, seconds, what):
    """Seconds it took until condition() was true; fails after `seconds`."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - begin


class Result:
    """How one run of a program ended."""

    def __init__(self, process, output, errors, seconds):
        self.code = process.returncode
        self.bytes = output
        self.output = output.decode("utf-8", "replace")
        self.errors = errors.decode("utf-8", "replace")
        self.seconds = seconds

    def json(self):
        return json.loads(self.output)

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\n{self.output[-800:]}{self.errors[-800:]}"


def run(command, timeout=PATIENCE_S, stdin=b""):
    begin = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            output, errors = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Result(process, output, errors, time.monotonic() - begin)


def until_served(ask, seconds, again=(UNREACHABLE,)):
    """What the first run of kvctl gave whose exit code is none of `again`; after `seconds`, what any
    gave. A busy machine may take longer over a connection than kvctl waits for one, and its exit
    code then says that nothing was applied."""
    begin = time.monotonic()
    while True:
        result = ask()
        if result.code not in again or time.monotonic() - begin >= seconds:
            return result


class Node:
    """One kvd with its data folder and ports; may be started many times."""

    host = "127.0.0.1"

    def __init__(self, folder, name):
        self.name = name
        self.data_dir = os.path.join(folder, name)
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None
        self.join = []
        self.new_ports()

    def new_ports(self):
        self.port, self.http_port, self.peer_port = free_ports(3)

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def peer_address(self):
        return f"{self.host}:{self.peer_port}"

    def command(self, *more):
        command = [os.path.join(BIN, "kvd"), "--data-dir", self.data_dir, "--listen", self.address,
                   "--http", f"{self.host}:{self.http_port}", "--peer-listen", self.peer_address]
        if self.join:
            command += ["--join", ",".join(self.join)]
        return command + list(more)

    def start(self, *more):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def get(self, path):
        """(status, text) of an HTTP page; (0, "") when nobody answers."""
        try:
            url = f"http://{self.host}:{self.http_port}{path}"
            with urllib.request.urlopen(url, timeout=60) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}")
        return self.get("/readyz")[0] == 200

    def wait_up(self, seconds=PATIENCE_S):
        return wait_until(lambda: self.get("/healthz")[0] == 200, seconds, f"{self.name} is up")

    def wait_ready(self, seconds=PATIENCE_S):
        return wait_until(self.is_ready, seconds, f"{self.name} is ready")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=PATIENCE_S):
        """Ends it by SIGTERM; (exit code, seconds)."""
        begin = time.monotonic()
        self.process.terminate()
        code = self.process.wait(timeout=seconds)
        return code, time.monotonic() - begin

    def run_to_end(self, *more, seconds=PATIENCE_S):
        """For start-up refusals: runs it as a second process until it ends by itself."""
        return run(self.command(*more), timeout=seconds)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()


class Cluster:
    """Nodes that join each other. Use as a context."""

    def __init__(self, nodes=3):
        self.folder = tempfile.mkdtemp(prefix="quorate-test-")
        self.nodes = [Node(self.folder, f"node-{i + 1}") for i in range(nodes)]
        for node in self.nodes:
            node.join = [each.peer_address for each in self.nodes if each is not node]
        self.extra = []

    def add_node(self, name):
        """One more node, not joined to anything, that close() looks after."""
        node = Node(self.folder, name)
        self.extra.append(node)
        return node

    def start(self, *more):
        for node in self.nodes:
            node.start(*more)
        for node in self.nodes:
            node.wait_up()

    def start_and_init(self, *more):
        self.start(*more)
        result = self.kvctl_again("init", endpoints=[self.nodes[0]])
        if result.code != DONE:
            raise AssertionError(f"init: {result}")
        for node in self.nodes:
            node.wait_ready()
        return result.json()

    def create_keyspace(self, name, *words, replicas=None):
        """Done when all nodes know it: what is asked of one is answered as it knows it."""
        replicas = min(3, len(self.nodes) | 1) if replicas is None else replicas
        result = self.kvctl_again("keyspace", "create", name, "--replicas", str(replicas), *words)
        if result.code != DONE:
            raise AssertionError(f"keyspace create: {result}")
        for node in self.nodes:
            wait_until(lambda: self.kvctl("keyspace", "describe", name, endpoints=[node]).code == DONE,
                       PATIENCE_S, f"{node.name} knows {name}")

    def kvctl_command(self, *words, endpoints=None, timeout=20, output="json"):
        addresses = ",".join(node.address for node in endpoints or self.nodes)
        return [os.path.join(BIN, "kvctl"), "--endpoints", addresses, "--output", output,
                "--timeout", f"{timeout}s", *words]

    def kvctl(self, *words, endpoints=None, timeout=None, output="json", stdin=b""):
        """Without a time-out of its own it is asked again while no connection comes about."""
        seconds = REQUEST_S if timeout is None else timeout
        command = self.kvctl_command(*words, endpoints=endpoints, timeout=seconds, output=output)
        return until_served(lambda: run(command, timeout=seconds + PATIENCE_S, stdin=stdin),
                            seconds if timeout is None else 0)

    def kvctl_again(self, *words, **options):
        """For what is the same when it is done twice: asked again also while nodes cannot serve, and
        when the outcome is unknown."""
        return until_served(lambda: self.kvctl(*words, **options), PATIENCE_S,
                            (UNREACHABLE, UNKNOWN, CANNOT_SERVE))

    def status(self, node=None):
        return self.kvctl_again("status", endpoints=[node] if node else None).json()

    def export(self, keyspace):
        """key → value of a whole keyspace, as text."""
        result = self.kvctl_again("export", keyspace, output="jsonl")
        if result.code != DONE:
            raise AssertionError(f"export: {result}")
        records = {}
        for line in result.output.splitlines():
            record = json.loads(line)
            if record["key"] in records:
                raise AssertionError(f"exported twice: {record['key']}")
            records[record["key"]] = record["value"]
        return records

    def show_logs(self):
        for node in self.nodes + self.extra:
            if os.path.exists(node.log_path):
                print(f"---- {node.name}, end of its log")
                print("\n".join(node.log().splitlines()[-LOG_LINES_SHOWN:]), flush=True)

    def close(self):
        for node in self.nodes + self.extra:
            if node.process is not None and node.process.poll() is None:
                node.signal(signal.SIGCONT)
                node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class ClusterTest(unittest.TestCase):
    """Tests with clusters that are cleaned up, and whose logs are shown when the test fails."""

    def new_cluster(self, nodes=3):
        cluster = Cluster(nodes)
        self.addCleanup(self._end, cluster)
        return cluster

    def _end(self, cluster):
        outcome = getattr(self, "_outcome", None)
        if outcome is not None and not outcome.success:
            cluster.show_logs()
        cluster.close()

    def assert_code(self, code, result):
        self.assertEqual(result.code, code, repr(result))


def main():
    unittest.main(verbosity=2)
