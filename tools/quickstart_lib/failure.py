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
EQUAL_SECONDS_MAX = 300
# Of a change of the cluster: a machine that is busy may take its time over an election.
CHANGE_TIMEOUT = "180s"


def create_keyspace(kvctl, name, replicas):
    kvctl.json("keyspace", "create", name, "--replication", "raft", "--replicas", str(replicas),
               "--partitions", str(PARTITIONS), timeout=CHANGE_TIMEOUT)
    wait_for_leaders(kvctl, name)


def wait_for_leaders(kvctl, keyspace, seconds=300):
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


def _difference(partition, replicas):
    """What keeps the replicas of one partition from being equal; empty when nothing does."""
    found = partition["replicas"]
    silent = [replica["node"] for replica in found if not replica.get("reachable")]
    faults = [replica["fault"] for replica in found if replica.get("fault")]
    states = {(r["applied_index"], r.get("checksum_index"), r.get("checksum")) for r in found}
    if len(found) != replicas:
        return f"{len(found)} of {replicas} replicas"
    if silent:
        return f"nodes {silent} do not answer"
    if faults:
        return f"faults: {faults}"
    if len(states) != 1 or next(iter(states))[2] in (None, ""):
        return f"applied index, index and value of the checksum: {sorted(states, key=str)}"
    return ""


def unequal(partitions, replicas):
    """One line for each partition whose replicas are not equal."""
    differences = [(partition["partition"], _difference(partition, replicas))
                   for partition in partitions]
    return [f"partition {number}: {text}" for number, text in differences if text]


def wait_equal(kvctl, keyspace, replicas):
    """Waits until all replicas of all partitions have equal applied index and checksum."""
    give_up = time.monotonic() + EQUAL_SECONDS_MAX
    while True:
        listed, error = kvctl.try_json("partition", "list", keyspace, "--checksum")
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
        code = self._process.wait(timeout=WRITER_SECONDS + 180)
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


def journal_of(path):
    """({key: value} of acknowledged writes, {key: value} of refused ones). No key is written twice."""
    writes = {"acknowledged": {}, "refused": {}, "unknown": {}}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            write = json.loads(line)
            writes[write["outcome"]][write["key"].encode()] = write["value"].encode()
    return writes["acknowledged"], writes["refused"]


def broken_promises(acknowledged, refused, present):
    """What the store said of writes and does not hold, one line each."""
    broken = [f"acknowledged but lost or changed: {key!r}" for key, value in acknowledged.items()
              if present.get(key) != value]
    return broken + [f"refused but there: {key!r}" for key in refused if key in present]


def verify_writes(kvctl, journal):
    """Every acknowledged write is there, byte for byte, and none that was refused."""
    acknowledged, refused = journal_of(journal)
    present = catalogue.read_ndjson(kvctl.lines("export", KEYSPACE, output="jsonl", timeout="300s"))
    broken = broken_promises(acknowledged, refused, present)
    if broken:
        raise QuickstartError(f"{len(broken)} promises broken, the first: {broken[0]}")
    return len(acknowledged)


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
    kvctl.json("keyspace", "drop", KEYSPACE, "--yes", timeout=CHANGE_TIMEOUT)
    for path in (writer.journal, folder.file("writer.log")):
        os.remove(path)
