// SPDX-License-Identifier: MIT
// Fills the structs of an experiment from the merged tree by walking the schema, checking each key on the way. Part
// of host/config.
#include "config/reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"
#include "config/overrides.hpp"
#include "config/rules.hpp"
#include "config/schema.hpp"

namespace kdhost {
namespace {

using Type = Value::Type;

// More would only hide the first ones, which are often the cause of the rest.
constexpr std::size_t kMostMessages = 100;

bool is_name(const std::string& text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

bool looks_like_number(const std::string& text) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto [stop, reason] = std::from_chars(text.data(), end, value);
  return reason == std::errc() && stop == end && !text.empty();
}

// What stands there, for "'batch' in [data] is ...".
std::string found_words(const Value& value) {
  switch (value.type()) {
    case Type::boolean:
      return value.boolean() ? "true" : "false";
    case Type::integer:
    case Type::number:
      return to_toml(value);
    case Type::string:
      return "the string " + quoted(value.string());
    case Type::list:
      return value.list().empty() ? "an empty list" : "a list";
    case Type::table:
      return "a table";
  }
  return {};
}

// Where a key stands, for messages: "in [data]", "in [[loss]] 'kdhost.kd'", "at the top level".
struct Context {
  std::string path{};
  std::string title{};

  std::string in() const { return path.empty() ? "at the top level" : "in " + title; }
  std::string subject(const std::string& key) const {
    return path.empty() ? quoted(key) : quoted(key) + " in " + title;
  }
};

class Checker {
 public:
  explicit Checker(std::vector<Message>& problems) : problems_(problems) {}

  void table(const TableSchema& schema, const Value& from, void* owner, const Context& context) {
    if (schema.locate) schema.locate(owner, from.place());
    for (const Entry& entry : from.table()) {
      if (schema.find(entry.key) == nullptr) refuse_key(schema, entry, context);
    }
    for (const Key& key : schema.keys) {
      const Value* value = from.find(key.name);
      if (value == nullptr) {
        if (key.required) refuse_missing(key, from.place(), context);
      } else if (key.is_table()) {
        tables(key, *value, owner, context);
      } else if (key.store) {
        Value copy = *value;
        if (check(key, copy, context)) key.store(owner, copy);
      }
    }
  }

 private:
  static Context inner(const Key& key, const Value& value, const Context& outer, bool array) {
    Context context;
    context.path = outer.path.empty() ? key.name : outer.path + "." + key.name;
    context.title = array ? "[[" + context.path + "]]" : "[" + context.path + "]";
    const Value* use = value.find("use");
    if (array && use != nullptr && use->is(Type::string)) context.title += " " + quoted(use->string());
    return context;
  }

  void tables(const Key& key, const Value& value, void* owner, const Context& context) {
    const bool single = key.kind != KeyKind::tables && value.is(Type::table);
    const bool array = key.kind != KeyKind::table && value.is(Type::list);
    if (!single && !array) return refuse(key, value, context);
    if (single) {
      key.clear(owner);
      return table(*key.table, value, key.append(owner), inner(key, value, context, false));
    }
    key.clear(owner);
    for (const Value& item : value.list()) {
      if (!item.is(Type::table)) {
        refuse(key, item, context);
      } else {
        table(*key.table, item, key.append(owner), inner(key, item, context, true));
      }
    }
  }

  // True where `value` may be stored; it is put into the form the struct wants (paths made absolute).
  bool check(const Key& key, Value& value, const Context& context) {
    switch (key.kind) {
      case KeyKind::boolean:
        return value.is(Type::boolean) || refused(key, value, context);
      case KeyKind::integer:
        return (value.is(Type::integer) && in_range(key, value)) || refused(key, value, context);
      case KeyKind::number:
        return (value.is_numeric() && in_range(key, value)) || refused(key, value, context);
      case KeyKind::string:
      case KeyKind::id:
      case KeyKind::name:
      case KeyKind::path:
      case KeyKind::choice:
        return check_text(key, value, context);
      case KeyKind::integers:
      case KeyKind::strings:
      case KeyKind::paths:
        return check_items(key, value, context);
      case KeyKind::number_pair:
        return check_number_pair(key, value, context);
      case KeyKind::pairs:
        return check_pairs(key, value, context);
      case KeyKind::params:
        return value.is(Type::table) || refused(key, value, context);
      case KeyKind::bindings:
        return check_bindings(key, value, context);
      case KeyKind::table:
      case KeyKind::tables:
      case KeyKind::table_or_tables:
        break;
    }
    return false;
  }

  static bool in_range(const Key& key, const Value& value) {
    const double number = value.number();
    if (!std::isfinite(number)) return false;
    if (key.least && (key.above_least ? number <= *key.least : number < *key.least)) return false;
    return !key.most || (key.below_most ? number < *key.most : number <= *key.most);
  }

