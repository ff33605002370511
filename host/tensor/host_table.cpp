// SPDX-License-Identifier: MIT
// The functions behind kdh_host; see host_table.hpp and the contract in kdhost/abi.h.
#include "tensor/host_table.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "base/build_facts.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "tensor/aten.hpp"
#include "tensor/compat.hpp"
#include "tensor/handle.hpp"
#include "tensor/operators.hpp"

namespace kdhost {
namespace {

thread_local std::string last_text;

const at::TensorImpl& required(kdh_tensor handle) {
  if (handle == nullptr) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "no tensor was given"};
  return *reinterpret_cast<const at::TensorImpl*>(handle);
}

const void* get_interface(const kdh_host*, const char*) { return nullptr; }

void write_log(const kdh_host*, int32_t level, kdh_str message) {
  const std::string text = printable(std::string(view(message)), 2000);
  guarded([&] { level == KDH_LOG_INFO ? log::info(text) : log::warn(text); });
}

kdh_tensor retain(const kdh_host*, kdh_tensor handle) { return give(tensor(handle)); }

void release(const kdh_host*, kdh_tensor handle) { take(handle); }

kdh_status tensor_info(const kdh_host*, kdh_tensor handle, kdh_tensor_info* out) {
  return guarded([&] {
    const at::TensorImpl& impl = required(handle);
    kdh_tensor_info info{};
    // An older plugin has a shorter struct; it gets as much as it knows.
    info.struct_size = std::min<uint64_t>(out->struct_size, sizeof info);
    info.rank = static_cast<uint64_t>(impl.dim());
    info.sizes = impl.sizes().data();
    info.strides = impl.strides().data();
    info.dtype = static_cast<int32_t>(c10::typeMetaToScalarType(impl.dtype()));
    info.device_type = static_cast<int32_t>(impl.device().type());
    info.device_index = impl.device().index();
    info.requires_grad = tensor(handle).requires_grad() ? 1 : 0;
    std::memcpy(out, &info, static_cast<std::size_t>(info.struct_size));
  });
}

kdh_status tensor_item(const kdh_host*, kdh_tensor handle, double* out) {
  return guarded([&] {
    required(handle);
    const at::Tensor value = tensor(handle);
    if (value.numel() != 1)
      throw HostRefusal{KDH_E_INVALID_ARGUMENT, "one number was asked of a tensor " + tensor_text(value)};
    *out = value.item().toDouble();
  });
}

kdh_status tensor_data(const kdh_host*, kdh_tensor handle, void** out) {
  return guarded([&] {
    const at::Tensor value = (required(handle), tensor(handle));
    if (value.layout() != at::kStrided || !value.has_storage())
      throw HostRefusal{KDH_E_UNSUPPORTED, "the tensor " + tensor_text(value) + " has no strided memory"};
    *out = value.data_ptr();
  });
}

kdh_status tensor_new(const kdh_host*, int32_t dtype, const int64_t* sizes, uint64_t rank, const void* data,
                      kdh_tensor like, kdh_tensor* out) {
  return guarded([&] {
    if (!known_dtype(dtype))
      throw HostRefusal{KDH_E_INVALID_ARGUMENT, "dtype " + std::to_string(dtype) + " is not known"};
    const at::IntArrayRef shape(sizes, static_cast<std::size_t>(rank));
    const auto scalar_type = static_cast<at::ScalarType>(dtype);
    const at::Device device = like != nullptr ? tensor(like).device() : at::Device(at::kCPU);
    const at::NoGradGuard no_grad;
    if (data == nullptr) {
      *out = give(at::empty(shape, at::TensorOptions(scalar_type).device(device)));
      return;
    }
    at::Tensor made = at::empty(shape, at::TensorOptions(scalar_type));
    if (made.nbytes() > 0) std::memcpy(made.data_ptr(), data, made.nbytes());
    *out = give(device.is_cpu() ? std::move(made) : made.to(device));
  });
}

kdh_status op_call(const kdh_host*, const char* op, const char* overload, const kdh_arg* args, uint64_t n_args,
                   kdh_value* results, uint64_t capacity, uint64_t* n_results) {
  return guarded([&] { run_operator(find_operator(op, overload), args, n_args, results, capacity, n_results); });
}

kdh_status op_resolve(const kdh_host*, const char* op, const char* overload, const void** handle) {
  return guarded([&] { *handle = &find_operator(op, overload); });
}

kdh_status op_run(const kdh_host*, const void* handle, const kdh_arg* args, uint64_t n_args, kdh_value* results,
                  uint64_t capacity, uint64_t* n_results) {
  return guarded([&] {
    if (handle == nullptr) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "an operator was run that was not resolved"};
    run_operator(*static_cast<const Operator*>(handle), args, n_args, results, capacity, n_results);
  });
}

int32_t grad_mode(const kdh_host*, int32_t set) {
  const bool before = at::GradMode::is_enabled();
  if (set >= 0) at::GradMode::set_enabled(set != 0);
  return before ? 1 : 0;
}

}  // namespace

kdh_status set_host_error(kdh_status status, std::string_view text) noexcept {
  host_error_fresh = true;
  try {
    // Exact plugins pass on LibTorch's text, whose backtrace tells a user nothing.
    last_text.assign(text.substr(0, text.find("\nException raised from")));
  } catch (...) {
    last_text.clear();
  }
  return status;
}

std::string_view host_error() noexcept { return last_text; }

kdh_status report_exception() noexcept {
  try {
    throw;
  } catch (const HostRefusal& refusal) {
    return set_host_error(refusal.status, refusal.text);
  } catch (const Error& error) {
    return set_host_error(KDH_E_INVALID_ARGUMENT, error.what());
  } catch (const c10::OutOfMemoryError& error) {
    return set_host_error(KDH_E_OUT_OF_MEMORY, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    return set_host_error(KDH_E_TORCH, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return set_host_error(KDH_E_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return set_host_error(KDH_E_TORCH, error.what());
  } catch (...) {
    return set_host_error(KDH_E_TORCH, "an exception of an unknown type");
  }
}

const std::string& torch_fingerprint() {
  static const std::string text = kTorchFingerprint;
  return text;
}

const kdh_host& host_table() {
  static const kdh_host table = [] {
    kdh_host host{};
    host.struct_size = sizeof host;
    host.abi_major = KDH_ABI_MAJOR;
    host.abi_minor = KDH_ABI_MINOR;
    host.host_version = borrow(kVersion);
    host.torch_version = borrow(TORCH_VERSION);
    host.torch_fingerprint = borrow(torch_fingerprint());
    host.get_interface = get_interface;
    host.log = write_log;
    host.set_error = [](const kdh_host*, kdh_status status, kdh_str text) {
      return set_host_error(status, view(text));
    };
    host.last_error = [](const kdh_host*) { return borrow(host_error()); };
    host.retain = retain;
    host.release = release;
    host.tensor_info = tensor_info;
    host.tensor_item = tensor_item;
    host.tensor_data = tensor_data;
    host.tensor_new = tensor_new;
    host.op_call = op_call;
    host.op_resolve = op_resolve;
    host.op_run = op_run;
    host.grad_mode = grad_mode;
    host.custom_grad = custom_grad;
    host.parallel_for = parallel_for;
    return host;
  }();
  return table;
}

}  // namespace kdhost
