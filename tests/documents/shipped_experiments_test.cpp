// SPDX-License-Identifier: MIT
// The experiments of the tree against the shipped plugins, by their texts and records alone: no data, no model, no
// training. tests/end_to_end/families_test.py trains one of each family.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <kdhost_test_paths.hpp>
#include <set>
#include <string>
#include <vector>

#include "config/reader.hpp"
#include "plugin/experiment_check.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

const fs::path& folder() {
  static const fs::path path = fs::path(test::kSourceDir) / "experiments";
  return path;
}

/// All files by their path below experiments/, but those that are made to be included.
std::vector<std::string> experiments() {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder()))
    if (entry.path().extension() == ".toml" && entry.path().filename() != "base.toml")
      files.push_back(fs::relative(entry.path(), folder()).string());
  std::sort(files.begin(), files.end());
  return files;
}

Registry& registry() {
  static Registry& all = *new Registry(HostAbi{}, {SearchPlace{test::kPluginDir}});
  return all;
}

Experiment read(const std::string& file) { return read_experiment((folder() / file).string()); }

std::set<std::string> losses_of(const Experiment& experiment) {
  std::set<std::string> ids;
  for (const LossTerm& term : experiment.losses) ids.insert(term.component.use.value);
  for (const Stage& stage : experiment.stages)
    if (stage.losses)
      for (const LossTerm& term : *stage.losses) ids.insert(term.component.use.value);
  return ids;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("every shipped experiment is right, as far as its text and the plugins' records tell") {
  REQUIRE(experiments().size() > 100);
  for (const std::string& file : experiments()) {
    INFO(file);
    Experiment experiment;
    REQUIRE_NOTHROW(experiment = read(file));
    CHECK_NOTHROW(check_experiment(experiment, registry()));
    CHECK_FALSE(experiment.title.empty());
    for (const Teacher& teacher : experiment.teachers)
      if (teacher.from) CHECK(fs::exists(teacher.from->value));
  }
}

TEST_CASE("every shipped loss has an experiment that uses it") {
  std::set<std::string> used;
  for (const std::string& file : experiments()) used.merge(losses_of(read(file)));
  for (const std::string& id : registry().ids(KDH_KIND_LOSS)) {
    INFO(id);
    CHECK(used.count(id) == 1);
  }
}

TEST_CASE("the page of the experiments names each of them, and no file that is not there") {
  const std::string page = text_of(folder() / "README.md");
  const std::size_t table = page.find("## From a paper to a file");
  REQUIRE(table != std::string::npos);
  const std::string rows = page.substr(table, page.find("\n## ", table + 1) - table);
  std::set<std::string> named;
  for (std::size_t at = rows.find("](", 0); at != std::string::npos; at = rows.find("](", at + 1))
    named.insert(rows.substr(at + 2, rows.find(')', at) - at - 2));
  for (const std::string& file : named) {
    INFO(file);
    CHECK(fs::exists(folder() / file));
  }
  for (const std::string& file : experiments()) {
    const std::string name = fs::path(file).filename().string();
    const bool of_family = file.rfind("fashion-mnist/", 0) == 0 && std::count(file.begin(), file.end(), '/') == 2;
    if ((!of_family && file.rfind("trec/", 0) != 0) || name.rfind("teacher", 0) == 0 || name == "generation-0.toml")
      continue;
    INFO(file);
    CHECK(named.count(file) == 1);
  }
}

}  // namespace kdhost
