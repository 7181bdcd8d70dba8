// How programs built with a sanitizer behave unless ASAN_OPTIONS, UBSAN_OPTIONS or TSAN_OPTIONS say
// otherwise. The sanitizers look these functions up by name; cmake/QuorateSanitizers.cmake links
// them into every program.

// NOLINTBEGIN(readability-identifier-naming)
extern "C" const char* __asan_default_options() { return QUORATE_SYMBOLIZER; }

extern "C" const char* __ubsan_default_options() {
  return "print_stacktrace=1:" QUORATE_SYMBOLIZER;
}

// What gRPC, RocksDB and Protobuf do unseen gives false reports, so calls from modules that are not
// instrumented are passed over; tsan.supp has the rest. The first race ends the program: a node
// that went on would bury it in its log, and the caller would see nothing.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:ignore_noninstrumented_modules=1:second_deadlock_stack=1:"
         "suppressions=" QUORATE_TSAN_SUPPRESSIONS ":" QUORATE_SYMBOLIZER;
}
// NOLINTEND(readability-identifier-naming)
