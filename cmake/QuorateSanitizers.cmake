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

# Run-time options are linked in, so that a program that is started by hand, or by another one,
# behaves as it does in the check.
function(quorate_link_sanitizer_options target)
  if(QUORATE_SANITIZE)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:quorate_sanitizer_options>)
  endif()
endfunction()
