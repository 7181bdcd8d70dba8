"""A node that was away for longer than the logs reach comes back by snapshots, killed while it does."""

import json
import os
import unittest

from cluster import DONE, PATIENCE_S, ClusterTest, wait_until

VALUE_BYTES = 64 << 10
BATCH_KEYS = 48
BATCHES = 5  # 15 MiB: above what a log keeps, and less than it would keep by default
LOG_BYTES_MAX = 5 << 20
SHORT_LOGS = ["--log-keep-bytes", "3MiB", "--snapshots-max", "1", "--snapshot-bytes-per-second",
              "32MiB"]


class SnapshotTest(ClusterTest):

    def setUp(self):
        self.cluster = self.new_cluster()
        self.cluster.start_and_init(*SHORT_LOGS)
        self.cluster.create_keyspace("t", "--partitions", "1")

    def write(self, number):
        """About 3 MiB that do not compress."""
        lines = [{"op": "put", "key": f"k/{number % 3}/{i}",
                  "value": os.urandom(VALUE_BYTES // 2).hex()} for i in range(BATCH_KEYS)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.assert_code(DONE, self.cluster.kvctl_again("batch", "t", "-", stdin=text.encode(),
                                                        endpoints=self.cluster.nodes[:2]))

    def partition(self):
        """Its number, and what each replica that answers says of itself."""
        listed = self.cluster.kvctl("partition", "list", "t", "--checksum", timeout=20)
        if listed.code != DONE:
            return 0, []
        found = listed.json()["partitions"][0]
        return found["group"], [each for each in found["replicas"] if each["applied_index"]]

    def agree(self):
        _, held = self.partition()
        return len(held) == 3 and len(
            {(each["applied_index"], each["applied_hash"], each["checksum"]) for each in held}) == 1

    def logs_are_cut(self):
        """Of the two that are there; neither lacks anything that would make its log short."""
        _, held = self.partition()
        return len(held) == 2 and len({each["last_index"] for each in held}) == 1 and all(
            each["log_bytes"] < LOG_BYTES_MAX for each in held)

    def test_a_node_that_was_away_comes_back(self):
        away = self.cluster.nodes[2]
        self.write(0)
        wait_until(self.agree, PATIENCE_S, "all replicas agree before")
        group, _ = self.partition()
        away.kill()
        for number in range(BATCHES):
            self.write(number)
        # Otherwise it would be caught up from the log, and nothing be shown.
        wait_until(self.logs_are_cut, PATIENCE_S, "the logs are cut")
        self.assertNotIn("msg=replica/snapshot_installed", away.log())
        away.start(*SHORT_LOGS)
        for _ in range(3):
            away.wait_up()
            away.kill()
            away.start(*SHORT_LOGS)
        wait_until(self.agree, PATIENCE_S, "all replicas agree after")
        self.assertIn(f"msg=replica/snapshot_installed group={group} ", away.log())
        got = self.cluster.kvctl_again("get", "t", "k/0/7", endpoints=[away], output="raw")
        self.assert_code(DONE, got)
        self.assertEqual(len(got.output), VALUE_BYTES)
        self.write(BATCHES)
        wait_until(self.agree, PATIENCE_S, "all replicas agree on what came later")


if __name__ == "__main__":
    unittest.main()
