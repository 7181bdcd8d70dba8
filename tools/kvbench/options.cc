#include "tools/kvbench/options.h"

#include <CLI/CLI.hpp>
#include <map>

namespace quorate::kvbench {
namespace {

constexpr int kExitUsage = 2;
constexpr size_t kClientsMax = 100'000;
constexpr size_t kKeysMax = 10'000'000;
constexpr size_t kValueBytesMax = size_t{16} << 20;

const std::map<std::string, TargetKind> kTargets = {
    {"quorate", TargetKind::kQuorate}, {"echo", TargetKind::kEcho}, {"etcd", TargetKind::kEtcd}};
const std::map<std::string, OperationKind> kOperations = {{"get", OperationKind::kGet},
                                                          {"put", OperationKind::kPut}};
const std::map<std::string, bool> kOutputs = {{"text", false}, {"json", true}};

// Seconds with a fraction, as they stand on the command line.
struct Seconds {
  double warm_up = 1;
  double duration = 5;
};

std::chrono::nanoseconds ToDuration(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

void AddCommon(CLI::App* app, Options* options) {
  app->add_option("--target", options->target, "what kind of servers these are")
      ->transform(CLI::Transformer(kTargets))
      ->option_text("quorate|echo|etcd")
      ->required();
  app->add_option("--endpoints", options->endpoints, "host:port of the servers")
      ->delimiter(',')
      ->required();
  app->add_option("--keyspace", options->keyspace, "Quorate's keyspace")->capture_default_str();
  app->add_option("--clients", options->clients, "requests in flight")
      ->check(CLI::Range(size_t{1}, kClientsMax))
      ->capture_default_str();
  app->add_option("--connections", options->connections, "connections to each server")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app->add_option("--keys", options->keys, "different keys, of 16 bytes each")
      ->check(CLI::Range(size_t{1}, kKeysMax))
      ->capture_default_str();
  app->add_option("--value-bytes", options->value_bytes, "length of each value")
      ->check(CLI::Range(size_t{0}, kValueBytesMax))
      ->capture_default_str();
  app->add_option("--seed", options->seed, "decides the order of keys")->capture_default_str();
  app->add_option("--output", options->json, "one line of JSON, or text (the default)")
      ->transform(CLI::Transformer(kOutputs))
      ->option_text("text|json");
}

void AddRun(CLI::App* app, Options* options, Seconds* seconds) {
  AddCommon(app, options);
  app->add_option("--operation", options->operation, "what is asked of them")
      ->transform(CLI::Transformer(kOperations))
      ->option_text("get|put")
      ->required();
  app->add_option("--warm-up", seconds->warm_up, "seconds that are not counted")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app->add_option("--seconds", seconds->duration, "seconds that are counted")
      ->check(CLI::Range(0.01, 86'400.0))
      ->capture_default_str();
  app->add_option("--server-pids", options->server_pids,
                  "processes of this machine whose processor time is told")
      ->delimiter(',');
}

}  // namespace

std::optional<Options> ParseCommandLine(int argc, const char* const* argv, int* exit_code) {
  Options options;
  Seconds seconds;
  CLI::App app(
      "Measures a key-value server: so many requests in flight, each followed by the next.",
      "kvbench");
  app.require_subcommand(1);
  CLI::App* load = app.add_subcommand("load", "Writes every key once.");
  CLI::App* run = app.add_subcommand("run", "Reads or writes random keys and tells how fast.");
  CLI::App* echo = app.add_subcommand(
      "echo-server", "Answers calls of target echo with what they carry, until SIGTERM.");
  AddCommon(load, &options);
  AddRun(run, &options, &seconds);
  echo->add_option("--listen", options.listen, "host:port; port 0 takes a free one")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error) == 0 ? 0 : kExitUsage;
    return std::nullopt;
  }
  options.command = load->parsed()   ? Command::kLoad
                    : echo->parsed() ? Command::kEchoServer
                                     : Command::kRun;
  options.warm_up = ToDuration(seconds.warm_up);
  options.duration = ToDuration(seconds.duration);
  return options;
}

}  // namespace quorate::kvbench
