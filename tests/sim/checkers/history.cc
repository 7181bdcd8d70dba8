#include "tests/sim/checkers/history.h"

#include <fmt/format.h>

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace quorate::sim {
namespace {

const char* OpName(HistoryOp op) {
  switch (op) {
    case HistoryOp::kRead:
      return "read";
    case HistoryOp::kWrite:
      return "write";
    case HistoryOp::kDelete:
      return "delete";
    case HistoryOp::kCas:
      return "cas";
  }
  return "?";
}

const char* EndName(HistoryEnd end) {
  switch (end) {
    case HistoryEnd::kOk:
      return "ok";
    case HistoryEnd::kFail:
      return "fail";
    default:
      return "info";
  }
}

template <class T, class Name>
std::optional<T> Named(const std::string& name, std::initializer_list<T> all, Name name_of) {
  for (const T each : all) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

std::optional<std::string> TextOf(const nlohmann::json& value) {
  return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

nlohmann::json ValueOf(const std::optional<std::string>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json Line(const HistoryEntry& entry, const std::string& keyspace, bool is_end) {
  nlohmann::json value = nullptr;
  if (entry.op == HistoryOp::kCas) {
    value = {ValueOf(entry.expected), ValueOf(entry.value)};
  } else if (entry.op == HistoryOp::kWrite ||
             (entry.op == HistoryOp::kRead && is_end && entry.outcome == HistoryEnd::kOk)) {
    value = ValueOf(entry.value);
  }
  return {{"process", entry.process},
          {"type", is_end ? EndName(entry.outcome) : "invoke"},
          {"f", OpName(entry.op)},
          {"keyspace", keyspace},
          {"key", entry.key},
          {"value", value},
          {"time", (is_end ? entry.end : entry.begin).count()}};
}

}  // namespace

size_t History::Invoke(uint64_t process, const std::string& key, HistoryOp op,
                       std::optional<std::string> expected, std::optional<std::string> value,
                       std::chrono::nanoseconds now) {
  entries_.push_back({.process = process,
                      .key = key,
                      .op = op,
                      .expected = std::move(expected),
                      .value = std::move(value),
                      .begin = now});
  return entries_.size() - 1;
}

void History::Ok(size_t operation, std::optional<std::string> read, std::chrono::nanoseconds now) {
  HistoryEntry& entry = entries_.at(operation);
  if (entry.op == HistoryOp::kRead) entry.value = std::move(read);
  entry.outcome = HistoryEnd::kOk;
  entry.end = now;
}

void History::Fail(size_t operation, std::chrono::nanoseconds now) {
  entries_.at(operation).outcome = HistoryEnd::kFail;
  entries_.at(operation).end = now;
}

void History::Info(size_t operation, std::chrono::nanoseconds now) {
  entries_.at(operation).outcome = HistoryEnd::kInfo;
  entries_.at(operation).end = now;
}

void History::WriteJsonLines(const std::string& keyspace, std::ostream& out) const {
  std::multimap<std::chrono::nanoseconds, std::string> lines;
  for (const HistoryEntry& entry : entries_) {
    lines.emplace(entry.begin, Line(entry, keyspace, false).dump());
    if (entry.outcome != HistoryEnd::kOpen) {
      lines.emplace(entry.end, Line(entry, keyspace, true).dump());
    }
  }
  for (const auto& [time, line] : lines) out << line << "\n";
}

std::optional<History> History::ReadJsonLines(std::istream& in) {
  History history;
  std::map<uint64_t, size_t> under_way;  // by process
  for (std::string text; std::getline(in, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("process") || !line["process"].is_number_unsigned() ||
        !line.contains("time") || !line["time"].is_number_integer()) {
      return std::nullopt;
    }
    const uint64_t process = line["process"].get<uint64_t>();
    const std::chrono::nanoseconds time(line["time"].get<int64_t>());
    const std::string type = line.value("type", "");
    const nlohmann::json value = line.value("value", nlohmann::json());
    if (type == "invoke") {
      const auto op =
          Named(line.value("f", ""),
                {HistoryOp::kRead, HistoryOp::kWrite, HistoryOp::kDelete, HistoryOp::kCas}, OpName);
      const bool is_cas = op == HistoryOp::kCas;
      if (!op || under_way.contains(process) || (is_cas && value.size() != 2)) return std::nullopt;
      under_way[process] = history.Invoke(process, line.value("key", ""), *op,
                                          is_cas ? TextOf(value[0]) : std::nullopt,
                                          is_cas ? TextOf(value[1]) : TextOf(value), time);
      continue;
    }
    const auto end = Named(type, {HistoryEnd::kOk, HistoryEnd::kFail, HistoryEnd::kInfo}, EndName);
    const auto begun = under_way.extract(process);
    if (!end || begun.empty()) return std::nullopt;
    if (*end == HistoryEnd::kOk) history.Ok(begun.mapped(), TextOf(value), time);
    if (*end == HistoryEnd::kFail) history.Fail(begun.mapped(), time);
    if (*end == HistoryEnd::kInfo) history.Info(begun.mapped(), time);
  }
  return history;
}

std::string Describe(const HistoryEntry& entry) {
  const auto show = [](const std::optional<std::string>& value) {
    return value.value_or("absent");
  };
  std::string what = fmt::format("{} {}", OpName(entry.op), entry.key);
  if (entry.op == HistoryOp::kCas) {
    what += fmt::format(" {} -> {}", show(entry.expected), show(entry.value));
  } else if (entry.op == HistoryOp::kWrite || entry.outcome == HistoryEnd::kOk) {
    if (entry.op != HistoryOp::kDelete) what += " = " + show(entry.value);
  }
  const auto in_seconds = [](std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  return fmt::format("{} by {}, {:.4f} s – {:.4f} s, {}", what, entry.process,
                     in_seconds(entry.begin), in_seconds(entry.end), EndName(entry.outcome));
}

}  // namespace quorate::sim
