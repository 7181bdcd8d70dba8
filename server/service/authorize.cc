#include "server/service/authorize.h"

namespace quorate {

absl::Status Authorize(const CallContext& /*context*/, Action /*action*/,
                       std::string_view /*keyspace*/) {
  return absl::OkStatus();
}

}  // namespace quorate
