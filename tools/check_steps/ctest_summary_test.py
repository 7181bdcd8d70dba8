"""What counts as passed, failed and skipped."""

import unittest
import xml.etree.ElementTree as ElementTree

import ctest_summary


def case(status, output="", inner=""):
    return ElementTree.fromstring(
        f'<testcase name="A.B" status="{status}">{inner}<system-out>{output}</system-out></testcase>')


class ClassifyTest(unittest.TestCase):
    def verdict(self, *arguments, require_all=False):
        return ctest_summary.classify(case(*arguments), require_all)[0]

    def test_run_passes(self):
        self.assertEqual(self.verdict("run"), "passed")

    def test_failure_fails(self):
        self.assertEqual(self.verdict("fail", "", "<failure/>"), "failed")

    def test_skip_for_listed_capability_is_skipped(self):
        self.assertEqual(self.verdict("notrun", "missing capability: containers"), "skipped")

    def test_skip_for_unlisted_capability_fails(self):
        self.assertEqual(self.verdict("notrun", "missing capability: patience"), "failed")

    def test_skip_without_reason_fails(self):
        self.assertEqual(self.verdict("notrun", "not today"), "failed")

    def test_disabled_fails(self):
        self.assertEqual(self.verdict("disabled"), "failed")

    def test_require_all_forbids_skips(self):
        self.assertEqual(
            self.verdict("notrun", "missing capability: containers", require_all=True), "failed")


if __name__ == "__main__":
    unittest.main()
