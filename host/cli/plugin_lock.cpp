// SPDX-License-Identifier: MIT
// Writing and comparing of lock files, see plugin_lock.hpp.
#include "cli/plugin_lock.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "plugin/experiment_check.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kLockVersion = 1;

// A component that is used, and the plugin file it comes from.
struct UsedComponent {
  std::string id{};
  std::string version{};
  std::string hash{};
  fs::path path{};
};

// Walks an experiment and its teachers' files.
class UseCollector {
 public:
  std::vector<UsedComponent> collect(const ExperimentInput& input) {
    add_all(input);
    return std::move(used_);
  }

 private:
  void add_all(const ExperimentInput& input) {
    const Experiment& e = input.experiment;
    Registry& registry = *input.registry;
    const auto losses = [&](const std::vector<LossTerm>& list) {
      for (const LossTerm& loss : list) add(registry, loss.component, KDH_KIND_LOSS);
    };
    const auto schedules = [&](const std::vector<Schedule>& list) {
      for (const Schedule& schedule : list) add(registry, schedule.component, KDH_KIND_SCHEDULER);
    };
    add(registry, e.data.component, KDH_KIND_DATASET);
    for (const Transform& transform : e.data.transforms) add(registry, transform.component, KDH_KIND_TRANSFORM);
    for (const Teacher& teacher : e.teachers) add(registry, teacher.component, KDH_KIND_MODEL);
    add(registry, e.student.component, KDH_KIND_MODEL);
    losses(e.losses);
    schedules(e.schedules);
    for (const Stage& stage : e.stages) {
      if (stage.losses) losses(*stage.losses);
      if (stage.schedules) schedules(*stage.schedules);
    }
    for (const Metric& metric : e.metrics) add(registry, metric.component, KDH_KIND_METRIC);
    const std::vector<std::string> metrics = registry.ids(KDH_KIND_METRIC);
    for (const char* id : kTableMetrics) {
      if (std::find(metrics.begin(), metrics.end(), id) == metrics.end()) continue;
      Component component;
      component.use = Text(id);
      add(registry, component, KDH_KIND_METRIC);
    }
    for (const auto& [name, teacher] : input.teacher_files) add_all(*teacher);
  }

  void add(Registry& registry, const Component& component, kdh_kind kind) {
    const std::string& id = component.use.value;
    if (id.empty()) return;  // the model of a teacher's file, or the student's own
    if (registry.undecided(id)) {
      Message message;
      message.place = component.use.place;
      message.what = kdhost::quoted(id) + " is in a plugin whose record does not list its components.";
      message.expected = "Expected to know the plugin file without running it.";
      message.mend = "Build that plugin with kdhost_add_plugin.";
      throw Error(Exit::plugin, std::move(message));
    }
    const Offer& offer = registry.find(id, kind, component.use.place, component.path);
    std::string& hash = hashes_[offer.file->path];
    if (hash.empty()) hash = plugin_hash(*offer.file);
    const auto same = [&](const UsedComponent& u) { return u.id == id && u.hash == hash; };
    if (std::none_of(used_.begin(), used_.end(), same))
      used_.push_back({id, offer.info.version, hash, offer.file->path});
  }

  std::vector<UsedComponent> used_;
  std::map<fs::path, std::string> hashes_;
};

std::string locking_command(const std::string& file) { return "`kdhost check " + printable(file, 4096) + " --lock`"; }

// The entries of a lock file: hashes by component.
std::multimap<std::string, std::string> read_lock(const std::string& file, const std::string& lock) {
  const auto refuse = [&](std::string what) {
    Message message;
    message.where = printable(lock, 4096);
    message.what = std::move(what);
    message.expected = "--locked compares the plugins of " + printable(file, 4096) + " with this file.";
    message.mend = "Write it: " + locking_command(file) + ".";
    throw Error(Exit::plugin, std::move(message));
  };
  std::error_code failed;
  if (!fs::exists(lock, failed)) refuse("there is no such file.");
  const Json json = Json::parse(read_file(lock), nullptr, /*allow_exceptions=*/false);
  std::multimap<std::string, std::string> entries;
  try {
    if (json.at("lock").get<int>() != kLockVersion) refuse("is a lock file of another version of kdhost.");
    for (const Json& component : json.at("components")) {
      entries.emplace(component.at("id").get<std::string>(), component.at("xxh3_128").get<std::string>());
    }
  } catch (const Json::exception&) {
    refuse("is not a lock file of kdhost.");
  }
  return entries;
}

}  // namespace

std::string lock_file_of(const std::string& experiment_file) {
  return fs::path(experiment_file).replace_extension(".lock").string();
}

void write_lock(const std::string& file, const ExperimentInput& input) {
  const std::vector<UsedComponent> used = UseCollector().collect(input);
  Json json{{"lock", kLockVersion}, {"components", Json::array()}};
  for (const UsedComponent& u : used) {
    json["components"].push_back(
        {{"id", u.id}, {"version", u.version}, {"plugin", u.path.filename().string()}, {"xxh3_128", u.hash}});
  }
  const std::string lock = lock_file_of(file);
  write_file(lock, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  log::info(printable(lock, 4096) + " written: " + std::to_string(used.size()) + " components");
}

void require_lock(const std::string& file, const ExperimentInput& input) {
  const std::string lock = lock_file_of(file);
  const std::multimap<std::string, std::string> locked = read_lock(file, lock);
  std::vector<std::string> unknown;
  std::map<fs::path, std::vector<std::string>> changed;
  std::map<fs::path, std::string> hashes;
  for (const UsedComponent& u : UseCollector().collect(input)) {
    const auto [first, last] = locked.equal_range(u.id);
    if (first == last) {
      unknown.push_back(kdhost::quoted(u.id));
    } else if (std::none_of(first, last, [&](const auto& entry) { return entry.second == u.hash; })) {
      changed[u.path].push_back(kdhost::quoted(u.id) + " (" + first->second + ")");
      hashes[u.path] = u.hash;
    }
  }
  std::vector<Message> messages;
  const auto add = [&](std::string what, std::string expected, std::string mend) {
    Message message;
    message.where = printable(lock, 4096);
    message.what = std::move(what);
    message.expected = std::move(expected);
    message.mend = std::move(mend);
    messages.push_back(std::move(message));
  };
  for (const auto& [path, ids] : changed) {
    add(printable(path.string(), 4096) + " is another file than the locked one: its XXH3-128 is " + hashes[path] + ".",
        "Locked are " + join(ids) + ".",
        "Put the locked plugin back, or accept this one: " + locking_command(file) + ".");
  }
  if (!unknown.empty()) {
    add("does not know " + join(unknown) + ".", "The experiment uses more than when it was locked.",
        "Lock it again: " + locking_command(file) + ".");
  }
  if (!messages.empty()) throw Error(Exit::plugin, std::move(messages));
}

}  // namespace kdhost
