// SPDX-License-Identifier: MIT
// Creating and destroying instances of components, and the texts of what goes wrong in them; see instance.hpp.
#include "tensor/instance.hpp"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>

#include "base/stream.hpp"
#include "base/text.hpp"
#include "tensor/host_table.hpp"
#include "tensor/operators.hpp"

namespace kdhost {
namespace {

std::string kind_word(kdh_kind kind) {
  switch (kind) {
    case KDH_KIND_LOSS:
      return "loss";
    case KDH_KIND_MODEL:
      return "model";
    case KDH_KIND_SCHEDULER:
      return "scheduler";
    case KDH_KIND_DATASET:
      return "data set";
    case KDH_KIND_TRANSFORM:
      return "transform";
    case KDH_KIND_METRIC:
      return "metric";
    default:
      return "component";
  }
}

// "loss 'kdhost.kd' of libkd.so"
std::string subject(const Origin& origin) {
  std::string text = kind_word(origin.component->kind) + " '" + std::string(view(origin.component->id)) + "'";
  if (!origin.plugin_file.empty()) text += " of " + origin.plugin_file;
  return text;
}

// The place in the experiment, or the instance's name where there is none.
Message located(const Origin& origin) {
  Message message{.place = origin.place};
  if (!origin.place.known()) message.where = origin.name;
  return message;
}

// ---- declarations while an instance is created

constexpr uint64_t kMaxRank = 16;
constexpr int64_t kMaxElements = int64_t{1} << 40;

struct PartCollector {
  PartList parts;
  bool offered = false;
};

HostRefusal refuse_part(const std::string& name, const std::string& text) {
  return {KDH_E_INVALID_ARGUMENT, "part '" + name + "': " + text};
}

PartSpec checked_part(const kdh_part& given) {
  PartSpec spec;
  spec.name = std::string(view(given.name));
  if (spec.name.empty()) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "a part was declared without a name"};
  if (given.role > KDH_PART_FROZEN)
    throw refuse_part(spec.name, "role " + std::to_string(given.role) + " is not known");
  if (given.rank > kMaxRank || (given.rank > 0 && given.sizes == nullptr))
    throw refuse_part(spec.name, "rank " + std::to_string(given.rank) + " is not allowed (at most " +
                                     std::to_string(kMaxRank) + ", with sizes)");
  if (given.dtype != -1 && !known_dtype(given.dtype))
    throw refuse_part(spec.name, "dtype " + std::to_string(given.dtype) + " is not known");
  if (given.init > KDH_INIT_VALUE) throw refuse_part(spec.name, "init " + std::to_string(given.init) + " is not known");
  spec.role = static_cast<PartRole>(given.role);
  spec.no_decay = (given.flags & KDH_PART_NO_DECAY) != 0;
  spec.sizes.assign(given.sizes, given.sizes + given.rank);
  int64_t elements = 1;
  for (const int64_t size : spec.sizes) {
    if (size < 0 || (size > 0 && elements > kMaxElements / size))
      throw refuse_part(spec.name, "shape " + shape_text(spec.sizes) + " is not possible");
    elements *= size;
  }
  if (given.dtype != -1) spec.dtype = static_cast<at::ScalarType>(given.dtype);
  if (spec.role != PartRole::buffer && spec.dtype && !at::isFloatingType(*spec.dtype))
    throw refuse_part(spec.name, "a parameter must be floating-point, found " + dtype_name(*spec.dtype));
  spec.init = given.init;
  spec.a = given.a;
  spec.b = given.b;
  const bool draws = given.init == KDH_INIT_UNIFORM || given.init == KDH_INIT_NORMAL;
  if (draws && spec.dtype && !at::isFloatingType(*spec.dtype))
    throw refuse_part(spec.name, "random numbers need a floating-point dtype, found " + dtype_name(*spec.dtype));
  if ((draws || given.init == KDH_INIT_CONSTANT) && !std::isfinite(given.a))
    throw refuse_part(spec.name, "a is " + shortest(given.a) + ", expected a finite number");
  if (draws && !std::isfinite(given.b))
    throw refuse_part(spec.name, "b is " + shortest(given.b) + ", expected a finite number");
  if (given.init == KDH_INIT_UNIFORM && given.b < given.a)
    throw refuse_part(spec.name, "uniform from " + shortest(given.a) + " to " + shortest(given.b) + " is empty");
  if (given.init == KDH_INIT_NORMAL && given.b < 0)
    throw refuse_part(spec.name, "standard deviation " + shortest(given.b) + " is negative");
  if (given.init == KDH_INIT_VALUE) {
    spec.value = tensor(given.value);
    if (!spec.value.defined()) throw refuse_part(spec.name, "init is a value, but no value was given");
    if (spec.value.sizes() != at::IntArrayRef(spec.sizes))
      throw refuse_part(spec.name,
                        "the value is " + tensor_text(spec.value) + ", the part has shape " + shape_text(spec.sizes));
    spec.value = spec.value.detach().clone();
  }
  return spec;
}

kdh_status add_part(const kdh_create* create, const kdh_part* given, uint64_t* slot) {
  return guarded([&] {
    auto& collector = *static_cast<PartCollector*>(create->ctx);
    if (!collector.offered)
      throw HostRefusal{KDH_E_UNSUPPORTED, "only losses, models and transforms can declare parameters and buffers"};
    kdh_part part{};
    part.dtype = -1;
    std::memcpy(&part, given, std::min<std::size_t>(sizeof part, static_cast<std::size_t>(given->struct_size)));
    PartSpec spec = checked_part(part);
    for (const PartSpec& other : collector.parts)
      if (other.name == spec.name) throw refuse_part(spec.name, "declared twice");
    if (slot != nullptr) *slot = collector.parts.size();
    collector.parts.push_back(std::move(spec));
  });
}

bool has_parts(kdh_kind kind) { return kind == KDH_KIND_LOSS || kind == KDH_KIND_MODEL || kind == KDH_KIND_TRANSFORM; }

}  // namespace

