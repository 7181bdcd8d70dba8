#include "server/service/http_ready_check.h"

#include <fmt/format.h>
#include <httplib.h>

#include <cstdlib>

namespace quorate {
namespace {

constexpr time_t kConnectTimeoutSeconds = 2;
// The page asks no loop of the node, so only a machine without processor time is so late.
constexpr time_t kReadTimeoutSeconds = 4;

std::string ReachableHost(const std::string& host) {
  if (host == "0.0.0.0" || host == "*") return "127.0.0.1";
  if (host == "[::]") return "::1";
  return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

absl::Status CheckReadyOverHttp(const std::string& address) {
  const size_t colon = address.rfind(':');
  httplib::Client client(ReachableHost(address.substr(0, colon)),
                         std::atoi(address.substr(colon + 1).c_str()));
  client.set_connection_timeout(kConnectTimeoutSeconds);
  client.set_read_timeout(kReadTimeoutSeconds);
  const auto answer = client.Get("/readyz");
  if (!answer) {
    return absl::UnavailableError(
        fmt::format("no answer at {} ({}): is the node running, and was it given the same --http?",
                    address, httplib::to_string(answer.error())));
  }
  if (answer->status == 200) return absl::OkStatus();
  std::string reason = answer->body;
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  return absl::FailedPreconditionError(reason);
}

}  // namespace quorate
