# SPDX-License-Identifier: MIT
# `kdhost` answers what needs no model in milliseconds because LibTorch, which takes a fifth of a second, is not loaded.
execute_process(COMMAND "${READELF}" -d "${PROGRAM}" OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
if(dynamic MATCHES "lib(torch|c10)[a-z0-9_]*[.]so")
  message(FATAL_ERROR "${PROGRAM} needs ${CMAKE_MATCH_0}; what it answers belongs in the layers below tensor/")
endif()
