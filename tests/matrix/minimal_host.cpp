// SPDX-License-Identifier: MIT
// A host of its own for tests/matrix/run: nothing of host/, the plugin ABI over whatever LibTorch it is compiled with,
// as far as the losses of tests/museum need it. Made for LibTorch 1.13, which Debian 12 has and kdhost does not
// support, to show that a portable plugin does not depend on the program that loads it. A handle here is a
// heap-allocated tensor, in kdhost it is a TensorImpl*.
//   minimal_host museum_losses.so      prints values and gradients; exit code 1 where one differs from its formula
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <kdhost/abi.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/version.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using at::Tensor;
namespace autograd = torch::autograd;

std::string_view view(kdh_str s) { return {s.data != nullptr ? s.data : "", static_cast<std::size_t>(s.size)}; }
kdh_str str(std::string_view s) { return {s.data(), s.size()}; }
Tensor& tensor(kdh_tensor handle) { return *reinterpret_cast<Tensor*>(handle); }
kdh_tensor lend(const Tensor& t) { return reinterpret_cast<kdh_tensor>(const_cast<Tensor*>(&t)); }
kdh_tensor give(Tensor t) { return reinterpret_cast<kdh_tensor>(new Tensor(std::move(t))); }
Tensor take(kdh_tensor handle) {
  if (handle == nullptr) return {};
  Tensor t = std::move(tensor(handle));
  delete &tensor(handle);
  return t;
}

thread_local std::string last_text;

kdh_status fail(kdh_status status, std::string_view text) {
  last_text = std::string(text);
  return status;
}

template <class F>
kdh_status guarded(F&& f) {
  try {
    f();
    return KDH_OK;
  } catch (const c10::Error& e) {
    return fail(KDH_E_TORCH, e.what_without_backtrace());
  } catch (const std::exception& e) {
    return fail(KDH_E_TORCH, e.what());
  }
}

c10::IValue converted(const c10::TypePtr& type, const kdh_value& v, const std::string& name) {
  using Kind = c10::TypeKind;
  if (v.type == KDH_T_NONE) return type->kind() == Kind::TensorType ? c10::IValue(Tensor()) : c10::IValue();
  switch (type->kind()) {
    case Kind::OptionalType:
      return converted(type->castRaw<c10::OptionalType>()->getElementType(), v, name);
    case Kind::TensorType:
      if (v.type == KDH_T_TENSOR) return tensor(v.u.tensor);
      break;
    case Kind::NumberType:
      if (v.type == KDH_T_FLOAT) return v.u.f;
      if (v.type == KDH_T_BOOL) return v.u.i != 0;
      return v.u.i;
    case Kind::FloatType:
      return v.type == KDH_T_INT ? static_cast<double>(v.u.i) : v.u.f;
    case Kind::BoolType:
      return v.u.i != 0;
    case Kind::IntType:
    case Kind::SymIntType:
      return v.u.i;
    case Kind::StringType:
      return std::string(v.u.s, v.count);
    case Kind::ListType:
      if (v.type == KDH_T_INT) return c10::List<int64_t>({v.u.i});
      if (v.type == KDH_T_INT_LIST) return c10::List<int64_t>(at::IntArrayRef(v.u.ints, v.count));
      if (v.type == KDH_T_TENSOR_LIST) {
        c10::List<Tensor> list;
        for (uint64_t i = 0; i < v.count; ++i) list.push_back(tensor(v.u.tensors[i]));
        return list;
      }
      break;
    default:
      break;
  }
  throw std::invalid_argument("argument '" + name + "' cannot be " + type->str());
}

void run(const c10::OperatorHandle& op, const kdh_arg* args, uint64_t n_args, kdh_value* results, uint64_t capacity,
         uint64_t* n_results) {
  std::vector<c10::IValue> stack;
  uint64_t used = 0;
  for (const auto& formal : op.schema().arguments()) {
    const kdh_arg* given = nullptr;
    for (uint64_t i = 0; i < n_args && given == nullptr; ++i)
      if (view(args[i].name) == formal.name()) given = args + i;
    used += given != nullptr ? 1 : 0;
    if (given == nullptr && !formal.default_value())
      throw std::invalid_argument(op.schema().name() + " needs '" + formal.name() + "'");
    stack.push_back(given != nullptr ? converted(formal.type(), given->value, formal.name()) : *formal.default_value());
  }
  if (used != n_args) throw std::invalid_argument(op.schema().name() + " was given an argument it has not");
  op.callBoxed(&stack);
  std::vector<Tensor> tensors;
  for (const c10::IValue& value : stack) {
    if (value.isTensorList())
      for (const Tensor& t : value.toTensorVector()) tensors.push_back(t);
    else
      tensors.push_back(value.toTensor());
  }
  if (tensors.size() > capacity) throw std::invalid_argument("more results than there is room for");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    results[i] = kdh_value{};
    results[i].type = KDH_T_TENSOR;
    results[i].u.tensor = give(tensors[i]);
  }
  *n_results = tensors.size();
}

