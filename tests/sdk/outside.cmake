# SPDX-License-Identifier: MIT
# What an author outside does: installs the SDK into an empty folder, builds two plugins with find_package(kdhost) and
# nothing else, and installs them. LibTorch is hidden: no variable names it, and the test fails if a compile command or a library mentions it.
#   cmake -D BUILD=<build folder of kdhost> -D SOURCE=<tests/sdk/outside> -D WORK=<folder to work in>
#         -D COMPILER=<C++ compiler> [-D "FLAGS=<compiler flags>"] -P outside.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed (${status}): ${command}\n${out}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --component sdk --prefix "${WORK}/prefix")
file(COPY "${SOURCE}/" DESTINATION "${WORK}/source")
set(hidden --unset=LIBTORCH_ROOT --unset=CMAKE_PREFIX_PATH --unset=CPATH --unset=CPLUS_INCLUDE_PATH --unset=LD_LIBRARY_PATH)
run("${CMAKE_COMMAND}" -E env ${hidden}
    "${CMAKE_COMMAND}" -S "${WORK}/source" -B "${WORK}/build" "-DCMAKE_PREFIX_PATH=${WORK}/prefix"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" -DCMAKE_DISABLE_FIND_PACKAGE_LibTorch=ON
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
run("${CMAKE_COMMAND}" -E env ${hidden} "${CMAKE_COMMAND}" --build "${WORK}/build")

file(READ "${WORK}/build/compile_commands.json" commands)
if(commands MATCHES "torch")
  message(FATAL_ERROR "LibTorch is on the include path of a portable plugin:\n${commands}")
endif()
find_program(READELF readelf REQUIRED)
foreach(plugin soft_kl polynomial)
  set(file "${WORK}/build/${plugin}.so")
  execute_process(COMMAND "${READELF}" -d "${file}" OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "Shared library: \\[[^]]*\\]" needed "${dynamic}")
  foreach(library IN LISTS needed)
    if(NOT library MATCHES "\\[(libstdc\\+\\+|libm|libgcc_s|libc|ld-linux[^]]*|lib[a-z]*san)\\.so[.0-9]*\\]")
      message(FATAL_ERROR "${file} needs ${library}; a portable plugin needs only the C and C++ runtime")
    endif()
  endforeach()
  execute_process(COMMAND "${READELF}" --dyn-syms --wide "${file}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "(GLOBAL|WEAK|UNIQUE) +DEFAULT +[0-9]+ [^\n]+" defined "${symbols}")
  list(LENGTH defined n)
  if(NOT n EQUAL 1 OR NOT defined MATCHES "kdh_plugin_query")
    message(FATAL_ERROR "${file} exports ${defined}; expected kdh_plugin_query alone")
  endif()
  file(STRINGS "${file}" record REGEX "component kind=(loss|scheduler) id=example")
  if(NOT record)
    message(FATAL_ERROR "${file} has no list of its components in its record")
  endif()
endforeach()
# Installed, they lie where a kdhost of the same prefix looks, and the record has survived stripping.
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/prefix" --component plugins --strip)
file(COPY "${BUILD}/bin/kdhost" DESTINATION "${WORK}/prefix/bin")
execute_process(COMMAND "${CMAKE_COMMAND}" -E env --unset=KDHOST_PLUGIN_PATH "${WORK}/prefix/bin/kdhost" plugins
                OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "${WORK}" "WORK" listed "${listed}")
if(NOT listed STREQUAL "beside the program: WORK/prefix/lib/kdhost/plugins
  polynomial.so  example.schedulers 1.0.0, portable
    scheduler  example.polynomial  1.0.0  from → to along (1 - progress)^power
  soft_kl.so  example 1.0.0, portable
    loss       example.soft_kl  1.0.0  KL divergence of softened class probabilities
")
  message(FATAL_ERROR "not found where they were installed:\n${listed}")
endif()
# A plugin for hosts of an older ABI than the SDK's; one that the SDK does not know stops the compiler, a word that is no
# version stops CMake.
function(configure_for abi)
  file(WRITE "${WORK}/older/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(older LANGUAGES CXX)\n"
       "find_package(kdhost 1.0 REQUIRED)\nkdhost_add_plugin(older ABI ${abi} SOURCES ${WORK}/source/soft_kl.cpp)\n")
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${WORK}/older" -B "${WORK}/older/build" "-DCMAKE_CXX_COMPILER=${COMPILER}"
                          "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_PREFIX_PATH=${WORK}/prefix"
                  RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(status EQUAL 0)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/older/build"
                    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  endif()
  set(status ${status} PARENT_SCOPE)
  set(out "${out}" PARENT_SCOPE)
endfunction()
foreach(case "1.0||yes" "1.1|KDHOST_TARGET_ABI is no version of the plugin ABI that this SDK knows: it knows 100 .1.0.|no"
             "new|ABI is 'new', expected two numbers as in 1.0|no")
  string(REPLACE "|" ";" case "${case}")
  list(GET case 0 abi)
  list(GET case 1 words)
  list(GET case 2 fits)
  configure_for(${abi})
  string(REGEX REPLACE "[ \n]+" " " out " ${out}")
  if((fits AND NOT status EQUAL 0) OR (NOT fits AND status EQUAL 0) OR (NOT fits AND NOT out MATCHES "${words}"))
    message(FATAL_ERROR "ABI ${abi}: expected ${words}, found (${status}):\n${out}")
  endif()
endforeach()
message(STATUS "two plugins built out of tree without LibTorch: ${WORK}/build")
