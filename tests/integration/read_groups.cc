// read_groups HOST:PORT KEYSPACE PARTITIONS
//
// Reads a key of every partition through the client library, many at a time, each for as long as it
// takes, and ends when all have answered: then every group of the keyspace has served. Prints the
// number of partitions. Keys are those of many_groups.py: key-0, key-1, …
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/client.h"
#include "server/placement/routing_key.h"
#include "server/runtime/mutex.h"

namespace quorate {
namespace {

constexpr int kParallel = 256;
constexpr std::chrono::minutes kPatience(10);

// The first key of each partition.
std::vector<std::string> OneKeyEach(uint32_t partitions) {
  std::vector<std::string> keys(partitions);
  uint32_t missing = partitions;
  for (uint64_t number = 0; missing > 0; ++number) {
    std::string key = fmt::format("key-{}", number);
    std::string& found = keys[PartitionOfKey(key, RoutingRule::kTag, partitions)];
    if (found.empty()) {
      found = std::move(key);
      --missing;
    }
  }
  return keys;
}

class Reader {
 public:
  Reader(client::Keyspace keyspace, std::vector<std::string> keys)
      : keyspace_(std::move(keyspace)), keys_(std::move(keys)) {}

  // The number of reads that failed for good.
  size_t Run() {
    for (const std::string& key : keys_) {
      {
        MutexLock lock(&mutex_);
        while (under_way_ == kParallel) changed_.Wait(&mutex_);
        ++under_way_;
      }
      Read(key);
    }
    MutexLock lock(&mutex_);
    while (under_way_ > 0) changed_.Wait(&mutex_);
    return failed_;
  }

 private:
  void Read(const std::string& key) {
    keyspace_.GetAsync(key, {.timeout = kPatience}, [this, &key](const client::GetResult& result) {
      const bool served = result.ok() || result.reason == client::Reason::kKeyNotFound;
      if (!served) fmt::print(stderr, "{}: {}\n", key, std::string(result.status.message()));
      MutexLock lock(&mutex_);
      failed_ += served ? 0 : 1;
      --under_way_;
      changed_.NotifyAll();
    });
  }

  const client::Keyspace keyspace_;
  const std::vector<std::string> keys_;
  Mutex mutex_;
  CondVar changed_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
};

int Main(int argc, char** argv) {
  uint32_t partitions = 0;
  if (argc == 4) {
    const std::string_view number = argv[3];
    std::from_chars(number.data(), number.data() + number.size(), partitions);
  }
  if (partitions == 0) {
    std::fputs("usage: read_groups HOST:PORT KEYSPACE PARTITIONS\n", stderr);
    return 2;
  }
  const auto client = client::Client::Connect({.endpoints = {argv[1]}});
  if (!client.ok()) {
    fmt::print(stderr, "{}\n", std::string(client.status().message()));
    return 2;
  }
  Reader reader((*client)->UncheckedKeyspace(argv[2]), OneKeyEach(partitions));
  const size_t failed = reader.Run();
  fmt::print("{}\n", partitions);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) { return quorate::Main(argc, argv); }
