# SPDX-License-Identifier: MIT
# The next minor version, made for this test only: a copy of the SDK in which abi.h is 1.1, with a host function and a
# member of kdh_param more. A plugin for 1.1 is refused by today's host in words; the same source for 1.0 works in it; and
# a host of 1.1 runs plugins of both.
#   cmake -D SDK=<sdk> -D SOURCE=<tests/sdk> -D WORK=<folder> -D COMPILER=<C++ compiler> -D "FLAGS=<flags>"
#         -D PROGRAM=<kdhost> -D MUSEUM=<tests/museum> -P next_abi.cmake
cmake_minimum_required(VERSION 3.25)

# run(<expected exit code> <command...>) -> ${output}
function(run expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL expected)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "exit ${status}, expected ${expected}: ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text)
  string(REPLACE "${WORK}" "DIR" shown "${output}")
  if(NOT shown STREQUAL text)
    message(FATAL_ERROR "expected:\n${text}\nfound:\n${shown}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
foreach(folder plugins next for_1_0)
  file(MAKE_DIRECTORY "${WORK}/${folder}")
endforeach()
file(COPY "${SDK}/include" DESTINATION "${WORK}/next_sdk")
file(READ "${SDK}/include/kdhost/abi.h" abi)
function(change find put)
  string(REPLACE "${find}" "${put}" changed "${abi}")
  if(changed STREQUAL abi)
    message(FATAL_ERROR "abi.h no longer contains: ${find}")
  endif()
  set(abi "${changed}" PARENT_SCOPE)
endfunction()
change("#define KDHOST_TARGET_ABI 100" "#define KDHOST_TARGET_ABI 101")
change("KDHOST_TARGET_ABI > 100" "KDHOST_TARGET_ABI > 101")
change("#define KDH_ABI_MINOR 0u\n#define KDH_ABI_TEXT \"1.0\""
       "#if KDHOST_TARGET_ABI >= 101\n#define KDH_ABI_MINOR 1u\n#define KDH_ABI_TEXT \"1.1\"\n#else\n#define KDH_ABI_MINOR 0u\n#define KDH_ABI_TEXT \"1.0\"\n#endif\n")
string(FIND "${abi}" "struct kdh_host {" begin)
string(SUBSTRING "${abi}" ${begin} -1 from_host)
string(FIND "${from_host}" "\n};" end)
string(SUBSTRING "${from_host}" 0 ${end} host)
change("${host}" "${host}\n#if KDHOST_TARGET_ABI >= 101\n  double (*added_number)(const kdh_host*);\n#endif")
change("} kdh_param;" "#if KDHOST_TARGET_ABI >= 101\n  kdh_str unit;\n#endif\n} kdh_param;")
file(WRITE "${WORK}/next_sdk/include/kdhost/abi.h" "${abi}")

separate_arguments(FLAGS)
set(compile "${COMPILER}" ${FLAGS} -std=c++17 -O0 -Wall -Wextra -Werror)
set(module -shared -fPIC -fvisibility=hidden "-Wl,--version-script=${SDK}/cmake/kdhost.map")
set(next "-I${WORK}/next_sdk/include")
# What an author does at each of the three: today's SDK, the next one, the next one for today's hosts.
run(0 ${compile} ${module} "-I${SDK}/include" -o "${WORK}/plugins/old.so" "${SOURCE}/outside/soft_kl.cpp")
run(0 ${compile} ${module} ${next} -o "${WORK}/next/newer.so" "${SOURCE}/next_abi/newer_loss.cpp")
run(0 ${compile} ${module} ${next} -DKDHOST_TARGET_ABI=100 -o "${WORK}/for_1_0/newer.so" "${SOURCE}/next_abi/newer_loss.cpp")
run(0 ${compile} ${next} -o "${WORK}/host" "${SOURCE}/next_abi/next_host.cpp" -ldl)
run(0 ${compile} ${next} -o "${WORK}/recorder" "${SDK}/cmake/recorder.cpp" -ldl)
foreach(plugin plugins/old next/newer for_1_0/newer)
  run(0 "${WORK}/recorder" "${WORK}/${plugin}.so")
endforeach()

# Today's host.
set(ENV{KDHOST_PLUGIN_PATH} "")
run(5 "${PROGRAM}" describe next.loss --plugin-dir "${WORK}/next")
set(refusal "is built for plugin ABI 1.1, this program offers 1.0.\n  The second number must not be larger than the program's. Install kdhost 1.1 or newer, or rebuild the plugin with this kdhost's SDK.\n")
expect("error: kdhost describe: DIR/next/newer.so: ${refusal}")
file(WRITE "${WORK}/next.toml" "plugins = [\"next/newer.so\"]\n[data]\nuse = \"kdhost.synthetic\"\n[student]\nuse = \"kdhost.mlp\"\n[[loss]]\nuse = \"kdhost.cross_entropy\"\n[[loss]]\nuse = \"next.loss\"\n")
run(5 "${PROGRAM}" "${WORK}/next.toml")
expect("error: DIR/next.toml:1:12: DIR/next/newer.so: ${refusal}error: DIR/next.toml:9:7: DIR/next/newer.so: ${refusal}")
run(0 "${PROGRAM}" check "${WORK}/for_1_0/newer.so" --level 5)
run(0 "${PROGRAM}" describe next.loss --plugin-dir "${WORK}/for_1_0")

# The next host.
run(0 "${WORK}/host" "${WORK}/plugins/old.so" example.soft_kl)
expect("temperature 0\n")
run(0 "${WORK}/host" "${WORK}/next/newer.so" next.loss)
expect("scale with a unit 115\n")
run(0 "${WORK}/host" "${WORK}/for_1_0/newer.so" next.loss)
expect("scale 15\n")
run(0 "${WORK}/host" "${MUSEUM}/1.0/museum_losses.so" museum.gap)
expect("temperature power negative form note weights 0\n")
message(STATUS "ABI 1.1: refused in words by a host of 1.0, which takes plugins made for 1.0 by its SDK; a host of 1.1 runs both")
