// SPDX-License-Identifier: MIT
#include "train/weights.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "base/nearest.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost {

bool matches(const std::string& pattern, const std::string& text) {
  // Greedy with one point to come back to: the last star.
  std::size_t p = 0, t = 0, star = std::string::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

namespace {
bool may_be_absent(const std::string& name) {
  constexpr std::string_view tail = "num_batches_tracked";
  return name.size() >= tail.size() && name.compare(name.size() - tail.size(), tail.size(), tail) == 0;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& n : names) text += (text.empty() ? "" : ", ") + n;
  return text;
}
}  // namespace

void load_weights(Parts& parts, const Path& path, const std::vector<Rename>& rename, const std::vector<Text>& load,
                  const std::string& owner) {
  const SafetensorsFile file(path.value);
  std::map<std::string, const StoredTensor*> stored;  // by the model's name
  std::vector<Message> problems;
  const auto problem = [&](const Place& place, std::string what, std::string expected, std::string mend) {
    problems.push_back({place, path.value, std::move(what), std::move(expected), std::move(mend)});
  };
  std::set<std::string> renamed;
  for (const auto& r : rename)
    if (!file.find(r.from.value)) {
      std::vector<std::string> names;
      for (const auto& t : file.tensors()) names.push_back(t.name);
      problem(r.from.place, path.value + ": no tensor " + kdhost::quoted(r.from.value) + " to rename",
              did_you_mean(r.from.value, names), "");
    }
  for (const auto& t : file.tensors()) {
    std::string name = t.name;
    for (const auto& r : rename)
      if (r.from.value == t.name) name = r.to.value;
    stored[name] = &t;
  }
  const auto wanted = [&](const std::string& name) {
    return load.empty() || std::any_of(load.begin(), load.end(), [&](const Text& p) { return matches(p.value, name); });
  };
  for (const auto& p : load) {
    const auto& list = parts.list();
    if (std::none_of(list.begin(), list.end(), [&](const PartSpec& s) { return matches(p.value, s.name); }))
      problem(p.place, "load: no part of " + owner + " matches " + kdhost::quoted(p.value), "", "`kdhost inspect` lists them");
  }
  std::vector<std::string> missing, unexpected;
  std::vector<std::pair<std::size_t, const StoredTensor*>> copies;
  for (std::size_t slot = 0; slot < parts.size(); ++slot) {
    const PartSpec& spec = parts.spec(slot);
    if (!wanted(spec.name)) continue;
    const auto found = stored.find(spec.name);
    if (found == stored.end()) {
      if (!may_be_absent(spec.name)) missing.push_back(spec.name);
    } else if (found->second->sizes != spec.sizes) {
      problem(path.place, path.value + ": '" + found->second->name + "' has shape " + shape_text(found->second->sizes),
              "expected " + shape_text(spec.sizes) + " for '" + spec.name + "' of " + owner, "");
    } else {
      copies.emplace_back(slot, found->second);
    }
  }
  if (load.empty())
    for (const auto& [name, tensor] : stored)
      if (!parts.find(name)) unexpected.push_back(name);
  if (!missing.empty() || !unexpected.empty()) {
    std::string what = path.value + ": ";
    if (!missing.empty()) what += "missing " + listed(missing);
    if (!unexpected.empty()) what += std::string(missing.empty() ? "" : "; ") + "unexpected " + listed(unexpected);
    problem(path.place, what, "the tensors of " + owner + ", by exact name",
            "map other names with rename = [{ from = \"...\", to = \"...\" }]" +
                std::string(owner == "student" ? ", or take a part of the file with load = [\"layer1.*\"]" : ""));
  }
  if (!problems.empty()) throw Error(Exit::data, problems);
  for (const auto& [slot, tensor] : copies) parts.copy_from(slot, file.tensor(*tensor), path.value);
}

}  // namespace kdhost
