# SPDX-License-Identifier: MIT
# sdk/abi/layout_1_0.c compiles as C11 and C++17 with each compiler while abi.h has the layout of ABI 1.0; it still does
# when a member is appended, and says what is allowed when a member is inserted or a number changed. A target that the header does not
# know is refused, and for the target 1.0 the header declares what that of 1.0 did.
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

# What the header declares for plugins of a version is, token by token, what the header of that version declared.
function(declared compiler result header)
  execute_process(COMMAND ${compiler} -x c -std=c11 -E -P -DKDHOST_TARGET_ABI=100 "${header}"
                  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()
foreach(compiler IN LISTS C_COMPILERS)
  declared(${compiler} then "${SDK}/abi/1_0/kdhost/abi.h")
  declared(${compiler} now "${SDK}/include/kdhost/abi.h")
  if(NOT then STREQUAL now)
    message(FATAL_ERROR "abi.h declares something else for KDHOST_TARGET_ABI=100 than the header of 1.0, sdk/abi/1_0/kdhost/abi.h, "
            "did. Allowed are members at the end of a struct behind `#if KDHOST_TARGET_ABI >= 101`.\nThen:\n${then}\nNow:\n${now}")
  endif()
endforeach()

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
