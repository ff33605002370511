// SPDX-License-Identifier: MIT
// Level 1 of the validator: what the file alone tells. No code of the plugin runs.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/text.hpp"
#include "check/suite.hpp"

namespace kdhost::check {
namespace {

constexpr std::array<std::string_view, 9> kRuntime{"libc.so.",      "libm.so.",  "libgcc_s.so.",
                                                   "libstdc++.so.", "ld-linux",  "libpthread.so.",
                                                   "libdl.so.",     "librt.so.", "libc++.so."};
constexpr std::array<std::string_view, 4> kSanitizers{"libasan.so.", "libubsan.so.", "libtsan.so.", "liblsan.so."};
constexpr std::array<std::string_view, 3> kTorch{"libtorch", "libc10", "libshm"};

// The constructor behind TORCH_LIBRARY and its relatives.
constexpr std::string_view kTorchLibrary = "_ZN5torch7LibraryC";

template <std::size_t N>
bool begins_with_one(const std::string& name, const std::array<std::string_view, N>& list) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view begin) { return name.rfind(begin, 0) == 0; });
}

// Names of the first few, and how many more.
std::string few(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  std::string text = join(shown);
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

Finding test_record(Subject& subject, const ComponentInfo*) {
  const Record& record = subject.record();
  if (!record.lists_components) {
    return warned("has a record without a list of its components, so they are known only once it is loaded.",
                  "Build it with kdhost_add_plugin, which fills in the list after linking.");
  }
  return passed();
}

Finding test_accepted(Subject& subject, const ComponentInfo*) {
  check_record(subject.record(), subject.file(), subject.settings().host);
  return passed();
}

Finding test_exports(Subject& subject, const ComponentInfo*) {
  std::vector<std::string> others;
  bool entry = false;
  for (const ElfSymbol& symbol : subject.image().symbols) {
    if (!symbol.defined) continue;
    if (symbol.name == KDH_ENTRY_SYMBOL) {
      entry = true;
    } else {
      others.push_back(symbol.name);
    }
  }
  if (!entry) {
    return failed("does not export the function " KDH_ENTRY_SYMBOL ".",
                  "End one of its sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin.");
  }
  if (!others.empty()) {
    return failed("exports more than " KDH_ENTRY_SYMBOL ": " + few(others) + ".",
                  "Build it with kdhost_add_plugin, or link with its version script kdhost.map: other plugins may use "
                  "the same names.");
  }
  return passed();
}

Finding test_entry_strong(Subject& subject, const ComponentInfo*) {
  for (const ElfSymbol& symbol : subject.image().symbols) {
    if (symbol.defined && symbol.weak && symbol.name == KDH_ENTRY_SYMBOL) {
      return failed("exports " KDH_ENTRY_SYMBOL " as a weak symbol, which another library may replace.",
                    "Remove __attribute__((weak)) or #pragma weak.");
    }
  }
  return passed();
}

Finding test_libraries(Subject& subject, const ComponentInfo*) {
  const bool exact = subject.record().tier == KDH_TIER_EXACT;
  std::vector<std::string> others;
  for (const std::string& library : subject.image().libraries) {
    const bool allowed = begins_with_one(library, kRuntime) || begins_with_one(library, kSanitizers) ||
                         (exact && begins_with_one(library, kTorch));
    if (!allowed) others.push_back(library);
  }
  if (others.empty()) return passed();
  return failed(
      "needs " + few(others) + ", which a plugin of tier " + tier_name(subject.record().tier) +
          " must not: another machine may not have it, and two plugins may need different versions.",
      exact ? "Link only LibTorch and the C and C++ runtime; link anything else statically, hidden."
            : "Link only the C and C++ runtime (libc, libm, libgcc_s, libstdc++); link anything else statically.");
}

Finding test_symbols(Subject& subject, const ComponentInfo*) {
  const bool exact = subject.record().tier == KDH_TIER_EXACT;
  std::vector<std::string> missing;
  for (const ElfSymbol& symbol : subject.image().symbols) {
    if (symbol.defined || symbol.weak || !symbol.version.empty()) continue;
    // The sanitizers' runtime is in the program.
    if (symbol.name.rfind("__asan_", 0) == 0 || symbol.name.rfind("__ubsan_", 0) == 0) continue;
    if (exact && ::dlsym(RTLD_DEFAULT, symbol.name.c_str()) != nullptr) continue;
    missing.push_back(symbol.name);
  }
  if (missing.empty()) return passed();
  if (exact) {
    return failed("uses symbols that this kdhost's LibTorch does not have: " + few(missing) + ".",
                  "Build it with the LibTorch of this kdhost, and link what is missing.");
  }
  return failed(
      "uses symbols that no library it names provides: " + few(missing) + ".",
      "Link what is missing, or reach it through the host; kdhost_add_plugin finds such symbols when it links.");
}

Finding test_registers(Subject& subject, const ComponentInfo*) {
  for (const ElfSymbol& symbol : subject.image().symbols) {
    if (symbol.defined || symbol.name.rfind(kTorchLibrary, 0) != 0) continue;
    return failed("registers operators with TORCH_LIBRARY, which ends the process when a second plugin does the same.",
                  "Remove TORCH_LIBRARY; call your kernels directly, or with custom_grad where they need a gradient.");
  }
  return passed();
}

Finding test_search_path(Subject& subject, const ComponentInfo*) {
  for (const std::string& path : subject.image().search_paths) {
    if (path.rfind("$ORIGIN", 0) == 0 || path.rfind("${ORIGIN}", 0) == 0) continue;
    return failed("has the library search path " + kdhost::quoted(path) + ", which another machine does not have.",
                  "Link without -rpath, or with one that begins with $ORIGIN; kdhost_add_plugin sets none.");
  }
  return passed();
}

std::vector<int> version_numbers(std::string_view text) {
  std::vector<int> numbers;
  while (!text.empty()) {
    int number = 0;
    const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (bad != std::errc()) break;
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    if (!text.empty()) text.remove_prefix(1);
  }
  return numbers;
}

// The highest "2.34" of "GLIBC_2.34"; empty where none is asked for.
std::string highest(const std::vector<std::string>& versions, std::string_view prefix) {
  std::string best;
  for (const std::string& version : versions) {
    if (version.rfind(prefix, 0) != 0) continue;
    const std::string number = version.substr(prefix.size());
    if (version_numbers(number) > version_numbers(best)) best = number;
  }
  return best;
}

Finding test_oldest_system(Subject& subject, const ComponentInfo*) {
  const std::vector<std::string>& versions = subject.image().versions;
  const std::string c = highest(versions, "GLIBC_");
  const std::string cxx = highest(versions, "GLIBCXX_");
  const std::string abi = highest(versions, "CXXABI_");
  std::vector<std::string> needs;
  if (!c.empty()) needs.push_back("glibc " + c);
  if (!cxx.empty()) needs.push_back("libstdc++ with GLIBCXX_" + cxx);
  if (!abi.empty()) needs.push_back("CXXABI_" + abi);
  return passed("needs " +
                (needs.empty() ? std::string("no particular version of the C and C++ runtime") : join(needs)) +
                " or newer.");
}

}  // namespace

void add_file_tests(std::vector<Test>& tests) {
  const std::vector<std::string> readable{"file.record"};
  tests.push_back({.level = 1, .name = "file.record", .run = test_record});
  tests.push_back({.level = 1, .name = "file.accepted", .needs = readable, .run = test_accepted});
  tests.push_back({.level = 1, .name = "file.exports", .needs = readable, .run = test_exports});
  tests.push_back({.level = 1, .name = "file.entry_strong", .needs = readable, .run = test_entry_strong});
  tests.push_back({.level = 1, .name = "file.libraries", .needs = readable, .run = test_libraries});
  tests.push_back({.level = 1, .name = "file.symbols", .needs = {"file.accepted"}, .run = test_symbols});
  tests.push_back({.level = 1, .name = "file.torch_library", .needs = readable, .run = test_registers});
  tests.push_back({.level = 1, .name = "file.search_path", .needs = readable, .run = test_search_path});
  tests.push_back({.level = 1, .name = "file.oldest_system", .needs = readable, .run = test_oldest_system});
}

}  // namespace kdhost::check
