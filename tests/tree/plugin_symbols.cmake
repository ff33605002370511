# SPDX-License-Identifier: MIT
# What crosses the plugin boundary: one symbol out, and into the library nothing but the C++ runtime.
file(GLOB plugins "${PLUGINS}/*.so")
if(NOT plugins)
  message(FATAL_ERROR "no plugin in ${PLUGINS}")
endif()
foreach(plugin IN LISTS plugins)
  execute_process(COMMAND "${NM}" -D --defined-only --format=posix "${plugin}" OUTPUT_VARIABLE symbols
                  COMMAND_ERROR_IS_FATAL ANY)
  if(NOT symbols MATCHES "^kdh_plugin_query T [0-9a-f ]*\n$")
    message(SEND_ERROR "${plugin} exports\n${symbols}expected kdh_plugin_query alone")
  endif()
  if(SANITIZE) # the sanitizers' runtime is needed too
    continue()
  endif()
  execute_process(COMMAND "${READELF}" -d "${plugin}" OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "NEEDED[^\n]*" needed "${dynamic}")
  string(REPLACE "]" "" needed "${needed}") # an odd bracket would join the elements of the list
  string(REPLACE "[" "" needed "${needed}")
  foreach(library IN LISTS needed)
    if(NOT library MATCHES "(libc|libm|libgcc_s|libstdc[+][+]|ld-linux[-a-z0-9_]*)[.]so[.0-9]*$")
      message(SEND_ERROR "${plugin}: ${library}, expected only libc, libm, libgcc_s and libstdc++")
    endif()
  endforeach()
endforeach()
