#include "tools/kvctl/command_info.h"

#include <algorithm>

#include "nlohmann/json.hpp"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

Json FlagJson(const FlagInfo& flag) {
  return {{"name", flag.name},
          {"short_name", flag.short_name},
          {"value", flag.value},
          {"value_optional", flag.value_optional},
          {"help", flag.help},
          {"default", flag.standard},
          {"environment", flag.environment},
          {"choices", flag.choices}};
}

// Takes one word that begins with "-": a flag, with its value where it brings it along.
void ReadFlag(const std::string& word, TypedLine* line) {
  const size_t equals = word.find('=');
  const FlagInfo* flag = FindFlag(line->path, word.substr(0, equals));
  if (flag == nullptr && word[1] != '-' && word.size() > 2) {
    // "-ojson".
    flag = FindFlag(line->path, word.substr(0, 2));
    if (flag != nullptr && !flag->value.empty()) {
      line->flags[flag->name] = word.substr(2);
    }
    return;
  }
  if (flag == nullptr) {
    line->flags[word.substr(0, equals)] = "";
    return;
  }
  if (equals != std::string::npos) {
    line->flags[flag->name] = word.substr(equals + 1);
    return;
  }
  line->flags[flag->name] = "";
  line->open_flag = flag->value.empty() ? nullptr : flag;
}

}  // namespace

Json CommandJson(const CommandInfo& command) {
  Json arguments = Json::array();
  for (const ArgumentInfo& argument : command.arguments) {
    arguments.push_back({{"name", argument.name},
                         {"meaning", argument.meaning},
                         {"help", argument.help},
                         {"required", argument.required},
                         {"repeated", argument.repeated},
                         {"choices", argument.choices}});
  }
  Json flags = Json::array();
  std::transform(command.flags.begin(), command.flags.end(), std::back_inserter(flags), FlagJson);
  Json examples = Json::array();
  for (const Example& example : command.examples) {
    examples.push_back({{"line", example.line}, {"help", example.help}});
  }
  Json commands = Json::array();
  for (const CommandInfo& child : command.commands) {
    commands.push_back(CommandJson(child));
  }
  return {{"name", command.name},
          {"help", command.help},
          {"arguments", std::move(arguments)},
          {"flags", std::move(flags)},
          {"examples", std::move(examples)},
          {"commands", std::move(commands)}};
}

std::string TypedLine::command_name() const {
  std::string name;
  for (size_t i = 1; i < path.size(); ++i) {
    name += (i == 1 ? "" : " ") + path[i]->name;
  }
  return name;
}

const FlagInfo* FindFlag(const std::vector<const CommandInfo*>& path, std::string_view name) {
  for (auto command = path.rbegin(); command != path.rend(); ++command) {
    for (const FlagInfo& flag : (*command)->flags) {
      if (flag.name == name || (!flag.short_name.empty() && flag.short_name == name)) {
        return &flag;
      }
    }
  }
  return nullptr;
}

TypedLine ReadWords(const CommandInfo& root, const std::vector<std::string>& words) {
  TypedLine line;
  line.path = {&root};
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool looks_like_flag = word.size() > 1 && word[0] == '-' && !line.flags_ended;
    if (line.open_flag != nullptr && !(line.open_flag->value_optional && looks_like_flag)) {
      line.flags[line.open_flag->name] = word;
      line.open_flag = nullptr;
      continue;
    }
    line.open_flag = nullptr;
    if (looks_like_flag && word == "--") {
      line.flags_ended = true;
      continue;
    }
    if (looks_like_flag) {
      ReadFlag(word, &line);
      continue;
    }
    const auto& commands = line.command().commands;
    const auto child = std::find_if(commands.begin(), commands.end(),
                                    [&](const CommandInfo& each) { return each.name == word; });
    if (child != commands.end() && line.arguments.empty()) {
      line.path.push_back(&*child);
    } else {
      line.arguments.push_back(word);
      line.argument_places.push_back(i);
    }
  }
  return line;
}

}  // namespace quorate::kvctl
