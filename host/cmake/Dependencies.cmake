# SPDX-License-Identifier: MIT
# The third-party libraries besides LibTorch. Most are headers only: they are found by their header, not by a package
# file, so the system's packages, an unpacked archive and the folder that `tests/gpu pack` fills all work alike
# (name the folder in CMAKE_PREFIX_PATH). Targets have the names that the libraries' own packages use.

# kdhost_header_library(<target> <header> <Debian package>)
function(kdhost_header_library target header package)
  string(MAKE_C_IDENTIFIER "KDHOST_${target}_INCLUDE_DIR" variable)
  find_path(${variable} "${header}")
  mark_as_advanced(${variable})
  if(NOT ${variable})
    message(FATAL_ERROR "The header <${header}> was not found.\n"
            "Install it (Debian: apt-get install ${package}), or name the folder that holds include/${header} "
            "with -DCMAKE_PREFIX_PATH=DIR.")
  endif()
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE "${${variable}}")
  endif()
endfunction()

kdhost_header_library(tomlplusplus::tomlplusplus toml++/toml.h libtomlplusplus-dev)
kdhost_header_library(Boost::headers boost/dll/shared_library.hpp libboost-dev)
kdhost_header_library(nlohmann_json::nlohmann_json nlohmann/json.hpp nlohmann-json3-dev)
kdhost_header_library(CLI11::CLI11 CLI/CLI.hpp libcli11-dev)
kdhost_header_library(xxHash::headers xxhash.h libxxhash-dev)
target_compile_definitions(xxHash::headers INTERFACE XXH_INLINE_ALL) # header only: no libxxhash at run time
find_package(Threads REQUIRED)
