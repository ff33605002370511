// SPDX-License-Identifier: MIT
#include "check/admission.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/build_facts.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "check/suite.hpp"

namespace kdhost::check {
namespace {

namespace fs = std::filesystem;

// Whoever works on a plugin makes a new one every few minutes. When there are so many, all are forgotten.
constexpr std::size_t kMostRemembered = 1000;

// Without these the host itself refuses the file, in words of its own.
bool told_by_host(const std::string& test) {
  static const std::vector<std::string> tests{"file.record", "file.accepted",    "load.bound",
                                              "load.query",  "load.description", "load.agrees"};
  return std::find(tests.begin(), tests.end(), test) != tests.end();
}

Request request_for(const fs::path& file, const AdmissionSettings& settings) {
  Request request;
  request.settings.file = file;
  request.settings.host = settings.host;
  request.settings.host.admit = nullptr;
  request.level = 4;
  request.only = {"file.*", "load.*", "life.defaults"};
  request.limit = settings.limit;
  request.budget = settings.budget;
  // A data set opens files when it is made, and those of its defaults may be large or not there.
  for (const ComponentInfo& component : read_record(file).components) {
    if (component.kind == KDH_KIND_DATASET) request.skip.push_back(component.id);
  }
  return request;
}

}  // namespace

void Admission::admit(const fs::path& file) {
  // A newer program is another judge.
  const std::string key = Hasher()
                              .add(hash_file(file.string()).hex())
                              .add(settings_.host.torch_fingerprint)
                              .add(std::string_view(kVersion))
                              .digest()
                              .hex();
  const auto [known, is_new] = tried_.try_emplace(key);
  if (is_new) {
    std::error_code unreadable;
    if (fs::exists(settings_.memory / key, unreadable)) return;
    try {
      try_file(file, key);
    } catch (const Error& error) {
      known->second = error;
    }
  }
  if (known->second) throw Error(*known->second);
}

void Admission::try_file(const fs::path& file, const std::string& key) {
  const std::string name = printable(file.string(), 4096);
  bool good = true;
  for (const Outcome& outcome : check_plugin(request_for(file, settings_)).outcomes) {
    const Finding& finding = outcome.finding;
    if (finding.verdict == Verdict::crash || finding.verdict == Verdict::timeout) {
      throw Error(
          Exit::plugin,
          Message{.where = name,
                  .what = finding.what,
                  .expected = "Expected a plugin that can be loaded and makes its components: a new one is "
                              "tried in a process of its own first.",
                  .mend = "See all that is wrong with `kdhost check " + name + "`; --trust leaves the trial out."});
    }
    // A component need not work with its defaults: the experiment has its own parameters.
    if (finding.verdict != Verdict::fail || !outcome.component.empty()) continue;
    good = false;
    if (!told_by_host(outcome.test)) {
      log::warn(Message{.where = name, .what = finding.what, .mend = finding.mend}.text());
    }
  }
  if (good) remember(file, key);
}

void Admission::remember(const fs::path& file, const std::string& key) const {
  try {
    std::error_code failed;
    fs::create_directories(settings_.memory, failed);
    std::vector<fs::path> known;
    for (fs::directory_iterator it(settings_.memory, failed), end; !failed && it != end; it.increment(failed)) {
      known.push_back(it->path());
    }
    if (known.size() >= kMostRemembered) {
      for (const fs::path& path : known) fs::remove(path, failed);
    }
    write_file((settings_.memory / key).string(), file.string() + "\n");
  } catch (const Error& error) {
    log::info("note      " + printable(file.string(), 4096) +
              " is fine, but that cannot be remembered, so it is tried at each start: " +
              printable(settings_.memory.string(), 4096) + ": " + error.messages().front().what);
  }
}

}  // namespace kdhost::check
