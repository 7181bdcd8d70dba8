"""Nothing is signalled that is not the recorded process; ports name their owner."""

import os
import signal
import socket
import sys
import tempfile
import unittest

import ports
import processes


class ProcessesTest(unittest.TestCase):
    def setUp(self):
        self.log = tempfile.NamedTemporaryFile()
        self.process, self.entry = processes.start(
            [os.path.realpath(sys.executable), "-c", "import time; time.sleep(60)"], self.log.name)

    def tearDown(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def test_recorded_process_is_recognised(self):
        self.assertTrue(processes.is_alive(self.entry))

    def test_other_start_time_is_another_process(self):
        self.assertFalse(processes.send({**self.entry, "start": 1}, signal.SIGKILL))
        self.assertIsNone(self.process.poll())

    def test_other_executable_is_another_process(self):
        self.assertFalse(processes.is_alive({**self.entry, "exe": "/bin/true"}))

    def test_other_boot_is_another_process(self):
        self.assertFalse(processes.is_alive({**self.entry, "boot": "earlier"}))

    def test_stopped_process_is_not_alive(self):
        self.assertEqual(processes.stop([self.entry], 10), 0)
        self.assertFalse(processes.is_alive(self.entry))


class PortsTest(unittest.TestCase):
    def test_listener_is_named_and_ours_is_not(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            (found, owner), = ports.taken([port], ours=set())
            self.assertEqual(found, port)
            self.assertIn(f"process {os.getpid()} ", owner)
            self.assertEqual(ports.taken([port], ours={os.getpid()}), [])
        self.assertEqual(ports.taken([port], ours=set()), [])


if __name__ == "__main__":
    unittest.main()
