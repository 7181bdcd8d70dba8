"""Replicas move between nodes while clients write and the participants are killed; leaders are handed
over, nodes are drained, and the meta group grows by itself."""

import collections
import json
import os
import random
import signal
import subprocess
import time

import cluster
from cluster import DONE, PATIENCE_S, REFUSED, USAGE, ClusterTest, wait_until
from history import write_with_a_stale_read
from journal import acknowledged, check_stored, outcomes

ROUNDS = int(os.environ.get("QUORATE_MOVE_ROUNDS", "20"))
PARTITIONS = 4
VICTIMS = ("leaving", "coming", "leader", "member", "meta leader")
# Far below what a slow machine does, far above what proves nothing.
OPERATIONS_MIN = {"read": 500, "write": 200, "cas": 50, "delete": 20, "increment": 50}


class MoveTest(ClusterTest):

    def four_nodes(self):
        nodes = self.new_cluster(4)
        nodes.start_and_init()
        wait_until(lambda: len(self.node_list(nodes)) == 4, PATIENCE_S, "all four have joined")
        nodes.create_keyspace("t", "--partitions", str(PARTITIONS))
        return nodes

    def node_list(self, nodes):
        return nodes.kvctl_again("node", "list").json()["nodes"]

    def process_of(self, nodes, node_id):
        """Ids are given in the order of joining."""
        address = next(each["address"] for each in self.node_list(nodes) if each["id"] == node_id)
        return next(node for node in nodes.nodes if node.address == address)

    def describe(self, nodes, partition, **options):
        result = nodes.kvctl_again("partition", "describe", "t", str(partition), **options)
        self.assert_code(DONE, result)
        return result.json()

    def holders(self, nodes, partition, **options):
        return [each["node"] for each in self.describe(nodes, partition, **options)["replicas"]]

    def replicas_at(self, nodes, node):
        result = nodes.kvctl_again("partition", "list", "t", "--node", str(node))
        self.assert_code(DONE, result)
        return len(result.json()["partitions"])

    def test_moves_under_load_with_kills(self):
        nodes = self.four_nodes()
        seed = int(os.environ.get("QUORATE_SEED", time.time()))
        rng = random.Random(seed)
        print(f"seed {seed}", flush=True)
        wait_until(lambda: sum(each["replicas"] for each in self.node_list(nodes)) ==
                   3 * PARTITIONS + 3, PATIENCE_S, "the meta group has grown to three")
        journal = os.path.join(nodes.folder, "journal")
        load = self.begin_load(nodes.kvctl_command(
            "load", "t", "--clients", "4", "--seconds", "3600", "--journal", journal, timeout=20))
        saw = os.path.join(nodes.folder, "history")
        history = self.begin_load([
            os.path.join(cluster.BIN, "history_load"), "run",
            ",".join(node.address for node in nodes.nodes), "t", saw, str(seed)])
        begin = time.monotonic()
        kills = collections.Counter()
        for number in range(ROUNDS):
            for each in (load, history):
                self.assertIsNone(each.poll(), "the load ended early")
            kills.update(self.move_with_kill(nodes, rng, number))
        wait_until(lambda: acknowledged(journal) > 10 * ROUNDS, PATIENCE_S, "writes are done")
        summary = self.end_load(load)
        print(f"{ROUNDS} moves in {time.monotonic() - begin:.0f} s; {dict(kills)}; {summary}",
              flush=True)
        for victim in VICTIMS:
            self.assertGreaterEqual(kills[victim], ROUNDS // len(VICTIMS), victim)
        self.assertGreaterEqual(kills["before the move was through"], ROUNDS // 4)
        self.assertGreater(summary["acknowledged"], 10 * ROUNDS)
        self.check_history(self.end_load(history), saw)
        check_stored(self, outcomes(journal), nodes.export("t"))
        self.check_replicas_equal(nodes)

    def begin_load(self, command):
        load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(load.kill)
        return load

    def end_load(self, load):
        """Its summary."""
        load.send_signal(signal.SIGINT)
        output, errors = load.communicate(timeout=PATIENCE_S)
        self.assertEqual(load.returncode, DONE, errors.decode())
        return json.loads(output)

    def check_history(self, counts, saw):
        """history_load has found what it saw right; it saw enough, and would have found it wrong."""
        print(f"history: {counts}", flush=True)
        for what, at_least in OPERATIONS_MIN.items():
            self.assertGreater(counts.get(what, 0), at_least * ROUNDS / 20, what)
        self.assertGreater(counts.get("unknown", 0) + counts.get("failed", 0) +
                           counts.get("repeated-increment", 0), 0, "no kill was noticed")
        check = [os.path.join(cluster.BIN, "history_load"), "check"]
        self.assert_code(0, cluster.run(check + [saw]))
        stale = write_with_a_stale_read(saw, saw + ".stale")
        self.assertIsNotNone(stale, "no read came after two writes")
        found = cluster.run(check + [saw + ".stale"])
        self.assertEqual(found.code, 1, f"{stale}: not noticed")
        self.assertIn("no place for", found.errors)

    def once_known(self, leader, what):
        """What leader() answers, once it is not 0."""
        found = 0

        def known():
            nonlocal found
            found = leader()
            return found
        wait_until(known, PATIENCE_S, f"{what} has a leader")
        return found

    def move_with_kill(self, nodes, rng, number):
        """Moves a replica; one of the participants, each in turn, is killed at a random instant.
        Who it was, and whether the move was still going on."""
        partition = rng.randrange(PARTITIONS)
        held = self.holders(nodes, partition)
        leaving = rng.choice(held)
        to = next(node for node in range(1, 5) if node not in held)
        kind = VICTIMS[number % len(VICTIMS)]
        victim = {"leaving": lambda: leaving, "coming": lambda: to,
                  "leader": lambda: self.once_known(
                      lambda: self.describe(nodes, partition)["leader_node"], "the partition"),
                  "member": lambda: rng.choice(held),
                  "meta leader": lambda: self.once_known(
                      lambda: nodes.status()["meta_leader"], "the meta group")}[kind]()
        move = ["partition", "move", "t", str(partition), "--from", str(leaving), "--to", str(to)]
        node = self.process_of(nodes, victim)
        waiting = subprocess.Popen(nodes.kvctl_command(*move, "--wait", timeout=PATIENCE_S),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(waiting.kill)
        time.sleep(rng.random() * 0.7)
        happened = [kind]
        if waiting.poll() is None:
            happened.append("before the move was through")
        node.kill()
        time.sleep(rng.random() * 0.5)
        node.start()
        node.wait_ready()
        output, errors = waiting.communicate(timeout=2 * PATIENCE_S)
        if waiting.returncode != DONE:
            # What it asked died with its question. Asking again is harmless.
            print(f"round {number}: {errors.decode()[-200:]}", flush=True)
            result = nodes.kvctl_again(*move, "--wait", timeout=PATIENCE_S)
            self.assert_code(DONE, result)
            output = result.bytes
        self.assertEqual(json.loads(output)["coming"], [])
        # The next round may ask any of them.
        now = set(held) - {leaving} | {to}
        for each in nodes.nodes:
            wait_until(lambda: set(self.holders(nodes, partition, endpoints=[each])) == now,
                       PATIENCE_S, f"{each.name} knows the new holders")
        return happened

    def check_replicas_equal(self, nodes):
        def equal():
            result = nodes.kvctl("partition", "list", "t", "--checksum")
            if result.code != DONE:
                return False
            for partition in result.json()["partitions"]:
                sums = {(each["checksum"], each["records"]) for each in partition["replicas"]}
                if len(sums) != 1 or len(partition["replicas"]) != 3:
                    return False
            return True
        wait_until(equal, PATIENCE_S, "all replicas hold the same")

    def test_transfer_cancel_and_refusals(self):
        nodes = self.four_nodes()
        self.assert_code(DONE, nodes.kvctl_again("put", "t", "k", "v"))
        held = self.holders(nodes, 0)
        outside = next(node for node in range(1, 5) if node not in held)
        for to in held:
            wait_until(lambda: nodes.kvctl("partition", "transfer-leader", "t", "0", "--to",
                                           str(to)).code == DONE, PATIENCE_S, f"{to} leads")
        self.assertNotEqual(nodes.kvctl("partition", "transfer-leader", "t", "0", "--to",
                                        str(outside)).code, DONE)
        move = ["partition", "move", "t", "0", "--from"]
        again = nodes.kvctl_again(*move, str(outside), "--to", str(held[0]))
        self.assert_code(DONE, again)
        self.assertFalse(again.json()["changed"], "what is so already is no mistake")
        for words in ([str(held[0]), "--to", str(held[1])], [str(held[0]), "--to", "9"]):
            self.assert_code(REFUSED, nodes.kvctl_again(*move, *words))
        self.assert_code(USAGE, nodes.kvctl("partition", "move", "t", "0"))
        dry = nodes.kvctl_again(*move, str(held[0]), "--to", str(outside), "--dry-run")
        self.assert_code(DONE, dry)
        self.assertIn(outside, dry.json()["coming"])
        self.assertFalse(self.describe(nodes, 0)["moving"])
        # Nobody is there to take the replica: the move stays open until it is turned back.
        self.process_of(nodes, outside).kill()
        self.assert_code(DONE, nodes.kvctl_again(*move, str(held[0]), "--to", str(outside)))
        wait_until(lambda: self.describe(nodes, 0)["moving"], PATIENCE_S, "the move is known")
        cancelled = nodes.kvctl_again("partition", "move", "t", "0", "--cancel", "--wait")
        self.assert_code(DONE, cancelled)
        self.assertEqual(set(cancelled.json()["replicas"]), set(held))
        self.assertEqual(nodes.kvctl_again("get", "t", "k", output="raw").output, "v")

    def test_drain_empties_a_node_and_meta_group_grows(self):
        nodes = self.four_nodes()
        self.assert_code(DONE, nodes.kvctl_again("put", "t", "k", "v"))
        # Node 1 began the cluster alone. Once there are three meta voters it is not needed for
        # changes, and a new keyspace can be made without it.
        result = nodes.kvctl_again("node", "drain", "1", "--wait", timeout=PATIENCE_S)
        self.assert_code(DONE, result)
        self.assertTrue(result.json()["drained"])
        # Any node is asked, also one that has not heard of it yet.
        wait_until(lambda: self.replicas_at(nodes, 1) == 0, PATIENCE_S, "all know that it is empty")
        refused = nodes.kvctl_again("node", "drain", "2")
        self.assert_code(REFUSED, refused)
        nodes.nodes[0].kill()
        others = nodes.nodes[1:]
        wait_until(lambda: nodes.kvctl("keyspace", "create", "u", "--replicas", "3",
                                       endpoints=others, timeout=20).code == DONE,
                   PATIENCE_S, "the cluster changes without node 1")
        got = nodes.kvctl_again("get", "t", "k", endpoints=others, output="raw")
        self.assertEqual(got.output, "v", repr(got))
        self.assert_code(DONE, nodes.kvctl_again("node", "drain", "1", "--undo", endpoints=others))


if __name__ == "__main__":
    cluster.main()
