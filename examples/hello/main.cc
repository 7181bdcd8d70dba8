// Counts visits in a keyspace: put, get, and compare-and-set, with every outcome handled.
//
//   hello HOST:PORT KEYSPACE
#include <chrono>
#include <cstdio>
#include <string>

#include "quorate/client.h"

namespace {

using quorate::client::Client;
using quorate::client::Condition;
using quorate::client::GetResult;
using quorate::client::Keyspace;
using quorate::client::Outcome;
using quorate::client::Reason;
using quorate::client::WriteOptions;
using quorate::client::WriteResult;

constexpr int kUnknownRepeats = 3;

int Fail(const std::string& doing, const absl::Status& status) {
  std::fprintf(stderr, "hello: %s: %s\n", doing.c_str(), status.ToString().c_str());
  return 1;
}

// A write whose outcome is unknown is repeated under its own name: the servers remember the name
// and answer with what became of the first one, so it is applied once at most.
WriteResult PutUntilKnown(const Keyspace& keyspace, const std::string& key,
                          const std::string& value, const Condition& condition) {
  WriteOptions options{.timeout = std::chrono::seconds(10), .condition = condition};
  WriteResult put = keyspace.Put(key, value, options);
  for (int i = 0; put.outcome == Outcome::kUnknown && i < kUnknownRepeats; ++i) {
    options.request_id = put.request_id;
    put = keyspace.Put(key, value, options);
  }
  return put;
}

// Adds one to the number at `key`, and to nobody's expense: a change made in between makes the
// condition false, and the sum is done anew from what is there now.
int CountVisit(const Keyspace& keyspace, const std::string& key) {
  while (true) {
    const GetResult current = keyspace.Get(key);
    if (!current.ok() && current.reason != Reason::kKeyNotFound) {
      return Fail("get", current.status);
    }
    const int visits = current.ok() ? std::stoi(current.value) + 1 : 1;
    const Condition condition =
        current.ok() ? Condition::IfVersion(current.version) : Condition::IfAbsent();
    const WriteResult put = PutUntilKnown(keyspace, key, std::to_string(visits), condition);
    switch (put.outcome) {
      case Outcome::kDone:
        std::printf("visit %d\n", visits);
        return 0;
      case Outcome::kNotDone:
        if (put.reason == Reason::kConditionFalse) {
          continue;
        }
        return Fail("put", put.status);
      case Outcome::kUnknown:
        return Fail("put, which may have happened or may still happen", put.status);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: hello HOST:PORT KEYSPACE\n");
    return 2;
  }
  const auto client = Client::Connect({.endpoints = {argv[1]}});
  if (!client.ok()) {
    return Fail("connect", client.status());
  }
  const auto keyspace = (*client)->OpenKeyspace(argv[2]);
  if (!keyspace.ok()) {
    return Fail("open keyspace", keyspace.status());
  }
  if (const WriteResult put = keyspace->Put("greeting", "hello, world"); !put.ok()) {
    return Fail("put", put.status);
  }
  const GetResult greeting = keyspace->Get("greeting");
  if (!greeting.ok()) {
    return Fail("get", greeting.status);
  }
  std::printf("%s\n", greeting.value.c_str());
  return CountVisit(*keyspace, "visits");
}
