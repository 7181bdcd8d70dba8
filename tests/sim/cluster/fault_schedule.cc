#include "tests/sim/cluster/fault_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <sstream>

#include "absl/status/status.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kSecondsMax = 24 * 3600;

struct KindName {
  FaultKind kind;
  const char* name;
};
constexpr std::array kKindNames = {
    KindName{FaultKind::kCrash, "crash"},     KindName{FaultKind::kCrashAtDisk, "crash-at-disk"},
    KindName{FaultKind::kRestart, "restart"}, KindName{FaultKind::kIsolate, "isolate"},
    KindName{FaultKind::kCut, "cut"},         KindName{FaultKind::kHeal, "heal"},
    KindName{FaultKind::kPause, "pause"},     KindName{FaultKind::kResume, "resume"},
    KindName{FaultKind::kLink, "link"},       KindName{FaultKind::kWall, "wall"},
    KindName{FaultKind::kRate, "rate"},       KindName{FaultKind::kFailSync, "fail-sync"},
    KindName{FaultKind::kStop, "stop"},       KindName{FaultKind::kFlip, "flip"},
    KindName{FaultKind::kFill, "fill"},       KindName{FaultKind::kCrashJoint, "crash-joint"},
};
struct CrashName {
  CrashKind kind;
  const char* name;
};
constexpr std::array kCrashNames = {CrashName{CrashKind::kPowerLoss, "power"},
                                    CrashName{CrashKind::kProcess, "process"},
                                    CrashName{CrashKind::kPowerLossWorst, "worst"}};

// Draws one run's faults. Keeps no track of what is down: a fault that does not fit the state it
// meets (a crash of a crashed node) is passed over when its time comes.
class Draw {
 public:
  Draw(const FaultMixOptions& options, SeededRandom random) : options_(options), random_(random) {}

  std::vector<Fault> Run() {
    for (size_t kind = 0; kind < weights_.size(); ++kind) {
      weights_[kind] = Chance(random_, 0.6) ? 1 + UniformBelow(random_, 4) : 0;
    }
    if (std::all_of(weights_.begin(), weights_.end(), [](uint64_t w) { return w == 0; })) {
      weights_[0] = 1;
    }
    const Duration gap_max = milliseconds(1000 + UniformBelow(random_, 7000));
    Duration at = UniformDuration(random_, milliseconds(100), gap_max);
    while (at < options_.length - seconds(1)) {
      One(at);
      at += UniformDuration(random_, milliseconds(100), gap_max);
    }
    if (Chance(random_, 0.5)) Stop(UniformDuration(random_, seconds(1), options_.length));
    if (options_.moves) CrashesInJoint();
    Add({.at = options_.length, .kind = FaultKind::kLink});
    Add({.at = options_.length, .kind = FaultKind::kFlip});
    Add({.at = options_.length, .kind = FaultKind::kHeal});
    std::multimap<Duration, Fault> sorted;  // keeps the order of equal times
    for (const Fault& fault : faults_) sorted.emplace(fault.at, fault);
    std::vector<Fault> result;
    for (const auto& [when, fault] : sorted) result.push_back(fault);
    return result;
  }

 private:
  uint32_t Node() { return 1 + static_cast<uint32_t>(UniformBelow(random_, options_.nodes)); }
  void Add(Fault fault) {
    fault.at = std::chrono::duration_cast<milliseconds>(std::min(fault.at, options_.length));
    faults_.push_back(fault);
  }
  Duration Later(Duration at, int64_t ms_max) {
    return at + UniformDuration(random_, milliseconds(50), milliseconds(ms_max));
  }

  void One(Duration at) {
    uint64_t total = 0;
    for (const uint64_t weight : weights_) total += weight;
    uint64_t pick = UniformBelow(random_, total);
    size_t kind = 0;
    while (pick >= weights_[kind]) pick -= weights_[kind++];
    switch (kind) {
      case 0:
        return Crash(at, Node());
      case 1:
        return CrashAtDisk(at);
      case 2:
        return CrashAll(at);
      case 3:
        Add({.at = at, .kind = FaultKind::kIsolate, .node = Node()});
        return Add({.at = Later(at, 8000), .kind = FaultKind::kHeal});
      case 4:
        return CutSome(at);
      case 5:
        return Pause(at);
      case 6:
        Add({.at = at,
             .kind = FaultKind::kLink,
             .number = static_cast<double>(UniformBelow(random_, 300)) / 1000.0,
             .delay_ms = static_cast<double>(UniformBelow(random_, 100))});
        return Add({.at = Later(at, 6000), .kind = FaultKind::kLink});
      case 7:
        return Clock(at);
      case 8:
        return FailSync(at);
      case 9:
        return Flip(at);
      default:
        return Fill(at);
    }
  }

