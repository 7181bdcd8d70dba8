// Structured log lines: time, level, what happened, and named values.
//
//   LogInfo("replica/elected", {{"group", group.value()}, {"term", term.value()}});
//   → time=2024-05-01T12:00:00.123456Z level=info msg=replica/elected group=7 term=3
//
// A line is logfmt: one line whatever the values hold (quotes, line ends and bytes that are not
// printable ASCII are escaped). The message names folder and event and never changes with the
// values, so that it can be searched for. Any thread.
#ifndef SERVER_RUNTIME_LOG_H_
#define SERVER_RUNTIME_LOG_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"

namespace quorate {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning", "error".
std::string_view LogLevelName(LogLevel level);
// False when the name is none of those; *level is then unchanged.
bool ParseLogLevel(std::string_view name, LogLevel* level);

// One named value. Text is not copied: it lives until the end of the log statement, in which the
// field is built.
struct LogField {
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text)
      : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, bool flag) : key(name), value(flag) {}
  LogField(std::string_view name, double number) : key(name), value(number) {}
  template <std::signed_integral T>
  LogField(std::string_view name, T number) : key(name), value(static_cast<int64_t>(number)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view name, T number) : key(name), value(static_cast<uint64_t>(number)) {}

  std::string_view key;
  Value value;
};
using LogFields = std::initializer_list<LogField>;

struct LogOptions {
  // Lines below it are not formatted at all.
  LogLevel level = LogLevel::kInfo;
  // Empty: standard error. Otherwise a file that is rotated: at `file_bytes_max` kvd.log becomes
  // kvd.1.log, the one before it kvd.2.log, and so on; at most `files_max` old ones are kept.
  std::string file;
  size_t file_bytes_max = size_t{64} << 20;
  size_t files_max = 4;
};

// Called once by main(). Until then warnings and errors go to standard error. Fails, naming the
// file, when it cannot be opened; the log then goes on as before.
absl::Status StartLog(const LogOptions& options);

// Takes every line at or above the level instead of StartLog's target: "level=… msg=… key=value …",
// without the time, which the sink knows better (virtual time in the simulator). Null brings the
// target back. Not while other threads log.
using LogSink = std::function<void(LogLevel level, const std::string& line)>;
void SetLogSink(LogSink sink);
void SetLogLevel(LogLevel level);

[[nodiscard]] bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view message, LogFields fields);

inline void LogDebug(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kError, message, fields);
}

// "level=info msg=replica/elected group=7"; for sinks' tests.
std::string FormatLogLine(LogLevel level, std::string_view message, LogFields fields);

}  // namespace quorate

#endif  // SERVER_RUNTIME_LOG_H_
