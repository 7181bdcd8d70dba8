import pathlib
import subprocess
import tempfile
import unittest

import doc_commands

PAGE = """# A page
<!-- check: run -->
```sh
echo one   two
echo three
```
<!-- check: expect -->
```
one two

thr…
```
```sh
not run
```
<!-- check: run -->
```sh
false
```
"""


class BlocksTest(unittest.TestCase):
    def test_only_marked_blocks_are_commands(self):
        blocks = doc_commands.blocks_of(PAGE)
        self.assertEqual([block.commands for block in blocks],
                         [["echo one   two", "echo three"], ["false"]])
        self.assertEqual(blocks[0].expected, ["one two", "thr…"])
        self.assertEqual(blocks[1].expected, [])

    def test_a_mark_without_a_block_is_a_mistake(self):
        with self.assertRaises(doc_commands.Mistake):
            doc_commands.blocks_of("<!-- check: run -->\ntext\n```sh\n```\n")

    def test_output_before_any_command_is_a_mistake(self):
        with self.assertRaises(doc_commands.Mistake):
            doc_commands.blocks_of("<!-- check: expect -->\n```\nx\n```\n")


class RetryTest(unittest.TestCase):
    PAGE = """
<!-- check: retry -->
```sh
echo again >>tries
echo "$(wc -l <tries) tries"
(($(wc -l <tries) != 2))
```
<!-- check: expect -->
```
3 tries
```
"""

    def run_page(self, text):
        with tempfile.TemporaryDirectory() as home:
            folder = pathlib.Path(home)
            script = doc_commands.script_of(doc_commands.blocks_of(text), folder)
            return subprocess.run(["bash", "-c", script], cwd=home, capture_output=True, text=True,
                                  check=False)

    def test_is_run_until_it_succeeds_and_shows_what_is_expected(self):
        done = self.run_page(self.PAGE)
        self.assertEqual((done.returncode, done.stdout), (0, "3 tries\n"), done.stderr)

    def test_gives_up_with_what_it_printed_last(self):
        before, doc_commands.RETRY_SECONDS = doc_commands.RETRY_SECONDS, 0
        try:
            done = self.run_page(self.PAGE)
        finally:
            doc_commands.RETRY_SECONDS = before
        self.assertEqual((done.returncode, done.stdout), (1, "1 tries\n"), done.stderr)


class ExpectedTest(unittest.TestCase):
    def test_lines_come_in_order_with_others_between(self):
        printed = ["a  b", "other", "node 7 is ready"]
        self.assertIsNone(doc_commands.missing_line(["a b", "node … is ready"], printed))

    def test_another_order_is_not_the_same(self):
        self.assertEqual(doc_commands.missing_line(["b", "a"], ["a", "b"]), "a")

    def test_a_part_of_a_line_is_not_the_line(self):
        self.assertEqual(doc_commands.missing_line(["ready"], ["not ready"]), "ready")

    def test_text_is_no_expression(self):
        self.assertEqual(doc_commands.missing_line(["a.c"], ["abc"]), "a.c")


if __name__ == "__main__":
    unittest.main()
