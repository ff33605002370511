// SPDX-License-Identifier: MIT
// The tensors that `kdhost loss` gives to a loss: of a file, by the names of its ports: student.logits, batch.label,
// student.features.0 … What the loss does not declare is not looked at.
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <string>
#include <vector>

#include "plugin/record.hpp"
#include "tensor/loss.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost {

/// One tensor of the file that a port takes.
struct BoundTensor {
  std::string name;  ///< as in the file
  at::Tensor value;
  bool learns = false;  ///< of the student's side: gets a gradient
};

class LossInputs {
 public:
  /// Error (data) that names every tensor that the file lacks.
  LossInputs(const ComponentInfo& info, const SafetensorsFile& file, at::Device device);

  std::vector<PortShape> shapes() const;
  /// The dtype of the student's side, in which the loss's own parts are kept too.
  at::ScalarType floating() const;
  /// The number of classes, as far as logits tell; 0: unknown.
  int64_t classes() const;
  void bind(LossInstance& loss) const;
  /// Of the student's side, in the order of the ports.
  std::vector<BoundTensor> learning() const;

 private:
  struct Port {
    const PortInfo* info = nullptr;
    bool is_list = false;
    std::vector<BoundTensor> tensors;
  };

  BoundTensor take(const PortInfo& port, const StoredTensor& stored) const;
  void take_one(const PortInfo& port);
  void take_numbered(const PortInfo& port);
  void missing(const std::string& name);

  const ComponentInfo& info_;
  const SafetensorsFile& file_;
  at::Device device_;
  std::deque<Port> ports_;
  std::vector<Message> problems_;
};

}  // namespace kdhost
