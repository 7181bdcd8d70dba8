# Debian packages, one for each component: `cpack` in the build folder, or the target `package`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR Quorate)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL server cli dev)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES TRUE)
set(CPACK_QUORATE_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/deploy/debian/arrange.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# Who builds packages for others says who answers for them.
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "Quorate <quorate@localhost>"
  CACHE STRING "Maintainer field of the Debian packages: Name <address>")

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME quorate-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION database)
set(CPACK_COMPONENT_SERVER_DESCRIPTION "distributed key-value store: the node
Quorate keeps small and middling values under many keys on several machines,
replicated by Raft, and says of every write whether it was done, was not done,
or may have been. This package holds the node kvd with a systemd unit.")
set(CPACK_DEBIAN_SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS quorate-cli)
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
  ${PROJECT_SOURCE_DIR}/deploy/debian/postrm ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles)

set(CPACK_DEBIAN_CLI_PACKAGE_NAME quorate-cli)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION database)
set(CPACK_COMPONENT_CLI_DESCRIPTION "distributed key-value store: the command line
kvctl founds and inspects clusters of Quorate, and reads, writes, imports and
exports their data.")
set(CPACK_DEBIAN_CLI_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libquorate-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION "distributed key-value store: the C++ client library
Headers, archives, CMake and pkg-config files of the client library of Quorate,
its gRPC interface, and a node that runs inside unit tests.")
# What a program that links the archive needs, which dpkg-shlibdeps cannot see.
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libgrpc++-dev, libprotobuf-dev, protobuf-compiler, \
protobuf-compiler-grpc, libabsl-dev, libfmt-dev, libxxhash-dev")
# For quorate::testing.
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "librocksdb-dev, libspdlog-dev, libgtest-dev")

include(CPack)