kdh_status op_resolve(const kdh_host*, const char* op, const char* overload, const void** handle) {
  return guarded(
      [&] { *handle = new c10::OperatorHandle(c10::Dispatcher::singleton().findSchemaOrThrow(op, overload)); });
}

// The autograd node behind custom_grad; owns the plugin's context.
struct PluginNode final : autograd::Node {
  std::shared_ptr<void> context;
  kdh_backward_fn backward = nullptr;
  std::vector<autograd::SavedVariable> saved;
  std::size_t n_inputs = 0;
  const kdh_host* host = nullptr;

  autograd::variable_list apply(autograd::variable_list&& grads) override {
    std::vector<Tensor> values;
    for (auto& s : saved) values.push_back(s.unpack(shared_from_this()));
    std::vector<kdh_tensor> kept, out, in(n_inputs, nullptr);
    for (const Tensor& v : values) kept.push_back(lend(v));
    for (const Tensor& g : grads) out.push_back(lend(g));
    const kdh_status status =
        backward(host, context.get(), kept.data(), kept.size(), out.data(), out.size(), in.data(), in.size());
    autograd::variable_list result;
    for (const kdh_tensor handle : in) result.push_back(take(handle));
    TORCH_CHECK(status == KDH_OK, last_text);
    return result;
  }
};

kdh_status custom_grad(const kdh_host* host, kdh_str, const kdh_tensor* in, uint64_t n_in, const kdh_tensor* out,
                       uint64_t n_out, const kdh_tensor* saved, uint64_t n_saved, kdh_backward_fn backward, void* ctx,
                       void (*free_ctx)(void*), kdh_tensor* result) {
  std::shared_ptr<void> context(ctx, free_ctx);
  return guarded([&] {
    autograd::variable_list inputs;
    for (uint64_t i = 0; i < n_in; ++i) inputs.push_back(tensor(in[i]));
    std::shared_ptr<PluginNode> node;
    if (at::GradMode::is_enabled() && autograd::compute_requires_grad(inputs)) {
      node = std::shared_ptr<PluginNode>(new PluginNode, autograd::deleteNode);
      node->context = context;
      node->backward = backward;
      node->n_inputs = n_in;
      node->host = host;
      node->set_next_edges(autograd::collect_next_edges(inputs));
      for (uint64_t i = 0; i < n_saved; ++i) node->saved.emplace_back(tensor(saved[i]), false);
    }
    for (uint64_t i = 0; i < n_out; ++i) {
      Tensor value = tensor(out[i]).detach();
      if (node) autograd::set_history(value, node);
      result[i] = give(value);
    }
  });
}

