#include "server/node_options_config.h"

#include <fmt/format.h>

#include <optional>

#define TOML_EXCEPTIONS 0
// The parser asserts what some damaged files break ("[" and a zero byte), and answers with an error
// right behind it. A file is no reason to abort.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace quorate {
namespace {

std::optional<std::string> ScalarText(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::vector<ConfigKey>> ReadConfigKeys(const std::string& config,
                                                      const std::string& source) {
  const toml::parse_result parsed = toml::parse(std::string_view(config));
  if (!parsed) {
    return absl::InvalidArgumentError(fmt::format("{}:{}: not TOML: {}", source,
                                                  parsed.error().source().begin.line,
                                                  std::string(parsed.error().description())));
  }
  std::vector<ConfigKey> keys;
  for (const auto& [name, node] : parsed.table()) {
    ConfigKey key;
    key.name = std::string(name.str());
    key.line = static_cast<int>(node.source().begin.line);
    bool readable = true;
    const auto add = [&](const toml::node& value) {
      const auto text = ScalarText(value);
      readable = readable && text.has_value();
      key.values.push_back(text.value_or(""));
    };
    if (const auto* list = node.as_array()) {
      for (const toml::node& value : *list) add(value);
    } else {
      add(node);
    }
    if (!readable) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: {}: write text in quotes, a whole number, true, false, or a list of "
                      "them; sections are not used",
                      source, key.line, key.name));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace quorate
