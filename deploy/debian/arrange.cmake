# Run by CPack between installing and packing: brings what was installed under /usr into the shape
# that Debian wants of a package.
set(staging ${CPACK_TEMPORARY_DIRECTORY})
set(server ${staging}/server)
set(source ${CPACK_QUORATE_SOURCE_DIR})

# The unit for these very paths, where Debian 12's helpers look for units.
set(QUORATE_BINDIR /usr/bin)
set(QUORATE_DOCDIR /usr/share/doc/quorate-server)
file(REMOVE_RECURSE ${server}/usr/lib)
configure_file(${source}/deploy/systemd/quorate.service.in
  ${server}/lib/systemd/system/quorate.service @ONLY)

# The sample as configuration, with the folder that the unit provides.
file(READ ${source}/deploy/kvd.toml config)
string(REPLACE "#data-dir = \"DIR\"" "data-dir = \"/var/lib/quorate\"" filled "${config}")
if(filled STREQUAL config)
  message(FATAL_ERROR "deploy/kvd.toml has no line for data-dir any more")
endif()
file(MAKE_DIRECTORY ${server}/etc/quorate)
file(WRITE ${server}/etc/quorate/kvd.toml "${filled}")

# Each package documents itself in a folder of its own name.
foreach(part server cli dev)
  string(TOUPPER ${part} upper)
  set(doc ${staging}/${part}/usr/share/doc)
  set(own ${doc}/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  if(EXISTS ${doc}/quorate)
    file(RENAME ${doc}/quorate ${own})
  endif()
  file(MAKE_DIRECTORY ${own})
  if(EXISTS ${source}/LICENSE)
    file(COPY_FILE ${source}/LICENSE ${own}/copyright)
  else()
    file(WRITE ${own}/copyright
      "Quorate ${CPACK_PACKAGE_VERSION}\n\nThe source tree that this package was built from names no licence.\n")
  endif()
  if(EXISTS ${source}/CHANGELOG.md)
    file(COPY_FILE ${source}/CHANGELOG.md ${own}/CHANGELOG.md)
  endif()
  # Debian wants one in a form of its own; SOURCE_DATE_EPOCH makes it repeatable.
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE ${own}/changelog
    "quorate (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n  * Built from version "
    "${CPACK_PACKAGE_VERSION}.\n\n -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
  execute_process(COMMAND gzip -9n ${own}/changelog COMMAND_ERROR_IS_FATAL ANY)
endforeach()

file(GLOB_RECURSE pages ${staging}/*/usr/share/man/*.1 ${staging}/*/usr/share/man/*.8)
if(pages)
  execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()

# The linker of users reads the archives' symbols, nobody their line numbers.
file(GLOB archives ${staging}/dev/usr/lib/*.a)
execute_process(COMMAND strip --strip-debug ${archives} COMMAND_ERROR_IS_FATAL ANY)
