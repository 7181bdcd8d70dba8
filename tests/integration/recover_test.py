"""Two of five nodes are lost with their disks; partitions that lost their majority go on from what is left."""

import json
import unittest

from cluster import CANNOT_SERVE, DONE, PATIENCE_S, REFUSED, USAGE, ClusterTest, wait_until

PARTITIONS = 16
RECORDS = 200


class RecoverTest(ClusterTest):

    def recover(self, partition, *words):
        return self.cluster.kvctl("partition", "recover", "t", str(partition), *words,
                                  endpoints=self.left)

    def partitions(self):
        result = self.cluster.kvctl_again("partition", "list", "t", endpoints=self.left)
        self.assert_code(DONE, result)
        return result.json()["partitions"]

    def all_agree(self):
        return all(len({each["applied_index"] for each in partition["replicas"]}) == 1
                   for partition in self.partitions())

    def whole(self, numbers):
        return all(
            partition["leader_node"] and len(partition["replicas"]) == 3 and
            all(each["reachable"] for each in partition["replicas"])
            for partition in self.partitions() if partition["partition"] in numbers)

    def setUp(self):
        self.cluster = self.new_cluster(5)
        self.left = self.cluster.nodes
        self.cluster.start_and_init()
        wait_until(self.meta_group_is_five, PATIENCE_S, "the meta group has five voters")
        self.cluster.create_keyspace("t", "--partitions", str(PARTITIONS))
        lines = "".join(
            json.dumps({"key": f"k{i}", "value": f"v{i}"}) + "\n" for i in range(RECORDS))
        self.assert_code(DONE, self.cluster.kvctl_again("import", "t", "-", stdin=lines.encode()))
        wait_until(self.all_agree, PATIENCE_S, "all replicas have all")

    def meta_group_is_five(self):
        return len(self.cluster.status()["meta_nodes"]) == 5

    def test_partitions_go_on_from_one_replica(self):
        lost, self.left = self.cluster.nodes[3:], self.cluster.nodes[:3]
        for node in lost:
            node.kill()
        leaderless = []

        def settled():
            now = self.partitions()
            leaderless[:] = [each["partition"] for each in now if not each["leader_node"]]
            return leaderless == [each["partition"] for each in now if sum(
                replica["reachable"] for replica in each["replicas"]) == 1]

        wait_until(settled, PATIENCE_S, "who has a majority has a leader, nobody else")
        self.assertGreater(len(leaderless), 0, "no partition had its majority on the lost nodes")
        kept = next(each for each in range(PARTITIONS) if each not in leaderless)
        refused = self.recover(kept, "--accept-loss")
        self.assert_code(REFUSED, refused)
        self.assertIn("leads the partition", refused.errors)
        self.assert_code(USAGE, self.recover(leaderless[0]))
        planned = self.recover(leaderless[0], "--dry-run")
        self.assert_code(DONE, planned)
        self.assertEqual(planned.json()["state"], "would be recovered")
        self.assertEqual([each["was"] for each in planned.json()["replicas"]].count("unreachable"), 2)
        self.assertIn(self.cluster.kvctl("put", "t", self.key_of(leaderless[0]), "x", timeout=2,
                                         endpoints=self.left).code, (CANNOT_SERVE, 3))
        for partition in leaderless:
            result = self.recover(partition, "--accept-loss")
            self.assert_code(DONE, result)
            self.assertTrue(result.json()["changed"])
        wait_until(lambda: self.whole(leaderless), PATIENCE_S,
                   "three replicas each, on the three nodes")
        expected = {f"k{i}": f"v{i}" for i in range(RECORDS)}
        self.assertEqual(self.export(), expected)
        for node in lost:
            node.start()
            node.wait_ready()
        self.left = self.cluster.nodes
        self.assert_code(DONE, self.cluster.kvctl_again("put", "t", "k0", "later"))
        expected["k0"] = "later"
        self.assertEqual(self.export(), expected)
        print(f"{len(leaderless)} of {PARTITIONS} partitions recovered", flush=True)

    def key_of(self, partition):
        for i in range(RECORDS):
            located = self.cluster.kvctl("locate", "t", f"k{i}", endpoints=self.left)
            if located.json()["partition"] == partition:
                return f"k{i}"
        raise AssertionError(f"no key in partition {partition}")

    def export(self):
        result = self.cluster.kvctl_again("export", "t", output="jsonl", endpoints=self.left)
        self.assert_code(DONE, result)
        return {each["key"]: each["value"] for each in map(json.loads, result.output.splitlines())}


if __name__ == "__main__":
    unittest.main()
