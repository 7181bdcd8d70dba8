# Three functions make every target of the tree, so that warnings, sanitizers
# and test discovery are set in one place.
function(quorate_compile_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(${target} PRIVATE -Wthread-safety)
  endif()
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

# A misspelt keyword must not pass in silence.
function(quorate_refuse_unknown name)
  if(ARGN)
    message(FATAL_ERROR "${name}: unknown arguments: ${ARGN}")
  endif()
endfunction()

# quorate_library(NAME SOURCES a.cc… DEPENDS lib…)
function(quorate_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  quorate_refuse_unknown(${name} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    quorate_compile_options(${name})
    target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS})
  endif()
endfunction()

# quorate_binary(NAME SOURCES a.cc… DEPENDS lib…)
function(quorate_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  quorate_refuse_unknown(${name} ${ARG_UNPARSED_ARGUMENTS})
  add_executable(${name} ${ARG_SOURCES})
  quorate_compile_options(${name})
  quorate_link_sanitizer_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
endfunction()

# All programs that the tests of a label need: targets tests-unit, tests-sim, tests-sim-fast and
# tests-integration, for builds that run some of the tests only.
function(quorate_add_to_tests label)
  if(NOT TARGET tests-${label})
    add_custom_target(tests-${label})
  endif()
  add_dependencies(tests-${label} ${ARGN})
endfunction()

# quorate_test(NAME [ONE_THREAD] [LABELS l] [TIMEOUT seconds] SOURCES a_test.cc… DEPENDS lib…)
# LABELS says in which step of tools/check the tests run: unit (the default), sim, sim-fast (sim, and
# under the sanitizers too), integration. One only: gtest_discover_tests drops all but the first of
# a list. TIMEOUT is for one test case. ONE_THREAD: all of it runs on one thread, so that the thread
# sanitizer has nothing to look at and its build leaves the test out.
function(quorate_test name)
  cmake_parse_arguments(ARG "ONE_THREAD" "LABELS;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  quorate_refuse_unknown(${name} ${ARG_UNPARSED_ARGUMENTS})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_LABELS MATCHES "^(unit|sim|sim-fast|integration)$")
    message(FATAL_ERROR "${name}: no step of tools/check runs the label '${ARG_LABELS}'")
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  quorate_compile_options(${name})
  quorate_link_sanitizer_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gmock_main)
  if(ARG_ONE_THREAD AND QUORATE_SANITIZE STREQUAL "thread")
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  quorate_add_to_tests(${ARG_LABELS} ${name})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 600
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT "${ARG_TIMEOUT}")
endfunction()

# quorate_fuzz(NAME [DICTIONARY d] SOURCES a.cc… DEPENDS lib…)
# One source, NAME_fuzz.cc, holds LLVMFuzzerTestOneInput; corpus/NAME/ what it starts from. The test runs the
# corpus and then QUORATE_FUZZ_SECONDS of new inputs; what fails is left in build/…/fuzz-findings/.
set(QUORATE_FUZZ_SECONDS 2 CACHE STRING "How long the test of each fuzz target looks for new inputs")
function(quorate_fuzz name)
  cmake_parse_arguments(ARG "" "DICTIONARY" "SOURCES;DEPENDS" ${ARGN})
  quorate_refuse_unknown(${name} ${ARG_UNPARSED_ARGUMENTS})
  add_executable(${name}_fuzz ${ARG_SOURCES})
  quorate_compile_options(${name}_fuzz)
  quorate_link_sanitizer_options(${name}_fuzz)
  target_compile_options(${name}_fuzz PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name}_fuzz PRIVATE ${ARG_DEPENDS})
  quorate_add_to_tests(fuzz ${name}_fuzz)
  set(dictionary)
  if(ARG_DICTIONARY)
    set(dictionary -dict=${CMAKE_CURRENT_SOURCE_DIR}/${ARG_DICTIONARY})
  endif()
  set(findings ${PROJECT_BINARY_DIR}/fuzz-findings)
  file(MAKE_DIRECTORY ${findings} ${PROJECT_BINARY_DIR}/fuzz-corpus/${name})
  # New inputs go to the first folder, in the build, never to the tree's.
  add_test(NAME fuzz.${name}
    COMMAND ${name}_fuzz -max_total_time=${QUORATE_FUZZ_SECONDS} -timeout=20 -max_len=4096
      -verbosity=0 -print_final_stats=1 -artifact_prefix=${findings}/${name}- ${dictionary}
      ${PROJECT_BINARY_DIR}/fuzz-corpus/${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()

# quorate_proto(NAME [GRPC] PROTOS a.proto… DEPENDS lib…)
# Own rule instead of protobuf_generate: CMake 3.25's writes protos below a
# folder to the wrong place, and with a DEPFILE protoc reruns for ever unless
# the first OUTPUT is the first file that the DEPFILE names.
function(quorate_proto name)
  cmake_parse_arguments(ARG "GRPC" "" "PROTOS;DEPENDS" ${ARGN})
  quorate_refuse_unknown(${name} ${ARG_UNPARSED_ARGUMENTS})
  set(out ${PROJECT_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(files)
    set(flags)
    if(ARG_GRPC)
      list(APPEND files ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      list(APPEND flags --grpc_out=${out}
        --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
    endif()
    list(APPEND files ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    string(REPLACE "/" "_" depfile ${stem})
    add_custom_command(
      OUTPUT ${files}
      DEPENDS ${PROJECT_SOURCE_DIR}/proto/${proto}
      DEPFILE ${out}/${depfile}.d
      COMMAND protobuf::protoc -I${PROJECT_SOURCE_DIR}/proto
        --cpp_out=${out} ${flags} --dependency_out=${out}/${depfile}.d
        ${PROJECT_SOURCE_DIR}/proto/${proto}
      COMMENT "protoc ${proto}" VERBATIM)
    list(APPEND sources ${files})
  endforeach()
  add_library(${name} STATIC ${sources})
  # protoc gives things in different files the same names.
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${ARG_DEPENDS})
  if(ARG_GRPC)
    target_link_libraries(${name} PUBLIC gRPC::grpc++)
  endif()
endfunction()
