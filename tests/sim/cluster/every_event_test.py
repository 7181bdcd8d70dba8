"""Tests of every_event.py."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import every_event  # pylint: disable=wrong-import-position


def batch(seeds, seconds=None, **counts):
    return {"seeds": seeds, "virtual_seconds": 60 * seeds if seconds is None else seconds,
            "counts": counts}


class EveryEventTest(unittest.TestCase):
    def test_all_happened_somewhere(self):
        wrong, totals = every_event.judge(30, [batch(20, a=1, b=0), batch(10, a=0, b=2)])
        self.assertEqual(wrong, [])
        self.assertEqual(totals, {"a": 1, "b": 2})

    def test_what_never_happened_is_named(self):
        wrong, _ = every_event.judge(1, [batch(20, a=1, b=0), batch(10, a=3, b=0)])
        self.assertEqual(wrong, ["b never happened"])

    def test_what_is_demanded_and_not_counted_is_named(self):
        wrong, _ = every_event.judge(1, [batch(1, a=1, b=0)], ["a", "b", "c"])
        self.assertEqual(wrong, ["b never happened", "c is not counted"])

    def test_too_few_seeds_or_too_short_ones(self):
        self.assertEqual(len(every_event.judge(31, [batch(30, a=1)])[0]), 1)
        self.assertEqual(len(every_event.judge(30, [batch(30, 1799, a=1)])[0]), 1)

    def test_nothing_counted(self):
        self.assertEqual(every_event.judge(1, [batch(1)])[0], ["nothing was counted"])


if __name__ == "__main__":
    unittest.main()
