// SPDX-License-Identifier: MIT
// Making instances of a component and inputs that fit it, for the tests of levels 4 and up. What fits is found out:
// shapes come from the documentation of the ports, where the first list in brackets counts ("[N, C]"), or else from
// layouts that are common; the first that the component takes is used from then on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "check/subject.hpp"
#include "config/value.hpp"
#include "tensor/instance.hpp"

namespace kdhost::check {

/// One way to fill the ports and required parameters of a component.
struct Layout {
  /// targets: labels are numbers in the shape of the logits.
  enum class Ports { documented, maps, vectors, sequences, targets };
  Ports ports = Ports::documented;
  /// Tensors of a list port, elements of a required list.
  std::int64_t list = 2;
  std::int64_t batch = 8;
  std::int64_t classes = 10;
};

/// The tensors of one port.
struct PortTensors {
  std::string port{};
  bool is_list = false;
  std::vector<at::Tensor> tensors{};
};
using Tensors = std::vector<PortTensors>;

/// All tensors of all ports in order.
std::vector<at::Tensor> flat(const Tensors& tensors);
/// Those of one side, "student" or "teacher", that have floating-point numbers.
std::vector<at::Tensor> side_of(const Tensors& tensors, const std::string& side);
/// Each tensor replaced by change(port, tensor).
Tensors changed(const Tensors& tensors, const std::function<at::Tensor(const PortTensors&, const at::Tensor&)>& change);

/// Inputs for every port but those that `leave_out` names. Numbers are drawn from `stream`, the student's require a
/// gradient.
Tensors make_tensors(const ComponentInfo& info, const Layout& layout, Stream& stream, at::ScalarType dtype,
                     const std::vector<std::string>& leave_out = {});

/// Bound to the ports of an instance.
void bind_ports(Inputs& inputs, const Tensors& tensors);

/// What the user has set, and something allowed for parameters that need a value and have none.
Value usual_parameters(const Subject& subject, const ComponentInfo& info, const Layout& layout);
/// True where the parameter must name a file, and nobody has said which.
bool wants_a_file(const Subject& subject, const ComponentInfo& info, const ParamInfo& param);
/// A value that the parameter's own rules allow; nothing where none can be thought of (a file).
std::optional<Value> allowed_value(const ParamInfo& param, std::int64_t list);

Origin origin_of(Subject& subject, const ComponentInfo& info);
Creation creation_of(Subject& subject, const ComponentInfo& info, const Value& parameters, const Tensors& tensors);

/// An instance of any kind with its table open to view.
class OpenInstance : public Instance {
 public:
  using Instance::Instance;
  using Instance::self;
  using Instance::vtable;
};

/// What a component was seen to take.
struct Fit {
  Layout layout{};
  Value parameters{};
};

/// The first layout with which an instance can be created. Error where there is none: why not with the documented one.
const Fit& creatable(Subject& subject, const ComponentInfo& info);
/// The first with which `call` succeeds; creatable() where none does. Kept by component.
const Fit& callable(Subject& subject, const ComponentInfo& info, const std::function<void(const Fit&)>& call);

/// Notes "the function compute of 'example.kd'" as what is being done.
void note_call(const char* function, const ComponentInfo& info);

}  // namespace kdhost::check