  void Crash(Duration at, uint32_t node) {
    constexpr std::array kKinds = {CrashKind::kPowerLoss, CrashKind::kProcess,
                                   CrashKind::kPowerLossWorst};
    Add({.at = at,
         .kind = FaultKind::kCrash,
         .node = node,
         .crash = kKinds[UniformBelow(random_, kKinds.size())]});
    Add({.at = Later(at, 4000), .kind = FaultKind::kRestart, .node = node});
  }
  // Beside the mixture, since it harms nobody. What is off afterwards may lose power.
  void Stop(Duration at) {
    const uint32_t node = Node();
    const CrashKind then = Chance(random_, 0.5) ? CrashKind::kPowerLossWorst : CrashKind::kProcess;
    Add({.at = at, .kind = FaultKind::kStop, .node = node, .crash = then});
    Add({.at = Later(at, 4000) + seconds(2), .kind = FaultKind::kRestart, .node = node});
  }
  void CrashAtDisk(Duration at) {
    const uint32_t node = Node();
    Add({.at = at,
         .kind = FaultKind::kCrashAtDisk,
         .node = node,
         .number = 1 + static_cast<double>(UniformBelow(random_, 60))});
    Add({.at = Later(at, 4000) + seconds(1), .kind = FaultKind::kRestart, .node = node});
  }
  // Three, since such a configuration is left again within milliseconds: no other crash meets one.
  void CrashesInJoint() {
    const Duration last = std::max<Duration>(options_.length - seconds(9), seconds(1));
    for (int i = 0; i < 3; ++i) {
      const Duration at = UniformDuration(random_, milliseconds(100), last);
      Add({.at = at,
           .kind = FaultKind::kCrashJoint,
           .number = 1 + static_cast<double>(UniformBelow(random_, 100))});
      const Duration again = Later(at, 4000) + seconds(4);
      for (uint32_t node = 1; node <= options_.nodes; ++node) {
        Add({.at = again, .kind = FaultKind::kRestart, .node = node});
      }
    }
  }
  // The node refuses writes from then on; whoever runs it starts it anew.
  void FailSync(Duration at) {
    const uint32_t node = Node();
    Add({.at = at, .kind = FaultKind::kFailSync, .node = node, .number = 1});
    const Duration noticed = Later(at, 4000);
    Add({.at = noticed, .kind = FaultKind::kCrash, .node = node, .crash = CrashKind::kPowerLoss});
    Add({.at = Later(noticed, 1000), .kind = FaultKind::kRestart, .node = node});
  }
  // From one message in ten thousand to one in ten.
  void Flip(Duration at) {
    Add({.at = at,
         .kind = FaultKind::kFlip,
         .number = std::pow(10.0, -1.0 - 3.0 * UniformUnit(random_))});
    Add({.at = Later(at, 8000), .kind = FaultKind::kFlip});
  }
  // As after a failed sync; in the end somebody makes room and starts it anew.
  void Fill(Duration at) {
    const uint32_t node = Node();
    Add({.at = at, .kind = FaultKind::kFill, .node = node});
    Crash(Later(at, 6000), node);
  }
  void CrashAll(Duration at) {
    for (uint32_t node = 1; node <= options_.nodes; ++node) Crash(at, node);
  }
  void CutSome(Duration at) {
    const uint64_t links = 1 + UniformBelow(random_, 3);
    for (uint64_t i = 0; i < links; ++i) {
      const uint32_t from = Node();
      const uint32_t to = Node();
      if (from != to) Add({.at = at, .kind = FaultKind::kCut, .node = from, .other = to});
    }
    Add({.at = Later(at, 8000), .kind = FaultKind::kHeal});
  }
  void Pause(Duration at) {
    const uint32_t node = Node();
    Add({.at = at, .kind = FaultKind::kPause, .node = node});
    Add({.at = Later(at, 5000), .kind = FaultKind::kResume, .node = node});
  }
  void Clock(Duration at) {
    if (Chance(random_, 0.5)) {
      const double seconds = static_cast<double>(UniformBelow(random_, 7200)) - 3600;
      return Add({.at = at, .kind = FaultKind::kWall, .node = Node(), .number = seconds});
    }
    // Half the bound to each side of true time, so that two clocks differ by at most the bound.
    const double half = options_.clock_drift_max * 0.49;
    Add({.at = at,
         .kind = FaultKind::kRate,
         .node = Node(),
         .number = 1.0 - half + 2 * half * UniformUnit(random_)});
  }

