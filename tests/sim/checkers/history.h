// What clients saw: operations with their beginning, end and outcome. The checkers' only input; the
// format of its lines is in docs/formats.md.
#ifndef TESTS_SIM_CHECKERS_HISTORY_H_
#define TESTS_SIM_CHECKERS_HISTORY_H_

#include <chrono>
#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace quorate::sim {

enum class HistoryOp : uint8_t { kRead, kWrite, kDelete, kCas };

enum class HistoryEnd : uint8_t {
  kOpen,  // no end was seen: the same as kInfo
  kOk,    // took effect between begin and end
  kFail,  // never took effect and never will
  kInfo,  // unknown: may take effect at any time after its begin, or never
};

struct HistoryEntry {
  uint64_t process = 0;
  std::string key;
  HistoryOp op = HistoryOp::kRead;
  // Compare-and-set: what must be there; nothing means absent.
  std::optional<std::string> expected;
  // Writes: the new value. Reads that are kOk: what was seen; nothing means absent.
  std::optional<std::string> value;
  std::chrono::nanoseconds begin{};
  std::chrono::nanoseconds end{};
  HistoryEnd outcome = HistoryEnd::kOpen;
};

// Grows as a run goes on. All times are of one monotonic clock. One thread.
class History {
 public:
  // Returns the operation's number.
  size_t Invoke(uint64_t process, const std::string& key, HistoryOp op,
                std::optional<std::string> expected, std::optional<std::string> value,
                std::chrono::nanoseconds now);
  // `read`: what a read saw; not looked at for other operations.
  void Ok(size_t operation, std::optional<std::string> read, std::chrono::nanoseconds now);
  void Fail(size_t operation, std::chrono::nanoseconds now);
  void Info(size_t operation, std::chrono::nanoseconds now);

  [[nodiscard]] const std::vector<HistoryEntry>& entries() const { return entries_; }
  // One JSON object for each begin and each end, in order of time.
  void WriteJsonLines(const std::string& keyspace, std::ostream& out) const;
  // What WriteJsonLines wrote. Nothing when a line is not of that format, or ends what never began.
  static std::optional<History> ReadJsonLines(std::istream& in);

 private:
  std::vector<HistoryEntry> entries_;
};

// "write k3 = v7 by 12, 1.203 s – 1.240 s, ok".
[[nodiscard]] std::string Describe(const HistoryEntry& entry);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CHECKERS_HISTORY_H_
