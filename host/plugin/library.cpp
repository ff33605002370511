// SPDX-License-Identifier: MIT
// Opening of plugins: the only user of Boost.DLL. What is opened stays open until the process ends, so nothing here
// is ever destroyed.
#include "plugin/library.hpp"

// Must be the same wherever Boost.DLL is included, which is here only.
#define BOOST_DLL_USE_STD_FS
#include <dlfcn.h>
#include <sys/stat.h>

#include <boost/dll/shared_library.hpp>
#include <map>
#include <utility>

#include "base/error.hpp"
#include "base/in_charge.hpp"
#include "plugin/description.hpp"

namespace kdhost {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, std::string what, std::string expected, std::string mend) {
  Message message;
  message.where = printable(file.string(), 4096);
  message.what = std::move(what);
  message.expected = std::move(expected);
  message.mend = std::move(mend);
  throw Error(Exit::plugin, std::move(message));
}

std::string abi_text(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

void check_fingerprint(const Record& record, const std::filesystem::path& file, const HostAbi& host) {
  std::string differences;
  const auto differ = [&](const std::string& key, const std::string& theirs, const std::string& ours) {
    differences += (differences.empty() ? "" : "; ") + key + " is " + printable(theirs) + ", this program has " + ours;
  };
  const std::vector<std::pair<std::string, std::string>> own = parse_fingerprint(host.torch_fingerprint);
  const auto value_of = [](const std::vector<std::pair<std::string, std::string>>& fingerprint,
                           const std::string& key) -> std::string {
    for (const auto& [k, v] : fingerprint) {
      if (k == key) return v;
    }
    return "not stated";
  };
  for (const auto& [key, ours] : own) {
    const std::string theirs = value_of(record.fingerprint, key);
    if (theirs != ours) differ(key, theirs, ours);
  }
  for (const auto& [key, theirs] : record.fingerprint) {
    if (value_of(own, key) == "not stated") differ(key, theirs, "no such field");
  }
  if (differences.empty()) return;
  refuse(file, "is built for another LibTorch: " + differences + ".",
         "An exact plugin works only with the LibTorch it was built with.",
         "Build it again: cmake -S . -B build -DLIBTORCH_ROOT=<this program's LibTorch " + value_of(own, "torch") +
             "> && cmake --build build");
}

// Immediate binding finds missing symbols now, local symbols keep plugins apart, and NODELETE keeps the code mapped for
// autograd nodes that outlive every handle.
constexpr int kLoadMode = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;

boost::dll::shared_library load(const std::filesystem::path& file) {
  namespace dll = boost::dll;
  const LoadedFile loaded = load_file(file);
  if (!loaded.thrown.empty()) {
    refuse(file, "threw an exception while it was loaded: " + printable(loaded.thrown, 1000) + ".", "",
           "Let static initialisers do nothing that can fail; work in create.");
  }
  if (loaded.handle == nullptr) {
    const bool missing_file = loaded.refusal.find("cannot open shared object file") != std::string::npos;
    refuse(file, "cannot be loaded: " + printable(loaded.refusal, 1000) + ".", "",
           missing_file ? "Install the library it needs, or build the plugin without it."
                        : "Build it with kdhost_add_plugin, which finds missing symbols when it links.");
  }
  // The same file again: only counted, but with a handle that finds functions by type.
  return dll::shared_library(dll::fs::path(std::filesystem::absolute(file)),
                             static_cast<dll::load_mode::type>(kLoadMode));
}

const kdh_plugin* query(boost::dll::shared_library& library, const std::filesystem::path& file, const HostAbi& host) {
  if (!library.has(KDH_ENTRY_SYMBOL)) {
    refuse(file, "does not export the function " KDH_ENTRY_SYMBOL ".", "Expected a plugin of kdhost.",
           "End one of its sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin.");
  }
  const kdh_plugin* description = nullptr;
  const InCharge guard(charge_of({}, file.string(), "the plugin"), KDH_ENTRY_SYMBOL);
  try {
    const auto& entry = library.get<const kdh_plugin*(std::uint32_t, std::uint32_t)>(KDH_ENTRY_SYMBOL);
    description = entry(host.major, host.minor);
  } catch (const std::exception& thrown) {
    refuse(file, "threw an exception from " KDH_ENTRY_SYMBOL ": " + printable(thrown.what(), 1000) + ".", "",
           "This is a fault of the plugin; tell its author.");
  } catch (...) {
    refuse(file, "threw an exception of unknown type from " KDH_ENTRY_SYMBOL ".", "",
           "This is a fault of the plugin; tell its author.");
  }
  if (description == nullptr) {
    refuse(file, "gave no description of itself (" KDH_ENTRY_SYMBOL " returned null).", "",
           "This is a fault of the plugin; tell its author.");
  }
  return description;
}

}  // namespace

