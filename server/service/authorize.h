// The one door through which every request passes before it does anything.
#ifndef SERVER_SERVICE_AUTHORIZE_H_
#define SERVER_SERVICE_AUTHORIZE_H_

#include <string_view>

#include "absl/status/status.h"
#include "server/service/services.h"

namespace quorate {

enum class Action : uint8_t { kRead, kWrite, kSeeCluster, kChangeCluster };

// `keyspace` is empty for actions on the cluster. Allows everything: the API has no users yet.
[[nodiscard]] absl::Status Authorize(const CallContext& context, Action action,
                                     std::string_view keyspace);

}  // namespace quorate

#endif  // SERVER_SERVICE_AUTHORIZE_H_
