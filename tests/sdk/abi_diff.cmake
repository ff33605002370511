# SPDX-License-Identifier: MIT
# abidiff between abi.h, seen through sdk/abi/surface.c, and each baseline sdk/abi/abi_<major>_<minor>.abi: with
# KDHOST_TARGET_ABI at that version the header must declare what it declared then, signatures included. The same with a
# signature changed shows that a change is seen.
#   cmake -D SDK=<sdk> -D WORK=<folder> -D COMPILER=<C compiler> [-D RECORD=1_0] -P abi_diff.cmake
# RECORD writes the baseline of a version that is being released, and nothing else does.
cmake_minimum_required(VERSION 3.25)
find_program(ABIDIFF abidiff)
find_program(ABIDW abidw)
if(NOT ABIDIFF OR NOT ABIDW)
  message("skipped: abidiff is not installed (Debian: apt-get install abigail-tools)")
  return()
endif()

# Compiles the surface for a target version against the headers in `include`.
function(compile include version library)
  string(REGEX MATCH "^([0-9]+)_([0-9]+)$" version "${version}")
  math(EXPR target "100 * ${CMAKE_MATCH_1} + ${CMAKE_MATCH_2}")
  execute_process(
    COMMAND "${COMPILER}" -std=c11 -g -shared -fPIC -fvisibility=hidden -DKDHOST_TARGET_ABI=${target} "-I${include}"
            "-fdebug-prefix-map=${SDK}=." "-fdebug-prefix-map=${WORK}=." -o "${library}" "${SDK}/abi/surface.c"
    WORKING_DIRECTORY "${WORK}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/changed/kdhost")
if(RECORD)
  compile("${SDK}/include" ${RECORD} "${WORK}/surface.so")
  execute_process(COMMAND "${ABIDW}" --no-show-locs --no-corpus-path --no-comp-dir-path
                          --out-file "${SDK}/abi/abi_${RECORD}.abi" "${WORK}/surface.so" COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "${SDK}/abi/abi_${RECORD}.abi written")
  return()
endif()

file(GLOB baselines "${SDK}/abi/abi_*.abi")
if(NOT baselines)
  message(FATAL_ERROR "no baseline in ${SDK}/abi")
endif()
foreach(baseline IN LISTS baselines)
  string(REGEX REPLACE "^.*/abi_(.*)\\.abi$" "\\1" version "${baseline}")
  compile("${SDK}/include" ${version} "${WORK}/surface.so")
  execute_process(COMMAND "${ABIDIFF}" "${baseline}" "${WORK}/surface.so"
                  RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "abi.h is no longer that of ABI ${version}:\n${text}\nPut what is newer behind "
            "`#if KDHOST_TARGET_ABI >= ...`, at the end of its struct; nothing else may change within a major version "
            "(sdk/README.md, \"What may change\").")
  endif()

  file(READ "${SDK}/include/kdhost/abi.h" abi)
  string(REPLACE "(*emit_number)(const kdh_call*, kdh_str name, double value)"
                 "(*emit_number)(const kdh_call*, kdh_str name, float value)" changed "${abi}")
  if(changed STREQUAL abi)
    message(FATAL_ERROR "abi.h no longer contains the signature that this test changes")
  endif()
  file(WRITE "${WORK}/changed/kdhost/abi.h" "${changed}")
  compile("${WORK}/changed" ${version} "${WORK}/changed.so")
  execute_process(COMMAND "${ABIDIFF}" "${baseline}" "${WORK}/changed.so" RESULT_VARIABLE status OUTPUT_VARIABLE text)
  if(status EQUAL 0 OR NOT text MATCHES "type name changed from 'double' to 'float'")
    message(FATAL_ERROR "abidiff does not see a changed signature:\n${text}")
  endif()
endforeach()
message(STATUS "abi.h declares what the baselines say: ${baselines}")