  bool check_text(const Key& key, Value& value, const Context& context) {
    // On the command line nobody quotes a title such as 2024.
    const bool scalar = value.is_numeric() || value.is(Type::boolean);
    if (scalar && is_override(value.place())) value = Value(to_toml(value), value.place());
    if (!value.is(Type::string)) return refused(key, value, context);
    const std::string& text = value.string();
    if (key.kind == KeyKind::string || key.kind == KeyKind::id)
      return !text.empty() || key.name == "title" || refused(key, value, context);
    if (key.kind == KeyKind::name) return is_name(text) || refused(key, value, context);
    if (key.kind == KeyKind::path) {
      if (text.empty()) return refused(key, value, context);
      value = Value(resolve_path(text, value.place()), value.place());
      return true;
    }
    const bool known = std::find(key.choices.begin(), key.choices.end(), text) != key.choices.end();
    return known || refused(key, value, context);
  }

  bool check_items(const Key& key, Value& value, const Context& context) {
    if (!value.is(Type::list)) value = Value(ValueList{value}, value.place());
    bool good = true;
    for (Value& item : value.list()) {
      if (key.kind == KeyKind::integers) {
        good = ((item.is(Type::integer) && in_range(key, item)) || refused(key, item, context)) && good;
      } else if (!item.is(Type::string) || item.string().empty()) {
        good = refused(key, item, context);
      } else if (key.kind == KeyKind::paths) {
        item = Value(resolve_path(item.string(), item.place()), item.place());
      }
    }
    return good;
  }

  bool check_number_pair(const Key& key, const Value& value, const Context& context) {
    if (!value.is(Type::list) || value.list().size() != 2) return refused(key, value, context);
    for (const Value& item : value.list()) {
      if (!item.is_numeric() || !in_range(key, item)) return refused(key, item, context);
    }
    return true;
  }

  bool check_pairs(const Key& key, const Value& value, const Context& context) {
    const auto text = [](const Value& item) { return item.is(Type::string); };
    if (value.is(Type::table)) {
      for (const Entry& entry : value.table()) {
        if (!text(entry.value)) return refused(key, entry.value, context);
      }
      return true;
    }
    if (!value.is(Type::list)) return refused(key, value, context);
    for (const Value& pair : value.list()) {
      const bool two_texts =
          pair.is(Type::list) && pair.list().size() == 2 && text(pair.list()[0]) && text(pair.list()[1]);
      if (!two_texts) return refused(key, pair, context);
    }
    return true;
  }

  bool check_bindings(const Key& key, Value& value, const Context& context) {
    if (!value.is(Type::table)) return refused(key, value, context);
    Value flat;
    flat.set_place(value.place());
    flatten(value, "", flat);
    value = std::move(flat);
    bool good = true;
    for (const Entry& entry : value.table()) {
      const ValueList single{entry.value};
      const ValueList& taps = entry.value.is(Type::list) ? entry.value.list() : single;
      const auto is_tap = [](const Value& tap) { return tap.is(Type::string) && !tap.string().empty(); };
      if (!taps.empty() && std::all_of(taps.begin(), taps.end(), is_tap)) continue;
      const auto wrong = std::find_if_not(taps.begin(), taps.end(), is_tap);
      const Value& shown = wrong == taps.end() ? entry.value : *wrong;
      problem(shown.place(), "port " + quoted(entry.key) + " " + context.in() + " takes " + found_words(shown) + ".",
              "Expected a tap or a list of taps: \"logits\", [\"block1\", \"block2\"].", {});
      good = false;
    }
    return good;
  }

  // A port without quotes, student.features = ..., is a table inside a table to TOML.
  static void flatten(const Value& table, const std::string& prefix, Value& into) {
    for (const Entry& entry : table.table()) {
      if (entry.value.is(Type::table) && !entry.value.table().empty()) {
        flatten(entry.value, prefix + entry.key + ".", into);
      } else {
        into.set(prefix + entry.key, entry.value, entry.key_place);
      }
    }
  }

  bool refused(const Key& key, const Value& value, const Context& context) {
    refuse(key, value, context);
    return false;
  }

  void refuse(const Key& key, const Value& value, const Context& context) {
    problem(value.place(), context.subject(key.name) + " is " + found_words(value) + ".",
            "Expected " + key.expectation(beyond_most(key, value)) + ".", advice(key, value));
  }

  static bool beyond_most(const Key& key, const Value& value) {
    return value.is_numeric() && key.most && !(value.number() <= *key.most);
  }

