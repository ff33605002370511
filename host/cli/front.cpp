// SPDX-License-Identifier: MIT
// What the thin program's commands share: where it lies, what it offers to plugins, where it looks for them.
#include "cli/front.hpp"

#include <cstdlib>

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

Registry open_registry(const Options& options, const HostAbi& host) {
  return Registry(host,
                  search_places(nullptr, options.plugin_dirs, std::getenv("KDHOST_PLUGIN_PATH"), program_folder()));
}

}  // namespace kdhost
