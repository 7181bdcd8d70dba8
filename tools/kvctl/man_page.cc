#include "tools/kvctl/man_page.h"

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "tools/kvctl/exit_code.h"
#include "tools/man/roff.h"

namespace quorate::kvctl {
namespace {

std::string FlagTerm(const FlagInfo& flag) {
  std::string term = flag.short_name.empty() ? flag.name : flag.short_name + ", " + flag.name;
  if (!flag.value.empty()) {
    term += flag.value_optional ? fmt::format(" [{}]", flag.value) : " " + flag.value;
  }
  return term;
}

std::string FlagText(const FlagInfo& flag) {
  std::string text = flag.help;
  if (!flag.standard.empty()) {
    text += fmt::format(" (default: {})", flag.standard);
  }
  return text;
}

// The parser's own --help stands with the global flags only.
bool IsHelp(const FlagInfo& flag) { return flag.name.starts_with("--help"); }

void AddCommands(const CommandInfo& command, const std::string& name, man::RoffPage* page) {
  for (const CommandInfo& child : command.commands) {
    AddCommands(child, name + " " + child.name, page);
  }
  if (!command.commands.empty()) {
    return;
  }
  page->Subsection(Synopsis(command, name));
  page->Paragraph(command.help + ".");
  for (const ArgumentInfo& argument : command.arguments) {
    if (!argument.help.empty()) {
      page->Item(argument.name, argument.help);
    }
  }
  for (const FlagInfo& flag : command.flags) {
    if (!IsHelp(flag)) {
      page->Item(FlagTerm(flag), FlagText(flag));
    }
  }
  for (const Example& example : command.examples) {
    page->Paragraph(fmt::format("Example: {}:", example.help));
    page->Literal(example.line);
  }
}

void AddEnvironment(man::RoffPage* page) {
  page->Section("Environment");
  page->Paragraph(
      "Each flag can be set by a variable: --some-flag by KVCTL_SOME_FLAG. The command line goes "
      "before the environment, the environment before the context, and the context before the "
      "defaults.");
  page->Item("NO_COLOR", "When it is not empty, nothing is coloured.");
  page->Item("XDG_CONFIG_HOME", "The folder of kvctl/config.toml; ~/.config when not set.");
}

void AddFiles(man::RoffPage* page) {
  page->Section("Files");
  page->Item("~/.config/kvctl/config.toml",
             "The contexts: named sets of settings, in TOML. kvctl context set writes it.");
  page->Literal(
      "current = \"prod\"\n"
      "\n"
      "[context.prod]\n"
      "endpoints = [\"10.0.0.1:7400\", \"10.0.0.2:7400\"]\n"
      "timeout = \"10s\"\n"
      "output = \"json\"\n"
      "keyspace = \"orders\"");
}

}  // namespace

std::string Synopsis(const CommandInfo& command, const std::string& name) {
  std::string text = name;
  bool options = false;
  for (const FlagInfo& flag : command.flags) {
    options = options || !IsHelp(flag);
  }
  text += options ? " [OPTION…]" : "";
  for (const ArgumentInfo& argument : command.arguments) {
    const std::string shown = argument.name + (argument.repeated ? "…" : "");
    text += argument.required ? " " + shown : fmt::format(" [{}]", shown);
  }
  return text;
}

std::string ManPage(const CommandInfo& root) {
  man::RoffPage page("kvctl", 1, QUORATE_VERSION, "talks to a Quorate cluster");
  page.Section("Synopsis");
  page.Literal("kvctl [OPTION…] COMMAND …");
  page.Section("Description");
  page.Paragraph(
      "Results go to standard output, everything else to standard error. Keys and values are "
      "bytes: @FILE is a file's bytes, - what comes from standard input, and @@ at the beginning "
      "one @; with --hex or --base64 they are typed and printed so.");
  page.Paragraph("Options may stand before or after the command; -- ends them.");
  page.Section("Options");
  for (const FlagInfo& flag : root.flags) {
    page.Item(FlagTerm(flag), FlagText(flag));
  }
  page.Section("Commands");
  AddCommands(root, "kvctl", &page);
  page.Section("Exit status");
  for (const ExitCodeInfo& code : ExitCodeTable()) {
    page.Item(fmt::to_string(code.code), code.help);
  }
  AddEnvironment(&page);
  AddFiles(&page);
  page.Section("See also");
  page.Paragraph("kvd(8)");
  return page.text();
}

}  // namespace quorate::kvctl
