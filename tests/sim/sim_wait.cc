#include "tests/sim/sim_wait.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace quorate::sim {
namespace {

constexpr int kRealWaitSecondsMax = 20;

thread_local bool t_simulation_thread = false;
thread_local bool t_helping = false;

std::vector<WaitHelper*>& Helpers() {
  static auto* const helpers = new std::vector<WaitHelper*>;
  return *helpers;
}

bool HelpOnce() {
  const std::vector<WaitHelper*> helpers = Helpers();
  return std::any_of(helpers.begin(), helpers.end(),
                     [](WaitHelper* helper) { return helper->HelpOnce(); });
}

// Lets go of the mutex, as a wait does, and runs a job. False when there was none.
bool HelpInstead(pthread_mutex_t* mutex) {
  if (!t_simulation_thread || t_helping) return false;
  // The helper's own locks and joins wait for real.
  t_helping = true;
  pthread_mutex_unlock(mutex);
  const bool helped = HelpOnce();
  pthread_mutex_lock(mutex);
  t_helping = false;
  return helped;
}

// The C library's own. On x86-64 it has an older version of the same name, which a plain dlsym
// might find.
template <class Function>
Function RealFunction(const char* name) {
  void* found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  if (found == nullptr) found = dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Function>(found);
}

int RealTimedWait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  static const auto real =
      RealFunction<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>(
          "pthread_cond_timedwait");
  return real(condition, mutex, until);
}

int RealWait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static const auto real =
      RealFunction<int (*)(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
  return real(condition, mutex);
}

int WaitForRealThread(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kRealWaitSecondsMax;
  if (RealTimedWait(condition, mutex, &until) == ETIMEDOUT) {
    std::fprintf(stderr,
                 "the simulation's thread waits on a condition variable, no RocksDB job is left to "
                 "run, and nothing woke it for %d real seconds: a task blocked\n",
                 kRealWaitSecondsMax);
    std::abort();
  }
  return 0;
}

}  // namespace

void AddWaitHelper(WaitHelper* helper) { Helpers().push_back(helper); }

void RemoveWaitHelper(WaitHelper* helper) { std::erase(Helpers(), helper); }

void BecomeSimulationThread() { t_simulation_thread = true; }

}  // namespace quorate::sim

extern "C" {

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  using quorate::sim::HelpInstead;
  if (HelpInstead(mutex)) return 0;
  if (quorate::sim::t_simulation_thread && !quorate::sim::t_helping) {
    return quorate::sim::WaitForRealThread(condition, mutex);
  }
  return quorate::sim::RealWait(condition, mutex);
}

// A timed wait on a simulation thread ends at once, by a job or by its time being up.
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  if (quorate::sim::HelpInstead(mutex)) return 0;
  if (quorate::sim::t_simulation_thread && !quorate::sim::t_helping) return ETIMEDOUT;
  return quorate::sim::RealTimedWait(condition, mutex, until);
}

}  // extern "C"
