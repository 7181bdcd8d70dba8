"""What many idle groups cost: CPU and messages while they are quiet, and how long a restart takes.

    python3 tests/integration/many_groups.py [--partitions 4096 1024] [--keys 20] [--idle 60]
                                             [--restarts 5] [--kill]

Three nodes on loopback get a keyspace for each number of partitions, with that many keys for each of
them, and are left alone until every group is quiet. Then the CPU seconds of each kvd over the idle
time are taken from the kernel, and the messages between nodes are counted and compared with those of
a cluster of 16 groups. At last all nodes are ended and started, again and again; each time the clock
runs until every group has served a read. Prints a table, and a JSON object as the last line.
Measure on a machine that does nothing else, with build/release (or what QUORATE_BIN names).
"""

import argparse
import json
import os
import re
import statistics
import time

import cluster
from cluster import DONE, PATIENCE_S, wait_until

ENVELOPES = "quorate_peer_envelopes_sent_total"
RAFT_MESSAGES = "quorate_raft_messages_sent_total"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(node):
    """User and system time of a node's process so far."""
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


class ManyGroups:
    """A cluster of three with keyspaces of so many partitions. Use as a context."""

    def __init__(self, partitions, keys):
        self.partitions = partitions
        self.keys = keys
        self.cluster = cluster.Cluster(3)

    def __enter__(self):
        try:
            self.fill()
        except BaseException:
            self.cluster.show_logs()
            self.cluster.close()
            raise
        return self

    def __exit__(self, error_type, *_):
        if error_type is not None:
            self.cluster.show_logs()
        self.cluster.close()

    @property
    def nodes(self):
        return self.cluster.nodes

    @property
    def groups(self):
        return sum(self.partitions) + 1  # the meta group's too

    def metrics(self, *names):
        """For each node that answers the values of these metrics, which have no labels."""
        answers = []
        for node in self.nodes:
            page = node.get("/metrics")[1]
            found = [re.search(rf"^{name} (\S+)$", page, re.MULTILINE) for name in names]
            if all(found):
                answers.append(tuple(float(each.group(1)) for each in found))
        return answers

    def total(self, name):
        return int(sum(value for (value,) in self.metrics(name)))

    def kvctl(self, *words, stdin=b""):
        result = self.cluster.kvctl_again(*words, stdin=stdin)
        if result.code != DONE:
            raise AssertionError(f"{words[:3]}: {result}")
        return result

    def read_all_groups(self, name, partitions):
        """A key of each partition, many at a time."""
        tool = [os.path.join(cluster.BIN, "read_groups"), self.nodes[0].address, name]
        result = cluster.run([*tool, str(partitions)])
        if result.code != DONE:
            raise AssertionError(f"{name}: {result}")

    def fill(self):
        self.cluster.start_and_init()
        wait_until(lambda: self.all_replicas(1), PATIENCE_S, "the meta group is on all nodes")
        for number, partitions in enumerate(self.partitions):
            name = f"space-{number}"
            self.cluster.create_keyspace(name, "--partitions", str(partitions))
            self.wait_led(1 + sum(self.partitions[:number + 1]))
            records = "".join(json.dumps({"key": f"key-{key}", "value": f"{key}"}) + "\n"
                              for key in range(self.keys * partitions))
            self.kvctl("import", name, "-", stdin=records.encode())

    def all_replicas(self, groups):
        return self.metrics("quorate_replicas") == [(groups,)] * len(self.nodes)

    def wait_led(self, groups):
        """Seconds until each of so many groups has its leader."""
        return wait_until(lambda: time.sleep(0.1) or self.total("quorate_leaders") == groups,
                          PATIENCE_S, f"{groups} groups have their leaders")

    def is_quiet(self):
        return self.metrics("quorate_quiet_replicas") == [(self.groups,)] * len(self.nodes)

    def wait_quiet(self):
        return wait_until(lambda: time.sleep(0.5) or self.is_quiet(), PATIENCE_S, "all is quiet")

    def idle(self, seconds):
        """What all nodes do over an idle time. Asking them over HTTP is part of it."""
        begin = time.monotonic()
        cpu = [cpu_seconds(node) for node in self.nodes]
        envelopes, messages = self.total(ENVELOPES), self.total(RAFT_MESSAGES)
        time.sleep(seconds)
        messages = self.total(RAFT_MESSAGES) - messages
        envelopes = self.total(ENVELOPES) - envelopes
        took = time.monotonic() - begin
        return {"seconds": round(took, 1),
                "cpu_seconds": [round(cpu_seconds(node) - was, 2)
                                for node, was in zip(self.nodes, cpu)],
                "raft_messages": messages,
                "envelopes_per_second": round(envelopes / took, 1)}

    def restart(self, kill=False):
        """Seconds from the start of all nodes until all groups are led, and have served a read."""
        for node in self.nodes:
            if kill:
                node.process.kill()
            else:
                node.process.terminate()
        for node in self.nodes:
            node.process.wait(timeout=PATIENCE_S)
        begin = time.monotonic()
        for node in self.nodes:
            node.start()
        self.wait_led(self.groups)
        led = time.monotonic() - begin
        for number, partitions in enumerate(self.partitions):
            self.read_all_groups(f"space-{number}", partitions)
        return {"led": round(led, 2), "served": round(time.monotonic() - begin, 2),
                "cpu_seconds": round(sum(cpu_seconds(node) for node in self.nodes), 1)}


def table(report):
    rows = [("", "16 groups", f"{report['groups']} groups")]
    few, many = report["idle_with_16"], report["idle"]
    for title, value in (("idle, s", "seconds"), ("CPU of each kvd, s", "cpu_seconds"),
                         ("Raft messages", "raft_messages"),
                         ("envelopes a second", "envelopes_per_second")):
        rows.append((title, *(" ".join(str(each[value]).strip("[]").split(", "))
                              for each in (few, many))))
    rows.append(("until quiet, s", "", str(report["seconds_until_quiet"])))
    for title, what in (("restart until all led, s", "led"),
                        ("restart until all served, s", "served"),
                        ("  CPU of all kvd, s", "cpu_seconds")) if report["restarts"] else ():
        seconds = [each[what] for each in report["restarts"]]
        rows.append((title, "",
                     f"{statistics.median(seconds)} ({min(seconds)} to {max(seconds)})"))
    return "\n".join(f"{title:<28}{few:>20}{many:>24}" for title, few, many in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--partitions", type=int, nargs="+", default=[4096, 1024])
    parser.add_argument("--keys", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--kill", action="store_true", help="restart after SIGKILL, not SIGTERM")
    options = parser.parse_args()
    report = {"groups": sum(options.partitions)}
    with ManyGroups([16], options.keys) as few:
        few.wait_quiet()
        report["idle_with_16"] = few.idle(options.idle)
    with ManyGroups(options.partitions, options.keys) as many:
        report["seconds_until_quiet"] = round(many.wait_quiet(), 1)
        report["idle"] = many.idle(options.idle)
        report["restarts"] = []
        for _ in range(options.restarts):
            report["restarts"].append(many.restart(options.kill))
            many.wait_quiet()
    print(table(report))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
