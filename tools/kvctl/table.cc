#include "tools/kvctl/table.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string_view>

namespace quorate::kvctl {
namespace {

std::string OneLine(std::string_view cell) {
  std::string out;
  for (const char byte : cell) {
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '\r') {
      out += "\\r";
    } else {
      out += byte;
    }
  }
  return out;
}

// Characters, taking each UTF-8 sequence as one.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xc0) != 0x80;
  }));
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string CsvCell(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) {
    return cell;
  }
  std::string out = "\"";
  for (const char byte : cell) {
    out += byte;
    if (byte == '"') {
      out += byte;
    }
  }
  return out + "\"";
}

}  // namespace

Table Table::WithFirst(const std::string& column, const std::string& value) const {
  Table wider = *this;
  wider.columns_.insert(wider.columns_.begin(), column);
  for (auto& row : wider.rows_) {
    row.insert(row.begin(), value);
  }
  return wider;
}

std::string Table::Aligned(bool colour) const {
  std::vector<std::vector<std::string>> lines;
  lines.emplace_back();
  for (const std::string& column : columns_) {
    lines[0].push_back(Upper(column));
  }
  for (const auto& row : rows_) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& cell : row) {
      line.push_back(OneLine(cell));
    }
  }
  std::vector<size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], Width(line[i]));
    }
  }
  std::string out;
  for (size_t number = 0; number < lines.size(); ++number) {
    const auto& line = lines[number];
    const Mark mark = number == 0 || !colour ? Mark::kNone : marks_[number - 1];
    out += mark == Mark::kNone ? "" : mark == Mark::kBad ? "\x1b[31m" : "\x1b[33m";
    for (size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) {
        out.append(widths[i] - Width(line[i]) + 2, ' ');
      }
    }
    out += mark == Mark::kNone ? "\n" : "\x1b[0m\n";
  }
  return out;
}

std::string Table::Tabbed(bool head) const {
  std::string out;
  const auto add = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      out += i == 0 ? "" : "\t";
      out += OneLine(cells[i]);
    }
    out += '\n';
  };
  if (head) {
    add(columns_);
  }
  for (const auto& row : rows_) {
    add(row);
  }
  return out;
}

std::string Table::Csv() const {
  std::string out;
  const auto add = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) {
      out += i == 0 ? "" : ",";
      out += CsvCell(cells[i]);
    }
    out += "\r\n";
  };
  add(columns_);
  for (const auto& row : rows_) {
    add(row);
  }
  return out;
}

}  // namespace quorate::kvctl