const kdh_host& host_table() {
  static const kdh_host table = [] {
    kdh_host h{};
    h.struct_size = sizeof h;
    h.abi_major = KDH_ABI_MAJOR;
    h.abi_minor = KDH_ABI_MINOR;
    h.host_version = str("minimal");
    h.torch_version = str(TORCH_VERSION);
    h.get_interface = [](const kdh_host*, const char*) -> const void* { return nullptr; };
    h.log = [](const kdh_host*, int32_t, kdh_str text) { std::cerr << view(text) << '\n'; };
    h.set_error = [](const kdh_host*, kdh_status status, kdh_str text) { return fail(status, view(text)); };
    h.last_error = [](const kdh_host*) { return str(last_text); };
    h.retain = [](const kdh_host*, kdh_tensor t) -> kdh_tensor { return t != nullptr ? give(tensor(t)) : nullptr; };
    h.release = [](const kdh_host*, kdh_tensor t) { take(t); };
    h.tensor_info = [](const kdh_host*, kdh_tensor t, kdh_tensor_info* out) {
      return guarded([&] {
        const Tensor& x = tensor(t);
        kdh_tensor_info i{};
        i.struct_size = std::min<uint64_t>(out->struct_size, sizeof i);
        i.rank = static_cast<uint64_t>(x.dim());
        i.sizes = x.sizes().data();
        i.strides = x.strides().data();
        i.dtype = static_cast<int32_t>(x.scalar_type());
        i.device_type = static_cast<int32_t>(x.device().type());
        i.device_index = x.device().index();
        i.requires_grad = x.requires_grad() ? 1 : 0;
        std::memcpy(out, &i, i.struct_size);
      });
    };
    h.tensor_item = [](const kdh_host*, kdh_tensor t, double* out) {
      return guarded([&] { *out = tensor(t).item().toDouble(); });
    };
    h.tensor_data = [](const kdh_host*, kdh_tensor t, void** out) {
      return guarded([&] { *out = tensor(t).data_ptr(); });
    };
    h.tensor_new = [](const kdh_host*, int32_t dtype, const int64_t* sizes, uint64_t rank, const void* data, kdh_tensor,
                      kdh_tensor* out) {
      return guarded([&] {
        const Tensor made =
            at::empty(at::IntArrayRef(sizes, rank), at::TensorOptions(static_cast<at::ScalarType>(dtype)));
        if (data != nullptr) std::memcpy(made.data_ptr(), data, made.nbytes());
        *out = give(made);
      });
    };
    h.op_resolve = op_resolve;
    h.op_run = [](const kdh_host*, const void* op, const kdh_arg* args, uint64_t n_args, kdh_value* results,
                  uint64_t capacity, uint64_t* n_results) {
      return guarded(
          [&] { run(*static_cast<const c10::OperatorHandle*>(op), args, n_args, results, capacity, n_results); });
    };
    h.op_call = [](const kdh_host* host, const char* op, const char* overload, const kdh_arg* args, uint64_t n_args,
                   kdh_value* results, uint64_t capacity, uint64_t* n_results) {
      const void* handle = nullptr;
      const kdh_status status = op_resolve(host, op, overload, &handle);
      return status != KDH_OK ? status : host->op_run(host, handle, args, n_args, results, capacity, n_results);
    };
    h.grad_mode = [](const kdh_host*, int32_t set) -> int32_t {
      const bool before = at::GradMode::is_enabled();
      if (set >= 0) at::GradMode::set_enabled(set != 0);
      return before ? 1 : 0;
    };
    h.custom_grad = custom_grad;
    h.parallel_for = [](const kdh_host*, int64_t begin, int64_t end, int64_t grain, kdh_range_fn fn, void* ctx) {
      for (int64_t at = begin; at < end; at += grain) fn(ctx, at, std::min(end, at + grain));
    };
    return h;
  }();
  return table;
}

void check(kdh_status status) {
  if (status != KDH_OK) throw std::runtime_error(last_text);
}

// One loss with its parts, on two inputs.
struct LossUnderTest {
  const kdh_component* component;
  std::vector<kdh_arg> params;
  std::vector<std::string> ports;
  std::vector<Tensor> parts;
  std::vector<Tensor> written;
  void* self = nullptr;
  const kdh_loss* table = nullptr;

