// What a node says when it is asked whether it serves.
#ifndef SERVER_SERVICE_NODE_READINESS_H_
#define SERVER_SERVICE_NODE_READINESS_H_

#include <string>
#include <vector>

namespace quorate {

struct NodeReadiness {
  struct Cause {
    std::string what;  // is wrong
    std::string fix;   // empty: nothing but patience

    [[nodiscard]] std::string Text() const { return fix.empty() ? what : what + "; " + fix; }
  };

  [[nodiscard]] bool ready() const { return causes.empty(); }
  // All causes in one line, for people; empty when ready.
  [[nodiscard]] std::string Reason() const {
    std::string text;
    for (const Cause& cause : causes) text += (text.empty() ? "" : ". ") + cause.Text();
    return text;
  }

  std::vector<Cause> causes;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_NODE_READINESS_H_
