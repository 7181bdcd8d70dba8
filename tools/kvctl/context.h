// What every command works with: the global flags, the client, and where its answers go.
#ifndef TOOLS_KVCTL_CONTEXT_H_
#define TOOLS_KVCTL_CONTEXT_H_

#include <memory>
#include <string>
#include <string_view>

#include "nlohmann/json_fwd.hpp"
#include "quorate/client.h"
#include "tools/kvctl/exit_code.h"
#include "tools/kvctl/settings.h"
#include "tools/kvctl/table.h"

namespace quorate::kvctl {

// Results go to standard output, everything else to standard error. Main thread only.
class Context {
 public:
  explicit Context(GlobalOptions options);

  [[nodiscard]] const GlobalOptions& options() const { return options_; }
  // Never kAuto.
  [[nodiscard]] Format format() const { return options_.format; }
  [[nodiscard]] bool json() const;
  // Results go to a terminal that shows colours, and NO_COLOR is not set.
  [[nodiscard]] bool colour() const;
  [[nodiscard]] client::AdminOptions admin_options() const;

  // Makes the client at first use. Null: the endpoints are malformed, which was reported as usage.
  [[nodiscard]] client::Client* Connect(std::string_view command);

  // One answer in the wished format. `list`: the member of `json` that holds the rows, which jsonl
  // prints one by one; empty: the whole object is one line.
  void Print(const Table& table, const nlohmann::ordered_json& json, std::string_view list = {});
  // Exactly these bytes.
  void Write(std::string_view bytes);
  // One line, of a stream of JSON.
  void WriteLine(const nlohmann::ordered_json& json);

  // Reports a failed call and returns its exit code.
  int Fail(std::string_view command, const client::Result& result);
  int Fail(std::string_view command, const client::WriteResult& result);
  int FailUsage(std::string_view command, std::string_view message);
  // For failures that no call to the cluster brought.
  int FailAs(std::string_view command, ExitCode code, std::string_view reason,
             std::string_view message);

 private:
  int Report(std::string_view command, const client::Result& result, const std::string& request_id);

  GlobalOptions options_;
  std::unique_ptr<client::Client> client_;
};

// One report on standard error, as text or as {"error": {…}}.
void ReportError(bool as_json, std::string_view command, ExitCode code, std::string_view reason,
                 std::string_view outcome, std::string_view message, const std::string& request_id);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_CONTEXT_H_
