// What goes wrong in a simulated run, and when: a list of timed faults, drawn from a seed or read
// from text. The text form is what a failure is kept as in tests/regressions/.
//
//   at 12.500s crash 2 power        power loss of node 2 (unsynced data may go); also: process,
//   worst at 12.500s crash-at-disk 2 17   the same in the middle of its 17th disk change from then
//   at 12.500s crash-joint 17       the same of whichever node leads a group through a joint
//                                   configuration in the 17th such event from then on
//   at 13.000s stop 2 power         hands over and stops cleanly; then its machine loses power
//   at 13.000s restart 2
//   at 14.000s isolate 3            from all nodes, both ways; clients still reach it
//   at 14.000s cut 1 3              messages from 1 to 3 are lost; one way
//   at 15.000s heal                 every cut and isolation
//   at 16.000s pause 1              stands still, time goes on
//   at 17.000s resume 1
//   at 18.000s link 0.100 50        loses this share of messages between nodes, delays up to 50 ms
//   at 19.000s link 0 0             links as at the start
//   at 19.000s flip 0.0100         flips a bit in this share of messages between nodes; 0: none
//   at 20.000s wall 2 -3600         node 2's wall clock jumps, in seconds
//   at 20.000s rate 2 1.004         its boot clock runs at this rate
//   at 21.000s fail-sync 2 1        its next fsync fails
//   at 21.000s fill 2               its disk is full until its next start
#ifndef TESTS_SIM_CLUSTER_FAULT_SCHEDULE_H_
#define TESTS_SIM_CLUSTER_FAULT_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/random.h"
#include "server/runtime/runtime.h"
#include "tests/sim/sim_disk.h"

namespace quorate::sim {

enum class FaultKind : uint8_t {
  kCrash,
  kCrashAtDisk,
  kStop,
  kRestart,
  kIsolate,
  kCut,
  kHeal,
  kPause,
  kResume,
  kLink,
  kWall,
  kRate,
  kFailSync,
  kFlip,
  kFill,
  kCrashJoint,
};

struct Fault {
  Duration at{};  // since the start of the faulty part
  FaultKind kind = FaultKind::kHeal;
  uint32_t node = 0;                        // 1..N where one is concerned
  uint32_t other = 0;                       // kCut: the receiver
  CrashKind crash = CrashKind::kPowerLoss;  // kCrash, kStop
  double number = 0;                        // disk operations, events, loss, share, seconds, rate
  double delay_ms = 0;                      // kLink

  friend bool operator==(const Fault&, const Fault&) = default;
};

struct FaultMixOptions {
  uint32_t nodes = 3;
  Duration length = std::chrono::seconds(60);
  // Boot clocks may differ by this much, which is what leases assume.
  double clock_drift_max = 0.01;
  // Replicas move, so that there is something to interrupt.
  bool moves = false;
};

// A mixture of some of the kinds ("swarm": which ones, and how often, is drawn too), each fault
// with a healing step before `length` ends. Sorted by time.
[[nodiscard]] std::vector<Fault> DrawFaults(const FaultMixOptions& options, SeededRandom random);

[[nodiscard]] std::string ToText(const Fault& fault);
// Lines as above; empty lines and those beginning with '#' are passed over. Errors name the line.
[[nodiscard]] absl::StatusOr<std::vector<Fault>> ParseFaults(std::string_view text);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_FAULT_SCHEDULE_H_
