// status, once or again and again.
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <utility>

#include "fmt/chrono.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/duration.h"
#include "tools/kvctl/node_answers.h"
#include "tools/kvctl/partition_answers.h"
#include "tools/kvctl/policy_text.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

Json StatusJson(const NodeAnswers& answers, const NodeAnswers* before) {
  Json keyspaces = Json::array();
  for (const auto& keyspace : answers.state.keyspaces) {
    keyspaces.push_back(KeyspaceJson(keyspace));
  }
  return {{"cluster_id", answers.state.cluster_id},
          {"epoch", answers.state.epoch},
          {"meta_leader", MetaLeader(answers.state)},
          {"meta_nodes", NodesOf(answers.state.meta.replicas)},
          {"nodes", NodesJson(answers, before)},
          {"keyspaces", std::move(keyspaces)}};
}

// What a terminal shows.
std::string StatusText(const Context& context, const NodeAnswers& answers,
                       const NodeAnswers* before) {
  const uint64_t leader = MetaLeader(answers.state);
  return fmt::format("cluster {}, epoch {}, meta leader {}\n{}\n\n{}\n{}", answers.state.cluster_id,
                     answers.state.epoch, leader == 0 ? "unknown" : fmt::to_string(leader),
                     HealthLine(answers), NodeTable(answers, before).Aligned(context.colour()),
                     KeyspaceTable(answers.state.keyspaces).Aligned(false));
}

std::string Now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

// One answer after the other.
class Watch {
 public:
  Watch(Context& context, std::chrono::nanoseconds interval)
      : context_(context),
        interval_(interval),
        in_place_(context.format() == Format::kTable && isatty(STDOUT_FILENO) != 0) {}

  // Without a count until the process is ended. The exit code of the last answer, or of the first
  // when there was none.
  int Run(uint64_t count);

 private:
  void Show(const NodeAnswers& answers, const NodeAnswers& before);
  // From the upper left corner; each line and what is below clears what was there.
  void Redraw(const std::string& text);

  Context& context_;
  const std::chrono::nanoseconds interval_;
  const bool in_place_;
  bool first_ = true;
};

void Watch::Redraw(const std::string& text) {
  std::string screen = first_ ? "\x1b[2J\x1b[H" : "\x1b[H";
  for (const char byte : text) {
    screen += byte == '\n' ? "\x1b[K\n" : std::string(1, byte);
  }
  context_.Write(screen + "\x1b[J");
}

void Watch::Show(const NodeAnswers& answers, const NodeAnswers& before) {
  if (context_.json()) {
    Json json = {{"time", Now()}};
    json.update(StatusJson(answers, &before));
    context_.WriteLine(json);
  } else if (context_.format() == Format::kTable) {
    const std::string text =
        fmt::format("{}, every {:g} s\n{}", Now(), std::chrono::duration<double>(interval_).count(),
                    StatusText(context_, answers, &before));
    if (in_place_) {
      Redraw(text);
    } else {
      context_.Write((first_ ? "" : "\n") + text);
    }
  } else if (context_.format() == Format::kCsv) {
    const std::string csv = NodeTable(answers, &before).WithFirst("time", Now()).Csv();
    context_.Write(first_ ? csv : csv.substr(csv.find('\n') + 1));
  } else {
    context_.Write(first_ ? "" : "\n");
    context_.Print(NodeTable(answers, &before), {});
  }
  std::fflush(stdout);
}

int Watch::Run(uint64_t count) {
  NodeAnswers before;
  int code = kExitDone;
  for (uint64_t number = 1; std::ferror(stdout) == 0; ++number) {
    NodeAnswers answers;
    code = kExitDone;
    if (AskNodes(context_, "status", &answers, &code)) {
      Show(answers, before);
      before = std::move(answers);
      first_ = false;
    } else if (first_) {
      return code;
    }
    if (number == count) {
      break;
    }
    std::this_thread::sleep_for(interval_);
  }
  return code;
}

}  // namespace

int RunStatus(Context& context, const StatusFlags& flags) {
  if (flags.watch) {
    const auto interval = ParseDuration(flags.interval);
    if (!interval) {
      return context.FailUsage(
          "status",
          fmt::format("--watch: '{}' is not a time such as 2s, 500ms or 1m", flags.interval));
    }
    return Watch(context, *interval).Run(flags.count);
  }
  NodeAnswers answers;
  int code = kExitDone;
  if (!AskNodes(context, "status", &answers, &code)) {
    return code;
  }
  if (context.format() == Format::kTable) {
    context.Write(StatusText(context, answers, nullptr));
  } else {
    context.Print(NodeTable(answers), StatusJson(answers, nullptr));
  }
  return kExitDone;
}

}  // namespace quorate::kvctl
