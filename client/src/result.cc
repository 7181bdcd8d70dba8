#include "quorate/result.h"

#include <charconv>

#include "fmt/format.h"

namespace quorate::client {
namespace {

std::string Hex(const std::array<uint8_t, 16>& bytes) {
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

std::optional<std::array<uint8_t, 16>> Unhex(std::string_view hex) {
  std::array<uint8_t, 16> bytes{};
  if (hex.size() != 2 * bytes.size()) {
    return std::nullopt;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* first = hex.data() + 2 * i;
    const auto parsed = std::from_chars(first, first + 2, bytes[i], 16);
    if (parsed.ec != std::errc() || parsed.ptr != first + 2) {
      return std::nullopt;
    }
  }
  return bytes;
}

bool ParseNumber(std::string_view text, uint64_t* number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::string Version::ToHex() const { return Hex(bytes); }

std::optional<Version> Version::FromHex(std::string_view hex) {
  const auto bytes = Unhex(hex);
  return bytes ? std::optional(Version{.bytes = *bytes}) : std::nullopt;
}

std::string RequestId::ToString() const {
  return fmt::format("{}-{}-{}", Hex(client_id), sequence, cluster_time_us);
}

std::optional<RequestId> RequestId::Parse(std::string_view text) {
  const size_t first = text.find('-');
  const size_t second = text.find('-', first == text.npos ? first : first + 1);
  if (first == text.npos || second == text.npos) {
    return std::nullopt;
  }
  RequestId id;
  const auto client_id = Unhex(text.substr(0, first));
  if (!client_id || !ParseNumber(text.substr(first + 1, second - first - 1), &id.sequence) ||
      !ParseNumber(text.substr(second + 1), &id.cluster_time_us)) {
    return std::nullopt;
  }
  id.client_id = *client_id;
  return id;
}

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kInvalidArgument:
      return "invalid-argument";
    case Reason::kKeyNotFound:
      return "key-not-found";
    case Reason::kKeyspaceNotFound:
      return "keyspace-not-found";
    case Reason::kKeyspaceExists:
      return "keyspace-exists";
    case Reason::kConditionFalse:
      return "condition-false";
    case Reason::kNotANumber:
      return "not-a-number";
    case Reason::kNumberOverflow:
      return "number-overflow";
    case Reason::kNotInitialised:
      return "not-initialised";
    case Reason::kNotAvailableYet:
      return "not-available-yet";
    case Reason::kRefused:
      return "refused";
    case Reason::kUnreachable:
      return "unreachable";
    case Reason::kDeadline:
      return "deadline";
    case Reason::kCannotServe:
      return "cannot-serve";
    case Reason::kOverloaded:
      return "overloaded";
    case Reason::kRequestIdExpired:
      return "request-id-expired";
    case Reason::kCorrupt:
      return "corrupt";
    case Reason::kNotAuthorised:
      return "not-authorised";
    case Reason::kInternal:
      return "internal";
    case Reason::kCancelled:
      return "cancelled";
  }
  return "internal";
}

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kNotDone:
      return "not-done";
    case Outcome::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view ServedByName(ServedBy served_by) {
  switch (served_by) {
    case ServedBy::kLeaderLease:
      return "leader-lease";
    case ServedBy::kLeaderReadIndex:
      return "leader-read-index";
    case ServedBy::kCommit:
      return "commit";
    case ServedBy::kRequestMemory:
      return "request-memory";
    case ServedBy::kPartitionMerge:
      return "partition-merge";
    case ServedBy::kUnspecified:
      break;
  }
  return "unspecified";
}

}  // namespace quorate::client
