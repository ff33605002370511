# SPDX-License-Identifier: MIT
# What a reader of README.md and sdk/README.md types: the three files of "Write a loss" are taken from the page, built
# against an installed SDK, checked and trained with; a loss is swapped; the commands that need no run are asked; every
# listing of the guide is built out of tree and trained with.
#   cmake -D ROOT=<checkout> -D BUILD=<build folder> -D WORK=<folder to work in> -D COMPILER=<C++ compiler>
#         [-D "FLAGS=<compiler flags>"] -P readme_commands.cmake
cmake_minimum_required(VERSION 3.25)
set(program "${BUILD}/bin/kdhost")
set(ENV{XDG_CACHE_HOME} "${WORK}/cache")
set(ENV{KDHOST_PLUGIN_PATH} "")

# run(EXPECTED_CODES command...): in WORK; leaves the exit code in `code` and what was printed in `printed`.
function(run codes)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${WORK}" RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code MATCHES "^(${codes})$")
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "exit code ${code}, expected ${codes}: ${command}\n${out}${err}")
  endif()
  set(code ${code} PARENT_SCOPE)
  set(printed "${out}${err}" PARENT_SCOPE)
endfunction()

# The next fenced block of README.md behind `after`, as a file.
function(take after file)
  file(READ "${ROOT}/README.md" text)
  string(FIND "${text}" "${after}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "README.md has no '${after}'")
  endif()
  string(SUBSTRING "${text}" ${at} -1 text)
  string(FIND "${text}" "\n```" open)
  math(EXPR open "${open} + 1")
  string(SUBSTRING "${text}" ${open} -1 text)
  string(FIND "${text}" "\n" start)
  math(EXPR start "${start} + 1")
  string(SUBSTRING "${text}" ${start} -1 text)
  string(FIND "${text}" "\n```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  file(WRITE "${file}" "${text}\n")
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/my-loss" "${WORK}/guide")
file(COPY "${ROOT}/experiments" DESTINATION "${WORK}")
run(0 "${CMAKE_COMMAND}" --install "${BUILD}" --component sdk --prefix "${WORK}/build/sdk")

# Write a loss
take("`soft_kl.cpp`:" "${WORK}/my-loss/soft_kl.cpp")
take("`CMakeLists.txt`:" "${WORK}/my-loss/CMakeLists.txt")
take("`experiment.toml`" "${WORK}/my-loss/experiment.toml")
set(common "-DCMAKE_PREFIX_PATH=${WORK}/build/sdk" "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(0 "${CMAKE_COMMAND}" -S my-loss -B my-loss/build ${common})
run(0 "${CMAKE_COMMAND}" --build my-loss/build)
run("0|4" "${program}" check my-loss/experiment.toml) # 4: Fashion-MNIST is not on this machine
if(code EQUAL 4 AND NOT printed MATCHES "fashion")
  message(FATAL_ERROR "${printed}")
endif()

# Swap a loss
run("0|4" "${program}" check experiments/fashion-mnist/quick-start.toml --set loss.kd.use=kdhost.dist)

# One experiment on each data set is right to its shapes, as far as this machine has the data; the texts of all of them
# are read in shipped_experiments_test.cpp, one of each family is trained in tests/end_to_end/families_test.py.
foreach(experiment mnist/logit-kd cifar10/resnet20 cifar100/resnet56-resnet20-fsp fashion-mnist/feature/ofd
        trec/tinybert)
  run("0|4" "${program}" check "experiments/${experiment}.toml")
endforeach()

# The same plugin in a run that needs no files: a teacher trained on demand, student and baseline.
file(WRITE "${WORK}/teacher.toml" [==[
[data]
use    = "kdhost.synthetic"
params = { samples = 256 }
[student]
use = "kdhost.mlp"
[[loss]]
use = "kdhost.cross_entropy"
[train]
epochs = 2
]==])
file(WRITE "${WORK}/soft-kl.toml" [==[
plugins = ["my-loss/build/"]
seeds   = [1, 2]
[data]
use    = "kdhost.synthetic"
params = { samples = 256 }
[teacher]
from = "teacher.toml"
[student]
use    = "kdhost.mlp"
params = { hidden = [8] }
[[loss]]
use = "example.soft_kl"
[train]
epochs = 2
]==])
run(0 "${program}" soft-kl.toml --out soft-kl)
if(NOT printed MATCHES "student distilled")
  message(FATAL_ERROR "no closing table:\n${printed}")
endif()

# The guide's listings, together in one experiment; the data set of points in another.
file(GLOB listings "${ROOT}/sdk/templates/*.cpp")
set(lists "cmake_minimum_required(VERSION 3.25)\nproject(guide LANGUAGES CXX)\nfind_package(kdhost 1.0 REQUIRED)\n")
foreach(listing IN LISTS listings)
  cmake_path(GET listing STEM name)
  file(COPY "${listing}" DESTINATION "${WORK}/guide")
  string(APPEND lists "kdhost_add_plugin(${name} SOURCES ${name}.cpp)\n")
endforeach()
file(WRITE "${WORK}/guide/CMakeLists.txt" "${lists}")
run(0 "${CMAKE_COMMAND}" -S guide -B guide/build ${common})
run(0 "${CMAKE_COMMAND}" --build guide/build)
file(WRITE "${WORK}/images.toml" [==[
plugins = ["guide/build/"]
[data]
use        = "kdhost.synthetic"
params     = { samples = 256 }
validation = 64
[[data.transform]]
use = "example.gaussian_noise"
[teacher]
from = "teacher-images.toml"
[student]
use    = "example.small_net"
params = { width = 4 }
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use    = "example.centred_cosine"
inputs = { "student.feature" = "embedding", "teacher.feature" = "hidden1" }
[[loss]]
use = "example.log_cosh"
[[loss]]
use = "example.kd_ce"
[[schedule]]
target = "loss.kd_ce.weight"
use    = "example.fading_weight"
params = { goal = 0.99, least = 0.1 }
[[metric]]
use = "kdhost.accuracy"
[[metric]]
use = "example.pair_order"
[train]
epochs = 3
]==])
file(WRITE "${WORK}/teacher-images.toml" [==[
[data]
use        = "kdhost.synthetic"
params     = { samples = 256 }
validation = 64
[student]
use = "kdhost.mlp"
[[loss]]
use = "kdhost.cross_entropy"
[train]
epochs = 2
]==])
run(0 "${program}" images.toml --device cpu --out images)
file(WRITE "${WORK}/points.toml" [==[
plugins = ["guide/build/"]
[data]
use = "example.rings"
[student]
use    = "kdhost.mlp"
params = { hidden = [32] }
[[loss]]
use = "kdhost.cross_entropy"
[train]
epochs = 2
]==])
run(0 "${program}" points.toml --out points)

# What is asked without a run
run(0 "${program}" plugins --plugin-dir my-loss/build)
if(NOT printed MATCHES "example[.]soft_kl")
  message(FATAL_ERROR "the plugin is not listed:\n${printed}")
endif()
run(0 "${program}" describe example.soft_kl --plugin-dir my-loss/build)
foreach(id cross_entropy kd hint gram) # README.md and those of the loss families
  run(0 "${program}" describe kdhost.${id})
endforeach()
run(0 "${program}" schema)
foreach(command run check inspect plugins describe loss eval compare export schema)
  run(0 "${program}" ${command} --help)
endforeach()
message(STATUS "the commands of the READMEs work: ${WORK}")
