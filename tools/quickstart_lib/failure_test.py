"""The judge of the failure step sees what it must see."""

import tempfile
import unittest

import failure


def replica(node, **changes):
    return {"node": node, "reachable": True, "applied_index": 7, "checksum": "aa",
            "checksum_index": 7, "fault": "", **changes}


def partition(*replicas):
    return {"partition": 3, "leader_node": 1, "replicas": list(replicas)}


class UnequalTest(unittest.TestCase):
    def reasons(self, last):
        return failure.unequal([partition(replica(1), replica(2), last)], 3)

    def test_equal_replicas(self):
        self.assertEqual(self.reasons(replica(3)), [])

    def test_other_applied_index(self):
        self.assertIn("applied index", self.reasons(replica(3, applied_index=6))[0])

    def test_other_checksum(self):
        self.assertIn("checksum", self.reasons(replica(3, checksum="ab"))[0])

    def test_silent_node(self):
        self.assertIn("[3] do not answer", self.reasons(replica(3, reachable=False))[0])

    def test_quarantined_replica(self):
        self.assertIn("bad entry", self.reasons(replica(3, fault="bad entry"))[0])

    def test_missing_replica(self):
        self.assertIn("2 of 3", failure.unequal([partition(replica(1), replica(2))], 3)[0])

    def test_no_checksum_at_all_is_not_equal(self):
        same = [replica(node, checksum=None) for node in (1, 2, 3)]
        self.assertEqual(len(failure.unequal([partition(*same)], 3)), 1)


class PromisesTest(unittest.TestCase):
    def test_journal_is_split_by_outcome(self):
        with tempfile.NamedTemporaryFile("w") as journal:
            for outcome in ("acknowledged", "refused", "unknown"):
                journal.write(f'{{"key":"{outcome}","value":"1","outcome":"{outcome}"}}\n')
            journal.flush()
            self.assertEqual(failure.journal_of(journal.name),
                             ({b"acknowledged": b"1"}, {b"refused": b"1"}))

    def test_lost_changed_and_resurrected_writes_are_named(self):
        broken = failure.broken_promises({b"a": b"1", b"b": b"1", b"c": b"1"}, {b"d": b"1"},
                                         {b"a": b"1", b"b": b"2", b"d": b"1"})
        self.assertEqual(len(broken), 3)

    def test_kept_promises(self):
        self.assertEqual(failure.broken_promises({b"a": b"1"}, {b"b": b"1"}, {b"a": b"1"}), [])


class LeadersTest(unittest.TestCase):
    def test_partitions_are_counted_by_leader(self):
        self.assertEqual(failure.led([{"leader_node": 2}, {"leader_node": 1}, {"leader_node": 2}]),
                         {1: 1, 2: 2})


if __name__ == "__main__":
    unittest.main()
