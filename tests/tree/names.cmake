# SPDX-License-Identifier: MIT
# A file name of our own sources stands for one file in the tree, so that a name in a message or a review is enough.
file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/host/*.[ch]pp" "${ROOT}/sdk/include/*.h*" "${ROOT}/plugins/*.[ch]pp"
     "${ROOT}/tests/*.[ch]pp")
set(problems "")
foreach(file IN LISTS files)
  cmake_path(GET file FILENAME name)
  if(DEFINED "first_${name}")
    string(APPEND problems "${file} and ${first_${name}}\n")
  endif()
  set("first_${name}" "${file}")
endforeach()
if(problems)
  message(FATAL_ERROR "The same name twice:\n${problems}")
endif()
