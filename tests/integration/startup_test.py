"""Starting, stopping and refusing to start: real processes."""

import os
import signal
import time

import cluster
from cluster import DONE, PATIENCE_S, ClusterTest, run, wait_until


class StartupTest(ClusterTest):

    def assert_refused(self, result, *words, code=1):
        self.assert_code(code, result)
        message = [line for line in result.errors.splitlines() if line.startswith("kvd: ")]
        self.assertEqual(len(message), 1, result.errors)
        for word in words:
            self.assertIn(word, message[0])

    def test_help_version_and_usage(self):
        kvd = os.path.join(cluster.BIN, "kvd")
        result = run([kvd, "--help"])
        self.assert_code(0, result)
        self.assertIn("--data-dir", result.output)
        self.assertRegex(run([kvd, "--version"]).output, r"^kvd \d+\.\d+\.\d+\n$")
        self.assert_refused(run([kvd]), "--data-dir", code=2)
        self.assert_refused(run([kvd, "--frobnicate"]), "--frobnicate", code=2)

    def test_refuses_other_machines_without_insecure(self):
        node = self.new_cluster(1).nodes[0]
        for flag in ("--listen", "--http", "--peer-listen"):
            command = [os.path.join(cluster.BIN, "kvd"), "--data-dir", node.data_dir, flag,
                       "0.0.0.0:1"]
            self.assert_refused(run(command), flag, "--insecure", code=2)
        self.assertFalse(os.path.exists(node.data_dir))

    def test_refuses_folder_in_use(self):
        nodes = self.new_cluster(1)
        nodes.start()
        second = nodes.add_node("second")
        second.data_dir = nodes.nodes[0].data_dir
        self.assert_refused(second.run_to_end(), nodes.nodes[0].data_dir, "in use", "Stop it")
        self.assertEqual(nodes.nodes[0].get("/healthz")[0], 200)

    def test_refuses_taken_ports(self):
        nodes = self.new_cluster(1)
        first = nodes.nodes[0]
        nodes.start()
        for flag, port in (("--listen", "port"), ("--http", "http_port"),
                           ("--peer-listen", "peer_port")):
            second = nodes.add_node("second" + flag)
            setattr(second, port, getattr(first, port))
            self.assert_refused(second.run_to_end(), flag, f"port {getattr(first, port)} is taken")

    def test_refuses_newer_format(self):
        nodes = self.new_cluster(1)
        node = nodes.nodes[0]
        nodes.start()
        self.assertEqual(node.stop()[0], 0)
        probe = [os.path.join(cluster.BIN, "integration_probe"), "set-format"]
        data, log = (os.path.join(node.data_dir, store) for store in ("data", "log"))
        self.assert_code(0, run([*probe, "data", data, "99"]))
        self.assert_refused(node.run_to_end(), data, "format 99", "newer version")
        self.assert_code(0, run([*probe, "data", data, "1"]))
        node.start()
        node.wait_up()
        self.assertEqual(node.stop()[0], 0)
        self.assert_code(0, run([*probe, "log", log, "99"]))
        self.assert_refused(node.run_to_end(), log, "format 99", "newer version")

    def test_refuses_damaged_folder(self):
        nodes = self.new_cluster(1)
        node = nodes.nodes[0]
        nodes.start()
        self.assertEqual(node.stop()[0], 0)
        os.remove(os.path.join(node.data_dir, "log", "CURRENT"))
        self.assert_refused(node.run_to_end(), "damaged")

    def test_sigterm_and_sigint_stop_cleanly(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        for node, number in zip(nodes.nodes, (signal.SIGTERM, signal.SIGINT, signal.SIGTERM)):
            begin = time.monotonic()
            node.signal(number)
            self.assertEqual(node.process.wait(timeout=cluster.PATIENCE_S), 0)
            print(f"{node.name}: stopped {time.monotonic() - begin:.2f} s after signal {number}")

    def test_sigterm_before_init(self):
        nodes = self.new_cluster(1)
        nodes.start()
        self.assertEqual(nodes.nodes[0].stop()[0], 0)

    def test_not_ready_before_init(self):
        nodes = self.new_cluster(1)
        nodes.start()
        status, text = nodes.nodes[0].get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("kvctl init", text)
        self.assertEqual(nodes.nodes[0].get("/healthz")[0], 200)

    def test_init_twice_is_harmless(self):
        nodes = self.new_cluster()
        first = nodes.start_and_init()
        self.assertTrue(first["created"])
        for node in nodes.nodes:
            again = nodes.kvctl("init", endpoints=[node])
            self.assert_code(DONE, again)
            self.assertFalse(again.json()["created"])
            self.assertEqual(again.json()["cluster_id"], first["cluster_id"])
        self.assertEqual(len(nodes.status()["nodes"]), 3)

    def test_foreign_cluster_stays_outside(self):
        ours = self.new_cluster()
        ours.start_and_init()
        theirs = self.new_cluster(1)
        foreign_id = theirs.start_and_init()["cluster_id"]
        stranger = theirs.nodes[0]
        self.assertEqual(stranger.stop()[0], 0)
        stranger.join = [node.peer_address for node in ours.nodes]
        stranger.start()
        stranger.wait_up()
        time.sleep(2)  # several attempts to join
        self.assertEqual(len(ours.status()["nodes"]), 3)
        self.assertEqual(theirs.status()["cluster_id"], foreign_id)
        again = theirs.kvctl("init")
        self.assertEqual(again.json()["cluster_id"], foreign_id)

    def test_restart_under_new_addresses(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        self.assert_code(DONE, nodes.kvctl("put", "t", "k", "v"))
        for node in nodes.nodes:
            self.assertEqual(node.stop()[0], 0)
            node.new_ports()
            node.start()
            print(f"{node.name}: ready {node.wait_ready():.2f} s after a restart elsewhere")
            result = nodes.kvctl("put", "t", f"after-{node.name}", "v")
            self.assert_code(DONE, result)
        addresses = {node.address for node in nodes.nodes}
        wait_until(lambda: {node["address"] for node in nodes.status()["nodes"]} == addresses,
                   PATIENCE_S, "the new addresses are told")
        self.assertEqual(nodes.kvctl("get", "t", "k", output="raw").output, "v")

    def test_whole_cluster_restart_keeps_data(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        for i in range(20):
            self.assert_code(DONE, nodes.kvctl("put", "t", f"k{i}", f"v{i}"))
        for node in nodes.nodes:
            node.kill()
        for node in nodes.nodes:
            node.start()
        for node in nodes.nodes:
            node.wait_ready()
        self.assertEqual(nodes.export("t"), {f"k{i}": f"v{i}" for i in range(20)})


if __name__ == "__main__":
    cluster.main()
