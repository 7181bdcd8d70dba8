#include "quorate/explain.h"

#include "fmt/format.h"

namespace quorate::client {
namespace {

constexpr uint32_t kReplicasDefault = 3;

std::string SurvivesBuffered(uint32_t replicas) {
  const uint32_t minority = (replicas - 1) / 2;
  std::string text = "the crash of all nodes' processes";
  if (minority > 0) {
    text += fmt::format(", and power loss of the machines of any {} of its {} replicas", minority,
                        replicas);
  }
  return text +
         fmt::format(
             "; power loss of {} LOSES RECENT WRITES: the partition then stays down until it "
             "is recovered without them (kvctl partition recover)",
             replicas == 1 ? "its machine" : fmt::format("{} at once", minority + 1));
}

std::string Survives(uint32_t replicas) {
  const uint32_t minority = (replicas - 1) / 2;
  std::string text = "the crash and power loss of all nodes";
  if (minority > 0) {
    text +=
        fmt::format(", and the loss of the disks of any {} of its {} replicas", minority, replicas);
  }
  return text;
}

PolicyExplanation ExplainRaft(const Policy& policy) {
  const uint32_t replicas = policy.replicas == 0 ? kReplicasDefault : policy.replicas;
  const uint32_t majority = replicas / 2 + 1;
  const bool linearizable =
      policy.read == ReadMode::kDefault || policy.read == ReadMode::kLinearizable;
  const bool fsync = policy.durability != Durability::kBuffered;
  PolicyExplanation out;
  out.pacelc = linearizable ? "PC/EC" : "PC/EL";
  out.survives = fsync ? Survives(replicas) : SurvivesBuffered(replicas);
  const std::string disk = fsync ? " and one fsync on each" : "";
  if (replicas == 1) {
    out.during_partition = "clients cut off from the only replica are refused";
    out.write_cost = fmt::format("no round trip between nodes{}", fsync ? "; one fsync" : "");
    out.read_cost = "no round trip between nodes";
    return out;
  }
  out.during_partition = fmt::format(
      "the side with at least {} of the {} replicas goes on after at most one election; the other "
      "side refuses writes{}",
      majority, replicas, linearizable ? " and reads" : "");
  out.write_cost = fmt::format("one round trip from the leader to {} of {} followers{}",
                               majority - 1, replicas - 1, disk);
  if (!linearizable) {
    out.read_cost = "no round trip between nodes, at any replica";
  } else if (policy.lease == LeaseUse::kOff) {
    out.read_cost = fmt::format(
        "one round trip from the leader to {} of {} followers, shared by all reads that wait; "
        "assumes nothing of clocks",
        majority - 1, replicas - 1);
  } else {
    out.read_cost =
        "no round trip between nodes while the leader's lease holds (assumes bounded clock drift), "
        "else one to a majority";
  }
  return out;
}

}  // namespace

PolicyExplanation Explain(const Policy& policy) {
  if (policy.replication != Replication::kQuorum) {
    return ExplainRaft(policy);
  }
  const std::string not_yet = "leaderless keyspaces are not available in this version";
  return {.pacelc = "PA/EL",
          .during_partition = not_yet,
          .read_cost = not_yet,
          .write_cost = not_yet,
          .survives = not_yet};
}

}  // namespace quorate::client
