// What a thread of the simulation does where real code would block.
//
// The simulation runs one thread at a time, so nothing can wake a thread that waits on a condition
// variable: RocksDB's flush, its Close and its write stalls wait for background jobs, which the
// simulation itself has to run. This library therefore puts its own pthread_cond_wait in front of
// the C library's (librocksdb calls it through the dynamic linker): on a simulation thread it runs
// one queued job and returns, a spurious wake-up, which every caller must allow for. Other threads
// wait as usual. If no job is left the wait is for a real thread (RocksDB has a timer thread);
// should that last long, the process ends with a message, since it would hang for ever.
#ifndef TESTS_SIM_SIM_WAIT_H_
#define TESTS_SIM_SIM_WAIT_H_

namespace quorate::sim {

// Someone who can run work that a waiting thread may be waiting for: a SimEnv.
class WaitHelper {
 public:
  virtual ~WaitHelper() = default;
  // Runs one piece of waiting work; false when there is none.
  virtual bool HelpOnce() = 0;
};

// Helpers are asked in order of registration. Simulation threads only.
void AddWaitHelper(WaitHelper* helper);
void RemoveWaitHelper(WaitHelper* helper);

// Says that the calling thread belongs to the simulation, for the rest of its life.
void BecomeSimulationThread();

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_WAIT_H_
