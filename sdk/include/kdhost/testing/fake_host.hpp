// SPDX-License-Identifier: MIT
//
// kdhost/testing/fake_host.hpp: a kdh_host table over fake tensors. It computes values only: operators record no
// gradient. Part of <kdhost/testing.hpp>.
#pragma once
#include <kdhost/testing/fake_shapes.hpp>

#include <cstdio>
#include <unordered_map>

namespace kdhost {
namespace testing {

inline std::string& last_error() {
  static thread_local std::string text;
  return text;
}

/// Runs f and keeps the text of what it throws.
template <class F>
kdh_status guarded(F&& f) {
  try {
    f();
    return KDH_OK;
  } catch (const std::invalid_argument& e) {
    last_error() = e.what();
    return KDH_E_INVALID_ARGUMENT;
  } catch (const std::exception& e) {
    last_error() = e.what();
    return KDH_E_TORCH;
  }
}

inline const std::unordered_map<std::string, Operator>& operators() {
  static const std::unordered_map<std::string, Operator> table = [] {
    Operators list;
    add_unary(list);
    add_binary(list);
    add_losses(list);
    add_reductions(list);
    add_class_losses(list);
    add_shapes(list);
    add_products(list);
    add_creation(list);
    return std::unordered_map<std::string, Operator>(list.begin(), list.end());
  }();
  return table;
}

namespace table {

inline kdh_status op_resolve(const kdh_host*, const char* op, const char* overload, const void** handle) {
  return guarded([&] {
    std::string name = op;
    if (name.rfind("aten::", 0) == 0) name.erase(0, 6);
    if (*overload != '\0') name += std::string(".") + overload;
    const auto found = operators().find(name);
    if (found == operators().end())
      throw std::invalid_argument("the fake host of kdhost/testing.hpp has no operator '" + name +
                                  "'; test this part with `kdhost loss` or in a run");
    *handle = &found->second;
  });
}
inline kdh_status op_run(const kdh_host*, const void* op, const kdh_arg* args, std::uint64_t n_args, kdh_value* results,
                         std::uint64_t cap, std::uint64_t* n_results) {
  return guarded([&] {
    const std::vector<kdh_tensor> out = (*static_cast<const Operator*>(op))(Arguments(args, n_args));
    if (out.size() > cap) {
      for (const kdh_tensor t : out)
        if (--fake(t)->references == 0) delete fake(t);
      throw std::invalid_argument(std::to_string(out.size()) + " results, room for " + std::to_string(cap));
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      results[i] = kdhost::detail::make_value(KDH_T_TENSOR);
      results[i].u.tensor = out[i];
    }
    *n_results = out.size();
  });
}
inline kdh_status op_call(const kdh_host* h, const char* op, const char* overload, const kdh_arg* args,
                          std::uint64_t n_args, kdh_value* results, std::uint64_t cap, std::uint64_t* n_results) {
  const void* found = nullptr;
  const kdh_status status = op_resolve(h, op, overload, &found);
  return status == KDH_OK ? op_run(h, found, args, n_args, results, cap, n_results) : status;
}
inline kdh_tensor retain(const kdh_host*, kdh_tensor t) {
  if (t != nullptr) ++fake(t)->references;
  return t;
}
inline void release(const kdh_host*, kdh_tensor t) {
  if (t != nullptr && --fake(t)->references == 0) delete fake(t);
}
inline kdh_status tensor_info(const kdh_host*, kdh_tensor t, kdh_tensor_info* out) {
  out->rank = fake(t)->sizes().size();
  out->sizes = fake(t)->sizes().data();
  out->strides = fake(t)->strides().data();
  out->dtype = static_cast<std::int32_t>(fake(t)->dtype());
  out->device_type = KDH_DEVICE_CPU;
  out->device_index = -1;
  out->requires_grad = 0;
  return KDH_OK;
}
inline kdh_status tensor_item(const kdh_host*, kdh_tensor t, double* out) {
  return guarded([&] {
    const Array a = fake(t)->read();
    if (a.size() != 1) throw std::invalid_argument("item() of a tensor of shape " + to_string(a.shape));
    *out = a.v[0];
  });
}
inline kdh_status tensor_data(const kdh_host*, kdh_tensor t, void** out) {
  *out = fake(t)->data();
  return KDH_OK;
}
inline kdh_status tensor_new(const kdh_host*, std::int32_t dtype, const std::int64_t* sizes, std::uint64_t rank,
                             const void* data, kdh_tensor, kdh_tensor* out) {
  return guarded([&] {
    FakeTensor* t = new FakeTensor(array(Shape(sizes, sizes + rank), static_cast<Dtype>(dtype)));
    if (data != nullptr) std::memcpy(t->data(), data, t->size_in_bytes());
    *out = handle(t);
  });
}
inline std::int32_t grad_mode(const kdh_host*, std::int32_t set) {
  static thread_local std::int32_t mode = 1;
  const std::int32_t before = mode;
  if (set >= 0) mode = set;
  return before;
}
/// The value of forward() without a history.
inline kdh_status custom_grad(const kdh_host* h, kdh_str, const kdh_tensor*, std::uint64_t, const kdh_tensor* out,
                              std::uint64_t n_out, const kdh_tensor*, std::uint64_t, kdh_backward_fn, void* ctx,
                              void (*free_ctx)(void*), kdh_tensor* result) {
  for (std::uint64_t i = 0; i < n_out; ++i) result[i] = retain(h, out[i]);
  free_ctx(ctx);
  return KDH_OK;
}
/// In pieces of `grain`, one after the other and the last first: a kernel that needs an order is found out.
inline void parallel_for(const kdh_host*, std::int64_t begin, std::int64_t end, std::int64_t grain, kdh_range_fn fn,
                         void* ctx) {
  const std::int64_t step = std::max<std::int64_t>(grain, 1);
  for (std::int64_t pieces = (end - begin + step - 1) / step; pieces-- > 0;)
    fn(ctx, begin + pieces * step, std::min(end, begin + (pieces + 1) * step));
}
inline const void* get_interface(const kdh_host*, const char*) { return nullptr; }
inline void log(const kdh_host*, std::int32_t level, kdh_str text) {
  std::fprintf(stderr, "%s%.*s\n", level == KDH_LOG_WARNING ? "warning: " : "", static_cast<int>(text.size), text.data);
}
inline kdh_status set_error(const kdh_host*, kdh_status status, kdh_str text) {
  last_error().assign(text.data, text.size);
  return status;
}
inline kdh_str last_error_text(const kdh_host*) { return kdhost::detail::str(last_error()); }

}  // namespace table

inline const kdh_host& fake_host() {
  static const kdh_host host = [] {
    kdh_host h{};
    h.struct_size = sizeof h;
    h.abi_major = KDH_ABI_MAJOR;
    h.abi_minor = KDH_ABI_MINOR;
    h.host_version = kdhost::detail::str("fake");
    h.get_interface = table::get_interface;
    h.log = table::log;
    h.set_error = table::set_error;
    h.last_error = table::last_error_text;
    h.retain = table::retain;
    h.release = table::release;
    h.tensor_info = table::tensor_info;
    h.tensor_item = table::tensor_item;
    h.tensor_data = table::tensor_data;
    h.tensor_new = table::tensor_new;
    h.op_call = table::op_call;
    h.op_resolve = table::op_resolve;
    h.op_run = table::op_run;
    h.grad_mode = table::grad_mode;
    h.custom_grad = table::custom_grad;
    h.parallel_for = table::parallel_for;
    return h;
  }();
  kdhost::detail::host = &host;
  return host;
}

}  // namespace testing
}  // namespace kdhost
