// SPDX-License-Identifier: MIT
#include "train/weights.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"
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

// What cannot be read is told at the line that names it.
SafetensorsFile opened(const Path& path) {
  try {
    return SafetensorsFile(path.value);
  } catch (const Error& error) {
    throw error.with_context(path.place);
  }
}

// "NaN", "an infinite number", or empty.
std::string nonfinite_words(const at::Tensor& t) {
  if (!t.is_floating_point() || at::isfinite(t).all().item<bool>()) return "";
  return at::isnan(t).any().item<bool>() ? "NaN" : "an infinite number";
}
}  // namespace

void load_weights(Parts& parts, const Path& path, const std::vector<Rename>& rename, const std::vector<Text>& load,
                  const std::string& owner) {
  const SafetensorsFile file = opened(path);
  std::map<std::string, const StoredTensor*> stored;  // by the model's name
  std::vector<Message> problems;
  const auto problem = [&](const Place& place, std::string what, std::string expected, std::string mend) {
    problems.push_back({place, printable(path.value, 4096), std::move(what), std::move(expected), std::move(mend)});
  };
  std::vector<std::string> names;
  for (const auto& t : file.tensors()) names.push_back(t.name);
  for (const auto& r : rename) {
    if (file.find(r.from.value)) continue;
    problem(r.from.place, "there is no tensor " + kdhost::quoted(r.from.value) + " to rename.",
            names.empty() ? "The file holds no tensors." : "It holds: " + printable(join(names), 1000) + ".",
            did_you_mean(r.from.value, names));
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
      problem(p.place, "no part of " + owner + " matches " + kdhost::quoted(p.value) + " in load.",
              "Expected a pattern of names such as \"layer1.*\".",
              "Look at the names with `kdhost inspect FILE.toml --json`.");
  }
  std::vector<std::string> missing, unexpected;
  std::vector<std::pair<std::size_t, at::Tensor>> copies;
  for (std::size_t slot = 0; slot < parts.size(); ++slot) {
    const PartSpec& spec = parts.spec(slot);
    if (!wanted(spec.name)) continue;
    const auto found = stored.find(spec.name);
    if (found == stored.end()) {
      if (!may_be_absent(spec.name)) missing.push_back(spec.name);
      continue;
    }
    const std::string name = kdhost::quoted(found->second->name);
    if (found->second->sizes != spec.sizes) {
      problem(path.place, name + " has shape " + shape_text(found->second->sizes) + ".",
              "Expected " + shape_text(spec.sizes) + " for '" + spec.name + "' of " + owner + ".",
              "Bring weights of the same model, or write its parameters as they were in training.");
      continue;
    }
    const at::ScalarType dtype = parts[slot].scalar_type();
    if (at::isFloatingType(found->second->dtype) != at::isFloatingType(dtype)) {
      problem(path.place, name + " has dtype " + dtype_name(found->second->dtype) + ".",
              "Expected " + dtype_name(dtype) + ", or another " +
                  (at::isFloatingType(dtype) ? "floating-point" : "integer") + " dtype.",
              "Convert the weights.");
      continue;
    }
    at::Tensor value = file.tensor(*found->second);
    if (const std::string words = nonfinite_words(value); !words.empty())
      problem(path.place, name + " holds " + words + ".", "Expected finite numbers.",
              "Bring weights from before that training diverged.");
    copies.emplace_back(slot, std::move(value));
  }
  if (load.empty())
    for (const auto& [name, tensor] : stored)
      if (!parts.find(name)) unexpected.push_back(name);
  if (!missing.empty() || !unexpected.empty()) {
    std::string what = missing.empty() ? "" : "missing " + printable(join(missing), 2000);
    if (!unexpected.empty())
      what += std::string(missing.empty() ? "" : "; ") + "unexpected " + printable(join(unexpected), 2000);
    problem(path.place, what + ".", "Expected the tensors of " + owner + ", by exact name.",
            "Map other names with rename = [{ from = \"...\", to = \"...\" }]" +
                std::string(owner == "student" ? ", or take a part of the file with load = [\"layer1.*\"]." : "."));
  }
  if (!problems.empty()) throw Error(Exit::data, problems);
  for (const auto& [slot, value] : copies) parts.copy_from(slot, value, path.value);
}

}  // namespace kdhost
