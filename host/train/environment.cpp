// SPDX-License-Identifier: MIT
#include "train/environment.hpp"

#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.hpp"
#include "base/launch.hpp"
#include "tensor/host_table.hpp"

namespace kdhost {

std::string cache_folder() {
  if (const auto cache = environment_variable("XDG_CACHE_HOME"); cache && !cache->empty()) return *cache + "/kdhost";
  return environment_variable("HOME").value_or(".") + "/.cache/kdhost";
}

namespace {
std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}
}  // namespace

std::string environment_text(const Experiment& pinned, at::Device device, const Maker& maker) {
  std::string text = torch_fingerprint();
  text += "\nprocessor capability " + at::get_cpu_capability();
  text += "\ndevice " + device.str();
  text += "\nthreads " + std::to_string(pinned.numerics.threads.value);
  text += "\nmatrix route " + name_of(pinned.numerics.matrix_route.value);
  text += "\nteacher chunk " + std::to_string(pinned.numerics.teacher_chunk.value);
  for (const auto& [file, hash] : maker.used_plugins()) text += "\nplugin " + file + " " + hash;
  return text;
}

std::string environment_key(const Experiment& experiment, Registry& registry) {
  std::string text = torch_fingerprint() + "\n" + at::get_cpu_capability();
  std::set<std::string> hashes;
  const auto add = [&](const Component& c) {
    if (!c.use.value.empty()) hashes.insert(plugin_hash(*registry.find(c.use.value, c.use.place).file));
  };
  add(experiment.data.component);
  add(experiment.student.component);
  for (const auto& t : experiment.data.transforms) add(t.component);
  for (const auto& l : experiment.losses) add(l.component);
  for (const auto& s : experiment.schedules) add(s.component);
  for (const auto& h : hashes) text += "\n" + h;
  return text;
}

std::string manifest_json(const Experiment& pinned, Assembly& assembly, const std::string& experiment_hash) {
  nlohmann::ordered_json j;
  j["experiment"] = experiment_hash;
  utsname machine{};
  ::uname(&machine);
  j["machine"] = {{"processor", processor()},
                  {"cores", usable_cores()},
                  {"system", std::string(machine.sysname) + " " + machine.release}};
  j["torch"] = torch_fingerprint();
  j["environment"] = environment_text(pinned, assembly.device(), assembly.maker());
  for (const auto& [file, hash] : assembly.maker().used_plugins()) j["plugins"][file] = hash;
  j["data"] = nlohmann::ordered_json::object();
  for (const auto& file : assembly.dataset().info().files) j["data"][file] = hash_file(file).hex();
  j["teachers"] = nlohmann::ordered_json::object();
  for (const auto& t : assembly.teachers()) j["teachers"][t.name] = {{"origin", t.origin}, {"weights", t.weights_hash}};
  return j.dump(2) + "\n";
}

}  // namespace kdhost
