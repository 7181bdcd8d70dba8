"""One node of three is flooded: four times what it can serve, scans that nobody reads, and ten
thousand connections. It stays up within its memory, tells the others when to come back, loses
nothing that it acknowledged, lets the other nodes' clients be, and then serves as before."""

import json
import os
import resource
import subprocess
import threading
import time

import cluster
from cluster import ClusterTest, run, wait_until

MIB = 1 << 20
FLOOD_SECONDS = 8
VALUE_BYTES = 16384
CONNECTIONS = 10_000
MEMORY_LIMIT_MIB = 1024
PAGE = os.sysconf("SC_PAGESIZE")


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class MemoryWatch:
    """The most memory that a process held, looked at 20 times a second."""

    def __init__(self, pid):
        self.most = 0
        self._path = f"/proc/{pid}/statm"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def now(self):
        with open(self._path, encoding="ascii") as statm:
            return int(statm.read().split()[1]) * PAGE

    def _watch(self):
        while not self._ended.wait(0.05):
            try:
                self.most = max(self.most, self.now())
            except OSError:
                return

    def stop(self):
        self._ended.set()
        self._thread.join()


class FloodTest(ClusterTest):

    def flooder(self, *words):
        return [os.path.join(cluster.BIN, "flood_grpc"), *words]

    def load(self, node, name, **options):
        result = run(self.load_command(node, name, **options))
        self.assert_code(0, result)
        return result.json()

    def undisturbed(self, node):
        """What a closed loop of requests gets done; the best of a few where the node loses its
        leaderships meanwhile."""
        best = {"ok": 0}
        for _ in range(5):
            done = self.load(node, f"closed{time.monotonic_ns()}", seconds=3,
                             value_bytes=VALUE_BYTES)
            best = max(best, done, key=lambda each: each["ok"])
            if best["ok"] > 100:
                break
        self.assertGreater(best["ok"], 0)
        return best

    def load_command(self, node, name, **options):
        return self.flooder("load", node.address, "t", name,
                            *(f"{key}={value}" for key, value in options.items()))

    def metrics(self, node):
        status, text = node.get("/metrics")
        self.assertEqual(status, 200)
        figures = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                figures[name] = float(value)
        return figures

    def shed(self, node):
        return {name: value for name, value in self.metrics(node).items()
                if value and ("shed" in name or "unread" in name or "connections" in name or
                              "quorate_memory" in name)}

    def hold_connections(self, node, count):
        process = subprocess.Popen(self.flooder("connect", node.address, str(count)),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.end_process, process)
        opened = json.loads(process.stdout.readline())
        return process, opened

    @staticmethod
    def end_process(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def start_load(self, node, name, **options):
        process = subprocess.Popen(self.load_command(node, name, **options),
                                   stdout=subprocess.PIPE)
        self.addCleanup(self.end_process, process)
        return process

    def end_load(self, process):
        output, _ = process.communicate(timeout=cluster.PATIENCE_S)
        self.assertEqual(process.returncode, 0)
        return json.loads(output)

    def start_cluster(self):
        raise_file_limit()
        nodes = self.new_cluster()
        victim = nodes.nodes[0]
        victim.start("--memory-limit-bytes", f"{MEMORY_LIMIT_MIB}MiB", "--connections-max",
                     str(CONNECTIONS + 500), "--slow-reader-timeout", "3s", "--cache-bytes",
                     "64MiB")
        for node in nodes.nodes[1:]:
            node.start()
        for node in nodes.nodes:
            node.wait_up()
        self.assert_code(cluster.DONE, nodes.kvctl("init", endpoints=[victim]))
        for node in nodes.nodes:
            node.wait_ready()
        nodes.create_keyspace("t")
        return nodes, victim, nodes.nodes[1]

    def test_one_node_flooded(self):
        nodes, victim, other = self.start_cluster()
        journal = os.path.join(nodes.folder, "journal")
        before = self.undisturbed(victim)
        rate = max(1, int(before["ok"] / before["seconds"]))
        # How fast the machine is: the other node is never flooded.
        reference = self.undisturbed(other)
        print(f"\nclosed loop: {rate} a second; {before}", flush=True)

        watch = MemoryWatch(victim.process.pid)
        self.addCleanup(watch.stop)
        calm = watch.now()
        holder, opened = self.hold_connections(victim, CONNECTIONS)
        connected = watch.now()
        beside = self.start_load(other, "beside", seconds=FLOOD_SECONDS + 2, inflight=4,
                                 value_bytes=100)
        flood = self.end_load(self.start_load(
            victim, "flood", seconds=FLOOD_SECONDS, rate=4 * rate, value_bytes=VALUE_BYTES,
            scans=200, journal=journal))
        beside = self.end_load(beside)
        shed = self.shed(victim)
        self.end_process(holder)
        print(f"connections: {opened}\nflood: {flood}\nbeside it: {beside}\nvictim: {shed}\n"
              f"memory: {calm / MIB:.0f} MiB, {connected / MIB:.0f} MiB with the connections, at "
              f"most {watch.most / MIB:.0f} of {MEMORY_LIMIT_MIB} MiB", flush=True)

        self.assertIsNone(victim.process.poll(), "the node ended")
        self.assertLess(watch.most, MEMORY_LIMIT_MIB * MIB)
        self.assertGreater(opened["open"], 0.9 * min(CONNECTIONS, opened["file_limit"] - 100))
        self.check_refusals(flood, shed)
        self.assertGreaterEqual(beside["ok"], 0.5 * (beside["sent"] - self.without_leader(beside)))
        self.assertLess(beside["p50_ms"], 5000)  # wanted is a second, of which all take five
        self.check_serves_as_before(victim, other, rate, reference)
        self.check_nothing_lost(nodes, journal, flood["writes_acknowledged"])

    @staticmethod
    def without_leader(load):
        """On a machine this busy a node may lose its leaderships, and then says so; the load goes to
        it all the same, and tries nothing twice."""
        return sum(load["errors"].get(reason, 0) for reason in (
            "REASON_NOT_LEADER", "REASON_NO_LEADER", "REASON_LEADER_LOST"))

    def check_refusals(self, flood, shed):
        self.assertGreater(flood["ok"] + self.without_leader(flood), 0)
        # Of the scans at least: what their pages may hold is far below what was asked for. On a busy
        # machine the rest may see its deadline pass before the node has even read it.
        self.assertGreater(sum(value for name, value in shed.items() if "shed" in name), 0)
        self.assertEqual(flood["refused_without_delay"], 0)
        self.assertEqual(flood["refused_not_certain"], 0)

    def check_serves_as_before(self, victim, other, rate, reference):
        """A third of the rate of before, or of what it would be on the machine as fast as it is now."""
        after = {}

        def load_now(node):
            done = self.load(node, f"after{time.monotonic_ns()}", seconds=2, value_bytes=VALUE_BYTES)
            after[node.name] = done
            return done["ok"] / done["seconds"]

        def serves_as_before():
            if load_now(victim) > rate / 3:
                return True
            speed = load_now(other) / (reference["ok"] / reference["seconds"])
            return load_now(victim) > rate / 3 * min(speed, 1)

        seconds = wait_until(serves_as_before, cluster.PATIENCE_S, "the node serves as before")
        print(f"afterwards, within {seconds:.0f} s: {after}", flush=True)

    def check_nothing_lost(self, nodes, journal, acknowledged):
        addresses = ",".join(node.address for node in nodes.nodes)
        verified = run(self.flooder("verify", addresses, "t", journal), timeout=600).json()
        print(f"acknowledged writes: {verified}", flush=True)
        self.assertEqual(verified["keys"] > 0, acknowledged > 0)
        self.assertEqual((verified["lost"], verified["wrong"], verified["unanswered"]), (0, 0, 0))

    def test_connections_above_the_bound_are_closed_and_others_served(self):
        nodes = self.new_cluster(1)
        node = nodes.nodes[0]
        node.start("--connections-max", "200")
        node.wait_up()
        self.assert_code(cluster.DONE, nodes.kvctl("init"))
        nodes.create_keyspace("t")
        holder, _ = self.hold_connections(node, 1000)
        wait_until(lambda: self.metrics(node)["quorate_connections_refused_total"] >= 700,
                   cluster.PATIENCE_S, "connections are refused")
        self.assertLessEqual(self.metrics(node)["quorate_connections"], 200)
        node.wait_ready()
        self.end_process(holder)
        # Places become free again.
        wait_until(lambda: nodes.kvctl("put", "t", "k", "v").code == cluster.DONE,
                   cluster.PATIENCE_S, "a client is served")


if __name__ == "__main__":
    cluster.main()
