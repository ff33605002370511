// SPDX-License-Identifier: MIT
// The kdh_host table: every function a plugin may call. One table for the whole process.
#pragma once

#include <kdhost/abi.h>

#include <string>
#include <string_view>

namespace kdhost {

const kdh_host& host_table();

/// True once this thread has set a text since it was last put to false: tells whose failure the text explains.
inline constinit thread_local bool host_error_fresh = false;

/// Keeps the text of the last error of this thread and returns the status. Never throws.
kdh_status set_host_error(kdh_status status, std::string_view text) noexcept;
/// The text of the last error of this thread; valid until the next one.
std::string_view host_error() noexcept;

/// Turns the exception being handled into a status and text: for catch (...) at the boundary.
kdh_status report_exception() noexcept;

/// Runs `body` and returns KDH_OK, or the status of what it threw.
template <class Body>
kdh_status guarded(Body&& body) noexcept {
  try {
    body();
    return KDH_OK;
  } catch (...) {
    return report_exception();
  }
}

/// "torch=2.13.0 cxx11abi=1 cuda=none": what a plugin of the exact tier must have been built with.
const std::string& torch_fingerprint();

/// kdh_host.parallel_for; in a file of its own because it is compiled with OpenMP.
void parallel_for(const kdh_host* host, int64_t begin, int64_t end, int64_t grain, kdh_range_fn fn, void* ctx);

/// kdh_host.custom_grad; in a file of its own because of LibTorch's heavy autograd headers.
kdh_status custom_grad(const kdh_host* host, kdh_str name, const kdh_tensor* in, uint64_t n_in, const kdh_tensor* out,
                       uint64_t n_out, const kdh_tensor* saved, uint64_t n_saved, kdh_backward_fn backward, void* ctx,
                       void (*free_ctx)(void*), kdh_tensor* result);

}  // namespace kdhost
