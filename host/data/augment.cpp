// SPDX-License-Identifier: MIT
// Binding batch fields to transforms and applying them in order; see augment.hpp.
#include "data/augment.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/stream.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014):
/// turns one key of a sample into one for each transform.
constexpr uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

std::vector<kdh_port> ports_of(const kdh_component& component) {
  std::vector<kdh_port> ports(component.n_inputs);
  const auto* bytes = reinterpret_cast<const std::byte*>(component.inputs);
  for (std::size_t i = 0; i < ports.size(); ++i)
    std::memcpy(&ports[i], bytes + i * component.port_size,
                std::min(sizeof(kdh_port), std::size_t{component.port_size}));
  return ports;
}

}  // namespace

Augment::Augment(std::vector<Item> items) : items_(std::move(items)), bound_(items_.size()) {
  for (std::size_t i = 0; i < items_.size(); ++i)
    bound_[i].salt = Stream(0, "transform:" + items_[i].name, static_cast<uint64_t>(i)).next64();
}

bool Augment::random() const {
  return std::any_of(items_.begin(), items_.end(),
                     [](const Item& item) { return item.in_training && !item.transform->fixed(); });
}

bool Augment::mixes() const {
  return std::any_of(items_.begin(), items_.end(), [](const Item& item) {
    return item.in_training && (item.transform->description().flags & KDH_COMPONENT_MIXES) != 0;
  });
}

bool Augment::differs_in_evaluation() const {
  return std::any_of(items_.begin(), items_.end(),
                     [](const Item& item) { return item.in_training != item.in_evaluation; });
}

TransformInstance& Augment::transform(std::string_view name) {
  const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.name == name; });
  if (found == items_.end())
    throw Error(Exit::internal,
                Message{.where = "data.transform", .what = "no transform is named " + quoted(std::string(name)) + "."});
  return *found->transform;
}

void Augment::bind(std::size_t index, const Batch& batch) {
  TransformInstance& transform = *items_[index].transform;
  Bound& bound = bound_[index];
  for (const kdh_port& port : ports_of(transform.description())) {
    const std::string name(view(port.name));
    const std::string field(field_name(name));
    if (batch.find(field) != nullptr) {
      bound.bindings.push_back({transform.inputs().add(name), field});
    } else if ((port.flags & KDH_PORT_OPTIONAL) == 0) {
      std::vector<std::string> names;
      for (const Batch::Field& given : batch.fields) names.push_back(given.name);
      const std::string near = nearest(field, names);
      throw Error(Exit::experiment,
                  Message{.place = transform.origin().place,
                          .where = transform.origin().name,
                          .what = "'" + std::string(transform.id()) + "' needs the field '" + field +
                                  "', which the data set does not have.",
                          .expected = "Expected one of: " + join(names) + "." +
                                      (near.empty() ? "" : " The nearest is '" + near + "'."),
                          .mend = "Choose a transform for these fields, or a data set that has '" + field + "'."});
    }
  }
  if (!transform.part_list()->empty()) {
    // Constants that the transform declared; no run trains them, so they depend on nothing but its name.
    bound.parts.emplace(transform.part_list(), "data.transform." + items_[index].name, 0, at::kFloat);
    bound.parts->to(batch.device());
  }
  bound.ready = true;
}

void Augment::apply(Batch& batch, bool training) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!(training ? items_[i].in_training : items_[i].in_evaluation)) continue;
    TransformInstance& transform = *items_[i].transform;
    Bound& bound = bound_[i];
    if (!bound.ready) bind(i, batch);
    if (!transform.fixed() && batch.keys.size() != batch.samples.size())
      throw Error(Exit::internal, Message{.where = transform.origin().name,
                                          .what = "the batch has " + std::to_string(batch.keys.size()) + " keys.",
                                          .expected = "Expected one for each of its " +
                                                      std::to_string(batch.samples.size()) + " samples."});
    for (const Binding& binding : bound.bindings) transform.inputs().set(binding.slot, *batch.find(binding.field));
    CallSettings settings;
    settings.flags = training ? KDH_CALL_TRAINING : 0u;
    settings.device = batch.device();
    keys_.clear();
    for (const uint64_t key : batch.keys) keys_.push_back(mix(key + bound.salt));
    settings.sample_keys = keys_;
    // For operators that draw for the whole batch at once; a function of the same keys.
    for (const uint64_t key : keys_) settings.random_key = mix(settings.random_key + key);
    if (bound.parts)
      transform.apply(*bound.parts, settings, bound.changed);
    else
      transform.apply(settings, bound.changed);
    for (const Outputs::Entry& entry : bound.changed) {
      if (!entry.value.defined() || entry.value.dim() == 0 || entry.value.size(0) != batch.size())
        throw transform.broken("apply", "made field '" + entry.name + "' " + tensor_text(entry.value),
                               "one row for each of the " + std::to_string(batch.size()) + " samples");
      batch.set(entry.name, entry.value);
    }
    bound.changed.clear();
  }
}

}  // namespace kdhost
