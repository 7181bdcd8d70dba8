#include "tools/kvctl/demo_cluster.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include "fmt/format.h"

namespace quorate::kvctl {
namespace {

constexpr std::chrono::seconds kStopTime(30);
constexpr std::chrono::milliseconds kStopInterval(20);

// Ports of this machine that were free a moment ago, all different; fewer than `count` when there
// are none. Taken together: one that is let go of could be the next one's.
std::vector<uint16_t> FreePorts(size_t count) {
  std::vector<int> sockets;
  std::vector<uint16_t> ports;
  for (size_t i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets.push_back(fd);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0) {
      ports.push_back(ntohs(address.sin_port));
    }
  }
  for (const int fd : sockets) {
    close(fd);
  }
  return ports;
}

std::string LastLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::string last;
  while (std::getline(file, line)) {
    last = line;
  }
  return last;
}

}  // namespace

std::string FindKvd() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = (self.parent_path() / "kvd").string();
  return !error && access(beside.c_str(), X_OK) == 0 ? beside : "kvd";
}

DemoCluster::~DemoCluster() {
  Stop();
  if (!keep_ && !folder_.empty()) {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
}

absl::Status DemoCluster::Start(uint32_t count) {
  std::error_code error;
  folder_ = (std::filesystem::temp_directory_path(error) / "kvctl-demo-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) {
    const std::string wanted = std::move(folder_);
    folder_.clear();
    return absl::InternalError(fmt::format("no folder {} can be made", wanted));
  }
  const std::vector<uint16_t> ports = FreePorts(3 * static_cast<size_t>(count));
  if (ports.size() < 3 * static_cast<size_t>(count)) {
    return absl::InternalError("this machine has no free ports on 127.0.0.1");
  }
  const auto address = [&](size_t i) { return fmt::format("127.0.0.1:{}", ports[i]); };
  std::string peers;
  for (uint32_t i = 0; i < count; ++i) {
    peers += (i == 0 ? "" : ",") + address(3 * i + 2);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const std::string data_dir = fmt::format("{}/node-{}", folder_, i + 1);
    const std::string log = data_dir + ".log";
    auto process = ChildProcess::Start(
        {.command = {kvd_, "--data-dir", data_dir, "--listen", address(3 * i), "--http",
                     address(3 * i + 1), "--peer-listen", address(3 * i + 2), "--join", peers,
                     "--cache-bytes", "32MiB"},
         .environment = {},
         .dropped = "KVD_",
         .log_file = log});
    if (!process.ok()) {
      return process.status();
    }
    nodes_.push_back({.address = address(3 * i),
                      .http_address = address(3 * i + 1),
                      .peer_address = address(3 * i + 2),
                      .data_dir = data_dir,
                      .log = log,
                      .process = *process});
  }
  return absl::OkStatus();
}

std::vector<std::string> DemoCluster::endpoints() const {
  std::vector<std::string> endpoints;
  for (const DemoNode& node : nodes_) {
    endpoints.push_back(node.address);
  }
  return endpoints;
}

absl::Status DemoCluster::CheckAlive() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (const auto code = nodes_[i].process.ExitCode()) {
      return absl::AbortedError(
          fmt::format("node {} ended with code {}: {}", i + 1, *code, LastLine(nodes_[i].log)));
    }
  }
  return absl::OkStatus();
}

void DemoCluster::Stop() {
  for (const DemoNode& node : nodes_) {
    node.process.Signal(SIGTERM);
  }
  const auto end = std::chrono::steady_clock::now() + kStopTime;
  const auto all_ended = [this] {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [](DemoNode& node) { return node.process.ExitCode().has_value(); });
  };
  bool forced = false;
  while (!all_ended()) {
    if (!forced && std::chrono::steady_clock::now() > end) {
      forced = true;
      for (const DemoNode& node : nodes_) {
        node.process.Signal(SIGKILL);
      }
    }
    std::this_thread::sleep_for(kStopInterval);
  }
  nodes_.clear();
}

}  // namespace quorate::kvctl
