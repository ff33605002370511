// SPDX-License-Identifier: MIT
// Includes and merging. Part of host/config.
#include "config/layers.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "config/toml_text.hpp"

namespace kdhost {
namespace {

constexpr std::string_view kOverride = "--set ";

std::string join_path(const std::string& path, const std::string& file) {
  const std::filesystem::path wanted(path);
  const auto joined = wanted.is_absolute() ? wanted : std::filesystem::path(file).parent_path() / wanted;
  return joined.lexically_normal().string();
}

class LayerReader {
 public:
  LayerReader(const EnvironmentLookup& environment, std::vector<Message>& problems)
      : environment_(environment), problems_(problems) {}

  Layers read(const std::string& path, const std::string* text) {
    Layers layers;
    layers.root = file(path, text != nullptr ? *text : read_experiment_text(path));
    layers.files = std::move(files_);
    return layers;
  }

 private:
  Value file(const std::string& path, const std::string& text) {
    files_.push_back(path);
    open_.push_back(std::filesystem::absolute(path).lexically_normal().string());
    Value own = parse_toml(text, path, environment_, problems_);
    Value merged;
    for (const auto& [name, place] : included(own)) merge(merged, include(join_path(name, path), place));
    own.erase("include");
    merge(merged, std::move(own));
    open_.pop_back();
    return merged;
  }

  Value include(const std::string& path, const Place& place) {
    const std::string whole = std::filesystem::absolute(path).lexically_normal().string();
    if (std::find(open_.begin(), open_.end(), whole) != open_.end()) {
      throw Error(Exit::experiment, {.place = place,
                                     .what = quoted(path) + " includes itself, directly or through others.",
                                     .mend = "Remove this include."});
    }
    if (files_.size() >= kMostFiles) {
      throw Error(Exit::experiment, {.place = place,
                                     .what = "more than " + std::to_string(kMostFiles) + " files are read.",
                                     .mend = "Include fewer files."});
    }
    return file(path, read_experiment_text(path, place));
  }

  // The names in `include` with their places. A wrong type is a problem, and the names that can be used are used.
  std::vector<std::pair<std::string, Place>> included(const Value& root) {
    std::vector<std::pair<std::string, Place>> names;
    const Value* value = root.find("include");
    if (value == nullptr) return names;
    const auto take = [&](const Value& item) {
      if (item.is(Value::Type::string) && !item.string().empty()) {
        names.emplace_back(item.string(), item.place());
        return;
      }
      problems_.push_back({.place = item.place(),
                           .what = "'include' holds " +
                                   (item.is(Value::Type::string) ? "an empty string" : type_words(item.type())) + ".",
                           .expected = "Expected a path or a list of paths."});
    };
    if (value->is(Value::Type::list)) {
      for (const Value& item : value->list()) take(item);
    } else {
      take(*value);
    }
    return names;
  }

  const EnvironmentLookup& environment_;
  std::vector<Message>& problems_;
  std::vector<std::string> files_;
  /// Files being read, outermost first: an include of one of them is a circle.
  std::vector<std::string> open_;
};

// A later `steps` takes the place of an earlier `epochs`, and the other way round.
void drop_other_length(Value& base, const Value& over) {
  for (const auto& [mine, other] : {std::pair{"epochs", "steps"}, std::pair{"steps", "epochs"}}) {
    if (over.find(mine) != nullptr && over.find(other) == nullptr) base.erase(other);
  }
}

void merge_tables(Value& base, Value over, bool top_level) {
  // An include-only file has no place of its own keys: the later file's header is the better one to show.
  base.set_place(over.place());
  for (Entry& entry : over.table()) {
    Value* old = base.find(entry.key);
    const bool both_tables = old != nullptr && old->is(Value::Type::table) && entry.value.is(Value::Type::table);
    if (!both_tables) {
      base.set(std::move(entry.key), std::move(entry.value), std::move(entry.key_place));
      continue;
    }
    if (top_level && entry.key == "train") drop_other_length(*old, entry.value);
    merge_tables(*old, std::move(entry.value), false);
  }
}

}  // namespace

Layers read_layers(const std::string& path, const std::string* text, const EnvironmentLookup& environment,
                   std::vector<Message>& problems) {
  return LayerReader(environment, problems).read(path, text);
}

void merge(Value& base, Value over) { merge_tables(base, std::move(over), true); }

std::string resolve_path(const std::string& path, const Place& place) {
  const std::string seen = is_override(place) ? path : join_path(path, place.file);
  return std::filesystem::absolute(seen).lexically_normal().string();
}

std::string override_label(const std::string& text) { return std::string(kOverride) + text; }

bool is_override(const Place& place) { return place.file.compare(0, kOverride.size(), kOverride) == 0; }

}  // namespace kdhost
