// A client without manners, for flood_test.py. Every mode prints one JSON object.
//
//   flood_grpc load HOST:PORT KEYSPACE NAME [OPTION=N…]   puts and gets, closed or open loop
//       seconds=5 rate=0 (a second; 0: as fast as answers come) inflight=64 value_bytes=16384
//       write_percent=50 scans=0 (streams that nobody reads) journal=FILE (acknowledged keys)
//   flood_grpc verify HOST:PORT,… KEYSPACE JOURNAL        every acknowledged key has its value
//   flood_grpc connect HOST:PORT COUNT                    holds connections until input ends
//
// Only keys that the addressed node leads are used.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kv/v1/key_value.grpc.pb.h"
#include "proto/error_detail.h"
#include "proto/grpc_status.h"

namespace quorate {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using KeyValue = kv::v1::KeyValue;

constexpr milliseconds kTimeout{5000};
constexpr int kChannels = 16;
// An open loop holds back what would make this program itself grow without bound.
constexpr size_t kInflightMax = 12'000;

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetMaxReceiveMessageSize(20 << 20);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + kTimeout);
}

std::string ValueOf(const std::string& key, size_t bytes) {
  std::string value = key;
  uint64_t noise = std::hash<std::string>()(key);
  while (value.size() < bytes) {
    noise = noise * 6364136223846793005U + 1442695040888963407U;
    value.append(reinterpret_cast<const char*>(&noise), sizeof(noise));
  }
  value.resize(std::max(bytes, key.size()));
  return value;
}

struct LoadOptions {
  std::map<std::string, uint64_t> numbers = {{"seconds", 5},        {"rate", 0},
                                             {"inflight", 64},      {"value_bytes", 16384},
                                             {"write_percent", 50}, {"scans", 0}};
  std::string journal;
  uint64_t operator[](const std::string& name) const { return numbers.at(name); }
};

struct Counts {
  uint64_t sent = 0, ok = 0, writes_acknowledged = 0, held_back = 0;
  uint64_t queue_full = 0, memory_pressure = 0, refused_without_delay = 0;
  uint64_t refused_not_certain = 0, refused_by_grpc = 0;
  uint32_t delay_ms_min = UINT32_MAX, delay_ms_max = 0;
  std::map<std::string, uint64_t> errors;
  std::vector<double> latencies_ms;  // of those that came through

  void AddFailure(const absl::Status& status) {
    const auto detail = DetailOf(status);
    const kv::v1::Reason reason = ReasonOf(status);
    if (reason == kv::v1::REASON_QUEUE_FULL || reason == kv::v1::REASON_MEMORY_PRESSURE) {
      ++(reason == kv::v1::REASON_QUEUE_FULL ? queue_full : memory_pressure);
      if (detail->retry_delay_ms() == 0) ++refused_without_delay;
      if (detail->outcome() != kv::v1::OUTCOME_NOT_DONE) ++refused_not_certain;
      delay_ms_min = std::min(delay_ms_min, detail->retry_delay_ms());
      delay_ms_max = std::max(delay_ms_max, detail->retry_delay_ms());
    } else if (status.code() == absl::StatusCode::kResourceExhausted && !detail) {
      ++refused_by_grpc;
    } else {
      ++errors[detail ? kv::v1::Reason_Name(reason) : absl::StatusCodeToString(status.code())];
    }
  }

  double Percentile(double share) {
    if (latencies_ms.empty()) return 0;
    std::sort(latencies_ms.begin(), latencies_ms.end());
    return latencies_ms[static_cast<size_t>(share * static_cast<double>(latencies_ms.size() - 1))];
  }

  void Print(double seconds) {
    std::string list;
    for (const auto& [name, count] : errors) {
      list += fmt::format("{}\"{}\":{}", list.empty() ? "" : ",", name, count);
    }
    std::puts(
        fmt::format(
            R"({{"seconds":{:.2f},"sent":{},"ok":{},"writes_acknowledged":{},"held_back":{},)"
            R"("queue_full":{},"memory_pressure":{},"refused_without_delay":{},)"
            R"("refused_not_certain":{},"refused_by_grpc":{},"delay_ms_min":{},"delay_ms_max":{},)"
            R"("p50_ms":{:.1f},"p99_ms":{:.1f},"max_ms":{:.1f},"errors":{{{}}}}})",
            seconds, sent, ok, writes_acknowledged, held_back, queue_full, memory_pressure,
            refused_without_delay, refused_not_certain, refused_by_grpc,
            delay_ms_min == UINT32_MAX ? 0 : delay_ms_min, delay_ms_max, Percentile(0.5),
            Percentile(0.99), Percentile(1), list)
            .c_str());
  }
};

