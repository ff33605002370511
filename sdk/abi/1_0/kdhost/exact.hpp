// SPDX-License-Identifier: MIT
//
// kdhost/exact.hpp: LibTorch inside a plugin. Include it instead of plugin.hpp and build with kdhost_add_plugin(...
// TIER exact): everything of plugin.hpp stays as it is, and unwrap/wrap go from kdhost::Tensor to at::Tensor and back
// without a copy. Such a plugin loads only into a host with the same LibTorch. torch::nn models:
// <kdhost/exact_module.hpp>.
#pragma once
#include <kdhost/plugin.hpp>

#include <ATen/ATen.h>
#include <c10/core/UndefinedTensorImpl.h>
#include <torch/version.h>

#undef KDHOST_TIER_NUMBER
#undef KDHOST_TIER_TEXT
#undef KDHOST_FINGERPRINT
#undef KDHOST_FINGERPRINT_FIELD
#define KDHOST_TIER_NUMBER KDH_TIER_EXACT
#define KDHOST_TIER_TEXT "exact"

// kdhost_add_plugin says which LibTorch it compiles against. By hand: -DKDHOST_TORCH_CUDA='"13.0"' for a CUDA build.
#ifndef KDHOST_TORCH_FINGERPRINT
#ifndef KDHOST_TORCH_CUDA
#define KDHOST_TORCH_CUDA "none"
#endif
#define KDHOST_TORCH_FINGERPRINT                                                                  \
  "torch=" KDHOST_TEXT(TORCH_VERSION_MAJOR) "." KDHOST_TEXT(TORCH_VERSION_MINOR) "." KDHOST_TEXT( \
      TORCH_VERSION_PATCH) " cxx11abi=" KDHOST_TEXT(_GLIBCXX_USE_CXX11_ABI) " cuda=" KDHOST_TORCH_CUDA
#endif
#define KDHOST_FINGERPRINT KDHOST_TORCH_FINGERPRINT
#define KDHOST_FINGERPRINT_FIELD " " KDHOST_TORCH_FINGERPRINT

namespace kdhost {
inline namespace v1 {

/// The LibTorch tensor behind a handle: the same tensor, with its gradient history. An empty Tensor is an undefined
/// one. By value, so that unwrap(c["student.logits"]) cannot refer to a temporary.
inline at::Tensor unwrap(const Tensor& t) {
  if (!t) return {};
  using Pointer = c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;
  return at::Tensor(Pointer::reclaim_copy(reinterpret_cast<at::TensorImpl*>(t.get())));
}

/// The opposite: hands the reference over.
inline Tensor wrap(at::Tensor t) {
  return Tensor::adopt(t.defined() ? reinterpret_cast<kdh_tensor>(t.unsafeReleaseTensorImpl()) : nullptr);
}

/// Several at once, for custom_grad and list ports.
inline std::vector<at::Tensor> unwrap(const Tensors& list) {
  std::vector<at::Tensor> out;
  out.reserve(list.size());
  for (const Tensor& t : list) out.push_back(unwrap(t));
  return out;
}

}  // namespace v1
}  // namespace kdhost
