#include "tests/sim/cluster/register_workload.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim {

using client::Outcome;
using client::Reason;
using std::chrono::milliseconds;

namespace {

// As if the operation had been a call of its own.
template <class R>
R ResultOf(const client::BatchOperationResult& each) {
  R result;
  static_cast<client::Result&>(result) = each;
  result.version = each.version;
  result.receipt = each.receipt;
  return result;
}

}  // namespace

RegisterWorkload::RegisterWorkload(SimScheduler* scheduler, SimNetwork* network,
                                   SimCluster* cluster, const RegisterWorkloadOptions& options)
    : scheduler_(scheduler),
      options_(options),
      keys_(options.hot_keys, options.operations_per_key) {
  for (uint32_t index = 0; index < options_.clients; ++index) {
    auto user = std::make_unique<User>();
    user->random = scheduler_->ForkRandom();
    std::vector<std::string> endpoints = cluster->Addresses();
    if (index % 2 == 0) endpoints = {SimCluster::AddressOf(1 + index / 2 % cluster->size())};
    user->client =
        std::make_unique<SimClient>(scheduler, network, cluster, fmt::format("client{}", index + 1),
                                    endpoints, user->random.Next());
    user->process = ++next_process_;
    clients_.push_back(std::move(user));
  }
}

void RegisterWorkload::Begin() {
  for (auto& user : clients_) Think(user.get());
}

void RegisterWorkload::Think(User* user) {
  const Duration pause = UniformDuration(user->random, milliseconds(0), options_.think_max);
  scheduler_->After(pause, "client thinks", kNoNode, [this, user] { Next(user); });
}

Duration RegisterWorkload::Timeout(SeededRandom* random) const {
  return UniformDuration(*random, milliseconds(300), options_.timeout_max);
}

void RegisterWorkload::Next(User* user) {
  if (stopped_) return;
  if (UniformBelow(user->random, 100) < options_.batch_percent) {
    Batch(user);
    return;
  }
  const std::string key = keys_.Pick(user->random);
  const uint64_t pick = UniformBelow(user->random, 100);
  if (pick < 40) {
    Read(user, key);
  } else if (pick < 65) {
    Write(user, key);
  } else if (pick < 92) {
    CompareAndSet(user, key);
  } else {
    Delete(user, key);
  }
}

size_t RegisterWorkload::Invoke(User* user, const std::string& key, HistoryOp op,
                                std::optional<std::string> expected,
                                std::optional<std::string> value) {
  ++under_way_;
  return history_.Invoke(user->process, key, op, std::move(expected), std::move(value),
                         scheduler_->Now().time_since_epoch());
}

void RegisterWorkload::Read(User* user, const std::string& key) {
  const size_t operation = Invoke(user, key, HistoryOp::kRead, std::nullopt, std::nullopt);
  client::ReadOptions options;
  options.timeout = Timeout(&user->random);
  user->client->core().Get(options_.keyspace, key, options,
                           [this, user, operation, key](const client::GetResult& result) {
                             EndRead(user, operation, key, result);
                             Think(user);
                           });
}

void RegisterWorkload::Write(User* user, const std::string& key) {
  const std::string value = fmt::format("v{}", ++next_value_);
  const size_t operation = Invoke(user, key, HistoryOp::kWrite, std::nullopt, value);
  client::WriteOptions options;
  options.timeout = Timeout(&user->random);
  user->client->core().Put(options_.keyspace, key, value, options,
                           [this, user, operation, key, value](const client::WriteResult& result) {
                             EndWrite(user, operation, key, value, result);
                             Think(user);
                           });
}

void RegisterWorkload::Delete(User* user, const std::string& key) {
  const size_t operation = Invoke(user, key, HistoryOp::kDelete, std::nullopt, std::nullopt);
  client::WriteOptions options;
  options.timeout = Timeout(&user->random);
  user->client->core().Delete(options_.keyspace, key, options,
                              [this, user, operation, key](const client::WriteResult& result) {
                                EndWrite(user, operation, key, std::nullopt, result);
                                Think(user);
                              });
}

// Against what this client knows of the key; against absence where it knows nothing.
void RegisterWorkload::CompareAndSet(User* user, const std::string& key) {
  const User::Known known = user->known[key];
  const std::string value = fmt::format("v{}", ++next_value_);
  const size_t operation = Invoke(user, key, HistoryOp::kCas, known.value, value);
  client::WriteOptions options;
  options.timeout = Timeout(&user->random);
  options.condition =
      known.value ? client::Condition::IfVersion(known.version) : client::Condition::IfAbsent();
  user->client->core().Put(options_.keyspace, key, value, options,
                           [this, user, operation, key, value](const client::WriteResult& result) {
                             EndWrite(user, operation, key, value, result);
                             Think(user);
                           });
}

