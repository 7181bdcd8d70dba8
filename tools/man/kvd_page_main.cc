// Prints kvd's manual page, made from the table that its parser and its --help are made from.
#include <cstdio>

#include "fmt/format.h"
#include "server/node_options.h"
#include "tools/man/roff.h"

namespace quorate {
namespace {

std::string KvdPage() {
  man::RoffPage page("kvd", 8, QUORATE_VERSION, "a node of a Quorate cluster");
  page.Section("Synopsis");
  page.Literal("kvd --data-dir DIR [OPTION…]");
  page.Section("Description");
  page.Paragraph(
      "A node keeps copies of keyspaces' partitions in its data folder, serves clients, and talks "
      "to the other nodes of its cluster. SIGTERM and SIGINT end it in good order, with exit "
      "status 0; the folder is safe at every instant.");
  page.Paragraph(
      "The first cluster: start each node with --join naming the others' peer addresses, then run "
      "kvctl init once.");
  page.Section("Options");
  for (const KvdOptionInfo& option : KvdOptionTable()) {
    page.Item(
        fmt::format("--{}{}{}", option.name, option.value.empty() ? "" : " ", option.value),
        fmt::format("{}{}", option.help,
                    option.standard.empty() ? "" : fmt::format(" Default: {}.", option.standard)));
  }
  page.Section("Exit status");
  page.Item("0", "Stopped in good order.");
  page.Item("1", "Refused to start, or failed; the reason stands in the log.");
  page.Item("2", "The command line or the configuration file is wrong.");
  page.Section("Environment");
  page.Paragraph(
      "Each option can be set by a variable: --data-dir by KVD_DATA_DIR; a switch is true or "
      "false, "
      "lists have commas. The command line goes before the environment, and that before the file.");
  page.Section("Files");
  page.Paragraph(
      "The file of --config is TOML: the options without their dashes, with values in quotes. "
      "kvd --print-config prints one with every key.");
  page.Section("See also");
  page.Paragraph("kvctl(1)");
  return page.text();
}

}  // namespace
}  // namespace quorate

int main() {
  const std::string page = quorate::KvdPage();
  const bool written = std::fwrite(page.data(), 1, page.size(), stdout) == page.size();
  return written && std::fflush(stdout) == 0 ? 0 : 1;
}
