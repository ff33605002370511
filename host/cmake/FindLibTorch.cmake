# SPDX-License-Identifier: MIT
# FindLibTorch: LibTorch from a Python wheel, an unpacked archive or a distribution, without its own CMake files. Needs
# no CUDA toolkit, no MKL, and no Python in the build (python3 is only asked where its `torch` package lies).
#
# Looks in    LIBTORCH_ROOT (variable or environment; then nowhere else), CMAKE_PREFIX_PATH,
#             the `torch` package of python3, <build folder>/libtorch, the system
# Targets     LibTorch::LibTorch  everything to compile and link a host
#             LibTorch::Headers   include folders only (plugins of the exact tier)
#             LibTorch::CUDA      only if libtorch_cuda exists and the CUDA runtime headers were found
# Variables   LibTorch_VERSION, LibTorch_INCLUDE_DIRS, LibTorch_LIBRARY_DIR, LibTorch_HAS_CUDA, LibTorch_FINGERPRINT
include(FindPackageHandleStandardArgs)

set(_lt_only "")
set(_lt_hints "")
if(LIBTORCH_ROOT OR DEFINED ENV{LIBTORCH_ROOT})
  if(LIBTORCH_ROOT)
    get_filename_component(_lt_hints "${LIBTORCH_ROOT}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
  else()
    get_filename_component(_lt_hints "$ENV{LIBTORCH_ROOT}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
  endif()
  set(_lt_only NO_DEFAULT_PATH) # said explicitly: a wrong folder is an error, not a reason to look elsewhere
  cmake_path(IS_PREFIX _lt_hints "${LibTorch_torch_cpu_LIBRARY}" NORMALIZE _lt_same)
  if(LibTorch_torch_cpu_LIBRARY AND NOT _lt_same)
    foreach(v torch_cpu_LIBRARY c10_LIBRARY torch_cuda_LIBRARY c10_cuda_LIBRARY INCLUDE_DIR CUDA_INCLUDE_DIR
              CUDART_LIBRARY)
      unset(LibTorch_${v} CACHE) # found by an earlier configure in another folder
    endforeach()
  endif()
else()
  foreach(p IN LISTS CMAKE_PREFIX_PATH)
    if(p MATCHES "^(.*)/share/cmake/?$") # what torch.utils.cmake_prefix_path gives
      list(APPEND _lt_hints "${CMAKE_MATCH_1}")
    endif()
    list(APPEND _lt_hints "${p}")
  endforeach()
endif()
if(NOT _lt_only AND NOT LibTorch_torch_cpu_LIBRARY)
  # find_spec does not import the package: milliseconds instead of seconds
  find_program(LibTorch_PYTHON NAMES python3 python)
  mark_as_advanced(LibTorch_PYTHON)
  if(LibTorch_PYTHON)
    execute_process(
      COMMAND "${LibTorch_PYTHON}" -c
              "import importlib.util as u; s=u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _lt_py OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND _lt_hints ${_lt_py})
  endif()
  list(APPEND _lt_hints "${CMAKE_BINARY_DIR}/libtorch/torch") # where experiments/run and tests/run put it
endif()

# One library decides where everything else must lie, so two installations are never mixed.
find_library(LibTorch_torch_cpu_LIBRARY torch_cpu HINTS ${_lt_hints}
             PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} ${_lt_only})
mark_as_advanced(LibTorch_torch_cpu_LIBRARY)
set(LibTorch_HAS_CUDA FALSE)
if(LibTorch_torch_cpu_LIBRARY)
  cmake_path(GET LibTorch_torch_cpu_LIBRARY PARENT_PATH LibTorch_LIBRARY_DIR)
  cmake_path(GET LibTorch_LIBRARY_DIR PARENT_PATH _lt_root)
  foreach(l c10 torch_cuda c10_cuda)
    find_library(LibTorch_${l}_LIBRARY ${l} PATHS "${LibTorch_LIBRARY_DIR}" NO_DEFAULT_PATH)
    mark_as_advanced(LibTorch_${l}_LIBRARY)
  endforeach()
  find_path(LibTorch_INCLUDE_DIR ATen/ATen.h PATHS "${_lt_root}/include" "${_lt_root}/../include" NO_DEFAULT_PATH)
  mark_as_advanced(LibTorch_INCLUDE_DIR)
  if(LibTorch_torch_cuda_LIBRARY AND LibTorch_c10_cuda_LIBRARY)
    set(LibTorch_HAS_CUDA TRUE)
  endif()
endif()

set(LibTorch_VERSION "")
if(LibTorch_INCLUDE_DIR)
  set(LibTorch_INCLUDE_DIRS "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  foreach(f torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_INCLUDE_DIR}/${f}")
      file(STRINGS "${LibTorch_INCLUDE_DIR}/${f}" _lt_v REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^0-9;]" "" _lt_v "${_lt_v}")
      list(JOIN _lt_v "." LibTorch_VERSION)
    endif()
  endforeach()
endif()

find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE
    "Name its folder (the one that holds lib/ and include/) with -DLIBTORCH_ROOT=DIR, or let experiments/run fetch it.")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::Headers INTERFACE IMPORTED)
  set_target_properties(LibTorch::Headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}") # no warnings from its headers
  target_compile_features(LibTorch::Headers INTERFACE cxx_std_20)

  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_link_libraries(LibTorch::LibTorch INTERFACE
    LibTorch::Headers "${LibTorch_torch_cpu_LIBRARY}" "${LibTorch_c10_LIBRARY}")

  set(_lt_cuda none)
  if(LibTorch_HAS_CUDA)
    # No symbol of ours refers to it, so linkers that default to --as-needed (Ubuntu) would drop the CUDA backend.
    target_link_libraries(LibTorch::LibTorch INTERFACE
      "-Wl,--push-state,--no-as-needed,${LibTorch_torch_cuda_LIBRARY},--pop-state")
    # CUDA version without nvcc: a wheel says it in version.py
    set(_lt_cuda unknown)
    if(EXISTS "${_lt_root}/version.py")
      file(STRINGS "${_lt_root}/version.py" _lt_v REGEX "^cuda.*=")
      if(_lt_v MATCHES "'([0-9]+)\\.([0-9]+)'")
        set(_lt_cuda "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}")
        set(_lt_major "${CMAKE_MATCH_1}")
      endif()
    endif()
    # Headers of the runtime: a toolkit, or the NVIDIA wheels beside torch (cuXX/ since CUDA 13, cuda_runtime/ before)
    cmake_path(GET _lt_root PARENT_PATH _lt_site)
    set(_lt_cuda_hints ${CUDAToolkit_ROOT} $ENV{CUDA_HOME} "${_lt_site}/nvidia/cu${_lt_major}"
                       "${_lt_site}/nvidia/cuda_runtime" /usr/local/cuda)
    find_path(LibTorch_CUDA_INCLUDE_DIR cuda_runtime_api.h HINTS ${_lt_cuda_hints} PATH_SUFFIXES include)
    find_library(LibTorch_CUDART_LIBRARY NAMES cudart libcudart.so.${_lt_major} NAMES_PER_DIR
                 HINTS ${_lt_cuda_hints} PATH_SUFFIXES lib64 lib)
    mark_as_advanced(LibTorch_CUDA_INCLUDE_DIR LibTorch_CUDART_LIBRARY)
    if(LibTorch_CUDA_INCLUDE_DIR AND LibTorch_CUDART_LIBRARY)
      add_library(LibTorch::CUDA INTERFACE IMPORTED)
      target_include_directories(LibTorch::CUDA SYSTEM INTERFACE "${LibTorch_CUDA_INCLUDE_DIR}")
      target_link_libraries(LibTorch::CUDA INTERFACE
        LibTorch::LibTorch "${LibTorch_c10_cuda_LIBRARY}" "${LibTorch_torch_cuda_LIBRARY}" "${LibTorch_CUDART_LIBRARY}")
    endif()
  endif()
  set(LibTorch_FINGERPRINT "torch=${LibTorch_VERSION} cxx11abi=1 cuda=${_lt_cuda}")
endif()
