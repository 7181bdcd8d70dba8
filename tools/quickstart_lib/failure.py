"""The failure on show: a node is killed under a running writer, comes back, and nothing is lost.

The writer has a keyspace of its own, so that the catalogue stays what was imported; it has as many
partitions and replicas, and is dropped at the end.
"""

import json
import os
import time

import catalogue
import screen
from screen import QuickstartError

KEYSPACE = "quickstart-writer"
PARTITIONS = 16
LEADS_MIN = 5
WRITER_SECONDS = 20
WRITER_CLIENTS = 4
KILL_AFTER_SECONDS = 4
DEAD_SECONDS = 6
EQUAL_SECONDS_MAX = 120


def create_keyspace(kvctl, name, replicas):
    kvctl.json("keyspace", "create", name, "--replication", "raft", "--replicas", str(replicas),
               "--partitions", str(PARTITIONS), timeout="60s")
    wait_for_leaders(kvctl, name)


def wait_for_leaders(kvctl, keyspace, seconds=60):
    give_up = time.monotonic() + seconds
    while True:
        listed, error = kvctl.try_json("partition", "list", keyspace)
        partitions = (listed or {}).get("partitions", [])
        if partitions and all(partition.get("leader_node") for partition in partitions):
            return partitions
        if time.monotonic() > give_up:
            raise QuickstartError(f"not every partition of {keyspace} has a leader after "
                                  f"{seconds} s {error}")
        time.sleep(0.2)


def led(partitions):
    """{node id: number of partitions it leads}."""
    counts = {}
    for partition in partitions:
        counts[partition["leader_node"]] = counts.get(partition["leader_node"], 0) + 1
    return counts


def choose_victim(kvctl, cluster, keyspace, leads_min):
    """(our number of the node that leads the most partitions, how many)."""
    counts = led(wait_for_leaders(kvctl, keyspace))
    node_id, most = max(counts.items(), key=lambda item: (item[1], -int(item[0])))
    if most < leads_min:
        raise QuickstartError(f"no node leads {leads_min} partitions of {keyspace}: {counts}")
    nodes = kvctl.json("status")["nodes"]
    listed = next(node for node in nodes if str(node["id"]) == str(node_id))
    return cluster.number_of(listed), most


def unequal(partitions, replicas):
    """What keeps the replicas from being equal, one line for each partition; empty when all are."""
    reasons = []
    for partition in partitions:
        found = partition["replicas"]
        states = {(r["applied_index"], r.get("checksum")) for r in found}
        missing = [r["node"] for r in found if not r.get("reachable")]
        if len(found) != replicas:
            reasons.append(f"partition {partition['partition']}: {len(found)} of {replicas} replicas")
        elif missing:
            reasons.append(f"partition {partition['partition']}: nodes {missing} do not answer")
        elif len(states) != 1 or next(iter(states))[1] in (None, ""):
            reasons.append(f"partition {partition['partition']}: applied index and checksum "
                           f"{sorted(states, key=str)}")
    return reasons


def wait_equal(kvctl, keyspace, replicas):
    """Waits until all replicas of all partitions have equal applied index and checksum."""
    give_up = time.monotonic() + EQUAL_SECONDS_MAX
    while True:
        listed, error = kvctl.try_json("partition", "list", keyspace, "--checksum", timeout="60s")
        reasons = [error] if listed is None else unequal(listed["partitions"], replicas)
        if not reasons:
            return listed["partitions"]
        if time.monotonic() > give_up:
            raise QuickstartError(f"replicas of {keyspace} are not equal after "
                                  f"{EQUAL_SECONDS_MAX} s:\n" + "\n".join(reasons))
        time.sleep(0.5)


class Writer:
    """`kvctl load` in the background, and what it says at its end."""

    def __init__(self, kvctl, folder):
        self.journal = folder.file("writer.ndjson")
        self._log_path = folder.file("writer.log")
        with open(self._log_path, "wb") as log, open(self.journal, "wb"):
            self._process = kvctl.start(
                "load", KEYSPACE, "--prefix", f"run-{time.time_ns()}/", "--seconds",
                str(WRITER_SECONDS), "--clients", str(WRITER_CLIENTS), "--journal", self.journal,
                output="jsonl", timeout="5s", stdout=log, stderr=log)

    def finish(self):
        code = self._process.wait(timeout=WRITER_SECONDS + 60)
        with open(self._log_path, encoding="utf-8", errors="replace") as stream:
            lines = [line for line in stream if line.strip()]
        summary = next((json.loads(line) for line in reversed(lines) if line.startswith("{")), None)
        if summary is None or code != 0:
            raise QuickstartError(f"the writer failed with exit code {code}: {''.join(lines[-5:])}")
        return summary

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def acknowledged(journal):
    """{key: value} of the last acknowledged write of each key."""
    with open(journal, encoding="utf-8") as stream:
        writes = [json.loads(line) for line in stream if line.strip()]
    return {write["key"].encode(): write["value"].encode() for write in writes}


def verify_writes(kvctl, journal):
    """Every acknowledged write is there, byte for byte."""
    wanted = acknowledged(journal)
    present = catalogue.read_ndjson(kvctl.lines("export", KEYSPACE, output="jsonl", timeout="120s"))
    lost = [key for key, value in wanted.items() if present.get(key) != value]
    if lost:
        raise QuickstartError(f"{len(lost)} of {len(wanted)} acknowledged writes are lost or "
                              f"changed, the first is {lost[0]!r}")
    return len(wanted)


def _kill_under_load(cluster, victim):
    time.sleep(KILL_AFTER_SECONDS)
    screen.say(f"SIGKILL to node {victim}")
    cluster.kill(victim)
    time.sleep(DEAD_SECONDS)
    screen.say(f"starting node {victim} again")
    cluster.start(victim)


def _report(summary):
    screen.say(f"writes: {summary['acknowledged']} acknowledged, {summary['unknown']} unknown, "
               f"{summary['refused']} refused; longest gap between acknowledgements "
               f"{summary['longest_gap_ms']} ms")
    if summary["acknowledged"] == 0:
        raise QuickstartError("the writer got no write acknowledged")


def show(cluster, folder, keyspace, replicas):
    """The whole step. Raises QuickstartError on any mismatch."""
    kvctl = cluster.kvctl
    names = [listed["name"] for listed in kvctl.json("keyspace", "list")["keyspaces"]]
    if KEYSPACE not in names:
        create_keyspace(kvctl, KEYSPACE, replicas)
    victim, leads = choose_victim(kvctl, cluster, keyspace,
                                  LEADS_MIN if folder.nodes == 3 else 1)
    screen.say(f"{WRITER_CLIENTS} clients write for {WRITER_SECONDS} s; node {victim} leads {leads} "
               f"of {PARTITIONS} partitions of {keyspace} and will be killed")
    writer = Writer(kvctl, folder)
    try:
        _kill_under_load(cluster, victim)
        summary = writer.finish()
    finally:
        writer.kill()
    _report(summary)
    cluster.wait_ready()
    for name in (keyspace, KEYSPACE):
        partitions = wait_equal(kvctl, name, replicas)
        screen.say(f"{name}: {len(partitions)} partitions, equal applied index and checksum on "
                   f"all {replicas} replica{'s' if replicas > 1 else ''} of each")
    screen.say(f"{verify_writes(kvctl, writer.journal)} acknowledged writes read back, none lost")
    kvctl.json("keyspace", "drop", KEYSPACE, "--yes", timeout="60s")
    for path in (writer.journal, folder.file("writer.log")):
        os.remove(path)