// Routing keys of partitions that the node leads.
std::vector<std::string> LedTags(KeyValue::Stub* stub, const std::string& keyspace) {
  std::vector<std::string> led;
  for (int tag = 0; tag < 64; ++tag) {
    kv::v1::PutRequest request;
    request.mutable_header()->set_keyspace(keyspace);
    request.set_key(fmt::format("{{t{}}}probe", tag));
    grpc::ClientContext context;
    SetDeadline(&context);
    kv::v1::PutResponse response;
    if (stub->Put(&context, request, &response).ok()) led.push_back(fmt::format("t{}", tag));
  }
  return led;
}

// One thread gives the operations and takes the answers.
class Load {
 public:
  Load(const std::string& address, std::string keyspace, std::string name, LoadOptions options)
      : keyspace_(std::move(keyspace)), name_(std::move(name)), options_(std::move(options)) {
    for (int i = 0; i < kChannels; ++i) stubs_.push_back(KeyValue::NewStub(NewChannel(address)));
    if (!options_.journal.empty()) journal_.open(options_.journal);
  }

  int Run() {
    // A new keyspace has no leaders yet.
    for (int attempt = 0; attempt < 100 && tags_.empty(); ++attempt) {
      if (attempt > 0) std::this_thread::sleep_for(milliseconds(100));
      tags_ = LedTags(stubs_[0].get(), keyspace_);
    }
    if (tags_.empty()) {
      std::fputs("the node leads no partition\n", stderr);
      return 1;
    }
    StallScans();
    const auto begin = SteadyClock::now();
    const auto end = begin + std::chrono::seconds(options_["seconds"]);
    while (SteadyClock::now() < end) {
      Give(begin);
      TakeAnswers(SteadyClock::now() + milliseconds(1));
    }
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    for (const auto& scan : scans_) scan->context.TryCancel();
    while (inflight_ > 0) TakeAnswers(SteadyClock::now() + milliseconds(100));
    counts_.Print(seconds);
    return 0;
  }

 private:
  struct Operation {
    bool write = false;
    std::string key;
    SteadyClock::time_point begin;
    grpc::ClientContext context;
    grpc::Status status;
    kv::v1::GetResponse got;
    kv::v1::PutResponse put;
    std::unique_ptr<grpc::ClientAsyncResponseReader<kv::v1::GetResponse>> get_reader;
    std::unique_ptr<grpc::ClientAsyncResponseReader<kv::v1::PutResponse>> put_reader;
  };
  struct StalledScan {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<kv::v1::ScanResponse>> reader;
  };

  // Asked for and never read.
  void StallScans() {
    for (uint64_t i = 0; i < options_["scans"]; ++i) {
      auto scan = std::make_unique<StalledScan>();
      kv::v1::ScanRequest request;
      request.mutable_header()->set_keyspace(keyspace_);
      scan->reader = stubs_[i % kChannels]->Scan(&scan->context, request);
      scans_.push_back(std::move(scan));
    }
  }

  void Give(SteadyClock::time_point begin) {
    if (options_["rate"] == 0) {
      while (inflight_ < options_["inflight"]) Send();
      return;
    }
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    const auto due = static_cast<uint64_t>(seconds * static_cast<double>(options_["rate"]));
    while (given_ < due) {
      ++given_;
      inflight_ < kInflightMax ? Send() : static_cast<void>(++counts_.held_back);
    }
  }

  void Send() {
    auto* operation = new Operation;
    operation->begin = SteadyClock::now();
    operation->write = acknowledged_.empty() || counts_.sent % 100 < options_["write_percent"];
    SetDeadline(&operation->context);
    KeyValue::Stub& stub = *stubs_[counts_.sent % kChannels];
    ++inflight_;
    ++counts_.sent;
    if (operation->write) {
      operation->key =
          fmt::format("{{{}}}{}-{}", tags_[counts_.sent % tags_.size()], name_, counts_.sent);
      kv::v1::PutRequest request;
      request.mutable_header()->set_keyspace(keyspace_);
      request.set_key(operation->key);
      request.set_value(ValueOf(operation->key, options_["value_bytes"]));
      operation->put_reader = stub.AsyncPut(&operation->context, request, &queue_);
      operation->put_reader->Finish(&operation->put, &operation->status, operation);
      return;
    }
    operation->key = acknowledged_[counts_.sent * 7919 % acknowledged_.size()];
    kv::v1::GetRequest request;
    request.mutable_header()->set_keyspace(keyspace_);
    request.set_key(operation->key);
    operation->get_reader = stub.AsyncGet(&operation->context, request, &queue_);
    operation->get_reader->Finish(&operation->got, &operation->status, operation);
  }

  void TakeAnswers(SteadyClock::time_point until) {
    void* tag = nullptr;
    bool ok = false;
    const auto wall = std::chrono::system_clock::now() + (until - SteadyClock::now());
    while (queue_.AsyncNext(&tag, &ok, wall) == grpc::CompletionQueue::GOT_EVENT) {
      const std::unique_ptr<Operation> operation(static_cast<Operation*>(tag));
      --inflight_;
      if (!operation->status.ok()) {
        counts_.AddFailure(FromGrpc(operation->status));
      } else {
        ++counts_.ok;
        counts_.latencies_ms.push_back(
            std::chrono::duration<double, std::milli>(SteadyClock::now() - operation->begin)
                .count());
        if (operation->write) Acknowledged(operation->key);
      }
      if (SteadyClock::now() >= until) return;
    }
  }

