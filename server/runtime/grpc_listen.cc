#include "server/runtime/grpc_listen.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace quorate {
namespace {

// The error of binding the address, 0 when it works, -1 when the name does not resolve.
int TryBind(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  int error = 0;
  const int descriptor = socket(found->ai_family, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(descriptor, found->ai_addr, found->ai_addrlen) != 0 || listen(descriptor, 1) != 0) {
    error = errno;
  }
  close(descriptor);
  freeaddrinfo(found);
  return error;
}

}  // namespace

absl::Status ExplainListenFailure(const std::string& address, const std::string& flag) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const int error = TryBind(host, port);
  if (error == -1) {
    return absl::InvalidArgumentError(fmt::format(
        "{} {}: the host name does not resolve. Give an address of this machine.", flag, address));
  }
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(fmt::format(
        "{} {}: port {} is taken by another process. `ss -ltnp 'sport = :{}'` names it; stop it, "
        "or choose another port with {}.",
        flag, address, port, port, flag));
  }
  if (error == EADDRNOTAVAIL) {
    return absl::InvalidArgumentError(
        fmt::format("{} {}: no network interface of this machine has this address. `ip address` "
                    "lists those there are.",
                    flag, address));
  }
  if (error == EACCES) {
    return absl::PermissionDeniedError(fmt::format(
        "{} {}: ports below 1024 need a privilege; choose a higher port.", flag, address));
  }
  return absl::UnavailableError(
      fmt::format("{} {}: listening failed{}. Try again.", flag, address,
                  error == 0 ? std::string() : fmt::format(" ({})", strerror(error))));
}

}  // namespace quorate
