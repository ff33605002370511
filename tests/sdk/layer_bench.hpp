// SPDX-License-Identifier: MIT
// The host's side of layers for tests: keeps what a builder declares, makes tensors of it, and calls a layer with them.
#pragma once

#include <functional>
#include <kdhost/plugin.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/aten.hpp"
#include "tensor/handle.hpp"
#include "tensor/host_table.hpp"

namespace layer_bench {

/// From LibTorch to the SDK and back, as the host does it.
inline kdhost::Tensor wrap(at::Tensor t) { return kdhost::Tensor::adopt(kdhost::give(std::move(t))); }
inline at::Tensor unwrap(const kdhost::Tensor& t) { return kdhost::tensor(t.get()); }

/// One declared part.
struct Part {
  std::string name;
  std::uint32_t role = 0, flags = 0;
  std::vector<std::int64_t> sizes;
  std::int32_t dtype = -1;
  kdh_init init = KDH_INIT_ZEROS;
  double a = 0, b = 0;
  at::Tensor value;  ///< float64 unless a dtype was asked for; zeros until a test fills it
};

class LayerBench {
 public:
  LayerBench() {
    kdhost::detail::host = &kdhost::host_table();
    create_.struct_size = sizeof create_;
    create_.host = &kdhost::host_table();
    create_.ctx = this;
    create_.add_part = [](const kdh_create* c, const kdh_part* p, std::uint64_t* slot) {
      auto& declared = static_cast<LayerBench*>(c->ctx)->parts;
      Part part;
      part.name.assign(p->name.data, p->name.size);
      part.role = p->role;
      part.flags = p->flags;
      part.sizes.assign(p->sizes, p->sizes + p->rank);
      part.dtype = p->dtype;
      part.init = p->init;
      part.a = p->a;
      part.b = p->b;
      part.value = at::zeros(part.sizes, p->dtype < 0 ? at::kDouble : static_cast<at::ScalarType>(p->dtype));
      *slot = declared.size();
      declared.push_back(part);
      return kdh_status{KDH_OK};
    };
  }
  LayerBench(const LayerBench&) = delete;
  LayerBench& operator=(const LayerBench&) = delete;

  kdhost::Builder builder() const { return kdhost::Builder(&create_); }

  /// Calls f with a Call over the parts. `flags`: KDH_CALL_*.
  template <class F>
  auto call(std::uint32_t flags, F f) {
    std::vector<kdh_tensor> handles;
    for (const Part& p : parts) handles.push_back(reinterpret_cast<kdh_tensor>(p.value.unsafeGetTensorImpl()));
    kdh_call c{};
    c.struct_size = sizeof c;
    c.host = &kdhost::host_table();
    c.flags = flags;
    c.parts = handles.data();
    c.n_parts = handles.size();
    c.ctx = this;
    c.derived = [](const kdh_call* k, std::uint64_t key, kdh_derive_fn derive, void* ctx, kdh_tensor* out,
                   std::uint64_t n) {
      auto& self = *static_cast<LayerBench*>(k->ctx);
      std::vector<kdhost::Tensor>& kept = self.derived_[key];
      if (kept.empty()) {
        ++self.derivations;
        std::vector<kdh_tensor> made(n);
        const kdh_status status = derive(ctx, made.data(), n);
        if (status != KDH_OK) return status;
        for (const kdh_tensor t : made) kept.push_back(kdhost::Tensor::adopt(t));
      }
      for (std::uint64_t i = 0; i < n; ++i) out[i] = kdhost::Tensor(kept[i]).give();
      return kdh_status{KDH_OK};
    };
    return f(kdhost::Call(&c));
  }

  std::vector<Part> parts;
  int derivations = 0;  ///< how often a derived tensor was made

 private:
  kdh_create create_{};
  std::map<std::uint64_t, std::vector<kdhost::Tensor>> derived_;
};

}  // namespace layer_bench
