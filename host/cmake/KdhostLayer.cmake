# SPDX-License-Identifier: MIT
# What all targets of the host share: the include root, the SDK's headers and, where LibTorch is seen, one precompiled
# header. Only tensor/aten.hpp and standard headers are in it: anything of torch/csrc or torch/nn would make every file
# that uses it slower. Files that include those name themselves in ALONE: a unity build does not merge them with others.

# kdhost_see_torch(<target>): LibTorch, with the light headers of host/cmake/light before its own, and tensor/aten.hpp.
function(kdhost_see_torch target)
  target_link_libraries(${target} PUBLIC LibTorch::LibTorch)
  target_include_directories(${target} BEFORE PRIVATE
    "${PROJECT_SOURCE_DIR}/host/cmake/light" "${PROJECT_SOURCE_DIR}/host")
endfunction()

add_library(kdhost_pch OBJECT "${CMAKE_CURRENT_LIST_DIR}/pch.cpp")
kdhost_see_torch(kdhost_pch)
target_precompile_headers(kdhost_pch PRIVATE
  "${PROJECT_SOURCE_DIR}/host/tensor/aten.hpp" <algorithm> <cstdint> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <unordered_map> <utility> <vector>)

# kdhost_use_torch(<target> [PCH <target>] [ALONE <files>] [NO_PCH <files>]): links LibTorch and takes the precompiled
# header, kdhost_pch or another one that was compiled with the target's own options. NO_PCH: files with other options.
function(kdhost_use_torch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PCH" "ALONE;NO_PCH")
  if(NOT arg_PCH)
    set(arg_PCH kdhost_pch)
  endif()
  kdhost_see_torch(${target})
  target_precompile_headers(${target} REUSE_FROM ${arg_PCH})
  if(arg_ALONE)
    set_source_files_properties(${arg_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  if(arg_NO_PCH)
    set_source_files_properties(${arg_NO_PCH} PROPERTIES SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# kdhost_add_layer(<name> SOURCES <files> [LIBRARIES <targets>] [TORCH] [ALONE <files>] [NO_PCH <files>])
# A layer of the host: the static library kdhost_<name>, whose headers are included from the root of host/.
function(kdhost_add_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;LIBRARIES;ALONE;NO_PCH")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "kdhost_add_layer(${name}): expected SOURCES <files> [LIBRARIES <targets>] [TORCH] "
            "[ALONE <files>] [NO_PCH <files>], found '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  add_library(kdhost_${name} STATIC ${arg_SOURCES})
  target_include_directories(kdhost_${name} PUBLIC "${PROJECT_SOURCE_DIR}/host")
  target_link_libraries(kdhost_${name} PUBLIC kdhost::sdk ${arg_LIBRARIES})
  if(arg_TORCH)
    kdhost_use_torch(kdhost_${name} ALONE ${arg_ALONE} NO_PCH ${arg_NO_PCH})
  endif()
endfunction()
