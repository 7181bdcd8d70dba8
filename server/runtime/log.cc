#include "server/runtime/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>

namespace quorate {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};
constexpr char kPattern[] = "time=%Y-%m-%dT%H:%M:%S.%fZ %v";

std::atomic<LogLevel> g_level{LogLevel::kWarning};

struct Target {
  std::shared_ptr<spdlog::logger> logger;
  LogSink sink;
};

// Never destroyed: threads may log while the process ends.
Target& TheTarget() {
  static Target* const target = [] {
    auto logger = std::make_shared<spdlog::logger>(
        "quorate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::trace);
    return new Target{std::move(logger), nullptr};
  }();
  return *target;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

bool IsPlain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

void AppendText(std::string& line, std::string_view text) {
  if (IsPlain(text)) {
    line.append(text);
    return;
  }
  line.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line.push_back('\\');
      line.push_back(c);
    } else if (c == '\n') {
      line.append("\\n");
    } else if (c < ' ' || c > '~') {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line.push_back(c);
    }
  }
  line.push_back('"');
}

struct ValueAppender {
  std::string& line;

  void operator()(std::string_view text) const { AppendText(line, text); }
  void operator()(bool flag) const { line.append(flag ? "true" : "false"); }
  void operator()(auto number) const { fmt::format_to(std::back_inserter(line), "{}", number); }
};

}  // namespace

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

bool ParseLogLevel(std::string_view name, LogLevel* level) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (name == kLevelNames[i]) {
      *level = static_cast<LogLevel>(i);
      return true;
    }
  }
  return false;
}

absl::Status StartLog(const LogOptions& options) {
  SetLogLevel(options.level);
  if (options.file.empty()) return absl::OkStatus();
  try {
    auto logger = std::make_shared<spdlog::logger>(
        "quorate", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                       options.file, options.file_bytes_max, options.files_max));
    logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::info);
    TheTarget().logger = std::move(logger);
  } catch (const spdlog::spdlog_ex& error) {
    return absl::InvalidArgumentError(
        fmt::format("cannot log to '{}': {}", options.file, error.what()));
  }
  return absl::OkStatus();
}

void SetLogSink(LogSink sink) { TheTarget().sink = std::move(sink); }

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }

bool LogEnabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

std::string FormatLogLine(LogLevel level, std::string_view message, LogFields fields) {
  std::string line = fmt::format("level={} msg=", LogLevelName(level));
  AppendText(line, message);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.key);
    line.push_back('=');
    std::visit(ValueAppender{line}, field.value);
  }
  return line;
}

void Log(LogLevel level, std::string_view message, LogFields fields) {
  if (!LogEnabled(level)) return;
  const std::string line = FormatLogLine(level, message, fields);
  Target& target = TheTarget();
  if (target.sink) {
    target.sink(level, line);
  } else {
    target.logger->log(ToSpdlog(level), line);
  }
}

}  // namespace quorate
