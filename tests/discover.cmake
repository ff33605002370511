# SPDX-License-Identifier: MIT
# Run after a test program is linked (see kdhost_add_test): asks it for its test cases and writes one CTest test for
# each. Catch2's own script cannot give a test two labels, and trips over names with an odd bracket such as "[0, 1)".
#   -D PROGRAM=<file> -D NAME=<prefix> -D LABELS=<comma list> -D TIMEOUT=<seconds> -D OUTPUT=<file>
execute_process(COMMAND "${PROGRAM}" --list-test-names-only
                OUTPUT_VARIABLE names ERROR_VARIABLE errors RESULT_VARIABLE result)
if(NOT result MATCHES "^[0-9]+$" OR names STREQUAL "") # the number is that of the test cases
  message(FATAL_ERROR "${PROGRAM} does not list its tests (${result})\n${names}${errors}")
endif()
string(REPLACE "," ";" labels "${LABELS}")

set(script "")
while(NOT names STREQUAL "")
  string(FIND "${names}" "\n" end)
  if(end EQUAL -1)
    string(LENGTH "${names}" end)
  endif()
  string(SUBSTRING "${names}" 0 ${end} case)
  math(EXPR next "${end} + 1")
  string(LENGTH "${names}" length)
  if(next GREATER length)
    set(next ${length})
  endif()
  string(SUBSTRING "${names}" ${next} -1 names)
  if(case STREQUAL "")
    continue()
  endif()
  # In Catch2's argument these characters have a meaning.
  string(REGEX REPLACE "([][,\\])" "\\\\\\1" spec "${case}")
  string(APPEND script
    "add_test([==[${NAME}: ${case}]==] [==[${PROGRAM}]==] [==[${spec}]==])\n"
    "set_tests_properties([==[${NAME}: ${case}]==] PROPERTIES LABELS \"${labels}\" TIMEOUT ${TIMEOUT}\n"
    "  ENVIRONMENT OMP_NUM_THREADS=1 SKIP_REGULAR_EXPRESSION \"(^|\\n)skipped: \")\n")
endwhile()
file(WRITE "${OUTPUT}" "${script}")
