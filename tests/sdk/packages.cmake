# SPDX-License-Identifier: MIT
# cpack makes kdhost_*.deb and kdhost-dev_*.deb of a finished build. Unpacked into a folder, the program lists its plugins
# and computes with a LibTorch put where README.Debian says, and find_package(kdhost) builds and installs a plugin that
# the program then finds.
#   cmake -D BUILD=<build folder of kdhost> -D SOURCE=<tests/sdk/outside> -D WORK=<folder to work in> -D CPACK=<cpack>
#         -D COMPILER=<C++ compiler> [-D "FLAGS=<compiler flags>"] -D TORCH=<lib folder of LibTorch> -P packages.cmake
cmake_minimum_required(VERSION 3.25)
find_program(DPKG_DEB dpkg-deb)
if(NOT DPKG_DEB)
  message("skipped: dpkg-deb is not installed")
  return()
endif()

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output
                  WORKING_DIRECTORY "${WORK}")
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed (${status}): ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "expected ${pattern}, found:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/unpacked")
set(ENV{KDHOST_PLUGIN_PATH} "")
run("${CPACK}" --config "${BUILD}/CPackConfig.cmake" -B "${WORK}/made")
file(GLOB packages RELATIVE "${WORK}/made" "${WORK}/made/*.deb")
list(SORT packages)
list(JOIN packages " " names)
if(NOT names MATCHES "^kdhost-dev_([0-9.]+)_all\\.deb kdhost_([0-9.]+)_[a-z0-9]+\\.deb$")
  message(FATAL_ERROR "expected two packages, found ${names}")
endif()
foreach(package IN LISTS packages)
  run("${DPKG_DEB}" -x "${WORK}/made/${package}" "${WORK}/unpacked")
endforeach()
list(GET packages 1 program_package)
run("${DPKG_DEB}" --field "${WORK}/made/${program_package}" Depends)
expect("^libc6 \\(>= [0-9.]+\\), libstdc\\+\\+6 \\(>= [0-9.]+\\), libgcc-s1")
list(GET packages 0 sdk_package)
run("${DPKG_DEB}" --field "${WORK}/made/${sdk_package}" Recommends)
expect("^kdhost, cmake")

find_program(READELF readelf REQUIRED)
set(root "${WORK}/unpacked/usr")
run("${READELF}" -d "${root}/bin/kdhost-engine")
expect("R(UN)?PATH[^\n]*\\[\\$ORIGIN/../lib:\\$ORIGIN/../lib/kdhost/libtorch/lib\\]")
set(program "${root}/bin/kdhost")
run("${program}" plugins)
expect("beside the program: [^\n]*/unpacked/usr/lib/kdhost/plugins\n")
expect("  loss       kdhost.kd  ")

file(MAKE_DIRECTORY "${root}/lib/kdhost/libtorch")
file(CREATE_LINK "${TORCH}" "${root}/lib/kdhost/libtorch/lib" SYMBOLIC)
file(WRITE "${WORK}/e.toml" "seeds = [1]\n[data]\nuse = \"kdhost.synthetic\"\n[student]\nuse = \"kdhost.mlp\"\n"
     "[[loss]]\nuse = \"kdhost.cross_entropy\"\n[[loss]]\nuse = \"example.soft_kl\"\n[teacher]\nema_of = \"student\"\n"
     "[train]\nsteps = 2\n")

run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/build" "-DCMAKE_PREFIX_PATH=${root}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_CXX_FLAGS=${FLAGS}" -DCMAKE_DISABLE_FIND_PACKAGE_LibTorch=ON)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${root}")
run("${program}" plugins)
expect("  soft_kl.so  example 1.0.0, portable\n")
run("${program}" run e.toml --threads 1 --out "${WORK}/run")
if(NOT EXISTS "${WORK}/run/summary.json")
  message(FATAL_ERROR "the packaged program did not finish a run:\n${output}")
endif()
message(STATUS "${names}: unpacked, run, and built against")
