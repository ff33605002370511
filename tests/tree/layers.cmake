# SPDX-License-Identifier: MIT
# Down only: cli -> report -> check -> train -> data -> tensor -> plugin -> config -> base. Reads every #include of host/ and
# sdk/.
set(layers base config plugin tensor data train check report cli)
set(problems "")

# What a file may include, by a pattern of the include and a pattern of the files that may have it.
set(fence_toml "^<toml[+][+]/" "^host/config/")
set(fence_boost_dll "^<boost/" "^host/plugin/library[.]cpp$")
set(fence_cli11 "^<CLI/" "^host/cli/")
set(fence_torch "^<(ATen|c10|torch|caffe2)/"
    "^(host/(tensor|data|train|check|report|cli)/|sdk/include/kdhost/exact[a-z_]*[.]hpp$)")

file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/host/*.hpp" "${ROOT}/host/*.cpp" "${ROOT}/sdk/include/*.h*")
foreach(file IN LISTS files)
  file(STRINGS "${ROOT}/${file}" lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
  set(height -1)
  if(file MATCHES "^host/([a-z]+)/")
    list(FIND layers "${CMAKE_MATCH_1}" height)
  endif()
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[^<\"]*([<\"][^>\"]*).*" "\\1" include "${line}")
    if(height GREATER_EQUAL 0 AND include MATCHES "^[\"]([a-z]+)/")
      list(FIND layers "${CMAKE_MATCH_1}" other)
      if(other GREATER height)
        string(APPEND problems "${file} includes ${include}\": a higher layer\n")
      endif()
    endif()
    foreach(fence toml boost_dll cli11 torch)
      list(GET fence_${fence} 0 pattern)
      list(GET fence_${fence} 1 allowed)
      if(include MATCHES "${pattern}" AND NOT file MATCHES "${allowed}")
        string(APPEND problems "${file} includes ${include}>: only files matching ${allowed} may\n")
      endif()
    endforeach()
  endforeach()
endforeach()

list(LENGTH files count)
if(problems OR count LESS 5)
  message(FATAL_ERROR "${count} files read\n${problems}")
endif()
