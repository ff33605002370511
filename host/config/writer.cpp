// SPDX-License-Identifier: MIT
// Writes an experiment by walking the schema. Part of host/config.
#include "config/writer.hpp"

#include <optional>
#include <vector>

#include "base/hash.hpp"
#include "config/schema.hpp"

namespace kdhost {
namespace {

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void table(const TableSchema& schema, const void* owner, const std::string& path) {
    // Plain keys come first: in TOML every line after a table header belongs to that table.
    for (const Key& key : schema.keys) {
      if (key.is_table()) {
        empty_list(key, owner);
      } else if (key.load) {
        plain(key, owner);
      }
    }
    for (const Key& key : schema.keys) {
      if (key.is_table()) inner(key, owner, path.empty() ? key.name : path + "." + key.name);
    }
  }

 private:
  void plain(const Key& key, const void* owner) {
    const std::optional<Value> value = key.load(owner);
    // An empty text is one that was never given.
    if (!value || (value->is(Value::Type::string) && value->string().empty())) return;
    out_ += key.name + " = " + to_toml(*value) + "\n";
  }

  // Present but empty is not the same as absent, which inherits: schedule = [] in a stage has no schedules.
  void empty_list(const Key& key, const void* owner) {
    const auto items = key.items(owner);
    if (!key.absent.empty() && key.kind == KeyKind::tables && items && items->empty()) out_ += key.name + " = []\n";
  }

  void inner(const Key& key, const void* owner, const std::string& path) {
    const auto items = key.items(owner);
    if (!items) return;
    const bool array = key.kind != KeyKind::table;
    for (const void* item : *items) {
      out_ += (array ? "\n[[" : "\n[") + path + (array ? "]]\n" : "]\n");
      table(*key.table, item, path);
    }
  }

  std::string out_;
};

}  // namespace

std::string resolved_toml(const Experiment& experiment) {
  Writer writer;
  writer.table(experiment_schema(), &experiment, "");
  return writer.take();
}

std::string experiment_hash(const Experiment& experiment) {
  Experiment computed = experiment;
  computed.title.clear();
  computed.numerics = NumericsSettings();
  computed.numerics.on_nonfinite = experiment.numerics.on_nonfinite;
  return hash_text(resolved_toml(computed)).hex();
}

}  // namespace kdhost
