#include "tests/sim/cluster/register_workload.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim {

using client::Outcome;
using client::Reason;
using std::chrono::milliseconds;

RegisterWorkload::RegisterWorkload(SimScheduler* scheduler, SimNetwork* network,
                                   SimCluster* cluster, const RegisterWorkloadOptions& options)
    : scheduler_(scheduler),
      network_(network),
      cluster_(cluster),
      options_(options),
      clock_(scheduler, Duration(0)) {
  for (uint32_t index = 0; index < options_.clients; ++index) AddClient(index);
}

RegisterWorkload::~RegisterWorkload() {
  for (auto& client : clients_) {
    client->core->Close();
    client->executor->Kill();
  }
}

void RegisterWorkload::AddClient(uint32_t index) {
  auto added = std::make_unique<SimClient>();
  added->random = scheduler_->ForkRandom();
  SimExecutorOptions loop;
  loop.label = "client";
  added->executor = std::make_unique<SimExecutor>(scheduler_, &clock_, loop);
  added->transport = std::make_unique<SimTransport>(
      scheduler_, network_, &clock_, fmt::format("client{}", index + 1),
      [this](const std::string& address) { return cluster_->Resolve(address); });
  client::ClientCoreOptions core;
  if (index % 2 == 0) {
    core.endpoints = {SimCluster::AddressOf(1 + index / 2 % cluster_->size())};
  } else {
    core.endpoints = cluster_->Addresses();
  }
  core.transport = added->transport.get();
  core.clock = &clock_;
  core.executor = added->executor.get();
  core.seed = added->random.Next();
  added->core = std::make_unique<client::ClientCore>(core);
  added->process = ++next_process_;
  clients_.push_back(std::move(added));
}

void RegisterWorkload::Begin() {
  for (auto& client : clients_) Think(client.get());
}

void RegisterWorkload::Think(SimClient* client) {
  const Duration pause = UniformDuration(client->random, milliseconds(0), options_.think_max);
  scheduler_->After(pause, "client thinks", kNoNode, [this, client] { Next(client); });
}

Duration RegisterWorkload::Timeout(SeededRandom* random) const {
  return UniformDuration(*random, milliseconds(300), options_.timeout_max);
}

std::string RegisterWorkload::PickKey(SeededRandom* random) {
  const size_t slot = UniformBelow(*random, options_.hot_keys);
  if (hot_.size() <= slot) hot_.resize(slot + 1);
  auto& [key, operations] = hot_[slot];
  if (key.empty() || operations >= options_.operations_per_key) {
    // Half of them share a hash tag, so that one partition holds several hot keys.
    const uint64_t number = ++next_key_;
    key = number % 2 == 0 ? fmt::format("{{tag}}k{}", number) : fmt::format("k{}", number);
    operations = 0;
    keys_.push_back(key);
  }
  ++operations;
  return key;
}

void RegisterWorkload::Next(SimClient* client) {
  if (stopped_) return;
  const std::string key = PickKey(&client->random);
  const uint64_t pick = UniformBelow(client->random, 100);
  if (pick < 40) {
    Read(client, key);
  } else if (pick < 65) {
    Write(client, key);
  } else if (pick < 92) {
    CompareAndSet(client, key);
  } else {
    Delete(client, key);
  }
}

size_t RegisterWorkload::Invoke(SimClient* client, const std::string& key, HistoryOp op,
                                std::optional<std::string> expected,
                                std::optional<std::string> value) {
  ++under_way_;
  return history_.Invoke(client->process, key, op, std::move(expected), std::move(value),
                         scheduler_->Now().time_since_epoch());
}

void RegisterWorkload::Read(SimClient* client, const std::string& key) {
  const size_t operation = Invoke(client, key, HistoryOp::kRead, std::nullopt, std::nullopt);
  client::ReadOptions options;
  options.timeout = Timeout(&client->random);
  client->core->Get(options_.keyspace, key, options,
                    [this, client, operation, key](const client::GetResult& result) {
                      EndRead(client, operation, key, result);
                      Think(client);
                    });
}