  const FaultMixOptions options_;
  SeededRandom random_;
  std::array<uint64_t, 11> weights_{};
  std::vector<Fault> faults_;
};

absl::StatusOr<Fault> ParseLine(const std::string& line) {
  std::istringstream words(line);
  std::string at;
  std::string time;
  std::string name;
  words >> at >> time >> name;
  if (at != "at" || time.size() < 2 || time.back() != 's') {
    return absl::InvalidArgumentError("expected 'at SECONDSs KIND …'");
  }
  Fault fault;
  std::istringstream number(time.substr(0, time.size() - 1));
  double in_seconds = 0;
  if (!(number >> in_seconds) || in_seconds < 0 || in_seconds > kSecondsMax) {
    return absl::InvalidArgumentError("no time from 0 to a day: " + time);
  }
  fault.at = milliseconds(std::llround(in_seconds * 1000));
  const auto* const kind = std::find_if(kKindNames.begin(), kKindNames.end(),
                                        [&](const KindName& k) { return name == k.name; });
  if (kind == kKindNames.end()) return absl::InvalidArgumentError("no such fault: " + name);
  fault.kind = kind->kind;
  if (fault.kind == FaultKind::kLink) {
    words >> fault.number >> fault.delay_ms;
  } else if (fault.kind == FaultKind::kFlip || fault.kind == FaultKind::kCrashJoint) {
    words >> fault.number;
  } else if (fault.kind != FaultKind::kHeal) {
    words >> fault.node;
  }
  if (fault.kind == FaultKind::kCut) words >> fault.other;
  if (fault.kind == FaultKind::kCrash || fault.kind == FaultKind::kStop) {
    words >> name;
    const auto* const crash = std::find_if(kCrashNames.begin(), kCrashNames.end(),
                                           [&](const CrashName& c) { return name == c.name; });
    if (crash == kCrashNames.end()) return absl::InvalidArgumentError("no such crash: " + name);
    fault.crash = crash->kind;
  }
  if (fault.kind == FaultKind::kCrashAtDisk || fault.kind == FaultKind::kWall ||
      fault.kind == FaultKind::kRate || fault.kind == FaultKind::kFailSync) {
    words >> fault.number;
  }
  if (words.fail()) return absl::InvalidArgumentError("an argument is missing or malformed");
  return fault;
}

}  // namespace

std::vector<Fault> DrawFaults(const FaultMixOptions& options, SeededRandom random) {
  return Draw(options, random).Run();
}

std::string ToText(const Fault& fault) {
  const auto* const kind = std::find_if(kKindNames.begin(), kKindNames.end(),
                                        [&](const KindName& k) { return fault.kind == k.kind; });
  std::string text =
      fmt::format("at {:.3f}s {}", std::chrono::duration<double>(fault.at).count(), kind->name);
  switch (fault.kind) {
    case FaultKind::kHeal:
      return text;
    case FaultKind::kLink:
      return text + fmt::format(" {:.3f} {:.0f}", fault.number, fault.delay_ms);
    case FaultKind::kCrashJoint:
      return text + fmt::format(" {:.0f}", fault.number);
    case FaultKind::kFlip:
      return text + fmt::format(" {:.4f}", fault.number);
    case FaultKind::kCut:
      return text + fmt::format(" {} {}", fault.node, fault.other);
    case FaultKind::kStop:
    case FaultKind::kCrash: {
      const auto* const crash =
          std::find_if(kCrashNames.begin(), kCrashNames.end(),
                       [&](const CrashName& c) { return fault.crash == c.kind; });
      return text + fmt::format(" {} {}", fault.node, crash->name);
    }
    case FaultKind::kCrashAtDisk:
    case FaultKind::kFailSync:
    case FaultKind::kWall:
      return text + fmt::format(" {} {:.0f}", fault.node, fault.number);
    case FaultKind::kRate:
      return text + fmt::format(" {} {:.5f}", fault.node, fault.number);
    default:
      return text + fmt::format(" {}", fault.node);
  }
}

absl::StatusOr<std::vector<Fault>> ParseFaults(std::string_view text) {
  std::vector<Fault> faults;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    absl::StatusOr<Fault> fault = ParseLine(line);
    if (!fault.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("line {}: {}", number, std::string(fault.status().message())));
    }
    faults.push_back(*fault);
  }
  return faults;
}

}  // namespace quorate::sim
