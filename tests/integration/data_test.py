"""The data API and the ports' side services against real processes."""

import json
import os

import cluster
from cluster import CONDITION_FALSE, DONE, NOT_FOUND, REFUSED, ClusterTest, run


class DataTest(ClusterTest):

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start_and_init()
        cls.cluster.create_keyspace("t")

    def kvctl(self, *words, **options):
        return self.cluster.kvctl(*words, **options)

    def test_put_get_del(self):
        self.assert_code(NOT_FOUND, self.kvctl("get", "t", "a"))
        self.assert_code(DONE, self.kvctl("put", "t", "a", "1"))
        for node in self.cluster.nodes:
            got = self.kvctl("get", "t", "a", endpoints=[node], output="raw")
            self.assert_code(DONE, got)
            self.assertEqual(got.output, "1")
        self.assert_code(DONE, self.kvctl("put", "t", "a", "2"))
        self.assertEqual(self.kvctl("get", "t", "a", output="raw").output, "2")
        self.assert_code(DONE, self.kvctl("del", "t", "a"))
        self.assert_code(NOT_FOUND, self.kvctl("get", "t", "a"))

    def test_conditions(self):
        first = self.kvctl("put", "t", "c", "1", "--if-absent")
        self.assert_code(DONE, first)
        version = first.json()["version"]
        self.assert_code(CONDITION_FALSE, self.kvctl("put", "t", "c", "2", "--if-absent"))
        self.assert_code(DONE, self.kvctl("put", "t", "c", "3", "--if-version", version))
        self.assert_code(CONDITION_FALSE,
                         self.kvctl("put", "t", "c", "4", "--if-version", version))
        self.assertEqual(self.kvctl("get", "t", "c", output="raw").output, "3")

    def test_incr(self):
        self.assertEqual(self.kvctl("incr", "t", "n").json()["value"], 1)
        self.assertEqual(self.kvctl("incr", "t", "n", "--by", "-5").json()["value"], -4)
        self.assertEqual(self.kvctl("get", "t", "n", output="raw").output, "-4")
        self.assert_code(DONE, self.kvctl("put", "t", "n", "9223372036854775807"))
        over = self.kvctl("incr", "t", "n")
        self.assert_code(REFUSED, over)
        self.assertIn("number-overflow", over.errors)
        self.assert_code(DONE, self.kvctl("put", "t", "n", "many"))
        self.assertIn("not-a-number", self.kvctl("incr", "t", "n").errors)

    def batch(self, lines, *flags, **options):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return self.kvctl("batch", "t", "-", *flags, stdin=text.encode(), **options)

    def test_batch_over_all_partitions(self):
        puts = [{"op": "put", "key": f"b/{i}", "value": str(i)} for i in range(200)]
        for node in self.cluster.nodes:
            self.assert_code(DONE, self.batch(puts, endpoints=[node]))
        answer = self.batch([{"op": "get", "key": f"b/{i}"} for i in range(201)])
        self.assert_code(DONE, answer)
        results = answer.json()["results"]
        self.assertEqual([r.get("value") for r in results[:200]], [str(i) for i in range(200)])
        self.assertEqual(results[200]["reason"], "key-not-found")
        mixed = self.batch([{"op": "put", "key": "b/0", "value": "x", "if_absent": True},
                            {"op": "put", "key": "b/1", "value": "new"},
                            {"op": "get", "key": "b/1"},
                            {"op": "del", "key": "b/2"}])
        self.assert_code(CONDITION_FALSE, mixed)
        results = mixed.json()["results"]
        self.assertEqual([r["outcome"] for r in results], ["not-done", "done", "done", "done"])
        self.assertEqual(results[2]["value"], "new")
        self.assertTrue(results[3]["existed"])

    def test_batch_atomic(self):
        transfer = [{"op": "put", "key": "{x}/a", "value": "1", "if_absent": True},
                    {"op": "put", "key": "{x}/b", "value": "1"}, {"op": "get", "key": "{x}/b"}]
        done = self.batch(transfer, "--atomic")
        self.assert_code(DONE, done)
        results = done.json()["results"]
        self.assertEqual(results[0]["version"], results[1]["version"])
        self.assertEqual(results[2]["reason"], "key-not-found")
        transfer[1]["value"] = "2"
        refused = self.batch(transfer, "--atomic")
        self.assert_code(CONDITION_FALSE, refused)
        self.assertEqual([r["outcome"] for r in refused.json()["results"]], ["not-done"] * 3)
        self.assertEqual(self.kvctl("get", "t", "{x}/b", output="raw").output, "1")
        apart = [{"op": "put", "key": "{x}/a", "value": "1"},
                 {"op": "put", "key": "{y}/a", "value": "1"}]
        result = self.batch(apart, "--atomic")
        self.assert_code(REFUSED, result)
        self.assertIn("operations[1].put.key", result.errors)

    def test_batch_increments(self):
        lines = [{"op": "increment", "key": "{i}/n"},
                 {"op": "increment", "key": "{i}/n", "delta": 5},
                 {"op": "get", "key": "{i}/n"}]
        results = self.batch(lines).json()["results"]
        self.assertEqual([r["value"] for r in results], [1, 6, "6"])
        name = f"{os.urandom(16).hex()}-1-0"
        for _ in range(2):  # the second is a repeat
            sale = self.batch([{"op": "increment", "key": "{i}/n", "delta": -2},
                               {"op": "put", "key": "{i}/last", "value": "x"}],
                              "--atomic", "--request-id", name)
            self.assert_code(DONE, sale)
            self.assertEqual(sale.json()["results"][0]["value"], 4)
        refused = self.batch([{"op": "put", "key": "{i}/n", "value": "9"},
                              {"op": "increment", "key": "{i}/last"}], "--atomic")
        self.assert_code(REFUSED, refused)
        self.assertEqual([r["reason"] for r in refused.json()["results"]],
                         ["condition-false", "not-a-number"])
        self.assertEqual(self.kvctl("get", "t", "{i}/n", output="raw").output, "4")

    def test_scan_in_key_order_over_all_partitions(self):
        lines = "".join(f'{{"key":"s/{i:04}","value":"{i}"}}\n' for i in range(300))
        self.assert_code(DONE, self.kvctl("import", "t", "-", stdin=lines.encode()))
        records = self.cluster.export("t")
        keys = [key for key in records if key.startswith("s/")]
        self.assertEqual(keys, [f"s/{i:04}" for i in range(300)])
        scan = self.kvctl("scan", "t", "--prefix", "s/", "--limit", "7", output="jsonl")
        self.assert_code(DONE, scan)
        self.assertEqual(len(scan.output.splitlines()), 7)

    def test_values_of_any_bytes_and_sizes(self):
        for size in (0, 1, 70_000, 1 << 20):
            value = os.urandom(size)
            self.assert_code(DONE, self.kvctl("put", "t", f"bytes-{size}", "-", stdin=value))
            self.assertEqual(self.kvctl("get", "t", f"bytes-{size}", output="raw").bytes, value)
        result = self.kvctl("put", "t", "big", "-", stdin=b"x" * ((1 << 20) + 1))
        self.assert_code(REFUSED, result)
        self.assertIn("value", result.errors)

    def test_unknown_keyspace(self):
        self.assert_code(NOT_FOUND, self.kvctl("get", "nope", "k"))

    def test_health_and_reflection(self):
        for node in self.cluster.nodes:
            node.wait_ready()
            probe = run([os.path.join(cluster.BIN, "integration_probe"), "grpc", node.address])
            self.assert_code(0, probe)
            self.assertIn("health= SERVING", probe.output)
            self.assertIn("health=kv.v1.KeyValue SERVING", probe.output)
            self.assertIn("health=kv.v1.Admin SERVING", probe.output)
            for service in ("kv.v1.KeyValue", "kv.v1.Admin", "grpc.health.v1.Health"):
                self.assertIn(f"reflection={service}", probe.output)

    def test_metrics(self):
        figures = {}

        def is_told_to_be_ready():
            status, text = self.cluster.nodes[0].get("/metrics")
            self.assertEqual(status, 200)
            figures.update(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
            return float(figures["quorate_ready"]) == 1
        cluster.wait_until(is_told_to_be_ready, cluster.PATIENCE_S, "the metrics say ready")
        self.assertGreaterEqual(float(figures["quorate_replicas"]), 16)
        self.assertGreater(float(figures["quorate_peer_envelopes_received_total"]), 0)


if __name__ == "__main__":
    cluster.main()
