# Sanitizers over all that is compiled here, and how their programs behave.
set(QUORATE_SANITIZE "" CACHE STRING "Sanitizers to build with: empty, address or thread")

if(QUORATE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(QUORATE_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(QUORATE_SANITIZE)
  message(FATAL_ERROR "QUORATE_SANITIZE is neither address nor thread: ${QUORATE_SANITIZE}")
endif()

# Fuzz targets come with the address sanitizer and libFuzzer, which only clang has. What they call is
# counted, so that mutations are kept that reach something new; "light" leaves out the tracing of
# comparisons, which finds more in minutes and costs every build and test a third.
set(QUORATE_FUZZ "" CACHE STRING "Fuzz targets: empty (none), light or full")
if(QUORATE_FUZZ AND NOT (QUORATE_SANITIZE STREQUAL "address" AND
                         CMAKE_CXX_COMPILER_ID MATCHES "Clang"))
  message(FATAL_ERROR "QUORATE_FUZZ needs clang and QUORATE_SANITIZE=address")
endif()
if(QUORATE_FUZZ STREQUAL "light")
  add_compile_options(-fsanitize-coverage=inline-8bit-counters,pc-table)
elseif(QUORATE_FUZZ STREQUAL "full")
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Run-time options are linked in, so that a program that is started by hand, or by another one,
# behaves as it does in the check.
function(quorate_link_sanitizer_options target)
  if(QUORATE_SANITIZE)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:quorate_sanitizer_options>)
  endif()
endfunction()
