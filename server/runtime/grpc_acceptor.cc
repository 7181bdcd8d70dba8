#include "server/runtime/grpc_acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "server/runtime/check.h"
#include "server/runtime/grpc_listen.h"

namespace quorate {
namespace {

// As gRPC's own listener sets it for the keepalive time-out of our servers: what a peer does not
// take from its socket for so long ends the connection.
constexpr int kUserTimeoutMs = 5'000;
// Without a descriptor, accepting is tried again after this.
constexpr int kNoDescriptorPauseMs = 50;
// A full table is looked through for closed connections this often at most: a flood of attempts
// must not make each of them cost a walk.
constexpr int64_t kLookIntervalMs = 100;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Set(int descriptor, int level, int option, int value) {
  setsockopt(descriptor, level, option, &value, sizeof(value));
}

// "[::1]:7400" → "::1" and "7400".
std::pair<std::string, std::string> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return {address, ""};
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, address.substr(colon + 1)};
}

int PortOf(int listener) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size);
  return bound.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port)
                                     : ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

// Resets instead of closing in order: leaves nothing behind in the kernel.
void CloseAtOnce(int descriptor) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(descriptor);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcAcceptor>> GrpcAcceptor::Listen(const std::string& address,
                                                                   const std::string& flag,
                                                                   size_t connections_max) {
  std::unique_ptr<GrpcAcceptor> acceptor(new GrpcAcceptor(connections_max));
  const auto [host, port] = SplitAddress(address);
  if (acceptor->Bind(host, port) != 0) {
    return ExplainListenFailure(address, flag);
  }
  acceptor->wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (acceptor->wake_ < 0) {
    return absl::UnavailableError("no file descriptor is left; raise `ulimit -n`");
  }
  return acceptor;
}

int GrpcAcceptor::Bind(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return EINVAL;
  }
  int error = 0;
  for (const addrinfo* each = found; each != nullptr && error == 0; each = each->ai_next) {
    error = BindOne(*each, found->ai_next == nullptr);
    // A machine without IPv6 still resolves names to it.
    if (error == EAFNOSUPPORT || (error == EADDRNOTAVAIL && each->ai_next != nullptr)) {
      error = 0;
    }
  }
  freeaddrinfo(found);
  return listeners_.empty() && error == 0 ? EADDRNOTAVAIL : error;
}

int GrpcAcceptor::BindOne(const addrinfo& address, bool only_one) {
  const int listener =
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (listener < 0) {
    return errno;
  }
  Set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  // Connections inherit these two.
  Set(listener, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  if (address.ai_family == AF_INET6) {
    // "[::]" alone means every address, IPv4's too.
    Set(listener, IPPROTO_IPV6, IPV6_V6ONLY, only_one ? 0 : 1);
  }
  sockaddr_storage to{};
  std::copy_n(reinterpret_cast<const char*>(address.ai_addr), address.ai_addrlen,
              reinterpret_cast<char*>(&to));
  if (port_ != 0) {  // a free port was taken for the first address: the same for all
    auto* port = address.ai_family == AF_INET6 ? &reinterpret_cast<sockaddr_in6*>(&to)->sin6_port
                                               : &reinterpret_cast<sockaddr_in*>(&to)->sin_port;
    *port = htons(static_cast<uint16_t>(port_));
  }
  if (bind(listener, reinterpret_cast<sockaddr*>(&to), address.ai_addrlen) != 0 ||
      listen(listener, SOMAXCONN) != 0) {
    const int error = errno;
    close(listener);
    return error;
  }
  listeners_.push_back(listener);
  port_ = PortOf(listener);
  return 0;
}

GrpcAcceptor::~GrpcAcceptor() {
  Stop();
  if (wake_ >= 0) {
    close(wake_);
  }
}

void GrpcAcceptor::Start(Take take) {
  QUORATE_CHECK(!thread_.joinable());
  take_ = std::move(take);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "grpc_accept");
    Run();
  });
}

void GrpcAcceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
    thread_.join();
  }
  for (const int listener : listeners_) {
    close(listener);
  }
  listeners_.clear();
}

void GrpcAcceptor::Run() {
  std::vector<pollfd> waits;
  for (const int listener : listeners_) {
    waits.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  }
  waits.push_back({.fd = wake_, .events = POLLIN, .revents = 0});
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
      return;
    }
    if (waits.back().revents != 0) {
      return;
    }
    for (size_t i = 0; i + 1 < waits.size(); ++i) {
      while (waits[i].revents != 0 && AcceptOne(waits[i].fd)) {
      }
    }
  }
}

bool GrpcAcceptor::AcceptOne(int listener) {
  const int descriptor = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) {
    if (Admit(descriptor)) {
      take_(listener, descriptor);
    } else {
      refused_.fetch_add(1, std::memory_order_relaxed);
      CloseAtOnce(descriptor);
    }
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // The connection stays in the kernel's queue, so poll would return at once: wait, but for the
    // end, too.
    pollfd end{.fd = wake_, .events = POLLIN, .revents = 0};
    poll(&end, 1, kNoDescriptorPauseMs);
    return false;
  }
  return errno == EINTR || errno == ECONNABORTED;
}

bool GrpcAcceptor::Admit(int descriptor) {
  struct stat status{};
  if (fstat(descriptor, &status) != 0) {
    return false;
  }
  MutexLock lock(&mutex_);
  if (connections_.size() >= connections_max_) {
    const int64_t now = NowMs();
    if (now - looked_at_ms_ < kLookIntervalMs) {
      return false;
    }
    looked_at_ms_ = now;
    ForgetClosed();
    if (connections_.size() >= connections_max_) {
      return false;
    }
  }
  connections_.push_back(
      {.descriptor = descriptor, .device = status.st_dev, .inode = status.st_ino});
  return true;
}

void GrpcAcceptor::ForgetClosed() {
  std::erase_if(connections_, [](const Connection& connection) {
    struct stat status{};
    return fstat(connection.descriptor, &status) != 0 || status.st_dev != connection.device ||
           status.st_ino != connection.inode;
  });
}

size_t GrpcAcceptor::connections() {
  MutexLock lock(&mutex_);
  ForgetClosed();
  return connections_.size();
}

}  // namespace quorate
