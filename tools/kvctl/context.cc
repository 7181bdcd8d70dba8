#include "tools/kvctl/context.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// Names from the outside may hold any bytes; a report must not fail over them.
std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Context::Context(GlobalOptions options) : options_(std::move(options)) {
  if (options_.format == Format::kAuto) {
    options_.format = isatty(STDOUT_FILENO) != 0 ? Format::kTable : Format::kPlain;
  }
}

bool Context::json() const { return format() == Format::kJson || format() == Format::kJsonl; }

bool Context::colour() const {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  return isatty(STDOUT_FILENO) != 0 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

client::AdminOptions Context::admin_options() const {
  return {.timeout = options_.timeout, .dry_run = false};
}

client::Client* Context::Connect(std::string_view command) {
  if (client_ == nullptr) {
    auto client = client::Client::Connect({.endpoints = options_.endpoints});
    if (!client.ok()) {
      FailUsage(command, std::string(client.status().message()));
      return nullptr;
    }
    client_ = *std::move(client);
  }
  return client_.get();
}

void Context::Print(const Table& table, const Json& json, std::string_view list) {
  switch (format()) {
    case Format::kAuto:
    case Format::kTable:
      Write(table.Aligned(colour()));
      return;
    case Format::kPlain:
      Write(table.Tabbed(/*head=*/true));
      return;
    case Format::kRaw:
      Write(table.Tabbed(/*head=*/false));
      return;
    case Format::kCsv:
      Write(table.Csv());
      return;
    case Format::kJson:
      Write(Dump(json, 2) + "\n");
      return;
    case Format::kJsonl:
      break;
  }
  if (list.empty()) {
    Write(Dump(json, -1) + "\n");
    return;
  }
  for (const auto& row : json[std::string(list)]) {
    Write(Dump(row, -1) + "\n");
  }
}

void Context::Write(std::string_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), stdout); }

void Context::WriteLine(const Json& json) { Write(Dump(json, -1) + "\n"); }

int Context::Fail(std::string_view command, const client::Result& result) {
  return Report(command, result, "");
}

int Context::Fail(std::string_view command, const client::WriteResult& result) {
  const bool useful = result.outcome == client::Outcome::kUnknown && result.request_id;
  return Report(command, result, useful ? result.request_id->ToString() : "");
}

int Context::Report(std::string_view command, const client::Result& result,
                    const std::string& request_id) {
  const ExitCode code = ExitCodeOf(result);
  const std::string message(result.status.message());
  ReportError(json(), command, code, ReasonName(result.reason), OutcomeName(result.outcome),
              message, request_id);
  return code;
}

int Context::FailUsage(std::string_view command, std::string_view message) {
  return FailAs(command, kExitUsage, "usage", message);
}

int Context::FailAs(std::string_view command, ExitCode code, std::string_view reason,
                    std::string_view message) {
  ReportError(json(), command, code, reason, "not-done", message, "");
  return code;
}

void ReportError(bool as_json, std::string_view command, ExitCode code, std::string_view reason,
                 std::string_view outcome, std::string_view message,
                 const std::string& request_id) {
  if (as_json) {
    Json error = {{"command", command},
                  {"exit_code", static_cast<int>(code)},
                  {"reason", reason},
                  {"outcome", outcome},
                  {"message", message}};
    if (!request_id.empty()) {
      error["request_id"] = request_id;
    }
    fmt::print(stderr, "{}\n", Dump({{"error", error}}, -1));
    return;
  }
  fmt::print(stderr, "kvctl{}{}: {}\n", command.empty() ? "" : " ", command, message);
  if (code == kExitUnknown) {
    fmt::print(stderr, "outcome unknown: it may have been applied, or may be applied later\n");
  }
  if (!request_id.empty()) {
    fmt::print(stderr, "repeat it safely with: --request-id {}\n", request_id);
  }
}

}  // namespace quorate::kvctl
