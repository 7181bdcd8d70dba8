"""Acknowledged writes survive kills: 8 clients write for a minute while nodes are killed, each next
one only after the last is ready again. Afterwards every acknowledged write is there, byte for byte,
and nothing that was definitely refused is. In a keyspace without fsync the same holds when all
nodes are killed at once."""

import json
import os
import random
import signal
import subprocess
import time

import cluster
from cluster import ClusterTest
from journal import acknowledged, check_stored, outcomes

SECONDS = float(os.environ.get("QUORATE_TORTURE_SECONDS", "60"))
KILLS_MIN = int(SECONDS / 3)
META_KILLS_MIN = KILLS_MIN // 4
ACKNOWLEDGED_MIN = int(SECONDS * 5000 / 60)
DEATHS_OF_ALL = 3
# On a machine that is busy with other things all that may take longer than the minute.
SECONDS_MAX = 10 * SECONDS + 60


class SigkillTest(ClusterTest):

    def test_sigkill_torture(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        load, journal = self.begin_load(nodes)
        seed = int(time.time())
        kills, recoveries, elapsed = self.kill_for_a_while(nodes, load, journal,
                                                           random.Random(seed))
        load.send_signal(signal.SIGINT)
        output, errors = load.communicate(timeout=cluster.PATIENCE_S)
        summary = json.loads(output)
        print(f"seed {seed}: {elapsed:.0f} s, {len(kills)} kills ({kills.count(0)} of the meta "
              f"leader), ready again after {max(recoveries):.2f} s at most, "
              f"{sum(recoveries) / len(recoveries):.2f} s on average; {summary}", flush=True)
        self.assertGreaterEqual(len(kills), KILLS_MIN)
        self.assertGreaterEqual(kills.count(0), META_KILLS_MIN)
        self.assertGreaterEqual(summary["acknowledged"], ACKNOWLEDGED_MIN, errors)
        self.check_journal(nodes, journal, summary)

    def test_buffered_writes_survive_the_death_of_all_processes(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t", "--durability", "buffered")
        load, journal = self.begin_load(nodes)
        for goal in range(500, 500 * DEATHS_OF_ALL + 1, 500):
            cluster.wait_until(
                lambda: os.path.exists(journal) and acknowledged(journal) >= goal,
                cluster.PATIENCE_S, f"{goal} acknowledged writes")
            for node in nodes.nodes:
                node.signal(signal.SIGKILL)
            for node in nodes.nodes:
                node.kill()
                node.start()
            for node in nodes.nodes:
                node.wait_ready()
        load.send_signal(signal.SIGINT)
        output, _ = load.communicate(timeout=cluster.PATIENCE_S)
        self.check_journal(nodes, journal, json.loads(output))

    def begin_load(self, nodes):
        journal = os.path.join(nodes.folder, "journal")
        load = subprocess.Popen(
            nodes.kvctl_command("load", "t", "--clients", "8", "--seconds", str(SECONDS_MAX),
                                "--journal", journal, timeout=10),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(load.kill)
        return load, journal

    def kill_for_a_while(self, nodes, load, journal, rng):
        kills, recoveries = [], []
        # Node 1 made the cluster and leads the meta group at first.
        plan = [0] * (META_KILLS_MIN - 1) + [
            rng.randrange(3) for _ in range(KILLS_MIN - META_KILLS_MIN)]
        rng.shuffle(plan)
        plan.append(0)  # the first
        begin = time.monotonic()
        while time.monotonic() - begin < SECONDS_MAX:
            elapsed = time.monotonic() - begin
            self.assertIsNone(load.poll(), "the load ended early")
            if elapsed >= SECONDS and len(kills) >= KILLS_MIN:
                if acknowledged(journal) >= ACKNOWLEDGED_MIN:
                    break
                time.sleep(0.5)  # a slow machine has had its kills, and still has to write
                continue
            victim = plan.pop() if plan else rng.randrange(3)
            nodes.nodes[victim].kill()
            time.sleep(rng.random() * 0.5)
            nodes.nodes[victim].start()
            recoveries.append(nodes.nodes[victim].wait_ready())
            kills.append(victim)
            # Spread over the time, so that the cluster also runs undisturbed in between.
            pause = SECONDS / KILLS_MIN * len(kills) - (time.monotonic() - begin)
            time.sleep(max(0.0, min(pause, 3.0)))
        return kills, recoveries, time.monotonic() - begin

    def check_journal(self, nodes, journal, summary):
        written = outcomes(journal)
        for outcome, entries in written.items():
            self.assertEqual(len(entries), summary[outcome])
        for node in nodes.nodes:
            node.wait_ready()
        stored = nodes.export("t")
        check_stored(self, written, stored)
        never_written = [key for key, value in stored.items()
                         if written["acknowledged"].get(key, written["unknown"].get(key)) != value]
        self.assertEqual(never_written[:10], [], "values that nobody wrote")
        print(f"{len(stored)} records stored; of {len(written['unknown'])} unknown writes "
              f"{sum(key in stored for key in written['unknown'])} took effect", flush=True)


if __name__ == "__main__":
    cluster.main()
