# SPDX-License-Identifier: MIT
# kdhost_add_plugin(<target> SOURCES <files> [TIER portable|exact] [ABI <major.minor>])
#
# Builds a kdhost plugin <target>.so. The portable tier (default) needs a C++17 compiler and the SDK's headers, nothing
# else; the exact tier is compiled against the LibTorch that find_package(LibTorch) finds and loads only where the
# host has the same one. Name and version of the plugin are written once, in KDHOST_PLUGIN(...) of one source.
# ABI names an older version of the plugin ABI than the SDK's, so that older hosts take the plugin, too.
# `cmake --install` puts it where kdhost looks: lib/kdhost/plugins of the prefix, component `plugins`.

# The recorder is built once per project and tier, with the project's own compiler and flags: it loads what it built.
function(kdhost_add_recorder_ tier)
  add_executable(kdhost_recorder_${tier} EXCLUDE_FROM_ALL "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/recorder.cpp")
  target_link_libraries(kdhost_recorder_${tier} PRIVATE kdhost::sdk ${CMAKE_DL_LIBS})
  target_compile_features(kdhost_recorder_${tier} PRIVATE cxx_std_17)
  set_target_properties(kdhost_recorder_${tier} PROPERTIES
    CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/kdhost-recorder")
  if(tier STREQUAL "exact") # such a plugin takes LibTorch's symbols from the program that loads it
    target_link_options(kdhost_recorder_${tier} PRIVATE LINKER:--no-as-needed)
    target_link_libraries(kdhost_recorder_${tier} PRIVATE LibTorch::LibTorch)
  endif()
endfunction()

function(kdhost_add_plugin target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIER;ABI" "SOURCES")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES OR NOT arg_SOURCES)
    message(FATAL_ERROR "kdhost_add_plugin(${target}): expected kdhost_add_plugin(<target> SOURCES <files> "
            "[TIER portable|exact] [ABI <major.minor>]), found "
            "'${arg_UNPARSED_ARGUMENTS}${arg_KEYWORDS_MISSING_VALUES}'")
  endif()
  if(NOT arg_TIER)
    set(arg_TIER portable)
  elseif(NOT arg_TIER MATCHES "^(portable|exact)$")
    message(FATAL_ERROR "kdhost_add_plugin(${target}): TIER is '${arg_TIER}', expected portable or exact")
  endif()

  if(arg_ABI AND NOT arg_ABI MATCHES "^([0-9]+)\\.([0-9]+)$")
    message(FATAL_ERROR "kdhost_add_plugin(${target}): ABI is '${arg_ABI}', expected two numbers as in 1.0")
  endif()

  set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/kdhost.map")
  set(recorder "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/recorder.cpp")
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE kdhost::sdk)
  set_target_properties(${target} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "" LINK_DEPENDS "${map};${recorder}")
  if(arg_ABI)
    math(EXPR abi "100 * ${CMAKE_MATCH_1} + ${CMAKE_MATCH_2}")
    target_compile_definitions(${target} PRIVATE KDHOST_TARGET_ABI=${abi}) # abi.h refuses what it does not know
  endif()
  # GNU unique symbols are shared between libraries and outlive them; a plugin must share nothing.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE "LINKER:--version-script=${map}")
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    target_compile_options(${target} PRIVATE -O2) # the project chose no build type, and unoptimised calls are slow
  endif()

  if(arg_TIER STREQUAL "portable")
    target_compile_features(${target} PRIVATE cxx_std_17)
    set_target_properties(${target} PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
    # Proof at link time that nothing of LibTorch is used. Off under sanitizers, whose runtime is in the host.
    get_directory_property(directory_options COMPILE_OPTIONS)
    if(NOT "${CMAKE_CXX_FLAGS} ${directory_options}" MATCHES "-fsanitize")
      target_link_options(${target} PRIVATE LINKER:--no-undefined)
    endif()
  else()
    if(NOT TARGET LibTorch::Headers)
      list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
      find_package(LibTorch REQUIRED)
    endif()
    target_link_libraries(${target} PRIVATE LibTorch::Headers) # symbols come from the host's LibTorch
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_definitions(${target} PRIVATE "KDHOST_TORCH_FINGERPRINT=\"${LibTorch_FINGERPRINT}\"")
  endif()

  if(NOT TARGET kdhost-engine) # kdhost's own build says what it ships; the plugins of its tests are not
    install(TARGETS ${target} LIBRARY DESTINATION lib/kdhost/plugins COMPONENT plugins)
  endif()

  # After linking, the recorder writes what the plugin offers into the room of its section .kdhost, so that the host can
  # list it without running it. Cross-compiled without an emulator this is left out: the plugin loads all the same.
  if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
    if(NOT TARGET kdhost_recorder_${arg_TIER})
      kdhost_add_recorder_(${arg_TIER})
    endif()
    add_custom_command(TARGET ${target} POST_BUILD VERBATIM
                       COMMAND kdhost_recorder_${arg_TIER} "$<TARGET_FILE:${target}>")
  endif()
endfunction()

# kdhost_check_plugin(<target> [LEVEL <1..10>])
#
# A test of CTest: what `kdhost check` says about the plugin, up to the level (7 if not given). It needs the program,
# which is looked for beside the SDK and in PATH; -DKDHOST_PROGRAM=FILE names another one.
function(kdhost_check_plugin target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LEVEL" "")
  if(NOT arg_LEVEL)
    set(arg_LEVEL 7)
  endif()
  if(arg_UNPARSED_ARGUMENTS OR NOT TARGET ${target} OR NOT arg_LEVEL MATCHES "^([1-9]|10)$")
    message(FATAL_ERROR "kdhost_check_plugin(${target}): expected kdhost_check_plugin(<target> [LEVEL <1..10>]) for a "
            "target of kdhost_add_plugin, found level '${arg_LEVEL}' '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(TARGET kdhost-engine) # in kdhost's own build
    set(program "$<TARGET_FILE:kdhost>")
  else()
    find_program(KDHOST_PROGRAM kdhost HINTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../bin")
    set(program "${KDHOST_PROGRAM}")
  endif()
  if(NOT program)
    message(STATUS "kdhost_check_plugin(${target}): left out, since kdhost is neither beside the SDK nor in PATH; name "
            "it with -DKDHOST_PROGRAM=FILE")
    return()
  endif()
  add_test(NAME "kdhost check ${target}"
           COMMAND "${program}" check "$<TARGET_FILE:${target}>" --level ${arg_LEVEL})
  set_tests_properties("kdhost check ${target}" PROPERTIES TIMEOUT 600)
endfunction()
