// partition recover: a partition that lost its majority for good goes on from one replica.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/partition_answers.h"
#include "tools/kvctl/policy_text.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kCommand = "partition recover";

// A replica of the partition, and what its node says of it; null: no answer, or of another one.
struct Candidate {
  client::ReplicaRef ref;
  const client::ReplicaStatus* status = nullptr;
};

std::vector<Candidate> CandidatesOf(const client::Partition& partition,
                                    const ReplicaAnswers& answers) {
  std::vector<Candidate> candidates;
  for (const client::ReplicaRef& ref : AllReplicas(partition)) {
    const client::ReplicaStatus* status = StatusOf(answers, ref.node_id, partition.group_id);
    const bool is_this = status != nullptr && status->incarnation == ref.incarnation;
    candidates.push_back({.ref = ref, .status = is_this ? status : nullptr});
  }
  return candidates;
}

bool IsSound(const Candidate& candidate) {
  return candidate.status != nullptr && candidate.status->fault.empty();
}

// Its node was started, and asks in vain what the others remember of it.
bool IsHeld(const Candidate& candidate) {
  return IsSound(candidate) && candidate.status->role == client::ReplicaRole::kUnspecified;
}

bool Leads(const Candidate& candidate) {
  return IsSound(candidate) && candidate.status->role == client::ReplicaRole::kLeader;
}

// The more of what was committed its log holds, the better; of equals, one that lost nothing. One
// that was still to come by a move may have learned a part of it only: it must be named, as `from`.
const Candidate* BestOf(const client::Partition& partition,
                        const std::vector<Candidate>& candidates, uint64_t from) {
  const auto rank = [](const Candidate& candidate) {
    return std::tuple(candidate.status->last_term, candidate.status->last_index,
                      !candidate.status->returning, !IsHeld(candidate));
  };
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    const bool eligible =
        from == 0 ? HasReplica(partition.replicas, candidate.ref) : candidate.ref.node_id == from;
    if (IsSound(candidate) && eligible && candidate.status->last_index > 0 &&
        (best == nullptr || rank(candidate) > rank(*best))) {
      best = &candidate;
    }
  }
  return best;
}

std::string StateOf(const Candidate& candidate) {
  if (candidate.status == nullptr) {
    return "unreachable";
  }
  if (!candidate.status->fault.empty()) {
    return "damaged: " + candidate.status->fault;
  }
  if (IsHeld(candidate)) {
    return "held";
  }
  return candidate.status->returning ? "returning" : "sound";
}

// Why nothing should be given up; empty: nothing speaks against it.
std::string WhyNot(const client::Partition& partition, const std::vector<Candidate>& candidates,
                   const MoveFlags& flags) {
  const auto leader = std::find_if(candidates.begin(), candidates.end(), Leads);
  if (leader != candidates.end()) {
    return fmt::format("node {} leads the partition: it has a majority", leader->ref.node_id);
  }
  const auto whole =
      std::count_if(candidates.begin(), candidates.end(), [&partition](const Candidate& candidate) {
        return IsSound(candidate) && !IsHeld(candidate) && !candidate.status->returning &&
               HasReplica(partition.replicas, candidate.ref);
      });
  if (static_cast<size_t>(whole) > partition.replicas.size() / 2 && flags.from == 0) {
    return fmt::format(
        "{} of {} replicas are sound, a majority: they will elect a leader; if they never do, "
        "--from names the one to go on from",
        whole, partition.replicas.size());
  }
  return "";
}

// The others go as soon as it is chosen, so it is read from end to end before. Empty: it was.
std::string WhyNotReadable(Context& context, client::Client* client,
                           const client::ClusterState& state, const MoveFlags& flags,
                           const Candidate& survivor) {
  const uint64_t node_id = survivor.ref.node_id;
  std::vector<client::Node> nodes;
  std::copy_if(state.nodes.begin(), state.nodes.end(), std::back_inserter(nodes),
               [node_id](const client::Node& node) { return node.id == node_id; });
  const ReplicaAnswers answers =
      AskReplicas(context, client, nodes, flags.keyspace, /*checksum=*/true);
  const client::ReplicaStatus* read = StatusOf(answers, node_id, survivor.status->group_id);
  if (read == nullptr) {
    return fmt::format(
        "node {} did not read all its replicas of the keyspace in time: --timeout gives it more",
        node_id);
  }
  return read->fault.empty() ? ""
                             : fmt::format(
                                   "the replica on node {} is damaged ({}): --from names "
                                   "another",
                                   node_id, read->fault);
}

