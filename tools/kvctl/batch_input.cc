#include "tools/kvctl/batch_input.h"

#include <limits>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;
using Kind = client::BatchOperation::Kind;

absl::Status Invalid(const std::string& why) { return absl::InvalidArgumentError(why); }

absl::StatusOr<Kind> TakeKind(const Json& json) {
  const auto op = json.find("op");
  if (op != json.end()) {
    for (const auto& [name, kind] :
         {std::pair("get", Kind::kGet), std::pair("put", Kind::kPut),
          std::pair("del", Kind::kDelete), std::pair("increment", Kind::kIncrement)}) {
      if (*op == name) {
        return kind;
      }
    }
  }
  return Invalid(R"("op" must be "get", "put", "del" or "increment")");
}

// Fields by which operations know them.
bool Allows(Kind kind, const std::string& field) {
  if (field == "op" || field == "key" || field == "key_b64") {
    return true;
  }
  if (field == "if_version") {
    return kind == Kind::kPut || kind == Kind::kDelete;
  }
  if (field == "delta") {
    return kind == Kind::kIncrement;
  }
  return kind == Kind::kPut && (field == "value" || field == "value_b64" || field == "if_absent");
}

// As `incr`: one more when not given.
absl::StatusOr<int64_t> TakeDelta(const Json& json) {
  const auto delta = json.find("delta");
  if (delta == json.end()) {
    return 1;
  }
  // Beyond the range the parser makes a floating or an unsigned number of it.
  if (!delta->is_number_integer() ||
      (delta->is_number_unsigned() &&
       delta->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})) {
    return Invalid(R"("delta" is not an integer of 64 bits)");
  }
  return delta->get<int64_t>();
}

absl::Status TakeCondition(const Json& json, client::Condition* condition) {
  if (const auto absent = json.find("if_absent"); absent != json.end()) {
    if (*absent != true) {
      return Invalid(R"("if_absent" must be true when given)");
    }
    condition->if_absent = true;
  }
  if (const auto version = json.find("if_version"); version != json.end()) {
    if (version->is_string()) {
      condition->if_version = client::Version::FromHex(version->get_ref<const std::string&>());
    }
    if (!condition->if_version) {
      return Invalid(R"("if_version" is not 32 hexadecimal digits)");
    }
  }
  return condition->if_absent && condition->if_version
             ? Invalid(R"("if_absent" and "if_version" exclude each other)")
             : absl::OkStatus();
}

}  // namespace

absl::StatusOr<client::BatchOperation> ParseBatchLine(std::string_view line) {
  Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return Invalid("not a JSON object");
  }
  const auto kind = TakeKind(json);
  if (!kind.ok()) {
    return kind.status();
  }
  for (const auto& [name, value] : json.items()) {
    if (!Allows(*kind, name)) {
      return Invalid(
          fmt::format("field \"{}\" is unknown, or has no meaning for this \"op\"", name));
    }
  }
  client::BatchOperation operation;
  operation.kind = *kind;
  auto key = TakeBytes(json, "key");
  if (!key.ok()) {
    return key.status();
  }
  operation.key = *std::move(key);
  if (*kind == Kind::kPut) {
    auto value = TakeBytes(json, "value");
    if (!value.ok()) {
      return value.status();
    }
    operation.value = *std::move(value);
  }
  if (*kind == Kind::kIncrement) {
    const auto delta = TakeDelta(json);
    if (!delta.ok()) {
      return delta.status();
    }
    operation.delta = *delta;
  }
  if (absl::Status status = TakeCondition(json, &operation.condition); !status.ok()) {
    return status;
  }
  return operation;
}

absl::StatusOr<client::BatchOperations> ReadBatch(std::istream& in) {
  client::BatchOperations operations;
  std::string text;
  for (uint64_t line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    auto operation = ParseBatchLine(text);
    if (!operation.ok()) {
      return Invalid(fmt::format("line {}: {}", line, std::string(operation.status().message())));
    }
    operations.Add(*std::move(operation));
    if (operations.all().size() > client::kBatchOperationsMax ||
        operations.bytes() > client::kBatchBytesMax) {
      return Invalid(
          fmt::format("line {}: a batch has at most {} operations and {} bytes of keys and "
                      "values",
                      line, client::kBatchOperationsMax, client::kBatchBytesMax));
    }
  }
  if (in.bad()) {
    return Invalid("the input cannot be read");
  }
  return operations;
}

}  // namespace quorate::kvctl
