#include "tests/sim/cluster/pair_workload.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim {
namespace {

using client::BatchOperations;
using client::BatchResult;
using client::Condition;
using std::chrono::milliseconds;

std::string First(const std::string& pair) { return pair + "/a"; }
std::string Second(const std::string& pair) { return pair + "/b"; }

}  // namespace

PairWorkload::PairWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                           const PairWorkloadOptions& options)
    : scheduler_(scheduler), options_(options) {
  for (uint32_t index = 0; index < options_.clients; ++index) {
    auto user = std::make_unique<User>();
    user->random = scheduler_->ForkRandom();
    user->client = std::make_unique<SimClient>(scheduler, network, cluster,
                                               fmt::format("pair_client{}", index + 1),
                                               cluster->Addresses(), user->random.Next());
    users_.push_back(std::move(user));
  }
}

void PairWorkload::Begin() {
  for (auto& user : users_) Think(user.get());
}

void PairWorkload::Think(User* user) {
  const Duration pause = UniformDuration(user->random, milliseconds(0), options_.think_max);
  scheduler_->After(pause, "pair client thinks", kNoNode, [this, user] { Next(user); });
}

std::string PairWorkload::PickPair(SeededRandom* random) {
  const size_t slot = UniformBelow(*random, options_.hot_pairs);
  if (hot_.size() <= slot) hot_.resize(slot + 1);
  auto& [pair, operations] = hot_[slot];
  if (pair.empty() || operations >= options_.operations_per_pair) {
    pair = fmt::format("{{pair{}}}", pairs_.size() + 1);
    operations = 0;
    pairs_.push_back(pair);
  }
  ++operations;
  return pair;
}

void PairWorkload::Next(User* user) {
  if (stopped_) return;
  const std::string pair = PickPair(&user->random);
  const uint64_t pick = UniformBelow(user->random, 100);
  if (pick < 40) {
    Read(user, pair, UniformDuration(user->random, milliseconds(300), options_.timeout_max), true);
  } else if (pick < 70) {
    Swap(user, pair);
  } else {
    CompareAndSet(user, pair);
  }
}

void PairWorkload::Send(User* user, const BatchOperations& operations, Duration timeout,
                        client::Handler<BatchResult> handler) {
  ++under_way_;
  user->client->core().Batch(options_.keyspace, operations, {.timeout = timeout, .atomic = true},
                             [this, handler = std::move(handler)](BatchResult result) mutable {
                               --under_way_;
                               handler(std::move(result));
                             });
}

std::optional<PairWorkload::Seen> PairWorkload::Look(const std::string& pair,
                                                     const BatchResult& result, size_t first) {
  const auto& a = result.operations[first];
  const auto& b = result.operations[first + 1];
  const auto served = [](const auto& each) {
    return each.ok() || each.reason == client::Reason::kKeyNotFound;
  };
  if (!served(a) && !served(b)) return std::nullopt;
  if (a.ok() != b.ok() || a.reason != b.reason || a.value != b.value || a.version != b.version) {
    violations_.push_back(fmt::format("{} is torn: {} ({}) and {} ({})", pair, a.value,
                                      client::ReasonName(a.reason), b.value,
                                      client::ReasonName(b.reason)));
  }
  return Seen{.value = a.ok() ? std::optional(a.value) : std::nullopt, .version = a.version};
}

void PairWorkload::Read(User* user, const std::string& pair, Duration timeout, bool then_think) {
  const size_t operation =
      history_.Invoke(++next_process_, pair, HistoryOp::kRead, std::nullopt, std::nullopt, Now());
  Send(user, BatchOperations().Get(First(pair)).Get(Second(pair)), timeout,
       [this, user, pair, operation, then_think](const BatchResult& result) {
         if (const auto seen = Look(pair, result, 0)) {
           ++ok_;
           history_.Ok(operation, seen->value, Now());
         } else {
           ++failed_reads_;
           history_.Fail(operation, Now());
         }
         if (then_think) Think(user);
       });
}

void PairWorkload::EndWrite(size_t operation, const BatchResult& result) {
  if (result.ok()) {
    ++ok_;
    history_.Ok(operation, std::nullopt, Now());
  } else if (result.outcome == client::Outcome::kNotDone) {
    history_.Fail(operation, Now());
  } else {
    history_.Info(operation, Now());
  }
}

void PairWorkload::Swap(User* user, const std::string& pair) {
  const std::string value = fmt::format("p{}", ++next_value_);
  const size_t operation =
      history_.Invoke(++next_process_, pair, HistoryOp::kWrite, std::nullopt, value, Now());
  Send(user,
       BatchOperations()
           .Put(First(pair), value)
           .Get(First(pair))
           .Get(Second(pair))
           .Put(Second(pair), value),
       UniformDuration(user->random, milliseconds(300), options_.timeout_max),
       [this, user, pair, operation](const BatchResult& result) {
         Look(pair, result, 1);
         EndWrite(operation, result);
         Think(user);
       });
}

void PairWorkload::CompareAndSet(User* user, const std::string& pair) {
  const Duration timeout = UniformDuration(user->random, milliseconds(300), options_.timeout_max);
  // Its own read is not in the history; the checker's reads are.
  Send(user, BatchOperations().Get(First(pair)).Get(Second(pair)), timeout,
       [this, user, pair, timeout](const BatchResult& read) {
         const auto seen = Look(pair, read, 0);
         if (!seen || stopped_) {
           Think(user);
           return;
         }
         const Condition condition =
             seen->value ? Condition::IfVersion(seen->version) : Condition::IfAbsent();
         const std::string value = fmt::format("p{}", ++next_value_);
         const size_t operation =
             history_.Invoke(++next_process_, pair, HistoryOp::kCas, seen->value, value, Now());
         Send(user,
              BatchOperations()
                  .Put(First(pair), value, condition)
                  .Put(Second(pair), value, condition),
              timeout, [this, user, operation](const BatchResult& result) {
                EndWrite(operation, result);
                Think(user);
              });
       });
}

void PairWorkload::ReadAll() {
  for (const std::string& pair : pairs_) {
    Read(users_.back().get(), pair, std::chrono::seconds(5), false);
  }
}

}  // namespace quorate::sim
