"""kvbench against a real cluster and its own echo server: that it works, not how fast."""

import json
import os
import re
import subprocess

import cluster
from cluster import DONE, PATIENCE_S, REFUSED, USAGE, ClusterTest, run, wait_until

KVBENCH = os.path.join(cluster.BIN, "kvbench")
KEYS = 200


class KvbenchTest(ClusterTest):

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start_and_init()
        cls.cluster.create_keyspace("bench")

    def kvbench(self, *words):
        return run([KVBENCH, *words, "--output", "json"])

    def on_quorate(self, command, *words):
        endpoints = ",".join(node.address for node in self.cluster.nodes)
        return self.kvbench(command, "--target", "quorate", "--endpoints", endpoints, "--keys",
                            str(KEYS), *words)

    def short_run(self, operation, *words):
        pids = ",".join(str(node.process.pid) for node in self.cluster.nodes)
        results = []

        def runs():
            results.append(self.on_quorate("run", "--operation", operation, "--warm-up", "0.2",
                                           "--seconds", "1", "--clients", "8", "--server-pids",
                                           pids, *words))
            return results[-1].code == DONE and results[-1].json()["failures"] == 0
        # A node on a busy machine may lose its leaderships for a while, and then requests fail.
        wait_until(runs, PATIENCE_S, "a run without failures")
        figures = results[-1].json()
        self.assertGreater(figures["operations"], 0)
        self.assertGreater(figures["server_cpu_us"], 0)
        self.assertGreater(figures["client_cpu_us"], 0)
        self.assertLessEqual(figures["p50_us"], figures["p99_us"])
        self.assertLessEqual(figures["p99_us"], figures["max_us"])
        return figures

    def test_load_writes_every_key_and_runs_read_and_write_them(self):
        def loads():
            loaded = self.on_quorate("load", "--value-bytes", "7")
            return loaded.code == DONE and loaded.json()["operations"] == KEYS
        wait_until(loads, PATIENCE_S, "all keys are written")
        keys = {f"key-{number:012}" for number in range(KEYS)}
        self.assertEqual(self.cluster.export("bench"), {key: "v" * 7 for key in keys})

        self.assertEqual(self.short_run("get", "--connections", "2")["operation"], "get")
        self.short_run("put", "--value-bytes", "9")
        stored = self.cluster.export("bench")
        self.assertEqual(set(stored), keys)
        self.assertIn("v" * 9, stored.values())

    def test_reading_what_was_never_loaded_fails(self):
        self.cluster.create_keyspace("empty")
        result = self.on_quorate("run", "--operation", "get", "--keyspace", "empty", "--warm-up",
                                 "0", "--seconds", "0.2")
        self.assert_code(REFUSED, result)
        self.assertIn("0 done", result.errors)

    def test_missing_keyspace_and_wrong_lines(self):
        result = self.on_quorate("load", "--keyspace", "nowhere")
        self.assert_code(REFUSED, result)
        self.assertIn("no keyspace 'nowhere'", result.errors)
        self.assert_code(USAGE, self.on_quorate("run"))

    def test_echo(self):
        with subprocess.Popen([KVBENCH, "echo-server"], stdout=subprocess.PIPE) as server:
            try:
                port = re.fullmatch(rb"listening on port (\d+)\n", server.stdout.readline())[1]
                result = self.kvbench("run", "--target", "echo", "--operation", "get",
                                      "--endpoints", f"127.0.0.1:{port.decode()}", "--warm-up",
                                      "0.1", "--seconds", "0.5", "--server-pids", str(server.pid))
            finally:
                server.terminate()
            self.assertEqual(server.wait(timeout=PATIENCE_S), 0)
        self.assert_code(DONE, result)
        self.assertGreater(result.json()["operations"], 0)


if __name__ == "__main__":
    cluster.main()
