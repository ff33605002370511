// SPDX-License-Identifier: MIT
//
// Row kernels of the losses that treat the class of the label apart, over raw memory; and the label's cross-entropy of
// each row. "The others" are the C-1 classes that are not the label; they are passed over in two pieces, never masked
// by a large number.
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

#include <numeric>

namespace kdhost::plugins {

template <class T>
struct LabelRows {
  const T* student;
  const T* teacher;
  const std::int64_t* label;
  std::int64_t label_stride;
  std::int64_t classes;
  T inv_temperature;
  T target;  ///< weight of the part of the label's class
  T rest;    ///< weight of the part of the others
  T gradient_scale;
  T* mark = nullptr;               ///< one a row, of the kernel that says so
  T* gradient = nullptr;           ///< null when nobody wants it
  double* value = nullptr;         ///< of each row, unscaled
  double* target_value = nullptr;  ///< of dkd and nkd: its two parts without their weights; null when nobody wants them
  double* rest_value = nullptr;
};

/// target * KL of (p_y, 1 - p_y) + rest * KL of the others' softmax, both at T. Gradients with respect to z / T.
void dkd_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end);
void dkd_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end);

/// target * -p_t,y log p_s,y at T = 1 + rest * cross-entropy of the others' softmax at T; `rest` also multiplies the
/// gradient of z / T, so gradient_scale is that of z.
void nkd_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end);
void nkd_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end);

/// KL(p' || p_s) with p' = (1 - m) p_t + m onehot(y) of kdhost.mft; `target` is its threshold, `rest` is not used.
void mft_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end);
void mft_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end);

/// Where the teacher's largest probability at T = 1 is at least `target`: `rest` * KL at T; elsewhere the label's
/// cross-entropy at T = 1. gradient_scale is that of z; `mark` receives 1 and 0.
void gated_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end);
void gated_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end);

using RunLabelRows = std::pair<void (*)(const LabelRows<float>&, std::int64_t, std::int64_t),
                               void (*)(const LabelRows<double>&, std::int64_t, std::int64_t)>;

/// Sums over rows of the two parts, without weights and factor.
struct LabelParts {
  double target = 0, rest = 0;
};

struct LabelRowsOf {
  double inv_temperature = 1, target = 1, rest = 1;
  double factor = 1;            ///< of the sum over rows
  double gradient_factor = 1;   ///< of the gradient
  Tensor mark{};                ///< [N], filled where given
  LabelParts* parts = nullptr;  ///< likewise
};

/// factor * sum over rows; both sides fit the row kernels.
inline Tensor sum_of_label_rows(std::string_view name, const LogitPair& z, const Tensor& label, const LabelRowsOf& of,
                                RunLabelRows run) {
  const auto by_rows = [&](auto zero, auto kernel) {
    using T = decltype(zero);
    LabelRows<T> rows{};
    rows.student = z.student.template data<T>();
    rows.teacher = z.teacher.template data<T>();
    rows.label = label.data<std::int64_t>();
    rows.label_stride = label.strides()[0];
    rows.classes = z.classes();
    rows.inv_temperature = static_cast<T>(of.inv_temperature);
    rows.target = static_cast<T>(of.target);
    rows.rest = static_cast<T>(of.rest);
    rows.gradient_scale = static_cast<T>(of.gradient_factor);
    if (of.mark) rows.mark = of.mark.template mutable_data<T>();
    std::vector<double> target(of.parts ? static_cast<std::size_t>(z.student.size(0)) : 0), rest(target.size());
    if (of.parts) {
      rows.target_value = target.data();
      rows.rest_value = rest.data();
    }
    const Tensor value = sum_of_rows<T>(name, z.student, of.factor, rows, kernel);
    if (of.parts)
      *of.parts = {std::accumulate(target.begin(), target.end(), 0.0), std::accumulate(rest.begin(), rest.end(), 0.0)};
    return value;
  };
  return z.student.dtype() == Dtype::f32 ? by_rows(float{}, run.first) : by_rows(double{}, run.second);
}

/// Where the row kernels do not fit: picks the label's class and the C-1 others of each row with operators.
class OtherClasses {
 public:
  OtherClasses(const Tensor& label, std::int64_t classes) : label_(label.unsqueeze(1)) {
    // Columns 0 ... C-2, moved up by one from the label on.
    const Tensor column = arange(classes - 1, Dtype::i64, label).unsqueeze(0);
    others_ = column + ge(column, label_).to(Dtype::i64);
  }
  Tensor label_of(const Tensor& z) const { return z.gather(1, label_); }    ///< [N, 1]
  Tensor others_of(const Tensor& z) const { return z.gather(1, others_); }  ///< [N, C-1]

 private:
  Tensor label_, others_;
};

/// [N] -log softmax(z)_y. Recorded for autograd only where the row kernel does not fit: call it without gradient.
inline Tensor label_cross_entropy(const Tensor& z, const Tensor& y) {
  if (!fits_row_kernel(z)) return -log_softmax(z, 1).gather(1, y.unsqueeze(1)).squeeze(1);
  const auto by_rows = [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t n = z.size(0);
    std::vector<double> values(static_cast<std::size_t>(n));
    const CrossEntropyRows<T> rows{
        z.data<T>(), y.data<std::int64_t>(), y.strides()[0], -1, nullptr, values.data(), z.size(1), T(0), T(1)};
    parallel_for(n, row_grain(z.size(1)),
                 [&](std::int64_t begin, std::int64_t end) { cross_entropy_rows(rows, begin, end); });
    return Tensor::of<double>(values, {n}).to(z.dtype());
  };
  return z.dtype() == Dtype::f32 ? by_rows(float{}) : by_rows(double{});
}

}  // namespace kdhost::plugins
