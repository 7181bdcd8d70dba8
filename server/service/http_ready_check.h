// Asks a node over HTTP whether it is ready: the other side of /readyz, for health checks.
#ifndef SERVER_SERVICE_HTTP_READY_CHECK_H_
#define SERVER_SERVICE_HTTP_READY_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace quorate {

// Asks the node that was told to serve HTTP at `address`; where that is a wildcard, on this
// machine's loopback. Blocks for a few seconds at most.
//
// OK: ready. FailedPrecondition: it answers and says why it is not. Unavailable: no answer.
absl::Status CheckReadyOverHttp(const std::string& address);

}  // namespace quorate

#endif  // SERVER_SERVICE_HTTP_READY_CHECK_H_
