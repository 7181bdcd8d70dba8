"""Links between nodes that are cut and healed: each node has a network of its own, and a wire to a
bridge that can be pulled out. All of it is in a network namespace that ends with the test; skipped
where the system gives none."""

import os
import subprocess
import sys
import time
import unittest

import cluster
from cluster import BIN, DONE, PATIENCE_S, ClusterTest, wait_until

# After a wire was out this long TCP's own repetitions are 51 s apart, and so are, about half of it,
# attempts to connect whose pauses are not bounded.
CUT_S = 52
# A dead stream is given up after 3 s, and while it cannot be made anew it is tried each second; then
# come an election and what was waiting for it. Five times that, for a busy machine.
SERVED_AGAIN_BOUND_S = 4 * 5
INSIDE = "QUORATE_LINKS_TEST_INSIDE"
ISOLATED = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
# `ip netns` keeps its names in /run, which is another user's.
PREPARE = "mount -t tmpfs none /run && ip link set lo up && ip link add bridge type bridge"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class WiredNode(cluster.Node):
    """A node in a network of its own."""

    def connect(self, number):
        self.host = f"10.77.0.{number}"
        self.wire, self.network = f"wire{number}", f"net{number}"
        ip("netns", "add", self.network)
        ip("link", "add", self.wire, "type", "veth", "peer", "name", "eth0", "netns", self.network)
        ip("link", "set", self.wire, "master", "bridge", "up")
        for words in (("addr", "add", f"{self.host}/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            ip("-n", self.network, *words)

    def set_wire(self, state):
        ip("link", "set", self.wire, state)

    def command(self, *more):
        return ["nsenter", f"--net=/run/netns/{self.network}", *super().command("--insecure", *more)]


@unittest.skipUnless(os.environ.get(INSIDE), "missing capability: network-namespaces")
class LinksTest(ClusterTest):

    def wired_cluster(self):
        ip("link", "set", "bridge", "up")
        ip("addr", "add", "10.77.0.254/24", "dev", "bridge")
        nodes = self.new_cluster(3)
        nodes.nodes = [WiredNode(nodes.folder, node.name) for node in nodes.nodes]
        for number, node in enumerate(nodes.nodes, 1):
            node.connect(number)
        for node in nodes.nodes:
            node.join = [each.peer_address for each in nodes.nodes if each is not node]
        nodes.start_and_init()
        nodes.create_keyspace("t", "--partitions", "4")
        return nodes

    def write_everywhere(self, nodes, prefix, seconds):
        lines = "".join(f'{{"key":"{prefix}{i}","value":"v"}}\n' for i in range(32)).encode()
        return nodes.kvctl("import", "t", "-", stdin=lines, timeout=seconds)

    # All wires are out, so that nothing can be written before peers have found each other again.
    def test_reconnects_after_heal_within_bound(self):
        nodes = self.wired_cluster()
        self.assert_code(DONE, self.write_everywhere(nodes, "before/", PATIENCE_S))
        for node in nodes.nodes:
            node.set_wire("down")
        begin = time.monotonic()
        refused = nodes.kvctl("put", "t", "during", "v", timeout=3)
        self.assertNotEqual(refused.code, DONE, "the wires are not out")
        wait_until(lambda: time.monotonic() - begin > CUT_S, PATIENCE_S, "the cut is over")
        for node in nodes.nodes:
            node.set_wire("up")
        healed = time.monotonic()
        self.assert_code(DONE, self.write_everywhere(nodes, "after/", PATIENCE_S))
        served = time.monotonic() - healed
        for node in nodes.nodes:
            node.wait_ready()
        print(f"healed: all partitions took writes after {served:.2f} s, all nodes ready after "
              f"{time.monotonic() - healed:.2f} s", flush=True)
        self.assertLess(time.monotonic() - healed, SERVED_AGAIN_BOUND_S)


def can_be_isolated():
    probe = ISOLATED + ["sh", "-c", PREPARE]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    if not os.environ.get(INSIDE) and can_be_isolated():
        os.environ[INSIDE] = "1"
        os.environ["QUORATE_BIN"] = BIN
        os.execvp(ISOLATED[0], ISOLATED + ["sh", "-c", PREPARE + ' && exec "$@"', "sh",
                                           sys.executable, "-B", *sys.argv])
    cluster.main()
