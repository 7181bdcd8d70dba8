#include "tools/kvctl/record.h"

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/encoding.h"

namespace quorate::kvctl {

absl::StatusOr<std::string> TakeBytes(nlohmann::ordered_json& json, const std::string& name) {
  const auto text = json.find(name);
  const auto base64 = json.find(name + "_b64");
  if (text != json.end() && base64 != json.end()) {
    return absl::InvalidArgumentError(
        fmt::format("both \"{}\" and \"{}_b64\" are given", name, name));
  }
  if (text == json.end() && base64 == json.end()) {
    return absl::InvalidArgumentError(
        fmt::format("neither \"{}\" nor \"{}_b64\" is given", name, name));
  }
  const auto given = text != json.end() ? text : base64;
  if (!given->is_string()) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not a string", given.key()));
  }
  if (text != json.end()) {
    return std::move(given->get_ref<std::string&>());
  }
  auto bytes = FromBase64(given->get_ref<const std::string&>());
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}_b64\" is {}", name, std::string(bytes.status().message())));
  }
  return bytes;
}

void SetBytes(nlohmann::ordered_json& json, const std::string& name, std::string_view bytes,
              bool base64) {
  if (!base64 && IsUtf8(bytes)) {
    json[name] = bytes;
  } else {
    json[name + "_b64"] = ToBase64(bytes);
  }
}

std::string RecordLine(const Record& record) {
  nlohmann::ordered_json json;
  SetBytes(json, "key", record.key);
  SetBytes(json, "value", record.value);
  return json.dump();
}

absl::StatusOr<Record> ParseRecord(std::string_view line) {
  nlohmann::ordered_json json =
      nlohmann::ordered_json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  for (const auto& [name, value] : json.items()) {
    if (name != "key" && name != "key_b64" && name != "value" && name != "value_b64" &&
        name != "version") {
      return absl::InvalidArgumentError(fmt::format("unknown field \"{}\"", name));
    }
  }
  auto key = TakeBytes(json, "key");
  if (!key.ok()) {
    return key.status();
  }
  auto value = TakeBytes(json, "value");
  if (!value.ok()) {
    return value.status();
  }
  return Record{.key = *std::move(key), .value = *std::move(value)};
}

}  // namespace quorate::kvctl
