// SPDX-License-Identifier: MIT
// Walks the schema along the path of an override and sets the value there. Part of host/config.
#include "config/overrides.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"
#include "config/schema.hpp"
#include "config/toml_text.hpp"

namespace kdhost {
namespace {

// The name by which an element of an array of tables is addressed: as written, else the last part of its id.
std::string element_name(const Value& element) {
  if (!element.is(Value::Type::table)) return {};
  if (const Value* name = element.find("name"); name != nullptr && name->is(Value::Type::string)) return name->string();
  const Value* use = element.find("use");
  return use != nullptr && use->is(Value::Type::string) ? last_part(use->string()) : std::string{};
}

class Override {
 public:
  Override(const std::string& text, const EnvironmentLookup& environment, std::vector<Message>& problems)
      : label_(override_label(text)), problems_(problems) {
    const std::size_t equals = text.find('=');
    path_ = text.substr(0, equals);
    if (equals == std::string::npos || path_.empty()) {
      throw Error(Exit::usage, {.where = printable(label_),
                                .what = equals == std::string::npos ? "has no '='." : "has no key before '='.",
                                .expected = "Expected --set key.path=value.",
                                .mend = "For example --set train.epochs=3."});
    }
    value_ = parse_override(text.substr(equals + 1), label_, environment, problems);
    for (std::size_t start = 0; start <= path_.size();) {
      const std::size_t end = std::min(path_.find('.', start), path_.size());
      parts_.push_back(path_.substr(start, end - start));
      start = end + 1;
    }
    if (parts_.size() > static_cast<std::size_t>(kDeepestNesting)) {
      throw Error(Exit::experiment, {.place = {label_},
                                     .what = "the key is nested too deeply.",
                                     .expected = "Expected at most " + std::to_string(kDeepestNesting) + " levels."});
    }
  }

  bool sets_use() const { return parts_.size() > 1 && parts_.back() == "use"; }

  void apply(Value& root) { into_table(root, experiment_schema(), 0); }

 private:
  bool last(std::size_t at) const { return at + 1 == parts_.size(); }

  std::string rest(std::size_t at) const {
    return join(std::vector<std::string>(parts_.begin() + static_cast<std::ptrdiff_t>(at), parts_.end()), ".");
  }

  void set(Value& table, const std::string& key) { table.set(key, std::move(value_), {label_}); }

  // parts_[at] is a key of `table`.
  void into_table(Value& table, const TableSchema& schema, std::size_t at) {
    // A value of another type stands there; its own error says so.
    if (!table.is(Value::Type::table)) return;
    const Key* key = at < parts_.size() ? schema.find(parts_[at]) : nullptr;
    if (key == nullptr || !(key->store || key->is_table())) return refuse_key(schema, at);
    if (last(at)) return set_known(table, *key);
    if (key->kind == KeyKind::params) return into_params(child(table, key->name), at + 1);
    if (key->kind == KeyKind::bindings) {
      Value& bindings = child(table, key->name);
      if (bindings.is(Value::Type::table)) set(bindings, rest(at + 1));
      return;
    }
    if (key->kind == KeyKind::table) return into_table(child(table, key->name), *key->table, at + 1);
    if (key->is_table()) return into_elements(table, *key, at + 1);
    problem(quoted(rest(0)) + " names nothing: " + quoted(key->name) + " holds no keys.",
            "Expected " + key->expectation() + ".", {});
  }

  void set_known(Value& table, const Key& key) {
    // Only one of the two lengths can hold, and the later one wins.
    if (key.name == "epochs") table.erase("steps");
    if (key.name == "steps") table.erase("epochs");
    set(table, key.name);
  }

  Value& child(Value& table, const std::string& key) {
    if (table.find(key) == nullptr) table.set(key, Value(ValueTable{}, {label_}), {label_});
    return *table.find(key);
  }

