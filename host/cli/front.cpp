// SPDX-License-Identifier: MIT
// What the thin program's commands share: where it lies, what it offers to plugins, where it looks for them.
#include "cli/front.hpp"

#include <cstdlib>
#include <fstream>

#include "base/build_facts.hpp"
#include "base/error.hpp"

namespace kdhost {

std::filesystem::path program_folder() {
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) {
    Message message;
    message.where = "kdhost";
    message.what = "cannot find its own folder: /proc/self/exe: " + failed.message() + ".";
    message.mend = "Run it where /proc is mounted.";
    throw Error(Exit::internal, std::move(message));
  }
  return program.parent_path();
}

HostAbi front_abi() {
  HostAbi host;
  host.torch_fingerprint = kTorchFingerprint;
  host.can_open_exact = false;
  return host;
}

HostAbi reader_abi() {
  HostAbi host = front_abi();
  host.can_open = false;
  return host;
}

std::vector<SearchPlace> plugin_places(const Options& options, const Experiment* experiment) {
  return search_places(experiment, options.plugin_dirs, std::getenv("KDHOST_PLUGIN_PATH"), program_folder());
}

bool names_plugin(const std::string& argument) {
  if (std::filesystem::path(argument).extension() == ".so") return true;
  std::ifstream file(argument, std::ios::binary);
  std::string begin(4, '\0');
  return file.read(begin.data(), 4) && begin == "\177ELF";
}

}  // namespace kdhost
