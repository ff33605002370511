// SPDX-License-Identifier: MIT
// One instance of any kind with inputs that fit, called again and again: what tests of all kinds have in common. A call
// gives tensors by name, whatever the kind, so that results of two calls can be compared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check/trial.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost::check {

class Caller {
 public:
  virtual ~Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// What the next call gets; may be replaced between calls.
  Tensors inputs;
  /// Parameters and buffers of losses, models and transforms.
  Parts parts;
  /// Of the next call: flags, random key, sample keys.
  CallSettings settings;

  /// One call. Error (plugin) as the wrapper of the kind throws it.
  std::vector<NamedTensor> call();

  const ComponentInfo& info() const { return info_; }

 protected:
  explicit Caller(const ComponentInfo& info) : info_(info) {}
  virtual const char* function() const = 0;
  virtual std::vector<NamedTensor> run() = 0;

 private:
  const ComponentInfo& info_;
};

/// How a caller is made when it is not the usual one.
struct CallerOptions {
  at::ScalarType dtype = at::kFloat;
  std::uint64_t seed = 0;
  /// Ports that stay unbound.
  std::vector<std::string> leave_out{};
};

/// A caller of one kind. Error where the instance cannot be created.
std::unique_ptr<Caller> make_caller(Subject& subject, const ComponentInfo& info, const Fit& fit,
                                    const CallerOptions& options = {});
/// The same with the first layout and parameters that can be called.
std::unique_ptr<Caller> make_caller(Subject& subject, const ComponentInfo& info, const CallerOptions& options = {});
const Fit& callable(Subject& subject, const ComponentInfo& info);

/// The same names, dtypes, shapes and bits.
bool same_bits(const at::Tensor& a, const at::Tensor& b);
bool same_bits(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);
/// Copies that later calls do not change.
std::vector<NamedTensor> kept(const std::vector<NamedTensor>& results);
/// The largest |a - b| / max(1, |a|) over all elements; infinity where shapes differ or one is not finite alone.
double difference(const at::Tensor& a, const at::Tensor& b);
bool all_finite(const at::Tensor& tensor);
/// True when a call draws from the generator that the host gives to components.
bool draws_random_numbers(Caller& caller);

}  // namespace kdhost::check