  void Acknowledged(const std::string& key) {
    ++counts_.writes_acknowledged;
    acknowledged_.push_back(key);
    journal_ << key << ' ' << options_["value_bytes"] << '\n';
  }

  const std::string keyspace_;
  const std::string name_;
  const LoadOptions options_;
  std::vector<std::unique_ptr<KeyValue::Stub>> stubs_;
  grpc::CompletionQueue queue_;
  std::vector<std::string> tags_;
  std::vector<std::unique_ptr<StalledScan>> scans_;
  std::vector<std::string> acknowledged_;
  std::ofstream journal_;
  size_t inflight_ = 0;
  uint64_t given_ = 0;
  Counts counts_;
};

class Verifier {
 public:
  Verifier(const std::string& addresses, std::string keyspace) : keyspace_(std::move(keyspace)) {
    std::stringstream list(addresses);
    std::string address;
    while (std::getline(list, address, ','))
      stubs_.push_back(KeyValue::NewStub(NewChannel(address)));
  }

  int Run(const std::string& journal) {
    std::ifstream file(journal);
    std::string key;
    size_t bytes = 0;
    while (file >> key >> bytes) keys_.emplace_back(key, bytes);
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([this] { CheckKeys(); });
    for (std::thread& thread : threads) thread.join();
    std::puts(fmt::format(R"({{"keys":{},"lost":{},"wrong":{},"unanswered":{}}})", keys_.size(),
                          lost_.load(), wrong_.load(), unanswered_.load())
                  .c_str());
    return 0;
  }

 private:
  void CheckKeys() {
    for (size_t i = next_++; i < keys_.size(); i = next_++) Check(keys_[i].first, keys_[i].second);
  }

  void Check(const std::string& key, size_t bytes) {
    kv::v1::GetRequest request;
    request.mutable_header()->set_keyspace(keyspace_);
    request.set_key(key);
    for (int attempt = 0; attempt < 300; ++attempt) {
      grpc::ClientContext context;
      SetDeadline(&context);
      kv::v1::GetResponse response;
      const absl::Status status = FromGrpc(
          stubs_[static_cast<size_t>(attempt) % stubs_.size()]->Get(&context, request, &response));
      if (status.ok()) {
        wrong_ += response.value() == ValueOf(key, bytes) ? 0 : 1;
        return;
      }
      if (ReasonOf(status) == kv::v1::REASON_KEY_NOT_FOUND) {
        ++lost_;
        return;
      }
      if (ReasonOf(status) != kv::v1::REASON_NOT_LEADER) {
        std::this_thread::sleep_for(milliseconds(50));
      }
    }
    ++unanswered_;
  }

  const std::string keyspace_;
  std::vector<std::unique_ptr<KeyValue::Stub>> stubs_;
  std::vector<std::pair<std::string, size_t>> keys_;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> lost_{0}, wrong_{0}, unanswered_{0};
};

// Every second one says that it speaks HTTP/2; the others say nothing.
int HoldConnections(const std::string& address, size_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const size_t most = std::min<size_t>(count, limit.rlim_cur - 64);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  const size_t colon = address.rfind(':');
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  std::vector<int> open;
  size_t failed = 0;
  for (size_t i = 0; i < most; ++i) {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
      ++failed;
      close(descriptor);
      continue;
    }
    if (i % 2 == 0) (void)!send(descriptor, hello.data(), hello.size(), MSG_NOSIGNAL);
    open.push_back(descriptor);
  }
  std::puts(fmt::format(R"({{"wanted":{},"open":{},"failed":{},"file_limit":{}}})", count,
                        open.size(), failed, limit.rlim_cur)
                .c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  for (const int descriptor : open) close(descriptor);
  return 0;
}

int Main(const std::vector<std::string>& words) {
  if (words.size() >= 4 && words[0] == "load") {
    LoadOptions options;
    for (size_t i = 4; i < words.size(); ++i) {
      const size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      if (name == "journal") {
        options.journal = words[i].substr(equals + 1);
      } else {
        options.numbers.at(name) = std::stoull(words[i].substr(equals + 1));
      }
    }
    return Load(words[1], words[2], words[3], std::move(options)).Run();
  }
  if (words.size() == 4 && words[0] == "verify") return Verifier(words[1], words[2]).Run(words[3]);
  if (words.size() == 3 && words[0] == "connect") {
    return HoldConnections(words[1], std::stoull(words[2]));
  }
  std::fputs("see the head of flood_grpc.cc\n", stderr);
  return 2;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) {
  return quorate::Main(std::vector<std::string>(argv + 1, argv + argc));
}
