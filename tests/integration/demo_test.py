"""kvctl demo: a throw-away cluster that leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

import cluster
from cluster import DONE, ClusterTest, run, wait_until

KVCTL = os.path.join(cluster.BIN, "kvctl")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class DemoTest(ClusterTest):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="quorate-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def command(self, *words):
        return [KVCTL, "demo", *words], {**os.environ, "TMPDIR": self.folder,
                                             "KVCTL_TIMEOUT": "50s"}

    def start(self, *words):
        """The running demo, and what it said when it was ready."""
        command, environment = self.command(*words, "--output", "jsonl")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, json.loads(process.stdout.readline())

    def wait_gone(self, ready):
        for node in ready["nodes"]:
            wait_until(lambda pid=node["pid"]: not is_running(pid), cluster.PATIENCE_S, "the node has ended")

    def test_runs_until_interrupted_and_leaves_nothing(self):
        process, ready = self.start("--nodes", "3")
        endpoints = ",".join(ready["endpoints"])
        kvctl = [KVCTL, "--endpoints", endpoints, "--timeout", "50s"]
        wait_until(lambda: [node["ready"] for node in run([*kvctl, "-o", "json", "status"])
                            .json()["nodes"]] == [True] * 3, cluster.PATIENCE_S, "all are ready")
        scan = run([*kvctl, "-o", "jsonl", "scan", ready["keyspace"]])
        self.assertEqual(len(scan.output.splitlines()), ready["records"])
        # A node that is killed does not end the demo.
        os.kill(ready["nodes"][2]["pid"], signal.SIGKILL)
        got = run([*kvctl, "-o", "raw", "get", "demo", "greeting"])
        self.assertEqual(got.output, "hello")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=cluster.PATIENCE_S), DONE)
        for node in ready["nodes"]:
            self.assertFalse(is_running(node["pid"]))
        self.assertEqual(os.listdir(self.folder), [])

    def test_nodes_do_not_outlive_a_killed_kvctl(self):
        process, ready = self.start("--nodes", "2")
        process.kill()
        process.wait()
        self.wait_gone(ready)

    def test_runs_a_program_and_ends_as_it_does(self):
        command, environment = self.command(
            "--nodes", "1", "--", "sh", "-c", f"{KVCTL} get demo greeting; exit 7")
        done = subprocess.run(command, env=environment, capture_output=True, timeout=2 * cluster.PATIENCE_S, check=False)
        self.assertEqual((done.returncode, done.stdout), (7, b"hello\n"), done.stderr)
        self.assertEqual(os.listdir(self.folder), [])
        command, environment = self.command("--nodes", "1", "--keep", "--", "no-such-program")
        done = subprocess.run(command, env=environment, capture_output=True, timeout=2 * cluster.PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"no-such-program", done.stderr)
        kept = os.listdir(self.folder)
        self.assertEqual(len(kept), 1)
        self.assertIn("node-1.log", os.listdir(os.path.join(self.folder, kept[0])))


if __name__ == "__main__":
    cluster.main()
