#include "server/runtime/free_port.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace quorate {

absl::StatusOr<int> FreeLoopbackPort() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = descriptor >= 0 && bind(descriptor, generic, size) == 0 &&
                     getsockname(descriptor, generic, &size) == 0;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (!found) {
    return absl::ResourceExhaustedError(
        fmt::format("no port of 127.0.0.1 can be had: {}", std::strerror(error)));
  }
  return ntohs(address.sin_port);
}

}  // namespace quorate
