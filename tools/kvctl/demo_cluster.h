// A throw-away cluster of real kvd processes on this machine.
#ifndef TOOLS_KVCTL_DEMO_CLUSTER_H_
#define TOOLS_KVCTL_DEMO_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/kvctl/child_process.h"

namespace quorate::kvctl {

// The kvd beside the running kvctl, else the one in PATH.
std::string FindKvd();

struct DemoNode {
  std::string address;
  std::string http_address;
  std::string peer_address;
  std::string data_dir;
  std::string log;
  ChildProcess process;
};

// Main thread only. The destructor stops the nodes, which takes up to some seconds, and removes
// the folder.
class DemoCluster {
 public:
  // `keep`: the folder stays.
  DemoCluster(std::string kvd, bool keep) : kvd_(std::move(kvd)), keep_(keep) {}
  ~DemoCluster();
  DemoCluster(const DemoCluster&) = delete;
  DemoCluster& operator=(const DemoCluster&) = delete;

  // Makes the folder, starts the nodes on free loopback ports. They answer some time later.
  absl::Status Start(uint32_t count);

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] const std::vector<DemoNode>& nodes() const { return nodes_; }
  [[nodiscard]] std::vector<std::string> endpoints() const;

  // OK while all run; else says which ended, and the last line of its log.
  absl::Status CheckAlive();
  // Ends all of them, by force those that take too long.
  void Stop();

 private:
  const std::string kvd_;
  const bool keep_;
  std::string folder_;
  std::vector<DemoNode> nodes_;
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_DEMO_CLUSTER_H_
