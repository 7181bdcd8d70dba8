#include "quorate/keyspace.h"

#include <utility>

#include "client/src/client_core.h"
#include "client/src/wait.h"

namespace quorate::client {

Keyspace::Keyspace(std::shared_ptr<ClientCore> core, std::string name)
    : core_(std::move(core)), name_(std::move(name)) {}

GetResult Keyspace::Get(const std::string& key, const ReadOptions& options) const {
  return Wait<GetResult>([&](auto handler) { GetAsync(key, options, std::move(handler)); });
}

void Keyspace::GetAsync(const std::string& key, const ReadOptions& options,
                        Handler<GetResult> handler) const {
  core_->Get(name_, key, options, std::move(handler));
}

WriteResult Keyspace::Put(const std::string& key, const std::string& value,
                          const WriteOptions& options) const {
  return Wait<WriteResult>(
      [&](auto handler) { PutAsync(key, value, options, std::move(handler)); });
}

void Keyspace::PutAsync(const std::string& key, const std::string& value,
                        const WriteOptions& options, Handler<WriteResult> handler) const {
  core_->Put(name_, key, value, options, std::move(handler));
}

WriteResult Keyspace::Delete(const std::string& key, const WriteOptions& options) const {
  return Wait<WriteResult>([&](auto handler) { DeleteAsync(key, options, std::move(handler)); });
}

IncrementResult Keyspace::Increment(const std::string& key, int64_t delta,
                                    const IncrementOptions& options) const {
  return Wait<IncrementResult>(
      [&](auto handler) { IncrementAsync(key, delta, options, std::move(handler)); });
}

void Keyspace::IncrementAsync(const std::string& key, int64_t delta,
                              const IncrementOptions& options,
                              Handler<IncrementResult> handler) const {
  core_->Increment(name_, key, delta, options, std::move(handler));
}

void Keyspace::DeleteAsync(const std::string& key, const WriteOptions& options,
                           Handler<WriteResult> handler) const {
  core_->Delete(name_, key, options, std::move(handler));
}

BatchResult Keyspace::Batch(const BatchOperations& operations, const BatchOptions& options) const {
  return Wait<BatchResult>(
      [&](auto handler) { BatchAsync(operations, options, std::move(handler)); });
}

void Keyspace::BatchAsync(const BatchOperations& operations, const BatchOptions& options,
                          Handler<BatchResult> handler) const {
  core_->Batch(name_, operations, options, std::move(handler));
}

ScanPage Keyspace::Scan(const ScanRange& range, const ScanOptions& options) const {
  return Wait<ScanPage>([&](auto handler) { ScanAsync(range, options, std::move(handler)); });
}

void Keyspace::ScanAsync(const ScanRange& range, const ScanOptions& options,
                         Handler<ScanPage> handler) const {
  core_->Scan(name_, range, options, std::move(handler));
}

}  // namespace quorate::client
