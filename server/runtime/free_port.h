// Ports for nodes that need any port, not a certain one.
#ifndef SERVER_RUNTIME_FREE_PORT_H_
#define SERVER_RUNTIME_FREE_PORT_H_

#include "absl/status/statusor.h"

namespace quorate {

// A TCP port of 127.0.0.1 that nobody listened on a moment ago. Another process may take it before
// the caller does, who then tries again with another one. RESOURCE_EXHAUSTED when none is free.
[[nodiscard]] absl::StatusOr<int> FreeLoopbackPort();

}  // namespace quorate

#endif  // SERVER_RUNTIME_FREE_PORT_H_
