// batch.
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/batch_input.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;
using Kind = client::BatchOperation::Kind;

const char* OpName(Kind kind) {
  return kind == Kind::kGet      ? "get"
         : kind == Kind::kPut    ? "put"
         : kind == Kind::kDelete ? "del"
                                 : "increment";
}

// An absent key is an answer, not a failure.
bool Served(const client::BatchOperationResult& result) {
  return result.ok() || result.reason == client::Reason::kKeyNotFound;
}

Json ResultJson(const client::BatchOperation& operation, const client::BatchOperationResult& result,
                bool base64) {
  Json json = {{"op", OpName(operation.kind)}};
  SetBytes(json, "key", operation.key, base64);
  json["outcome"] = OutcomeName(result.outcome);
  if (result.ok()) {
    json["version"] = result.version.ToHex();
    if (operation.kind == Kind::kGet) {
      SetBytes(json, "value", result.value, base64);
    } else if (operation.kind == Kind::kDelete) {
      json["existed"] = result.existed;
    } else if (operation.kind == Kind::kIncrement) {
      json["value"] = result.number;
    }
    return json;
  }
  json["reason"] = ReasonName(result.reason);
  json["message"] = std::string(result.status.message());
  if (result.reason == client::Reason::kConditionFalse) {
    json["current_version"] =
        result.current_version ? Json(result.current_version->ToHex()) : Json(nullptr);
  }
  if (result.outcome == client::Outcome::kUnknown && result.request_id) {
    json["request_id"] = result.request_id->ToString();
  }
  return json;
}

std::vector<std::string> ResultRow(const Context& context, const client::BatchOperation& operation,
                                   const client::BatchOperationResult& result) {
  const Encoding encoding = context.options().encoding;
  const auto text = [&](const std::string& bytes) {
    return encoding == Encoding::kText && context.format() == Format::kTable
               ? Printable(bytes)
               : Encode(bytes, encoding);
  };
  std::string detail = result.ok() ? "" : std::string(ReasonName(result.reason));
  if (result.outcome == client::Outcome::kUnknown && result.request_id) {
    detail += " --request-id " + result.request_id->ToString();
  } else if (result.ok() && operation.kind == Kind::kDelete) {
    detail = result.existed ? "existed" : "did not exist";
  }
  return {OpName(operation.kind),
          text(operation.key),
          std::string(OutcomeName(result.outcome)),
          result.ok() ? result.version.ToHex() : "",
          result.ok() && operation.kind == Kind::kIncrement ? fmt::format("{}", result.number)
                                                            : text(result.value),
          detail};
}

int Print(Context& context, const client::BatchOperations& operations,
          const client::BatchResult& result) {
  const bool base64 = context.options().encoding == Encoding::kBase64;
  Table table({"op", "key", "outcome", "version", "value", "detail"});
  Json results = Json::array();
  size_t failed = 0;
  for (size_t i = 0; i < result.operations.size(); ++i) {
    failed += Served(result.operations[i]) ? 0 : 1;
    table.Add(ResultRow(context, operations.all()[i], result.operations[i]));
    results.push_back(ResultJson(operations.all()[i], result.operations[i], base64));
  }
  context.Print(table, {{"outcome", OutcomeName(result.outcome)}, {"results", results}}, "results");
  if (result.ok()) {
    return kExitDone;
  }
  client::WriteResult whole;
  static_cast<client::Result&>(whole) = result;
  whole.request_id = result.request_id;
  whole.status =
      absl::Status(result.status.code(),
                   fmt::format("{} of {} operations are not done; the first: {}", failed,
                               result.operations.size(), std::string(result.status.message())));
  return context.Fail("batch", whole);
}

}  // namespace

int RunBatch(Context& context, const BatchFlags& flags) {
  std::ifstream file;
  if (flags.file != "-") {
    file.open(flags.file, std::ios::binary);
    if (!file.is_open()) {
      return context.FailUsage("batch", "cannot read " + flags.file);
    }
  }
  const auto operations = ReadBatch(flags.file == "-" ? std::cin : file);
  if (!operations.ok()) {
    return context.FailUsage("batch", std::string(operations.status().message()));
  }
  client::BatchOptions options;
  options.timeout = context.options().timeout;
  options.atomic = flags.atomic;
  if (!flags.request_id.empty()) {
    options.request_id = client::RequestId::Parse(flags.request_id);
    if (!options.request_id) {
      return context.FailUsage("batch", "--request-id: not as kvctl prints it");
    }
  }
  client::Client* client = context.Connect("batch");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto result = client->UncheckedKeyspace(flags.keyspace).Batch(*operations, options);
  if (result.operations.empty()) {
    return context.Fail("batch", result);
  }
  return Print(context, *operations, result);
}

}  // namespace quorate::kvctl
