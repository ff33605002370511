// SPDX-License-Identifier: MIT
//
// Row kernels of the losses that compare the logits themselves, without a softmax, over raw memory.
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

template <class T>
struct ValueRows {
  const T* student;
  const T* teacher;
  std::int64_t classes;
  T gradient_scale;
  T* gradient = nullptr;    ///< null when nobody wants it
  double* value = nullptr;  ///< of each row, unscaled
};

/// 1 - cosine; a row of zeros on either side: 1, without gradient.
void cosine_rows(const ValueRows<float>& k, std::int64_t begin, std::int64_t end);
void cosine_rows(const ValueRows<double>& k, std::int64_t begin, std::int64_t end);

/// Sum of squared differences.
void square_rows(const ValueRows<float>& k, std::int64_t begin, std::int64_t end);
void square_rows(const ValueRows<double>& k, std::int64_t begin, std::int64_t end);

using RunValueRows = std::pair<void (*)(const ValueRows<float>&, std::int64_t, std::int64_t),
                               void (*)(const ValueRows<double>&, std::int64_t, std::int64_t)>;

/// factor * sum over rows; both sides fit the row kernels.
inline Tensor sum_of_value_rows(std::string_view name, const LogitPair& z, double factor, RunValueRows run) {
  const auto by_rows = [&](auto zero, auto kernel) {
    using T = decltype(zero);
    ValueRows<T> rows{};
    rows.student = z.student.template data<T>();
    rows.teacher = z.teacher.template data<T>();
    rows.classes = z.classes();
    rows.gradient_scale = static_cast<T>(factor);
    return sum_of_rows<T>(name, z.student, factor, rows, kernel);
  };
  return z.student.dtype() == Dtype::f32 ? by_rows(float{}, run.first) : by_rows(double{}, run.second);
}

}  // namespace kdhost::plugins
