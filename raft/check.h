// Assertions that stay on in release builds.
//
// For our own broken invariants only; what the network, a disk or a user hands in is answered with
// an absl::Status instead. A failure means that this process can no longer be trusted: it ends at
// once, without running destructors that might write wrong state down.
#ifndef RAFT_CHECK_H_
#define RAFT_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace quorate::check_internal {

// Collects what is streamed behind QUORATE_CHECK; its destructor prints the message and aborts.
class Failure {
 public:
  Failure(const char* condition, const char* file, int line) {
    stream_ << file << ':' << line << ": check failed: " << condition;
  }
  Failure(const Failure&) = delete;
  Failure& operator=(const Failure&) = delete;
  [[noreturn]] ~Failure() {
    std::fprintf(stderr, "%s\n", stream_.str().c_str());
    std::fflush(stderr);
    std::abort();
  }

  Failure& Note() { return *this; }
  Failure& Note(const char* text) {
    stream_ << " (" << text << ") ";
    return *this;
  }

  template <class T>
  Failure& operator<<(const T& value) {
    stream_ << value;
    return *this;
  }

 private:
  std::ostringstream stream_;
};

// Gives the failing branch of QUORATE_CHECK the type void; binds looser than <<.
struct Voidify {
  void operator&(const Failure& /*failure*/) const {}
};

}  // namespace quorate::check_internal

// QUORATE_CHECK(a < b); QUORATE_CHECK(a < b, "sorted"); QUORATE_CHECK(a < b) << a << b;
#define QUORATE_CHECK(condition, ...)          \
  (condition)                                  \
      ? (void)0                                \
      : ::quorate::check_internal::Voidify() & \
            ::quorate::check_internal::Failure(#condition, __FILE__, __LINE__).Note(__VA_ARGS__)

#endif  // RAFT_CHECK_H_
