# SPDX-License-Identifier: MIT
# Every source is formatted as .clang-format says, so that a change shows only what it changes.
if(NOT CLANG_FORMAT)
  message(NOTICE "skipped: clang-format-14 is not installed (Debian: apt-get install clang-format-14)")
  return()
endif()
file(GLOB_RECURSE files "${ROOT}/host/*.[ch]pp" "${ROOT}/sdk/*.[ch]pp" "${ROOT}/sdk/*.h" "${ROOT}/plugins/*.[ch]pp"
     "${ROOT}/tests/*.[ch]pp")
list(FILTER files EXCLUDE REGEX "/tests/sdk/outside/") # sources of the guide, letter by letter
execute_process(COMMAND "${CLANG_FORMAT}" --dry-run --Werror ${files} ERROR_VARIABLE problems RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "Not formatted; run ${CLANG_FORMAT} -i on:\n${problems}")
endif()
