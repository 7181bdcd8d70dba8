"""The comparison of what was imported with what is read back."""

import json
import types
import unittest

import catalogue
import main
from screen import QuickstartError

RECORDS = {b"a": b"1", b"b": b"2"}


def cluster_holding(records):
    lines = [json.dumps({"key": key.decode(), "value": value.decode()})
             for key, value in sorted(records.items())]
    return types.SimpleNamespace(kvctl=types.SimpleNamespace(lines=lambda *_, **__: lines))


class CompareTest(unittest.TestCase):
    def compare(self, present, fresh):
        folder = types.SimpleNamespace(
            imported={"sha256": catalogue.digest(RECORDS), "records": len(RECORDS)})
        return main.compare(cluster_holding(present), folder, RECORDS, fresh)

    def test_equal(self):
        self.assertEqual(self.compare(RECORDS, fresh=True), set())

    def test_one_changed_byte_in_a_fresh_import_fails(self):
        with self.assertRaisesRegex(QuickstartError, "1 missing or changed"):
            self.compare({**RECORDS, b"b": b"3"}, fresh=True)

    def test_missing_record_in_a_fresh_import_fails(self):
        with self.assertRaises(QuickstartError):
            self.compare({b"a": b"1"}, fresh=True)

    def test_new_record_in_a_fresh_import_fails(self):
        with self.assertRaisesRegex(QuickstartError, "1 new"):
            self.compare({**RECORDS, b"c": b"3"}, fresh=True)

    def test_what_users_changed_later_is_told_and_kept(self):
        self.assertEqual(self.compare({b"a": b"9", b"c": b"3"}, fresh=False), {b"a", b"b"})


if __name__ == "__main__":
    unittest.main()
