import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import shell  # noqa: E402


class ShellTest(unittest.TestCase):
    def test_a_failure_tells_the_command_and_its_last_words(self):
        with self.assertRaisesRegex(shell.Failure, r"exit code 3: sh -c .*\nlast words"):
            shell.run(["sh", "-c", "echo last words >&2; exit 3"])
        self.assertEqual(shell.run(["sh", "-c", "exit 3"], check=False).returncode, 3)

    def test_a_command_that_hangs_or_is_missing_is_a_failure(self):
        with self.assertRaisesRegex(shell.Failure, "took more than"):
            shell.run(["sleep", "60"], seconds=0.1)
        with self.assertRaisesRegex(shell.Failure, "no-such-command"):
            shell.run(["no-such-command"])

    def test_what_podman_says_for_want_of_systemd_is_not_shown(self):
        done = shell.run(["sh", "-c", "echo unable to get systemd connection >&2; echo cause >&2"])
        self.assertEqual(done.stderr, "cause")

    def test_waiting_goes_on_over_failures_and_ends(self):
        answers = iter([False, shell.Failure("not yet"), True])

        def holds():
            answer = next(answers)
            if isinstance(answer, shell.Failure):
                raise answer
            return answer

        shell.wait_for("it holds", 60, holds)
        with self.assertRaisesRegex(shell.Failure, "still not: never"):
            shell.wait_for("never", 0, lambda: False)


if __name__ == "__main__":
    unittest.main()
