"""The small version of many_groups.py: groups with nothing to do go quiet, say nothing at all to each
other then, and serve again after a restart."""

import unittest

from cluster import PATIENCE_S, wait_until
from many_groups import ManyGroups

IDLE_S = 10


class ManyGroupsTest(unittest.TestCase):

    def says_nothing(self, many):
        """A slow machine may wake a group by a late heartbeat, so the next window is looked at, too."""
        many.wait_quiet()
        idle = many.idle(IDLE_S)
        print(idle, flush=True)
        return idle["raft_messages"] == 0

    def test_quiet_groups_cost_no_messages(self):
        with ManyGroups([128, 128], keys=2) as many:
            wait_until(lambda: self.says_nothing(many), PATIENCE_S, f"{IDLE_S} s without a message")
            print(many.restart(), flush=True)
            wait_until(lambda: self.says_nothing(many), PATIENCE_S, "silence after a restart")


if __name__ == "__main__":
    unittest.main(verbosity=2)
