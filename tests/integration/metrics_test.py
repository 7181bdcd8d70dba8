"""What a node tells of itself: metrics, health, readiness, and its slow requests; and that the
table of metrics, the dashboard and the alerts fit what a live node exposes."""

import json
import os
import re
import subprocess
import unittest

import cluster
from cluster import wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TABLE = os.path.join(ROOT, "docs", "metrics.md")
ALERTS = os.path.join(ROOT, "deploy", "prometheus", "alerts.yml")
DASHBOARD = os.path.join(ROOT, "deploy", "grafana", "quorate.json")
NAME = re.compile(r"\b(?:quorate|process)_[a-z0-9_]+\b")
SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """name → {type, help, samples: [(labels, value)]}; a histogram's series are under its name."""
    families = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, meaning = line[7:].split(" ", 1)
            families[name] = {"help": meaning, "samples": []}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            families[name]["type"] = kind
        else:
            name, labels, value = SAMPLE.match(line).groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            family = families.get(name) or families[base]
            found = dict(LABEL.findall(labels or ""))
            if family["type"] != "histogram" or name.endswith("_count"):
                family["samples"].append((found, float(value)))
    return families


def table():
    """The rows of docs/metrics.md: name → (type, labels, meaning)."""
    rows = {}
    with open(TABLE, encoding="utf-8") as page:
        for line in page:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 4 and cells[0].startswith("`"):
                labels = [label for label in cells[2].replace("`", "").split(", ") if label]
                rows[cells[0].strip("`")] = (cells[1], labels, cells[3])
    return rows


def promtool():
    found = subprocess.run([os.path.join(ROOT, "tools", "check_steps", "promtool")],
                           capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise unittest.SkipTest(found.stderr.strip())
    return found.stdout.strip()


def names_in(text):
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}


