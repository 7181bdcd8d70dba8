"""Nodes that stand still (SIGSTOP): a majority goes on, a minority refuses honestly, and on their
return all works again. How long that takes is measured on virtual time by the simulator; here the
figures are printed, and bounds are many times as wide, since the machine may be busy."""

import signal
import time

import cluster
from cluster import CANNOT_SERVE, DONE, PATIENCE_S, UNKNOWN, UNREACHABLE, ClusterTest, wait_until

ONE_STOPPED_BOUND_S = 30 * 2
RETURN_BOUND_S = 20 * 5
REQUEST_TIMEOUT_S = 3
# The rest is for a busy machine, on which starting kvctl takes time too.
REQUEST_BOUND_S = 10 * REQUEST_TIMEOUT_S
PROPOSALS_MAX = 8
KEYS = 48  # over all 16 partitions with near certainty


def import_lines(prefix, value):
    return "".join(f'{{"key":"{prefix}{i}","value":"{value}"}}\n' for i in range(KEYS)).encode()


class SigstopTest(ClusterTest):

    def started(self):
        nodes = self.new_cluster()
        nodes.start_and_init()
        nodes.create_keyspace("t")
        self.write_everywhere(nodes, "before/", RETURN_BOUND_S)
        return nodes

    def write_everywhere(self, nodes, prefix, seconds):
        """Writes to all partitions; seconds until the last was acknowledged."""
        begin = time.monotonic()
        result = nodes.kvctl("import", "t", "-", stdin=import_lines(prefix, "v"), timeout=seconds)
        self.assert_code(DONE, result)
        return time.monotonic() - begin

    def test_one_stopped_writes_go_on(self):
        nodes = self.started()
        for victim in nodes.nodes:
            victim.signal(signal.SIGSTOP)
            took = self.write_everywhere(nodes, f"{victim.name}/", ONE_STOPPED_BOUND_S)
            print(f"{victim.name} stopped: all partitions took writes after {took:.2f} s")
            self.assertLessEqual(took, ONE_STOPPED_BOUND_S)
            victim.signal(signal.SIGCONT)
            victim.wait_ready()
            back = self.write_everywhere(nodes, f"{victim.name}/back/", RETURN_BOUND_S)
            print(f"{victim.name} returned: all partitions took writes after {back:.2f} s")
        self.assertEqual(len(nodes.export("t")), KEYS * 7)

    def test_two_stopped_every_request_ends_truthfully(self):
        nodes = self.started()
        left = nodes.nodes[2]
        outcomes = self.propose_to_minority(nodes, left)
        outcomes.update(self.write_to_minority(nodes, left))
        for code in {code for code, _ in outcomes.values()}:
            slowest = max(seconds for each, seconds in outcomes.values() if each == code)
            count = sum(each == code for each, _ in outcomes.values())
            print(f"two stopped: {count} requests ended with {code}, after {slowest:.2f} s at most")
        for victim in nodes.nodes[:2]:
            victim.signal(signal.SIGCONT)
        took = self.write_everywhere(nodes, "after/", RETURN_BOUND_S)
        print(f"returned: all partitions took writes after {took:.2f} s")
        self.assertLessEqual(took, RETURN_BOUND_S)
        stored = nodes.export("t")
        for key, (code, _) in outcomes.items():
            if code in (CANNOT_SERVE, UNREACHABLE):
                self.assertNotIn(key, stored, "a write told as not done is there")
        for i in range(KEYS):
            self.assertEqual(stored.get(f"before/{i}"), "v")
            self.assertEqual(stored.get(f"after/{i}"), "v")

    def propose_to_minority(self, nodes, left):
        """Stops two nodes at the moment when a write comes to the leader that is left and does not
        know yet that nobody follows: the write is proposed. Where kvctl takes longer to start than
        a leader to notice, it is refused, and this begins anew. As write_to_minority."""
        outcomes = {}
        for _ in range(PROPOSALS_MAX):
            key = self.key_led_by(nodes, left)
            for victim in nodes.nodes[:2]:
                victim.signal(signal.SIGSTOP)
            put = nodes.kvctl("put", "t", key, "v", endpoints=[left], timeout=REQUEST_TIMEOUT_S)
            self.assertLessEqual(put.seconds, REQUEST_BOUND_S, repr(put))
            outcomes[key] = (put.code, put.seconds)
            if put.code == UNKNOWN:
                print(f"two stopped: a proposed write ended as unknown after {put.seconds:.2f} s")
                return outcomes
            self.assertIn(put.code, (CANNOT_SERVE, UNREACHABLE), repr(put))
            for victim in nodes.nodes[:2]:
                victim.signal(signal.SIGCONT)
            self.write_everywhere(nodes, "before/", RETURN_BOUND_S)
        print(f"two stopped: this machine is too slow to propose in time, {PROPOSALS_MAX} times")
        for victim in nodes.nodes[:2]:
            victim.signal(signal.SIGSTOP)
        return outcomes

    def key_led_by(self, nodes, node):
        ids = {each["address"]: each["id"] for each in nodes.status()["nodes"]}
        found = ""

        def leads():
            nonlocal found
            begin = time.monotonic_ns()  # each key once
            for key in (f"led/{begin + i}" for i in range(50)):
                located = nodes.kvctl_again("locate", "t", key).json()
                if located["leader_node"] == ids[node.address]:
                    found = key
                    return True
            return False
        wait_until(leads, PATIENCE_S, f"{node.name} leads something")
        return found

    def write_to_minority(self, nodes, left):
        """key → (exit code, seconds) of puts, with gets in between."""
        outcomes = {}
        deadline = time.monotonic() + 40  # after that there is enough to judge by
        for i in range(12):
            if time.monotonic() > deadline:
                break
            endpoints = [left] if i % 2 else nodes.nodes
            put = nodes.kvctl("put", "t", f"during/{i}", "v", endpoints=endpoints,
                              timeout=REQUEST_TIMEOUT_S)
            self.assertLessEqual(put.seconds, REQUEST_BOUND_S, repr(put))
            self.assertIn(put.code, (CANNOT_SERVE, UNREACHABLE, UNKNOWN), repr(put))
            outcomes[f"during/{i}"] = (put.code, put.seconds)
            if i % 4 == 0:
                get = nodes.kvctl("get", "t", f"before/{i}", endpoints=endpoints,
                                  timeout=REQUEST_TIMEOUT_S)
                self.assertLessEqual(get.seconds, REQUEST_BOUND_S, repr(get))
                self.assertIn(get.code, (CANNOT_SERVE, UNREACHABLE), repr(get))
        return outcomes


if __name__ == "__main__":
    cluster.main()