LoadedFile load_file(const std::filesystem::path& file) {
  LoadedFile result;
  const InCharge guard(charge_of({}, file.string(), "the plugin"), "its static initialisers");
  // Static initialisers may throw through dlopen, whatever its declaration says; called by its declaration, nothing
  // would catch that.
  void* (*volatile load)(const char*, int) = ::dlopen;
  ::dlerror();
  try {
    result.handle = load(std::filesystem::absolute(file).c_str(), kLoadMode);
  } catch (const std::exception& thrown) {
    result.thrown = thrown.what();
  } catch (...) {
    result.thrown = "an exception of unknown type";
  }
  if (result.handle == nullptr && result.thrown.empty()) {
    const char* text = ::dlerror();
    result.refusal = text != nullptr ? text : "no reason given";
  }
  return result;
}

const kdh_component* Library::component(std::string_view id) const {
  for (std::uint64_t i = 0; i < description_->n_components; ++i) {
    const kdh_component& c = element(description_->components, i, description_->component_size);
    if (std::string_view(c.id.data, c.id.size) == id) return &c;
  }
  return nullptr;
}

void check_record(const Record& record, const std::filesystem::path& file, const HostAbi& host) {
  const std::string theirs = abi_text(record.abi_major, record.abi_minor);
  const std::string found =
      "is built for plugin ABI " + theirs + ", this program offers " + abi_text(host.major, host.minor) + ".";
  if (record.abi_major != host.major) {
    refuse(file, found, "The first number must be equal.",
           "Rebuild the plugin with this kdhost's SDK, or run kdhost " + std::to_string(record.abi_major) + ".x.");
  }
  if (record.abi_minor > host.minor) {
    refuse(file, found, "The second number must not be larger than the program's.",
           "Install kdhost " + theirs + " or newer, or rebuild the plugin with this kdhost's SDK.");
  }
  if (record.tier == KDH_TIER_EXACT && !host.torch_fingerprint.empty()) check_fingerprint(record, file, host);
}

const Library& open_library(const std::filesystem::path& file, const Record& record, const HostAbi& host) {
  struct Opened {
    boost::dll::shared_library handle;
    const Library* library = nullptr;
  };
  // By device and inode: another name of an open file is the same library. Never destroyed.
  static auto& opened = *new std::map<std::pair<dev_t, ino_t>, Opened>();

  check_record(record, file, host);
  if (record.tier == KDH_TIER_EXACT && !host.can_open_exact) {
    refuse(file, "is an exact plugin, which only a program with LibTorch can open.", "",
           "Use a command that computes, such as `kdhost check`.");
  }
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    refuse(file, "is gone since its record was read.", "", "Keep plugins in place while kdhost runs.");
  }
  const std::pair<dev_t, ino_t> identity(status.st_dev, status.st_ino);
  if (const auto found = opened.find(identity); found != opened.end()) return *found->second.library;

  boost::dll::shared_library handle = load(file);
  const kdh_plugin* description = query(handle, file, host);
  Record live = read_description(*description, file, host.minor);
  compare_with_record(live, record, file);
  Opened& entry = opened[identity];
  entry.handle = std::move(handle);
  entry.library = new Library(file, description, std::move(live));
  return *entry.library;
}

}  // namespace kdhost