class MetricsTest(cluster.ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3)
        try:
            for node in cls.cluster.nodes:
                node.start("--slow-request-ms", "1")
            for node in cls.cluster.nodes:
                node.wait_up()
            cls.cluster.kvctl_again("init", endpoints=[cls.cluster.nodes[0]])
            for node in cls.cluster.nodes:
                node.wait_ready()
            cls.cluster.create_keyspace("orders")
            for i in range(20):
                cls.cluster.kvctl_again("put", "orders", f"k{i}", "v" * 100)
                cls.cluster.kvctl_again("get", "orders", f"k{i}")
            cls.cluster.kvctl_again("get", "orders", "absent")
            cls.cluster.kvctl_again("get", "invented", "k")
            cls.cluster.kvctl_again("scan", "orders")
        except BaseException:
            cls.cluster.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def scrape(self, node):
        status, text = node.get("/metrics")
        self.assertEqual(status, 200)
        return text

    def total(self, name, **labels):
        """The sum over all nodes of the samples that have these labels."""
        return sum(value for node in self.cluster.nodes
                   for found, value in parse(self.scrape(node))[name]["samples"]
                   if labels.items() <= found.items())

    def test_the_table_is_what_a_node_tells(self):
        told = parse(self.scrape(self.cluster.nodes[0]))
        wanted = table()
        rows = []
        for name, family in sorted(told.items()):
            labels = list(family["samples"][0][0]) if family["samples"] else None
            row = wanted.get(name)
            if row is None or row[0] != family["type"] or row[2] != family["help"] or (
                    labels is not None and row[1] != labels):
                shown = ", ".join(f"`{label}`" for label in labels or (row[1] if row else []))
                rows.append(f"| `{name}` | {family['type']} | {shown} | {family['help']} |")
        self.assertEqual("", "\n".join(rows), "rows of docs/metrics.md that are missing or wrong")
        self.assertEqual([], sorted(wanted.keys() - told.keys()), "in the table, but never told")

    def test_dashboard_and_alerts_name_only_what_there_is(self):
        known = table().keys()
        for path in (ALERTS, DASHBOARD):
            with open(path, encoding="utf-8") as file:
                used = names_in(file.read())
            self.assertGreater(len(used), 20, path)
            self.assertEqual([], sorted(used - known), f"{path} names metrics that do not exist")

    def test_dashboard_is_one(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            dashboard = json.load(file)
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        self.assertGreater(len(panels), 20)
        self.assertEqual(len(dashboard["panels"]), len({p["id"] for p in dashboard["panels"]}))
        for panel in panels:
            self.assertTrue(panel["title"])
            self.assertTrue(all(target["expr"] for target in panel["targets"]), panel["title"])

    def test_promtool_finds_nothing(self):
        tool = promtool()
        for node in self.cluster.nodes:
            checked = subprocess.run([tool, "check", "metrics"], input=self.scrape(node),
                                     capture_output=True, text=True, check=False, timeout=cluster.PATIENCE_S)
            self.assertEqual((0, ""), (checked.returncode, checked.stdout + checked.stderr))
        rules = subprocess.run([tool, "check", "rules", ALERTS], capture_output=True, text=True,
                               check=False, timeout=cluster.PATIENCE_S)
        self.assertEqual(0, rules.returncode, rules.stdout + rules.stderr)
        sample = os.path.join(os.path.dirname(ALERTS), "prometheus.yml")
        config = subprocess.run([tool, "check", "config", sample], capture_output=True, text=True,
                                check=False, timeout=cluster.PATIENCE_S)
        self.assertEqual(0, config.returncode, config.stdout + config.stderr)

    def test_requests_are_counted(self):
        self.assertGreaterEqual(
            self.total("quorate_requests_total", method="Put", keyspace="orders"), 20)
        self.assertGreaterEqual(
            self.total("quorate_request_duration_seconds", method="Get", keyspace="orders"), 20)
        self.assertGreaterEqual(
            self.total("quorate_request_errors_total", method="Get", reason="KEY_NOT_FOUND"), 1)
        self.assertGreaterEqual(self.total("quorate_reads_total"), 20)
        self.assertGreaterEqual(
            self.total("quorate_write_stage_duration_seconds", stage="replicate"), 20)
        for node in self.cluster.nodes:
            self.assertNotIn("invented", self.scrape(node))

    def test_every_group_has_one_leader(self):
        groups = 16 + 1  # the keyspace's partitions and the meta group
        # Figures are as of the last second, and leaders may move to where they are wanted.
        wait_until(lambda: self.total("quorate_replicas") >= 16 * 3 + 1, cluster.PATIENCE_S,
                   "replicas are told")
        wait_until(lambda: self.total("quorate_leaders") == groups, cluster.PATIENCE_S, "leaders are told")
        wait_until(lambda: self.total("quorate_groups_without_leader") == 0, cluster.PATIENCE_S, "none is missing")

    def test_slow_requests_are_told_with_where_the_time_went(self):
        def line():
            # One that was refused, by a node that did not lead just then, has not been through all
            # stages.
            lines = [line for node in self.cluster.nodes for line in node.log().splitlines()
                     if "msg=request/slow" in line and "method=Put" in line and "result=OK" in line]
            return lines[0] if lines else ""

        def wrote_one():
            self.cluster.kvctl("put", "orders", "slow", "secret-value")
            return line()
        wait_until(wrote_one, cluster.PATIENCE_S, "a write took a millisecond")
        fields = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line()))
        self.assertEqual("orders", fields["keyspace"])
        self.assertRegex(fields["request_id"], r"^[0-9a-f]{32}:\d+$")
        self.assertRegex(fields["peer"], "127.0.0.1")
        for part in ("total_ms", "queue_ms", "replicate_ms", "apply_ms"):
            self.assertRegex(fields[part], r"^\d+\.\d$")
        self.assertNotIn("secret-value", "".join(node.log() for node in self.cluster.nodes))

    def test_a_ready_node_says_so(self):
        self.cluster.nodes[0].wait_ready()
        self.assertEqual((200, "ok\n"), self.cluster.nodes[0].get("/healthz"))
        self.assertEqual((200, "ready\n"), self.cluster.nodes[0].get("/readyz"))


class LostContactTest(cluster.ClusterTest):
    def test_node_without_its_cluster_is_not_ready_and_comes_back(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("orders")
        for node in nodes.nodes[1:]:
            node.kill()
        alone = nodes.nodes[0]
        wait_until(lambda: alone.get("/readyz")[0] == 503, cluster.PATIENCE_S,
                   "the node notices that it is alone")
        self.assertRegex(alone.get("/readyz")[1], "^not ready: most replicas .* no leader .*; start")
        self.assertEqual(200, alone.get("/healthz")[0], "a restart would mend nothing")
        for node in nodes.nodes[1:]:
            node.start()
        for node in nodes.nodes:
            node.wait_ready()


if __name__ == "__main__":
    cluster.main()
