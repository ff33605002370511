# SPDX-License-Identifier: MIT
# The SDK's headers compile without LibTorch and with warnings as errors: each alone as C++17, and abi.h (also as C11),
# plugin.hpp and testing.hpp as C++17 and C++20 with each compiler given.
#   cmake -D SDK=<sdk/include> -D "C_COMPILERS=gcc;clang-14" -D "CXX_COMPILERS=g++;clang++-14" -P headers.cmake
cmake_minimum_required(VERSION 3.25)
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
set(count 0)

# The header is included by a source of one line: as the main file it would be warned of its #pragma once.
function(compile header compiler language standard)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/header_alone.txt")
  file(WRITE "${source}" "#include <kdhost/${header}>\n#include <kdhost/${header}>\n")
  execute_process(COMMAND ${compiler} -x ${language} -std=${standard} ${warnings} "-I${SDK}" -fsyntax-only "${source}"
                  RESULT_VARIABLE status ERROR_VARIABLE text)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "<kdhost/${header}> does not compile alone with ${compiler} -std=${standard}:\n${text}")
  endif()
endfunction()

foreach(compiler IN LISTS C_COMPILERS)
  compile(abi.h ${compiler} c c11)
  math(EXPR count "${count} + 1")
endforeach()
file(GLOB headers RELATIVE "${SDK}/kdhost" "${SDK}/kdhost/*.h*" "${SDK}/kdhost/*/*.hpp")
list(FILTER headers EXCLUDE REGEX "exact") # they include LibTorch; the plugins of the exact tier compile them
list(GET CXX_COMPILERS 0 first)
foreach(header IN LISTS headers)
  compile(${header} ${first} c++ c++17)
  math(EXPR count "${count} + 1")
endforeach()
foreach(compiler IN LISTS CXX_COMPILERS)
  foreach(standard c++17 c++20)
    foreach(header abi.h plugin.hpp testing.hpp) # these include all others
      compile(${header} ${compiler} c++ ${standard})
      math(EXPR count "${count} + 1")
    endforeach()
  endforeach()
endforeach()
message(STATUS "${count} compilations of headers")
