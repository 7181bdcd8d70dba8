"""What the check of the fault catalogue finds, and what it takes for covered."""

import unittest

import catalogue

PAGE = """# Page

| `outside` | of the section | |

## Pitfalls

| pitfall | the rule | shown by |
|---|---|---|
| `alone` | a rule | |
| `shown` | a rule with `code` | `Suite.Other`, `third` |

## After

| `late` | no pitfall | |
"""


class CatalogueTest(unittest.TestCase):

    def found(self, tests, pending=""):
        return catalogue.findings(catalogue.pitfalls(PAGE), catalogue.pending(pending), set(tests))

    def test_reads_rows_of_the_section(self):
        self.assertEqual(catalogue.pitfalls(PAGE),
                         [("alone", ["alone"]), ("shown", ["Suite.Other", "third"])])

    def test_covered_by_name_or_by_what_the_row_names(self):
        self.assertEqual(self.found(["alone", "Suite.Other", "third"]), [])

    def test_a_gap_needs_a_reason(self):
        gap = self.found(["Suite.Other", "third"])
        self.assertEqual(len(gap), 1)
        self.assertIn("alone", gap[0])
        self.assertIn("third", self.found(["alone", "Suite.Other"])[0])
        self.assertEqual(self.found(["Suite.Other", "third"], "# why\n\nalone: not built\n"), [])
        self.assertIn("no reason", self.found(["Suite.Other", "third"], "alone:\n")[0])

    def test_what_has_landed_is_no_longer_pending(self):
        self.assertIn("take it out", self.found(["alone", "Suite.Other", "third"], "alone: x")[0])
        self.assertIn("is no pitfall", self.found(["alone", "Suite.Other", "third"], "else: x")[0])


if __name__ == "__main__":
    unittest.main()
