// demo: a throw-away cluster, for as long as the command runs.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/ask_all.h"
#include "tools/kvctl/child_process.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/demo_cluster.h"

namespace quorate::kvctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr const char* kKeyspace = "demo";
constexpr std::chrono::seconds kReadyTime(180);
constexpr std::chrono::seconds kRequestTime(60);
// A node that is still starting must not keep the others from being asked again.
constexpr std::chrono::seconds kStatusTime(3);
constexpr std::chrono::milliseconds kInterval(50);

// What is loaded: little, but of more than one partition.
constexpr std::array<std::pair<const char*, const char*>, 8> kRecords = {{
    {"greeting", "hello"},
    {"cart{anna}/1", "2 apples"},
    {"cart{anna}/2", "1 pear"},
    {"cart{ben}/1", "7 plums"},
    {"stock/apple", "40"},
    {"stock/pear", "25"},
    {"stock/plum", "90"},
    {"stock/quince", "3"},
}};

// The signals that end the demo, blocked so that they are waited for instead of handled.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&set_, number);
    }
    sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  ~Signals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for one; 0: none came within `time`.
  [[nodiscard]] int Wait(std::chrono::milliseconds time) const {
    const timespec limit = {time.count() / 1000, (time.count() % 1000) * 1000000};
    return std::max(0, sigtimedwait(&set_, nullptr, &limit));
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

// One run of the command. Its steps return an exit code where it is to end.
class Demo {
 public:
  Demo(Context& context, const DemoFlags& flags)
      : context_(context), flags_(flags), cluster_(FindKvd(), flags.keep) {}

  int RunSteps();

 private:
  using Step = std::optional<int>;

  Step WaitForNodes(bool ready);
  Step Initialise();
  Step Load();
  void Print();
  int RunProgram();
  int WaitForTheEnd();

  int Fail(const std::string& what) {
    return context_.FailAs("demo", kExitRefused, "refused", what);
  }
  void Say(const std::string& what) {
    if (!context_.json()) {
      fmt::print(stderr, "{}\n", what);
    }
  }

  Context& context_;
  const DemoFlags& flags_;
  const Signals signals_;  // before the client's threads, which are to have them blocked too
  DemoCluster cluster_;
  std::unique_ptr<client::Client> client_;
};

// Until each node answers, or is ready, too.
Demo::Step Demo::WaitForNodes(bool ready) {
  const auto end = SteadyClock::now() + kReadyTime;
  const auto& nodes = cluster_.nodes();
  while (true) {
    auto answers = AskAll<client::NodeStatusResult>(nodes.size(), [&](size_t i, auto handler) {
      client_->NodeStatusAsync(nodes[i].address, {.timeout = kStatusTime}, std::move(handler));
    });
    const auto good = std::count_if(answers.begin(), answers.end(), [ready](const auto& answer) {
      return answer.ok() && (!ready || answer.node.ready);
    });
    if (static_cast<size_t>(good) == nodes.size()) {
      return std::nullopt;
    }
    if (const absl::Status alive = cluster_.CheckAlive(); !alive.ok()) {
      return Fail(std::string(alive.message()));
    }
    if (SteadyClock::now() > end) {
      return Fail(fmt::format("{} of {} nodes came up within {} s; --keep leaves their logs", good,
                              nodes.size(), kReadyTime.count()));
    }
    if (const int number = signals_.Wait(kInterval); number != 0) {
      return 128 + number;
    }
  }
}

Demo::Step Demo::Initialise() {
  const auto init =
      client_->Init(cluster_.nodes()[0].address, /*force=*/false, {.timeout = kRequestTime});
  if (!init.ok()) {
    return context_.Fail("demo", init);
  }
  return WaitForNodes(/*ready=*/true);
}

Demo::Step Demo::Load() {
  client::Policy policy;
  policy.replicas = flags_.nodes >= 3 ? 3 : 1;
  const auto created = client_->CreateKeyspace(kKeyspace, policy, {.timeout = kRequestTime});
  if (!created.ok()) {
    return context_.Fail("demo", created);
  }
  client::WriteOptions options;
  options.timeout = kRequestTime;
  const client::Keyspace keyspace = client_->UncheckedKeyspace(kKeyspace);
  for (const auto& [key, value] : kRecords) {
    if (const auto put = keyspace.Put(key, value, options); !put.ok()) {
      return context_.Fail("demo", put);
    }
  }
  return std::nullopt;
}

void Demo::Print() {
  Table table({"node", "address", "metrics", "pid", "log"});
  Json nodes = Json::array();
  for (size_t i = 0; i < cluster_.nodes().size(); ++i) {
    const DemoNode& node = cluster_.nodes()[i];
    const std::string metrics = fmt::format("http://{}/metrics", node.http_address);
    table.Add({fmt::to_string(i + 1), node.address, metrics, fmt::to_string(node.process.pid()),
               node.log});
    nodes.push_back({{"address", node.address},
                     {"peer_address", node.peer_address},
                     {"http_address", node.http_address},
                     {"metrics", metrics},
                     {"pid", node.process.pid()},
                     {"data_dir", node.data_dir},
                     {"log", node.log}});
  }
  context_.Print(table, {{"folder", cluster_.folder()},
                         {"endpoints", cluster_.endpoints()},
                         {"keyspace", kKeyspace},
                         {"records", kRecords.size()},
                         {"nodes", std::move(nodes)}});
  std::fflush(stdout);  // a program that reads this waits for it
  Say(
      fmt::format("\nTalk to it from another terminal:\n"
                  "  export KVCTL_ENDPOINTS={}\n"
                  "  kvctl status\n"
                  "  kvctl get {} greeting\n"
                  "  kvctl scan {}\n"
                  "Kill a node by its pid and go on: nothing that was acknowledged is lost.\n"
                  "Ctrl-C stops all nodes and {} {}.",
                  fmt::join(cluster_.endpoints(), ","), kKeyspace, kKeyspace,
                  flags_.keep ? "keeps" : "removes", cluster_.folder()));
}

int Demo::RunProgram() {
  auto program = ChildProcess::Start(
      {.command = flags_.program,
       .environment = {{"KVCTL_ENDPOINTS",
                        fmt::format("{}", fmt::join(cluster_.endpoints(), ","))}},
       .dropped = "",
       .log_file = ""});
  if (!program.ok()) {
    return context_.FailUsage("demo", std::string(program.status().message()));
  }
  while (true) {
    if (const auto code = program->ExitCode()) {
      return *code;
    }
    // The terminal's Ctrl-C reaches the program by itself; what is sent to kvctl only is passed on.
    const int number = signals_.Wait(kInterval);
    if (number == SIGTERM || number == SIGHUP) {
      program->Signal(number);
    }
  }
}

int Demo::WaitForTheEnd() {
  std::string told;
  int number = 0;
  while (number == 0) {
    number = signals_.Wait(std::chrono::milliseconds(500));
    const absl::Status alive = cluster_.CheckAlive();
    if (std::string message(alive.message()); message != told) {
      told = std::move(message);
      Say(told);
    }
  }
  Say(flags_.keep ? fmt::format("\nstopping; the nodes' data stays in {}", cluster_.folder())
                  : "\nstopping");
  return kExitDone;
}

int Demo::RunSteps() {
  Say(fmt::format("starting {} node{} …", flags_.nodes, flags_.nodes == 1 ? "" : "s"));
  if (const absl::Status status = cluster_.Start(flags_.nodes); !status.ok()) {
    return Fail(std::string(status.message()));
  }
  auto connected = client::Client::Connect({.endpoints = cluster_.endpoints()});
  if (!connected.ok()) {
    return Fail(std::string(connected.status().message()));
  }
  client_ = *std::move(connected);
  if (const Step end = WaitForNodes(/*ready=*/false)) {
    return *end;
  }
  Say("making them one cluster …");
  if (const Step end = Initialise()) {
    return *end;
  }
  Say(fmt::format("creating the keyspace {} and loading {} records …", kKeyspace, kRecords.size()));
  if (const Step end = Load()) {
    return *end;
  }
  client_.reset();
  if (!flags_.program.empty()) {
    return RunProgram();
  }
  Print();
  return WaitForTheEnd();
}

}  // namespace

int RunDemo(Context& context, const DemoFlags& flags) { return Demo(context, flags).RunSteps(); }

}  // namespace quorate::kvctl