void RegisterWorkload::Write(SimClient* client, const std::string& key) {
  const std::string value = fmt::format("v{}", ++next_value_);
  const size_t operation = Invoke(client, key, HistoryOp::kWrite, std::nullopt, value);
  client::WriteOptions options;
  options.timeout = Timeout(&client->random);
  client->core->Put(options_.keyspace, key, value, options,
                    [this, client, operation, key, value](const client::WriteResult& result) {
                      EndWrite(client, operation, key, value, result);
                    });
}

void RegisterWorkload::Delete(SimClient* client, const std::string& key) {
  const size_t operation = Invoke(client, key, HistoryOp::kDelete, std::nullopt, std::nullopt);
  client::WriteOptions options;
  options.timeout = Timeout(&client->random);
  client->core->Delete(options_.keyspace, key, options,
                       [this, client, operation, key](const client::WriteResult& result) {
                         EndWrite(client, operation, key, std::nullopt, result);
                       });
}

// Against what this client knows of the key; against absence where it knows nothing.
void RegisterWorkload::CompareAndSet(SimClient* client, const std::string& key) {
  const SimClient::Known known = client->known[key];
  const std::string value = fmt::format("v{}", ++next_value_);
  const size_t operation = Invoke(client, key, HistoryOp::kCas, known.value, value);
  client::WriteOptions options;
  options.timeout = Timeout(&client->random);
  options.condition =
      known.value ? client::Condition::IfVersion(known.version) : client::Condition::IfAbsent();
  client->core->Put(options_.keyspace, key, value, options,
                    [this, client, operation, key, value](const client::WriteResult& result) {
                      EndWrite(client, operation, key, value, result);
                    });
}

void RegisterWorkload::EndWrite(SimClient* client, size_t operation, const std::string& key,
                                std::optional<std::string> value,
                                const client::WriteResult& result) {
  --under_way_;
  const auto now = scheduler_->Now().time_since_epoch();
  counts_.repeated_attempts += result.attempts > 1 ? result.attempts - 1 : 0;
  if (result.ok()) {
    ++counts_.ok;
    if (result.receipt.served_by == client::ServedBy::kRequestMemory) ++counts_.remembered_answers;
    client->known[key] = {std::move(value), result.version};
    history_.Ok(operation, std::nullopt, now);
  } else if (result.outcome == Outcome::kNotDone) {
    ++counts_.fail;
    history_.Fail(operation, now);
    if (result.reason == Reason::kConditionFalse) client->known.erase(key);
  } else {
    ++counts_.info;
    history_.Info(operation, now);
    client->process = ++next_process_;
  }
  Think(client);
}

void RegisterWorkload::EndRead(SimClient* client, size_t operation, const std::string& key,
                               const client::GetResult& result) {
  --under_way_;
  const auto now = scheduler_->Now().time_since_epoch();
  if (result.ok() || result.reason == Reason::kKeyNotFound) {
    ++counts_.ok;
    if (result.receipt.served_by == client::ServedBy::kLeaderLease) ++counts_.lease_reads;
    if (result.receipt.served_by == client::ServedBy::kLeaderReadIndex) ++counts_.read_index_reads;
    const std::optional<std::string> value =
        result.ok() ? std::optional<std::string>(result.value) : std::nullopt;
    client->known[key] = {value, result.version};
    history_.Ok(operation, value, now);
  } else {
    ++counts_.fail;
    history_.Fail(operation, now);
  }
}

void RegisterWorkload::ReadAll() {
  SimClient* const client = clients_.back().get();
  for (const std::string& key : keys_) {
    client->process = ++next_process_;
    const size_t operation = Invoke(client, key, HistoryOp::kRead, std::nullopt, std::nullopt);
    client::ReadOptions options;
    options.timeout = std::chrono::seconds(5);
    client->core->Get(options_.keyspace, key, options,
                      [this, client, operation, key](const client::GetResult& result) {
                        EndRead(client, operation, key, result);
                      });
  }
}

}  // namespace quorate::sim
