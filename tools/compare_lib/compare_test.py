"""The pure parts of tools/compare: the order of runs, medians, ratios, tables."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import figures  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402

SERIES = [("quorate", ("get", "put")), ("echo", ("get",)), ("etcd", ("get", "put"))]


def run(series, operation, number, rate, clients=64, value_bytes=100, **more):
    return {"series": series, "operation": operation, "round": number, "clients": clients,
            "value_bytes": value_bytes, "rate": rate, "p50_us": 1000 / rate, "p99_us": 2000 / rate,
            "server_cpu_us": 10, **more}


class PlanTest(unittest.TestCase):

    def test_everything_once_a_round_and_compared_ones_side_by_side(self):
        plan = figures.plan(2, [1, 64], [100, 1024], SERIES)
        self.assertEqual(len(plan), 2 * 2 * 2 * (3 + 2))
        self.assertEqual(len(set(plan)), len(plan))
        self.assertEqual([each[3:] for each in plan[:5]],
                         [("get", "quorate"), ("get", "echo"), ("get", "etcd"),
                          ("put", "quorate"), ("put", "etcd")])

    def test_each_round_begins_with_another_target(self):
        plan = figures.plan(3, [1], [100], SERIES)
        firsts = [next(each[4] for each in plan if each[0] == number and each[3] == "get")
                  for number in range(3)]
        self.assertEqual(firsts, ["quorate", "echo", "etcd"])


class RatioTest(unittest.TestCase):

    def test_is_taken_in_each_round_before_the_median(self):
        # The machine is slow in one round: ratios of medians would say 300 ÷ 100.
        runs = [run("quorate", "get", 0, 400), run("etcd", "get", 0, 100),
                run("quorate", "get", 1, 40), run("etcd", "get", 1, 10),
                run("quorate", "get", 2, 300), run("etcd", "get", 2, 150)]
        (name, value_bytes, clients, spreads), = figures.ratios(runs)
        self.assertEqual((name, value_bytes, clients), ("get ÷ etcd", 100, 64))
        self.assertEqual(spreads["rate"].as_json(), {"median": 4, "low": 2, "high": 4})
        self.assertEqual(spreads["p50"].median, 0.25)

    def test_needs_both_sides_of_equal_clients_and_size(self):
        self.assertEqual(figures.ratios([run("quorate", "put", 0, 5)]), [])
        self.assertEqual(figures.ratios([run("quorate", "put", 0, 5, clients=1),
                                         run("etcd", "put", 0, 5, clients=16)]), [])
        self.assertEqual(figures.ratios([run("quorate", "put", 0, 5, value_bytes=100),
                                         run("etcd", "put", 0, 5, value_bytes=1024)]), [])

    def test_without_processor_time_there_is_no_ratio_of_it(self):
        runs = [run("quorate", "get", 0, 5), run("echo", "get", 0, 5, server_cpu_us=0)]
        self.assertNotIn("server CPU", figures.ratios(runs)[0][3])
        self.assertIn("–", tables.ratios(runs))

    def test_fsync_against_buffered(self):
        runs = [run("quorate", "put", 0, 70), run("buffered", "put", 0, 100)]
        self.assertEqual(figures.ratios(runs)[0][0], "put fsync ÷ buffered")
        self.assertAlmostEqual(figures.ratios(runs)[0][3]["rate"].median, 0.7)


class TableTest(unittest.TestCase):

    def test_numbers_have_three_digits(self):
        self.assertEqual([tables.number(value) for value in
                          (0, 0.256, 3.14159, 31.4159, 314.159, 3141.59, 31415.9, 3141590)],
                         ["0", "0.26", "3.14", "31.4", "314", "3142", "31.4k", "3.14M"])

    def test_shows_median_and_range(self):
        text = tables.absolute([run("quorate", "get", number, rate)
                                for number, rate in enumerate((10, 30, 20))])
        self.assertIn("20.0 (10.0–30.0)", text)
        lines = text.strip().split("\n")
        self.assertEqual(len(lines), 3)
        self.assertEqual(len({len(line) for line in lines}), 1)


class PortTest(unittest.TestCase):

    def test_ports_differ(self):
        self.assertEqual(len(set(servers.free_ports(20))), 20)


if __name__ == "__main__":
    unittest.main()
