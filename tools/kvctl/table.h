// Rows and columns as text.
#ifndef TOOLS_KVCTL_TABLE_H_
#define TOOLS_KVCTL_TABLE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace quorate::kvctl {

// Every row has as many cells as there are columns.
class Table {
 public:
  // What a row is about, for a terminal with colours.
  enum class Mark : uint8_t { kNone, kWarning, kBad };

  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  void Add(std::vector<std::string> row, Mark mark = Mark::kNone) {
    rows_.push_back(std::move(row));
    marks_.push_back(mark);
  }
  // The same with one more column, the first, that says `value` in each row.
  [[nodiscard]] Table WithFirst(const std::string& column, const std::string& value) const;

  // For a terminal: aligned, two spaces between columns, head in capitals. Line ends and tabs in
  // cells are shown as "\n" and "\t". `colour`: marked rows are coloured.
  [[nodiscard]] std::string Aligned(bool colour = false) const;
  // For a pipe: tabs between cells, a head, no padding; cells as Aligned shows them.
  [[nodiscard]] std::string Tabbed(bool head) const;
  // RFC 4180.
  [[nodiscard]] std::string Csv() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<Mark> marks_;  // as rows_
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_TABLE_H_
