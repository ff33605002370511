// SPDX-License-Identifier: MIT
// What differs between the LibTorch versions kdhost supports (2.11 to 2.15), and between CPU and CUDA builds, as far as
// our sources notice. Everything above the version numbers is for the few files that include torch/csrc/autograd.
#pragma once

#include <torch/version.h>

#define KDHOST_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#if defined(KDHOST_COMPAT_AUTOGRAD)
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <utility>

namespace kdhost::compat {

#if KDHOST_TORCH_AT_LEAST(2, 13)
// Autograd nodes are counted intrusively since 2.13, and owned by std::shared_ptr before.
template <class NodeType>
using NodePointer = c10::intrusive_ptr<NodeType>;

template <class NodeType, class... Arguments>
NodePointer<NodeType> make_node(Arguments&&... arguments) {
  return c10::make_intrusive<NodeType>(std::forward<Arguments>(arguments)...);
}

inline NodePointer<torch::autograd::Node> node_itself(torch::autograd::Node& node) {
  return NodePointer<torch::autograd::Node>::reclaim_copy(&node);
}
#else
template <class NodeType>
using NodePointer = std::shared_ptr<NodeType>;

template <class NodeType, class... Arguments>
NodePointer<NodeType> make_node(Arguments&&... arguments) {
  return NodePointer<NodeType>(new NodeType(std::forward<Arguments>(arguments)...), torch::autograd::deleteNode);
}

inline NodePointer<torch::autograd::Node> node_itself(torch::autograd::Node& node) { return node.getptr(); }
#endif

}  // namespace kdhost::compat
#endif