void PrintRecovery(Context& context, const MoveFlags& flags,
                   const std::vector<Candidate>& candidates, const Candidate& survivor,
                   const client::RecoverPartitionResult& result) {
  const std::string state = !result.changed ? "was recovered before"
                            : flags.dry_run ? "would be recovered"
                                            : "recovered";
  Table table({"node", "incarnation", "was", "log ends at", "term", "becomes"});
  Json replicas = Json::array();
  for (const Candidate& candidate : candidates) {
    const bool survives = candidate.ref.incarnation == survivor.ref.incarnation;
    const std::string becomes = survives ? "the only one" : "removed";
    const client::ReplicaStatus none;
    const client::ReplicaStatus& status = candidate.status != nullptr ? *candidate.status : none;
    table.Add({fmt::to_string(candidate.ref.node_id), fmt::to_string(candidate.ref.incarnation),
               StateOf(candidate), fmt::to_string(status.last_index),
               fmt::to_string(status.last_term), becomes});
    replicas.push_back({{"node", candidate.ref.node_id},
                        {"incarnation", candidate.ref.incarnation},
                        {"was", StateOf(candidate)},
                        {"last_index", status.last_index},
                        {"last_term", status.last_term},
                        {"survives", survives}});
  }
  context.Print(table,
                {{"keyspace", flags.keyspace},
                 {"partition", result.partition.partition},
                 {"group", result.partition.group_id},
                 {"epoch", result.partition.epoch},
                 {"from_node", survivor.ref.node_id},
                 {"state", state},
                 {"changed", result.changed && !flags.dry_run},
                 {"replicas", std::move(replicas)}},
                "replicas");
}

}  // namespace

int RunPartitionRecover(Context& context, const MoveFlags& flags) {
  if (!flags.accept_loss && !flags.dry_run) {
    return context.FailUsage(
        kCommand,
        "writes that only the other replicas have are lost for good: --dry-run says from which "
        "replica the partition would go on, --accept-loss does it");
  }
  client::Client* client = context.Connect(kCommand);
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail(kCommand, state);
  }
  const client::Partition* partition = FindPartition(state.state, flags.keyspace, flags.partition);
  if (partition == nullptr) {
    return context.FailAs(
        kCommand, kExitNotFound, "KEYSPACE_NOT_FOUND",
        fmt::format("no partition {} of a keyspace {}", flags.partition, flags.keyspace));
  }
  const ReplicaAnswers answers =
      AskReplicas(context, client, state.state.nodes, flags.keyspace, /*checksum=*/false);
  const std::vector<Candidate> candidates = CandidatesOf(*partition, answers);
  if (const std::string why = WhyNot(*partition, candidates, flags); !why.empty()) {
    return context.FailAs(kCommand, kExitRefused, "NOT_LOST", why);
  }
  const Candidate* survivor = BestOf(*partition, candidates, flags.from);
  if (survivor == nullptr) {
    return context.FailAs(
        kCommand, kExitCannotServe, "NO_REPLICA",
        flags.from == 0 ? "no node with a sound replica of the partition answers: start one"
                        : fmt::format("node {} has no sound replica of the partition, or does not "
                                      "answer",
                                      flags.from));
  }
  if (const std::string why = WhyNotReadable(context, client, state.state, flags, *survivor);
      !why.empty()) {
    return context.FailAs(kCommand, kExitCannotServe, "NO_REPLICA", why);
  }
  client::AdminOptions options = context.admin_options();
  options.dry_run = flags.dry_run;
  const auto result = client->RecoverPartition({.keyspace = flags.keyspace,
                                                .partition = flags.partition,
                                                .from_node = survivor->ref.node_id,
                                                .incarnation = survivor->ref.incarnation,
                                                .accept_loss = flags.accept_loss},
                                               options);
  if (!result.ok()) {
    return context.Fail(kCommand, result);
  }
  PrintRecovery(context, flags, candidates, *survivor, result);
  return kExitDone;
}

}  // namespace quorate::kvctl