  // Any key may stand in parameters: the component says later whether it knows it.
  void into_params(Value& table, std::size_t at) {
    if (!table.is(Value::Type::table)) return;
    if (last(at)) return set(table, parts_[at]);
    into_params(child(table, parts_[at]), at + 1);
  }

  // parts_[at] chooses an element of the array `key`; where a single table stands it may be left out.
  void into_elements(Value& table, const Key& key, std::size_t at) {
    const bool single_allowed = key.kind == KeyKind::table_or_tables;
    if (single_allowed && table.find(key.name) == nullptr) child(table, key.name);
    Value* array = table.find(key.name);
    if (array == nullptr) {
      return problem(quoted(rest(0)) + " names nothing: the experiment has no [[" + key.name + "]].", {}, {});
    }
    if (array->is(Value::Type::table)) return into_single(*array, key, at);
    if (!array->is(Value::Type::list)) return;
    ValueList& list = array->list();
    std::vector<std::string> names;
    std::vector<Value*> found;
    for (Value& element : list) {
      names.push_back(element_name(element));
      if (names.back() == parts_[at]) found.push_back(&element);
    }
    if (found.empty()) {
      std::size_t number = 0;
      const char* const end = parts_[at].data() + parts_[at].size();
      const auto [stop, reason] = std::from_chars(parts_[at].data(), end, number);
      if (reason == std::errc() && stop == end && number < list.size()) found.push_back(&list[number]);
    }
    if (found.size() == 1) return into_element(*found.front(), key, at + 1);
    if (single_allowed && list.size() == 1) return into_single(list.front(), key, at);
    if (found.size() > 1) {
      return problem(quoted(rest(0)) + " names several [[" + key.name + "]].", {},
                     "Use the number from 0 instead of the name, or give each a name.");
    }
    problem(quoted(rest(0)) + " names nothing: no [[" + key.name + "]] is called " + kdhost::quoted(parts_[at]) + ".",
            "Known names: " + join(names) + ".", did_you_mean(parts_[at], names));
  }

  void into_single(Value& element, const Key& key, std::size_t at) {
    const bool by_name = key.table->find(parts_[at]) == nullptr && parts_[at] == single_name(element);
    into_element(element, key, by_name ? at + 1 : at);
  }

  static std::string single_name(const Value& element) {
    const Value* name = element.is(Value::Type::table) ? element.find("name") : nullptr;
    return name != nullptr && name->is(Value::Type::string) ? name->string() : "teacher";
  }

  void into_element(Value& element, const Key& key, std::size_t at) {
    if (at < parts_.size()) return into_table(element, *key.table, at);
    problem(quoted(rest(0)) + " names a whole table.", "Expected a key of it: " + join(key.table->names()) + ".", {});
  }

  void refuse_key(const TableSchema& schema, std::size_t at) {
    const std::string& part = at < parts_.size() ? parts_[at] : parts_.back();
    if (part == "include") return problem("'include' cannot be overridden.", {}, "Write it in the file.");
    std::vector<std::string> names = schema.names();
    names.erase(std::remove(names.begin(), names.end(), "include"), names.end());
    problem(quoted(rest(0)) + " names nothing: unknown key " + quoted(part) + ".", "Known keys: " + join(names) + ".",
            did_you_mean(part, names));
  }

  void problem(std::string what, std::string expected, std::string mend) {
    problems_.push_back(
        {.place = {label_}, .what = std::move(what), .expected = std::move(expected), .mend = std::move(mend)});
  }

  std::string label_;
  std::string path_;
  std::vector<std::string> parts_;
  Value value_;
  std::vector<Message>& problems_;
};

}  // namespace

void apply_overrides(Value& root, const std::vector<std::string>& overrides, const EnvironmentLookup& environment,
                     std::vector<Message>& problems) {
  std::vector<Override> parsed;
  for (const std::string& text : overrides) parsed.emplace_back(text, environment, problems);
  for (const bool use : {false, true}) {
    for (Override& override_one : parsed) {
      if (override_one.sets_use() == use) override_one.apply(root);
    }
  }
}

}  // namespace kdhost
