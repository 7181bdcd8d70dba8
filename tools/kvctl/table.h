// Rows and columns as text.
#ifndef TOOLS_KVCTL_TABLE_H_
#define TOOLS_KVCTL_TABLE_H_

#include <string>
#include <vector>

namespace quorate::kvctl {

// Every row has as many cells as there are columns.
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  // For a terminal: aligned, two spaces between columns, head in capitals. Line ends and tabs in
  // cells are shown as "\n" and "\t".
  [[nodiscard]] std::string Aligned() const;
  // For a pipe: tabs between cells, a head, no padding; cells as Aligned shows them.
  [[nodiscard]] std::string Tabbed(bool head) const;
  // RFC 4180.
  [[nodiscard]] std::string Csv() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_TABLE_H_
