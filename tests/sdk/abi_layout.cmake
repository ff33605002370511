# SPDX-License-Identifier: MIT
# sdk/abi/layout_1_0.c compiles as C11 and C++17 with each compiler while abi.h has the layout of ABI 1.0; it still does
# when a member is appended, and says what is allowed when a member is inserted or a number changed. A target that the header does not
# know is refused.
#   cmake -D SDK=<sdk> -D "C_COMPILERS=gcc;clang-14" -D "CXX_COMPILERS=g++;clang++-14" -P abi_layout.cmake
cmake_minimum_required(VERSION 3.25)
file(READ "${SDK}/include/kdhost/abi.h" abi)
set(count 0)

# Compiles the assertions against abi.h with `find` replaced by `put`; `expected` is part of what the compiler says, or
# empty where it must say nothing.
function(compile compiler language standard find put expected)
  string(REPLACE "${find}" "${put}" changed "${abi}")
  if(find AND changed STREQUAL abi)
    message(FATAL_ERROR "abi.h no longer contains: ${find}")
  endif()
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/abi_layout/kdhost/abi.h" "${changed}")
  execute_process(
    COMMAND ${compiler} -x ${language} -std=${standard} -Wall -Wextra -Wpedantic -Werror
            "-I${CMAKE_CURRENT_BINARY_DIR}/abi_layout" -fsyntax-only "${SDK}/abi/layout_1_0.c"
    RESULT_VARIABLE status ERROR_VARIABLE text)
  if(expected)
    string(FIND "${text}" "${expected}" found)
    if(status EQUAL 0 OR found LESS 0)
      message(FATAL_ERROR "${compiler}: expected '${expected}' after ${put}, found:\n${text}")
    endif()
  elseif(NOT status EQUAL 0)
    message(FATAL_ERROR "${compiler} -std=${standard}:\n${text}")
  endif()
endfunction()

set(allowed " differs from ABI 1.0: only appending is allowed, see the top of this file")
foreach(language c c++)
  set(standard c11)
  set(compilers ${C_COMPILERS})
  if(language STREQUAL "c++")
    set(standard c++17)
    set(compilers ${CXX_COMPILERS})
  endif()
  foreach(compiler IN LISTS compilers)
    compile(${compiler} ${language} ${standard} "" "" "")
    compile(${compiler} ${language} ${standard} "} kdh_scheduler;" "  void (*later)(void);\n} kdh_scheduler;" "")
    compile(${compiler} ${language} ${standard} "  int64_t stage; " "  int64_t before;\n  int64_t stage; "
            "kdh_moment.stage${allowed}")
    compile(${compiler} ${language} ${standard} "#define KDH_TIER_EXACT 3u" "#define KDH_TIER_EXACT 2u"
            "KDH_TIER_EXACT${allowed}")
    compile(${compiler} ${language} ${standard} "  uint64_t count; " "  uint64_t count, more; "
            "the size of kdh_value${allowed}")
    # Only versions that the header knows can be the target of a plugin.
    compile(${compiler} ${language} ${standard} "#ifndef KDHOST_TARGET_ABI\n" "#define KDHOST_TARGET_ABI 100\n#ifndef KDHOST_TARGET_ABI\n" "")
    foreach(unknown 99 101 200)
      compile(${compiler} ${language} ${standard} "#ifndef KDHOST_TARGET_ABI\n"
              "#define KDHOST_TARGET_ABI ${unknown}\n#ifndef KDHOST_TARGET_ABI\n"
              "KDHOST_TARGET_ABI is no version of the plugin ABI that this SDK knows: it knows 100 (1.0)")
    endforeach()
    math(EXPR count "${count} + 9")
  endforeach()
endforeach()
message(STATUS "${count} compilations of the layout of ABI 1.0")