// Each of its operations is one of its own in the history, side by side with the others.
void RegisterWorkload::Batch(User* user) {
  struct Part {
    std::string key;
    std::optional<std::string> value{};
    bool read = false;
    size_t operation = 0;
  };
  std::vector<Part> parts;
  client::BatchOperations operations;
  const uint64_t count = 2 + UniformBelow(user->random, 4);
  for (uint64_t i = 0; i < count; ++i) {
    Part part{.key = keys_.Pick(user->random)};
    user->process = ++next_process_;
    const uint64_t pick = UniformBelow(user->random, 100);
    std::optional<std::string> expected;
    HistoryOp op = HistoryOp::kRead;
    if (pick < 40) {
      part.read = true;
      operations.Get(part.key);
    } else if (pick < 70) {
      op = HistoryOp::kWrite;
      part.value = fmt::format("v{}", ++next_value_);
      operations.Put(part.key, *part.value);
    } else if (pick < 90) {
      op = HistoryOp::kCas;
      const User::Known known = user->known[part.key];
      expected = known.value;
      part.value = fmt::format("v{}", ++next_value_);
      operations.Put(part.key, *part.value,
                     known.value ? client::Condition::IfVersion(known.version)
                                 : client::Condition::IfAbsent());
    } else {
      op = HistoryOp::kDelete;
      operations.Delete(part.key);
    }
    part.operation = Invoke(user, part.key, op, std::move(expected), part.value);
    parts.push_back(std::move(part));
  }
  user->process = ++next_process_;
  user->client->core().Batch(
      options_.keyspace, operations, {.timeout = Timeout(&user->random)},
      [this, user, parts = std::move(parts)](const client::BatchResult& result) {
        for (size_t i = 0; i < parts.size(); ++i) {
          const client::BatchOperationResult& each = result.operations[i];
          ++counts_.batch_operations;
          if (parts[i].read) {
            auto read = ResultOf<client::GetResult>(each);
            read.value = each.value;
            EndRead(user, parts[i].operation, parts[i].key, read);
          } else {
            EndWrite(user, parts[i].operation, parts[i].key, parts[i].value,
                     ResultOf<client::WriteResult>(each));
          }
        }
        Think(user);
      });
}

void RegisterWorkload::EndWrite(User* user, size_t operation, const std::string& key,
                                std::optional<std::string> value,
                                const client::WriteResult& result) {
  --under_way_;
  const auto now = scheduler_->Now().time_since_epoch();
  counts_.repeated_attempts += result.attempts > 1 ? result.attempts - 1 : 0;
  if (result.ok()) {
    ++counts_.ok;
    if (result.receipt.served_by == client::ServedBy::kRequestMemory) ++counts_.remembered_answers;
    user->known[key] = {std::move(value), result.version};
    history_.Ok(operation, std::nullopt, now);
  } else if (result.outcome == Outcome::kNotDone) {
    ++counts_.fail;
    history_.Fail(operation, now);
    if (result.reason == Reason::kConditionFalse) user->known.erase(key);
  } else {
    ++counts_.info;
    history_.Info(operation, now);
    user->process = ++next_process_;
  }
}

void RegisterWorkload::EndRead(User* user, size_t operation, const std::string& key,
                               const client::GetResult& result) {
  --under_way_;
  const auto now = scheduler_->Now().time_since_epoch();
  if (result.ok() || result.reason == Reason::kKeyNotFound) {
    ++counts_.ok;
    if (result.receipt.served_by == client::ServedBy::kLeaderLease) ++counts_.lease_reads;
    if (result.receipt.served_by == client::ServedBy::kLeaderReadIndex) ++counts_.read_index_reads;
    const std::optional<std::string> value =
        result.ok() ? std::optional<std::string>(result.value) : std::nullopt;
    user->known[key] = {value, result.version};
    history_.Ok(operation, value, now);
  } else {
    ++counts_.fail;
    history_.Fail(operation, now);
  }
}

void RegisterWorkload::ReadAll() {
  User* const user = clients_.back().get();
  for (const std::string& key : keys_.all()) {
    user->process = ++next_process_;
    const size_t operation = Invoke(user, key, HistoryOp::kRead, std::nullopt, std::nullopt);
    client::ReadOptions options;
    options.timeout = std::chrono::seconds(5);
    user->client->core().Get(options_.keyspace, key, options,
                             [this, user, operation, key](const client::GetResult& result) {
                               EndRead(user, operation, key, result);
                             });
  }
}

}  // namespace quorate::sim
