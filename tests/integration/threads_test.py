"""A cluster with much going on at the same time: writers, readers, scans, scrapes, keyspaces that
come and go, a node that stops and returns. All processes must end as told, by themselves and with
exit code 0. What it is for is the thread sanitizer: a race ends the process that ran it, and the
report is in its log."""

import subprocess
import time

import cluster
from cluster import DONE, ClusterTest

LOAD_S = 8
CLIENTS = 8


class ThreadsTest(ClusterTest):

    def test_much_at_once_and_a_clean_end(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        load = subprocess.Popen(
            nodes.kvctl_command("load", "t", "--seconds", str(LOAD_S), "--clients", str(CLIENTS)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.disturb(nodes, time.monotonic() + LOAD_S)
            output, errors = load.communicate(timeout=cluster.PATIENCE_S)
        finally:
            load.kill()
        self.assertEqual(load.returncode, DONE, output[-800:] + errors[-800:])
        for node in nodes.nodes:
            self.assertIsNone(node.process.poll(), f"{node.name} ended before it was told to")
        for node in nodes.nodes:
            code, seconds = node.stop()
            print(f"{node.name} ended after {seconds:.2f} s")
            self.assertEqual(code, 0)

    def disturb(self, nodes, until):
        rounds = 0
        while time.monotonic() < until or rounds == 0:
            for node in nodes.nodes:
                self.assertEqual(node.get("/metrics")[0], 200)
                self.assert_code(DONE, nodes.kvctl_again("status", endpoints=[node]))
            self.assert_code(DONE, nodes.kvctl_again("scan", "t", "--limit", "50", output="jsonl"))
            self.assert_code(DONE, nodes.kvctl_again("keyspace", "create", f"k{rounds}"))
            self.assert_code(DONE, nodes.kvctl("keyspace", "drop", f"k{rounds}", "--yes"))
            victim = nodes.nodes[rounds % len(nodes.nodes)]
            code, _ = victim.stop()
            self.assertEqual(code, 0)
            victim.start()
            victim.wait_ready()
            rounds += 1
        print(f"{rounds} rounds")


if __name__ == "__main__":
    cluster.main()
