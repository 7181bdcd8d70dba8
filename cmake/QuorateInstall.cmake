# What `cmake --install` puts where (docs/install.md), in three components: server, cli, dev.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Sets `out` to the targets of ours that the given ones need, themselves included.
function(quorate_own_targets out)
  set(found)
  set(open ${ARGN})
  while(open)
    list(POP_FRONT open target)
    if(target MATCHES "^quorate_" AND NOT target IN_LIST found)
      list(APPEND found ${target})
      get_target_property(needs ${target} INTERFACE_LINK_LIBRARIES)
      if(needs)
        list(APPEND open ${needs})
      endif()
    endif()
  endwhile()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Sets `out` to the libraries of others that these targets of ours link, by names that a user's
# project knows after the package's find_dependency calls.
function(quorate_foreign_libraries out)
  set(found)
  foreach(target ${ARGN})
    get_target_property(needs ${target} INTERFACE_LINK_LIBRARIES)
    foreach(library ${needs})
      if(library STREQUAL "PkgConfig::XXHASH")
        list(APPEND found xxhash)
      elseif(library MATCHES "^PkgConfig::")
        message(FATAL_ERROR "${target}: users of the installed library do not know ${library}; "
          "map it to a library's name here")
      elseif(library AND NOT library MATCHES "^quorate_")
        list(APPEND found ${library})
      endif()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Sets `out` to the object files of these targets of ours.
function(quorate_objects out)
  set(found)
  foreach(target ${ARGN})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(APPEND found $<TARGET_OBJECTS:${target}>)
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# One archive for what users link, made of all that the client library needs of ours
# (docs/decisions/0003-static-client-archive.md). What is left out of it nothing in the client
# calls; it would make every user link spdlog and RocksDB.
set(QUORATE_NOT_IN_CLIENT "/(log|production_runtime)\\.cc\\.o$")
quorate_own_targets(client_targets quorate_client)
quorate_objects(client_objects ${client_targets})
quorate_foreign_libraries(client_foreign ${client_targets})
list(REMOVE_ITEM client_foreign spdlog::spdlog RocksDB::rocksdb-shared)
# An archive may end in a user's shared library.
foreach(target ${client_targets})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endforeach()

add_library(quorate_client_archive STATIC
  "$<FILTER:${client_objects},EXCLUDE,${QUORATE_NOT_IN_CLIENT}>")
set_target_properties(quorate_client_archive PROPERTIES
  OUTPUT_NAME quorate EXPORT_NAME client LINKER_LANGUAGE CXX)
target_compile_features(quorate_client_archive INTERFACE cxx_std_20)
target_include_directories(quorate_client_archive INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(quorate_client_archive PUBLIC ${client_foreign})

# The rest of a node, for unit tests.
quorate_own_targets(testing_targets quorate_local_node)
list(REMOVE_ITEM testing_targets ${client_targets})
quorate_objects(testing_objects ${testing_targets})
quorate_foreign_libraries(testing_foreign ${testing_targets} ${client_targets})
add_library(quorate_testing_archive STATIC
  ${testing_objects}
  "$<FILTER:$<TARGET_OBJECTS:quorate_runtime>,INCLUDE,${QUORATE_NOT_IN_CLIENT}>")
set_target_properties(quorate_testing_archive PROPERTIES
  OUTPUT_NAME quorate_testing EXPORT_NAME testing LINKER_LANGUAGE CXX)
target_link_libraries(quorate_testing_archive PUBLIC quorate_client_archive ${testing_foreign})

# The same names for who adds this tree to a build of their own.
add_library(quorate::client ALIAS quorate_client)
add_library(quorate::testing ALIAS quorate_local_node)

# ---- server and command line

# What the libraries of this tree could use and these two do not: kvctl opens no RocksDB.
foreach(program kvd kvctl)
  target_link_options(${program} PRIVATE LINKER:--as-needed)
endforeach()
install(TARGETS kvd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
install(TARGETS kvctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
install(FILES deploy/kvd.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT server)
set(QUORATE_BINDIR ${CMAKE_INSTALL_FULL_BINDIR})
set(QUORATE_DOCDIR ${CMAKE_INSTALL_FULL_DOCDIR})
configure_file(deploy/systemd/quorate.service.in ${PROJECT_BINARY_DIR}/cmake/quorate.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/quorate.service
  DESTINATION lib/systemd/system COMPONENT server)
# Manual pages and completion, which the build lays out as they are installed. Optional for who
# builds and installs the programs alone; the check demands them of the packages.
if(TARGET quorate_share)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}
    COMPONENT cli OPTIONAL PATTERN man8 EXCLUDE)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/man/man8 DESTINATION ${CMAKE_INSTALL_MANDIR}
    COMPONENT server OPTIONAL)
endif()
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server
  FILES_MATCHING PATTERN "*.md" PATTERN decisions EXCLUDE)

# ---- library

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/quorate)
configure_package_config_file(cmake/quorateConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/quorateConfig.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/quorateConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/quorateConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/quorateConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)
install(TARGETS quorate_client_archive EXPORT quorate_client
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(TARGETS quorate_testing_archive EXPORT quorate_testing
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT quorate_client NAMESPACE quorate:: FILE quorateClientTargets.cmake
  DESTINATION ${package_dir} COMPONENT dev)
install(EXPORT quorate_testing NAMESPACE quorate:: FILE quorateTestingTargets.cmake
  DESTINATION ${package_dir} COMPONENT dev)

# The package file finds its place from where it lies, so that the folder may be moved.
file(RELATIVE_PATH QUORATE_PREFIX_FROM_PC
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/quorate.pc.in ${PROJECT_BINARY_DIR}/cmake/quorate.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/quorate.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

install(DIRECTORY client/include/quorate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev
  FILES_MATCHING PATTERN "*.h")
# For clients in other languages.
install(DIRECTORY proto/kv DESTINATION ${CMAKE_INSTALL_DATADIR}/quorate/proto COMPONENT dev
  FILES_MATCHING PATTERN "*.proto")