  LossUnderTest(const kdh_plugin& plugin, std::string_view id, const std::vector<Tensor>& inputs) : component(nullptr) {
    for (uint64_t i = 0; i < plugin.n_components; ++i)
      if (view(plugin.components[i].id) == id) component = &plugin.components[i];
    if (component == nullptr) throw std::runtime_error("no " + std::string(id));
    for (uint64_t i = 0; i < component->n_params; ++i)
      params.push_back({component->params[i].name, component->params[i].default_value});
    std::vector<kdh_shape> shapes;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ports.emplace_back(view(component->inputs[i].name));
      kdh_shape shape{};
      shape.port = component->inputs[i].name;
      shape.sizes = inputs[i].sizes().data();
      shape.rank = static_cast<uint64_t>(inputs[i].dim());
      shape.dtype = KDH_DTYPE_F64;
      shapes.push_back(shape);
    }
    kdh_create create{};
    create.struct_size = sizeof create;
    create.host = &host_table();
    create.params = params.data();
    create.n_params = params.size();
    create.shapes = shapes.data();
    create.n_shapes = shapes.size();
    create.shape_size = sizeof(kdh_shape);
    create.ctx = this;
    create.add_part = [](const kdh_create* given, const kdh_part* part, uint64_t* slot) {
      return guarded([&] {
        auto& parts_here = static_cast<LossUnderTest*>(given->ctx)->parts;
        *slot = parts_here.size();
        const Tensor made = at::full(at::IntArrayRef(part->sizes, part->rank), part->init == KDH_INIT_ZEROS ? 0.0 : 0.5,
                                     at::TensorOptions(at::kDouble));
        parts_here.push_back(made.set_requires_grad(part->role == KDH_PART_PARAMETER));
      });
    };
    const void* vtable = nullptr;
    check(component->create(component, &create, &self, &vtable));
    table = static_cast<const kdh_loss*>(vtable);
    written.resize(parts.size());
  }
  ~LossUnderTest() { component->destroy(self); }
  LossUnderTest(const LossUnderTest&) = delete;
  LossUnderTest& operator=(const LossUnderTest&) = delete;

  Tensor operator()(const std::vector<Tensor>& inputs) {
    std::vector<kdh_arg> bound;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      kdh_value value{};
      value.type = KDH_T_TENSOR;
      value.u.tensor = lend(inputs[i]);
      bound.push_back({str(ports[i]), value});
    }
    std::vector<kdh_tensor> handles;
    for (const Tensor& part : parts) handles.push_back(lend(part));
    kdh_call call{};
    call.struct_size = sizeof call;
    call.host = &host_table();
    call.flags = KDH_CALL_TRAINING;
    call.inputs = bound.data();
    call.n_inputs = bound.size();
    call.params = params.data();
    call.n_params = params.size();
    call.parts = handles.data();
    call.n_parts = handles.size();
    call.ctx = this;
    call.emit = [](const kdh_call*, kdh_str, kdh_tensor) -> kdh_status { return KDH_OK; };
    call.wants = [](const kdh_call*, kdh_str) -> int32_t { return 1; };
    call.write = [](const kdh_call* given, uint64_t slot, kdh_tensor value) -> kdh_status {
      static_cast<LossUnderTest*>(given->ctx)->written[slot] = tensor(value);
      return KDH_OK;
    };
    kdh_tensor out = nullptr;
    check(table->compute(self, &call, &out));
    return take(out);
  }
};

int wrong = 0;

void compare(const char* what, const Tensor& found, const Tensor& expected) {
  const double difference = (found - expected).abs().max().item().toDouble();
  std::printf("  %s: differs by %.1e\n", what, difference);
  if (!(difference < 1e-12)) ++wrong;
}

Tensor gradient(const Tensor& value, const Tensor& of) { return autograd::grad({value}, {of})[0]; }

void run_losses(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto query = reinterpret_cast<kdh_plugin_query_fn>(dlsym(library, KDH_ENTRY_SYMBOL));
  const kdh_plugin& plugin = *query(KDH_ABI_MAJOR, KDH_ABI_MINOR);

  const Tensor s = at::arange(12, at::kDouble).reshape({4, 3}).sin().set_requires_grad(true);
  const Tensor t = at::arange(12, at::kDouble).reshape({4, 3}).cos();
  // The defaults: T = 2, times T, times the mean of the weights, 2.
  const Tensor formula = ((s - t) * (s - t)).sum() / 4.0 / 4.0 * 2.0 * 2.0;
  const Tensor gap = LossUnderTest(plugin, "museum.gap", {s, t})({s, t});
  compare("museum.gap, value", gap, formula);
  compare("museum.gap, gradient", gradient(gap, s), gradient(formula, s));

  LossUnderTest aligned(plugin, "museum.aligned", {s, t});
  const Tensor value = aligned({s, t});
  // weight and bias of the projection and the scale are 0.5 here, the mean is 0.
  const Tensor& weight = aligned.parts.at(0);
  const Tensor difference = at::matmul(s, weight.t()) + aligned.parts.at(1) - t * 0.5;
  const Tensor expected = (difference * difference).mean();
  compare("museum.aligned, value", value, expected);
  compare("museum.aligned, gradient of the projection", gradient(value, weight), gradient(expected, weight));
  compare("museum.aligned, what it keeps", aligned.written.back(), t.mean(0) * 0.5);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::printf("minimal host on LibTorch %s\n", TORCH_VERSION);
    run_losses(argv[1]);
  } catch (const std::exception& e) {
    std::printf("  %s\n", e.what());
    return 1;
  }
  return wrong == 0 ? 0 : 1;
}