Instance::Instance(kdh_kind kind, Origin origin, Creation creation)
    : origin_(std::move(origin)),
      charge_(&charge_of(origin_.place, origin_.name, subject(origin_))),
      creation_(std::move(creation)),
      key_(derived_seed(0, "instance:" + origin_.name)) {
  if (description().kind != kind) {
    Message message = located(origin_);
    message.what = "'" + std::string(id()) + "' is a " + kind_word(description().kind) + ".";
    message.expected = "Expected a " + kind_word(kind) + ".";
    throw Error(Exit::experiment, std::move(message));
  }
  PartCollector collector;
  collector.offered = has_parts(kind);

  std::vector<kdh_shape> shapes;
  shapes.reserve(creation_.shapes.size());
  for (const PortShape& shape : creation_.shapes) {
    kdh_shape made{};
    made.port = borrow(shape.port);
    made.sizes = shape.sizes.data();
    made.rank = shape.sizes.size();
    made.dtype = static_cast<int32_t>(shape.dtype);
    shapes.push_back(made);
  }
  kdh_create create{};
  create.struct_size = sizeof create;
  create.host = &host_table();
  create.params = creation_.params.values().data();
  create.n_params = creation_.params.values().size();
  create.shapes = shapes.data();
  create.n_shapes = shapes.size();
  create.shape_size = sizeof(kdh_shape);
  create.facts = creation_.facts.values().data();
  create.n_facts = creation_.facts.values().size();
  create.ctx = &collector;
  create.add_part = add_part;

  if (description().create == nullptr || description().destroy == nullptr)
    throw broken("create", "has no function to create or destroy an instance", "a component with both");
  invoke("create", [&] { return description().create(origin_.component, &create, &self_, &vtable_); });
  part_list_ = std::make_shared<const PartList>(std::move(collector.parts));
  if (vtable_ == nullptr) {
    destroy();
    throw broken("create", "gave no table of functions", "a table of functions");
  }
}

Instance::~Instance() { destroy(); }

void Instance::destroy() noexcept {
  if (self_ == nullptr) return;
  const InCharge guard(*charge_, "destroy");
  try {
    description().destroy(self_);
  } catch (...) {
    // An instance that cannot be destroyed has nothing to tell that would help the user.
    self_ = nullptr;
  }
  self_ = nullptr;
}

Error Instance::failure(kdh_status status, std::string_view function, std::string_view text) const {
  Message message = located(origin_);
  message.what = subject(origin_) + ", in " + std::string(function) + ": ";
  message.what += text.empty() ? "failed with status " + std::to_string(status) + " and no text." : std::string(text);
  return Error(status == KDH_E_DATA ? Exit::data : Exit::plugin, std::move(message));
}

Error Instance::broken(std::string_view function, std::string what, std::string expected) const {
  Message message = located(origin_);
  message.what = subject(origin_) + ", in " + std::string(function) + ": " + what + ".";
  message.expected = "Expected " + expected + ".";
  message.mend = "This is a mistake in the plugin.";
  return Error(Exit::plugin, std::move(message));
}

void Instance::refuse_changed_input(const char* function, std::string_view port) const {
  throw broken(function, "changed its input '" + std::string(port) + "' in place",
               "a new tensor instead: others use the same memory");
}

void Instance::fail(kdh_status status, std::string_view function) const {
  throw failure(status, function, host_error_fresh ? host_error() : std::string_view());
}

void Instance::rethrow(std::string_view function) const {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw broken(function, "let an exception out: " + std::string(error.what_without_backtrace()),
                 "a status and a text, never an exception");
  } catch (const std::exception& error) {
    throw broken(function, "let an exception out: " + std::string(error.what()),
                 "a status and a text, never an exception");
  } catch (...) {
    throw broken(function, "let an exception of an unknown type out", "a status and a text, never an exception");
  }
}

}  // namespace kdhost
