"""Acknowledged writes survive kills: 8 clients write for a minute while nodes are killed, each next
one only after the last is ready again. Afterwards every acknowledged write is there, byte for byte,
and nothing that was definitely refused is."""

import json
import os
import random
import signal
import subprocess
import time

import cluster
from cluster import ClusterTest

SECONDS = float(os.environ.get("QUORATE_TORTURE_SECONDS", "60"))
KILLS_MIN = int(SECONDS / 3)
META_KILLS_MIN = KILLS_MIN // 4
ACKNOWLEDGED_MIN = int(SECONDS * 5000 / 60)
# On a machine that is busy with other things all that may take longer than the minute; where even
# this is too short, a quarter of it all will do.
SECONDS_MAX = 10 * SECONDS + 60


class SigkillTest(ClusterTest):

    def test_sigkill_torture(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        journal = os.path.join(nodes.folder, "journal")
        load = subprocess.Popen(
            nodes.kvctl_command("load", "t", "--clients", "8", "--seconds", str(SECONDS_MAX),
                                "--journal", journal, timeout=10),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(load.kill)
        seed = int(time.time())
        kills, recoveries, elapsed = self.kill_for_a_while(nodes, load, journal,
                                                           random.Random(seed))
        load.send_signal(signal.SIGINT)
        output, errors = load.communicate(timeout=cluster.PATIENCE_S)
        summary = json.loads(output)
        print(f"seed {seed}: {elapsed:.0f} s, {len(kills)} kills ({kills.count(0)} of the meta "
              f"leader), ready again after {max(recoveries):.2f} s at most, "
              f"{sum(recoveries) / len(recoveries):.2f} s on average; {summary}", flush=True)
        share = 1 if elapsed < SECONDS_MAX else 0.25
        self.assertGreaterEqual(len(kills), share * KILLS_MIN)
        self.assertGreaterEqual(kills.count(0), int(share * META_KILLS_MIN))
        self.assertGreaterEqual(summary["acknowledged"], share * ACKNOWLEDGED_MIN, errors)
        self.check_journal(nodes, journal, summary)

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
                if self.acknowledged(journal) >= ACKNOWLEDGED_MIN:
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

    @staticmethod
    def acknowledged(journal):
        """How many writes are, as far as the journal has been written."""
        with open(journal, encoding="utf-8") as lines:
            return sum('"acknowledged"' in line for line in lines)

    def check_journal(self, nodes, journal, summary):
        outcomes = {"acknowledged": {}, "unknown": {}, "refused": {}}
        with open(journal, encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                outcomes[entry["outcome"]][entry["key"]] = entry["value"]
        for outcome, entries in outcomes.items():
            self.assertEqual(len(entries), summary[outcome])
        for node in nodes.nodes:
            node.wait_ready()
        stored = nodes.export("t")
        lost = [key for key, value in outcomes["acknowledged"].items() if stored.get(key) != value]
        self.assertEqual(lost[:10], [], f"{len(lost)} acknowledged writes lost or changed")
        risen = [key for key in outcomes["refused"] if key in stored]
        self.assertEqual(risen[:10], [], f"{len(risen)} refused writes are there")
        never_written = [key for key, value in stored.items()
                         if outcomes["acknowledged"].get(key, outcomes["unknown"].get(key)) != value]
        self.assertEqual(never_written[:10], [], "values that nobody wrote")
        print(f"{len(stored)} records stored; of {len(outcomes['unknown'])} unknown writes "
              f"{sum(key in stored for key in outcomes['unknown'])} took effect", flush=True)


if __name__ == "__main__":
    cluster.main()
