"""A node that was away for longer than the logs reach comes back by snapshots, killed while it does."""

import json
import os
import unittest

import cluster
from cluster import DONE, PATIENCE_S, ClusterTest, wait_until

VALUE_BYTES = 64 << 10
BATCH_KEYS = 48
BATCHES = 10  # 30 MiB: above what a log keeps, and what is cut at once


class SnapshotTest(ClusterTest):

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start_and_init()
        made = cls.cluster.kvctl("keyspace", "create", "t", "--replicas", "3", "--partitions", "1")
        if made.code != DONE:
            raise AssertionError(f"keyspace create: {made}")

    def write(self, number):
        """About 3 MiB that do not compress."""
        lines = [{"op": "put", "key": f"k/{number % 3}/{i}",
                  "value": os.urandom(VALUE_BYTES // 2).hex()} for i in range(BATCH_KEYS)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        done = self.cluster.kvctl("batch", "t", "-", stdin=text.encode(),
                                  endpoints=self.cluster.nodes[:2])
        self.assert_code(DONE, done)

    def metric(self, node, name):
        for line in node.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return 0.0

    def replicas(self):
        listed = self.cluster.kvctl("partition", "list", "t", "--checksum").json()
        return listed["partitions"][0]["replicas"]

    def agree(self):
        replicas = self.replicas()
        return (len(replicas) == 3 and all(each["applied_index"] for each in replicas)
                and len({(each["applied_index"], each["applied_hash"], each["checksum"])
                         for each in replicas}) == 1)

    def test_a_node_that_was_away_comes_back(self):
        first, second, away = self.cluster.nodes
        self.write(0)
        wait_until(self.agree, PATIENCE_S, "all replicas agree before")
        away.kill()
        for number in range(BATCHES):
            self.write(number)
        # Otherwise it would be caught up from the log, and nothing be shown.
        for node in (first, second):
            wait_until(lambda node=node: self.metric(node, "quorate_raft_log_bytes_max") < 21 << 20,
                       PATIENCE_S, f"{node.name} has cut its log")
        away.start()
        for _ in range(3):
            away.wait_up()
            away.kill()
            away.start()
        wait_until(self.agree, PATIENCE_S, "all replicas agree after")
        sent = sum(self.metric(node, "quorate_snapshots_sent_total") for node in (first, second))
        self.assertGreaterEqual(sent, 1)
        got = self.cluster.kvctl("get", "t", "k/0/7", endpoints=[away], output="raw")
        self.assert_code(DONE, got)
        self.assertEqual(len(got.output), VALUE_BYTES)
        self.write(BATCHES)
        wait_until(self.agree, PATIENCE_S, "all replicas agree on what came later")


if __name__ == "__main__":
    unittest.main()
