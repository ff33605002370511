// SPDX-License-Identifier: MIT
#include "cli/engine_loss_state.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

constexpr std::string_view kInInputs = "state.";

bool begins_with(const std::string& text, std::string_view begin) { return text.compare(0, begin.size(), begin) == 0; }

/// Every training starts with it at the same value, so a file may leave it out.
bool starts_alike(const PartSpec& spec) {
  return spec.role == PartRole::buffer && spec.init != KDH_INIT_UNIFORM && spec.init != KDH_INIT_NORMAL;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::vector<std::string> marked;
  for (const std::string& name : names) marked.push_back(quoted(name));
  return printable(join(marked), 1000);
}

std::string declared(const PartList& list) {
  std::vector<std::string> parts;
  for (const PartSpec& spec : list) parts.push_back(spec.name + " " + shape_text(spec.sizes));
  return printable(join(parts), 1000);
}

}  // namespace

std::string short_name(const std::string& id) { return id.substr(id.rfind('.') + 1); }

LossState::LossState(std::string id, const SafetensorsFile& inputs, const std::optional<std::string>& file)
    : id_(std::move(id)), inputs_(inputs), file_(file ? std::make_unique<SafetensorsFile>(*file) : nullptr) {}

std::vector<LossState::Given> LossState::named(const SafetensorsFile& file, std::string_view prefix) {
  std::vector<Given> found;
  for (const StoredTensor& stored : file.tensors())
    if (begins_with(stored.name, prefix)) found.push_back({stored.name.substr(prefix.size()), &stored});
  return found;
}

int64_t LossState::samples() const {
  std::vector<Given> candidates = named(inputs_, kInInputs);
  if (file_) {
    const std::string of_term = "loss." + short_name(id_) + "/";
    for (const std::string& prefix : {std::string(), of_term})
      for (const Given& g : named(*file_, prefix)) candidates.push_back(g);
  }
  int64_t banks = 0, others = 0;
  for (const Given& g : candidates) {
    if (g.stored->sizes.size() != 2) continue;
    const bool is_bank = begins_with(short_name(g.part), "bank");
    (is_bank ? banks : others) = std::max(is_bank ? banks : others, g.stored->sizes.front());
  }
  return banks > 0 ? banks : others;
}

std::vector<std::string> LossState::fill(Parts& parts) const {
  std::vector<bool> filled(parts.size(), false);
  const auto take = [&](const SafetensorsFile& file, const Given& g) {
    const auto slot = parts.find(g.part);
    if (!slot) return;
    parts.copy_from(*slot, file.tensor(*g.stored), file.path().string());
    filled[*slot] = true;
  };
  for (const Given& g : named(inputs_, kInInputs)) take(inputs_, g);
  if (file_)
    for (const Given& g : stored(parts)) take(*file_, g);
  std::vector<std::string> drawn;
  for (std::size_t slot = 0; slot < parts.size(); ++slot)
    if (!filled[slot] && !starts_alike(parts.spec(slot))) drawn.push_back(parts.spec(slot).name);
  return drawn;
}

std::vector<LossState::Given> LossState::stored(const Parts& parts) const {
  if (parts.size() == 0)
    refuse(id_ + " has no parts to be set: it trains nothing and remembers nothing.", "Expected no --state.",
           "Leave --state out, or give the parameters with which the loss has parts.");
  if (const std::vector<std::string> held = terms(); !held.empty()) return of_checkpoint(parts, held);
  std::vector<Given> given = named(*file_, "");
  for (Given& g : given)
    if (begins_with(g.part, kInInputs) && !parts.find(g.part)) g.part = g.part.substr(kInInputs.size());
  check_complete(parts, given, true);
  return given;
}

std::vector<std::string> LossState::terms() const {
  std::vector<std::string> terms;
  for (const StoredTensor& stored : file_->tensors()) {
    const std::size_t slash = stored.name.find('/');
    if (!begins_with(stored.name, "loss.") || slash == std::string::npos) continue;
    const std::string term = stored.name.substr(0, slash);
    if (std::find(terms.begin(), terms.end(), term) == terms.end()) terms.push_back(term);
  }
  return terms;
}

std::vector<LossState::Given> LossState::of_checkpoint(const Parts& parts,
                                                       const std::vector<std::string>& terms) const {
  const std::string usual = "loss." + short_name(id_);
  std::vector<std::string> fitting;
  for (const std::string& term : terms) {
    const std::vector<Given> held = named(*file_, term + "/");
    const bool all_known = std::all_of(held.begin(), held.end(), [&](const Given& g) { return parts.find(g.part); });
    if (all_known && held.size() == parts.size()) fitting.push_back(term);
  }
  const bool has_usual = std::find(terms.begin(), terms.end(), usual) != terms.end();
  const bool usual_fits = std::find(fitting.begin(), fitting.end(), usual) != fitting.end();
  if (fitting.size() > 1 && !usual_fits)
    refuse("holds the parts of several terms that may be " + id_ + ": " + quoted_list(fitting) + ".",
           "Expected one, or one named '" + usual + "'.",
           "Write the tensors of one of them into a file of their own, by the names behind the slash.");
  if (fitting.empty() && !has_usual)
    refuse("holds no parts of " + id_ + ", but of " + quoted_list(terms) + ".",
           "Expected " + declared(parts.list()) + ".",
           "Give the parameters with which that run was made, or the file of another run.");
  const std::string& term = usual_fits || fitting.empty() ? usual : fitting.front();
  std::vector<Given> given = named(*file_, term + "/");
  check_complete(parts, given, false);
  return given;
}

void LossState::check_complete(const Parts& parts, const std::vector<Given>& given, bool whole) const {
  const auto has = [&](const std::string& part) {
    return std::any_of(given.begin(), given.end(), [&](const Given& g) { return g.part == part; }) ||
           (whole && inputs_.find(std::string(kInInputs) + part) != nullptr);
  };
  std::vector<std::string> missing, unknown, names;
  for (const PartSpec& spec : parts.list()) {
    names.push_back(spec.name);
    if (!starts_alike(spec) && !has(spec.name)) missing.push_back(spec.name);
  }
  for (const Given& g : given)
    if (!parts.find(g.part)) unknown.push_back(g.part);
  if (missing.empty() && unknown.empty()) return;
  std::string what;
  if (!missing.empty())
    what = "lacks " + quoted_list(missing) + (missing.size() == 1 ? ", a part of " : ", parts of ") + id_;
  if (!unknown.empty())
    what += (what.empty() ? "holds " : ", and holds ") + quoted_list(unknown) +
            (unknown.size() == 1 ? ", which is no part of " : ", which are no parts of ") +
            (missing.empty() ? id_ : "it");
  refuse(what + ".", "Expected " + declared(parts.list()) + ".",
         unknown.empty() ? "" : did_you_mean(unknown.front(), missing.empty() ? names : missing));
}

void LossState::refuse(std::string what, std::string expected, std::string mend) const {
  throw Error(
      Exit::data,
      Message{{}, printable(file_->path().string(), 4096), std::move(what), std::move(expected), std::move(mend)});
}

}  // namespace kdhost