  static std::string advice(const Key& key, const Value& value) {
    if (value.is(Type::string)) {
      const std::string& text = value.string();
      if (!key.choices.empty()) return did_you_mean(text, key.choices);
      const bool numeric = key.kind == KeyKind::integer || key.kind == KeyKind::number || key.kind == KeyKind::integers;
      const bool boolean = key.kind == KeyKind::boolean && (text == "true" || text == "false");
      if ((numeric && looks_like_number(text)) || boolean) return "Remove the quotes.";
    }
    const bool whole =
        value.is(Type::number) && std::abs(value.number()) < 1e15 && value.number() == std::floor(value.number());
    if ((key.kind == KeyKind::integer || key.kind == KeyKind::integers) && whole) {
      return "Write " + std::to_string(std::llround(value.number())) + ".";
    }
    return {};
  }

  void refuse_key(const TableSchema& schema, const Entry& entry, const Context& context) {
    const std::vector<std::string> names = schema.names();
    problem(entry.key_place, "unknown key " + quoted(entry.key) + " " + context.in() + ".",
            "Known keys: " + join(names) + ".", did_you_mean(entry.key, names));
  }

  static std::string lower_first(std::string text) {
    if (text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
  }

  void refuse_missing(const Key& key, const Place& place, const Context& context) {
    if (context.path.empty()) {
      // The whole file is meant, not its first line.
      return problem({place.file}, "the experiment has no [" + key.name + "].",
                     "Expected a table [" + key.name + "]: " + lower_first(key.doc), {});
    }
    problem(place, context.title + " has no " + quoted(key.name) + ".",
            "Expected " + key.name + " = ...: " + lower_first(key.doc), {});
  }

  void problem(Place place, std::string what, std::string expected, std::string mend) {
    problems_.push_back(
        {.place = std::move(place), .what = std::move(what), .expected = std::move(expected), .mend = std::move(mend)});
  }

  std::vector<Message>& problems_;
};

void fill_names(std::vector<LossTerm>& losses) {
  for (LossTerm& term : losses) {
    if (term.name.value.empty()) term.name = {last_part(term.component.use.value), term.component.use.place};
  }
}

void fill_defaults(Experiment& experiment) {
  for (Transform& transform : experiment.data.transforms) {
    const Text& use = transform.component.use;
    if (transform.name.value.empty()) transform.name = {last_part(use.value), use.place};
  }
  fill_names(experiment.losses);
  for (std::size_t i = 0; i < experiment.stages.size(); ++i) {
    Stage& stage = experiment.stages[i];
    if (stage.name.value.empty()) stage.name = {"stage" + std::to_string(i + 1), stage.place};
    if (stage.losses) fill_names(*stage.losses);
  }
  TrainSettings& train = experiment.train;
  if (!train.epochs && !train.steps && experiment.stages.empty()) train.epochs = Integer{10};
  if (experiment.metrics.empty()) experiment.metrics.push_back({.component = {.use = Text{"kdhost.accuracy"}}});
}

// Messages in the order a reader meets their places: file by file, top to bottom, overrides last.
void sort_messages(std::vector<Message>& messages, const std::vector<std::string>& files) {
  const auto rank = [&](const Message& message) {
    const auto file = std::find(files.begin(), files.end(), message.place.file) - files.begin();
    // A message about the whole file stands after those about its lines.
    const bool whole = message.place.line == 0;
    return std::tuple(file, whole, message.place.line, message.place.column);
  };
  std::stable_sort(messages.begin(), messages.end(),
                   [&](const Message& a, const Message& b) { return rank(a) < rank(b); });
}

Experiment read(const std::string& path, const std::string* text, const ReadOptions& options) {
  std::vector<Message> problems;
  Layers layers = read_layers(path, text, options.environment, problems);
  apply_overrides(layers.root, options.overrides, options.environment, problems);
  Experiment experiment;
  experiment.file = path;
  experiment.files = layers.files;
  layers.root.set_place({path});
  Checker(problems).table(experiment_schema(), layers.root, &experiment, {});
  fill_defaults(experiment);
  check_rules(experiment, layers.root, problems);
  if (options.further_checks) options.further_checks(experiment, problems);
  if (problems.empty()) return experiment;
  sort_messages(problems, layers.files);
  if (problems.size() > kMostMessages) {
    const std::size_t more = problems.size() - kMostMessages;
    problems.resize(kMostMessages);
    problems.push_back({.place = {path}, .what = "and " + std::to_string(more) + " more errors."});
  }
  throw Error(Exit::experiment, std::move(problems));
}

}  // namespace

Experiment read_experiment(const std::string& path, const ReadOptions& options) { return read(path, nullptr, options); }

Experiment parse_experiment(const std::string& text, const std::string& path, const ReadOptions& options) {
  return read(path, &text, options);
}

}  // namespace kdhost
