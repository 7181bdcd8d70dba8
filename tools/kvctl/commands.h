// The commands. Each takes its own flags, already parsed, and returns the exit code.
#ifndef TOOLS_KVCTL_COMMANDS_H_
#define TOOLS_KVCTL_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/kvctl/context.h"

namespace quorate::kvctl {

struct InitFlags {
  bool force = false;
};
int RunInit(Context& context, const InitFlags& flags);

struct StatusFlags {
  bool watch = false;
  std::string interval = "2s";
  uint64_t count = 0;  // 0: without end
};
int RunStatus(Context& context, const StatusFlags& flags);
int RunVersion(Context& context);
int RunNodeList(Context& context);

// On the file of contexts.
struct ContextFlags {
  std::string name;
  std::vector<std::string> settings;  // "timeout=10s"; an empty value takes the setting away
};
int RunContextList(Context& context);
int RunContextUse(Context& context, const ContextFlags& flags);
int RunContextShow(Context& context);
int RunContextSet(Context& context, const ContextFlags& flags);
int RunContextRemove(Context& context, const ContextFlags& flags);

struct KeyspaceFlags {
  std::string name;
  std::string replication;
  uint32_t replicas = 0;
  uint32_t partitions = 0;
  std::string routing;
  std::string durability;
  std::string lease;
  uint32_t value_bytes_max = 0;
  bool dry_run = false;
  bool yes = false;
};
int RunKeyspaceCreate(Context& context, const KeyspaceFlags& flags);
int RunKeyspaceDescribe(Context& context, const KeyspaceFlags& flags);
int RunKeyspaceList(Context& context);
int RunKeyspaceDrop(Context& context, const KeyspaceFlags& flags);

struct PartitionFlags {
  std::string keyspace;
  bool checksum = false;
  uint64_t node = 0;       // only partitions with a replica there; 0: all
  std::string key;         // locate
  uint32_t partition = 0;  // describe
};
int RunPartitionList(Context& context, const PartitionFlags& flags);
int RunLocate(Context& context, const PartitionFlags& flags);
int RunPartitionDescribe(Context& context, const PartitionFlags& flags);

struct MoveFlags {
  std::string keyspace;
  uint32_t partition = 0;
  uint64_t from = 0;  // nodes
  uint64_t to = 0;
  bool cancel = false;
  bool wait = false;
  bool dry_run = false;
  bool accept_loss = false;
};
int RunPartitionMove(Context& context, const MoveFlags& flags);
int RunPartitionRecover(Context& context, const MoveFlags& flags);
int RunTransferLeader(Context& context, const MoveFlags& flags);

struct DrainFlags {
  uint64_t node = 0;
  bool undo = false;
  bool wait = false;
  bool dry_run = false;
};
int RunNodeDrain(Context& context, const DrainFlags& flags);

struct DataFlags {
  std::string keyspace;
  std::string key;
  std::string value;
  int64_t delta = 1;
  bool if_absent = false;
  std::string if_version;
  std::string request_id;
  bool receipt = false;
};
int RunGet(Context& context, const DataFlags& flags);
int RunPut(Context& context, const DataFlags& flags);
int RunDelete(Context& context, const DataFlags& flags);
int RunIncrement(Context& context, const DataFlags& flags);

struct BatchFlags {
  std::string keyspace;
  std::string file;
  bool atomic = false;
  std::string request_id;
};
int RunBatch(Context& context, const BatchFlags& flags);

struct ScanFlags {
  std::string keyspace;
  std::string prefix;
  std::string begin;
  std::string end;
  std::string routing_key;
  uint64_t limit = 0;
  bool keys_only = false;
};
int RunScan(Context& context, const ScanFlags& flags);

struct ImportFlags {
  std::string keyspace;
  std::string file;
  uint32_t inflight = 128;
};
int RunImport(Context& context, const ImportFlags& flags);
int RunExport(Context& context, const ScanFlags& flags);

struct DemoFlags {
  uint32_t nodes = 3;
  bool keep = false;
  std::vector<std::string> program;  // with its arguments; empty: wait for a signal
};
// Runs the nodes for as long as the program runs, whose exit code it returns.
int RunDemo(Context& context, const DemoFlags& flags);

struct LoadFlags {
  std::string keyspace;
  std::string prefix = "load/";
  double seconds = 10;
  uint32_t clients = 4;
  uint32_t value_bytes = 64;
  std::string journal;
};
int RunLoad(Context& context, const LoadFlags& flags);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_COMMANDS_H_
