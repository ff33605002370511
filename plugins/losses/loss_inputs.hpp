// SPDX-License-Identifier: MIT
//
// What every loss does with its inputs before any arithmetic: take them from the ports, check shapes and labels, cut
// the teacher's side off the graph and leave half precision. All refusals name the port, what was found and what was
// expected.
#pragma once
#include <kdhost/plugin.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace kdhost::plugins {

[[noreturn]] inline void refuse_shape(std::string_view port, const Tensor& found, const std::string& expected) {
  throw std::invalid_argument("'" + std::string(port) + "' is " + to_string(found.shape()) + ", expected " + expected);
}

/// A dimension 0 that has something in it.
inline void check_samples(std::string_view port, const Tensor& x) {
  if (x.dim() == 0) refuse_shape(port, x, "a batch [N, ...]");
  if (x.size(0) == 0) refuse_shape(port, x, "at least one sample");
}

/// Logits as rows [N, C] in float32 or float64: [N, C, H, W] becomes [N*H*W, C], one row a position.
inline Tensor logit_rows(std::string_view port, Tensor z) {
  if (z.dim() != 2 && z.dim() != 4) refuse_shape(port, z, "[N, C] (or [N, C, H, W] for one prediction a position)");
  check_samples(port, z);
  if (!is_floating(z.dtype()))
    throw std::invalid_argument("'" + std::string(port) + "' holds " + name_of(z.dtype()) +
                                ", expected floating-point logits");
  if (z.dim() == 4) z = z.permute({0, 2, 3, 1}).reshape({-1, z.size(1)});
  return at_least_float32(z);
}
inline Tensor logit_rows(const Call& c, std::string_view port) { return logit_rows(port, c[port]); }

/// Logits of both sides, equal in shape and dtype; the teacher's without gradient.
struct LogitPair {
  Tensor student, teacher;
  std::int64_t classes() const { return student.size(1); }
};

/// The student's logits with those of a teacher, bound to `teacher_port`.
inline LogitPair logit_pair(const Tensor& z_s, std::string_view teacher_port, const Tensor& z_t) {
  if (z_s.dim() > 1 && z_t.dim() == z_s.dim() && z_s.size(1) != z_t.size(1))
    throw std::invalid_argument("'student.logits' has " + std::to_string(z_s.size(1)) + " classes and '" +
                                std::string(teacher_port) + "' has " + std::to_string(z_t.size(1)) +
                                ", expected the same number; choose a teacher with the classes of the data set");
  LogitPair p{logit_rows("student.logits", z_s), logit_rows(teacher_port, z_t).detach()};
  if (z_s.shape() != z_t.shape()) refuse_shape(teacher_port, z_t, to_string(z_s.shape()) + " like 'student.logits'");
  if (p.teacher.dtype() != p.student.dtype()) p.teacher = p.teacher.to(p.student.dtype());
  return p;
}
inline LogitPair logit_pair(const Call& c) {
  return logit_pair(c["student.logits"], "teacher.logits", c["teacher.logits"]);
}

inline void need_two_classes(const LogitPair& p) {
  if (p.classes() < 2) refuse_shape("student.logits", p.student, "at least two classes");
}

/// Hard labels as int64 [N]. On the CPU each is checked against [0, classes), `ignored` excepted, without copying; on a
/// GPU that would stop the device in every step, so there the operator that uses them is relied upon.
inline Tensor hard_labels(const Call& c, std::int64_t rows, std::int64_t classes, std::int64_t ignored = -1) {
  Tensor y = c["batch.label"];
  if (is_floating(y.dtype()))
    throw std::invalid_argument("'batch.label' holds " + std::string(name_of(y.dtype())) + " " + to_string(y.shape()) +
                                " (class probabilities, as mixed samples have them), expected hard labels, int64 [N]; "
                                "leave out the transform that mixes samples");
  if (y.dtype() != Dtype::i64 && y.dtype() != Dtype::i32)
    throw std::invalid_argument("'batch.label' holds " + std::string(name_of(y.dtype())) + ", expected int64 or int32");
  if (y.dim() == 3) y = y.reshape({-1});  // one label a position
  if (y.dim() != 1 || y.size(0) != rows)
    refuse_shape("batch.label", y, "[" + std::to_string(rows) + "], one label for each row of 'student.logits'");
  if (y.dtype() == Dtype::i32) y = y.to(Dtype::i64);
  if (y.on_cpu()) {
    const std::int64_t* p = y.data<std::int64_t>();
    const std::int64_t stride = y.strides()[0];
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t v = p[i * stride];
      if ((v < 0 || v >= classes) && (ignored == -1 || v != ignored))
        throw std::invalid_argument("'batch.label' has the label " + std::to_string(v) + " at position " +
                                    std::to_string(i) + ", expected 0 to " + std::to_string(classes - 1) +
                                    " (classes of 'student.logits': " + std::to_string(classes) + ")");
    }
  }
  return y;
}

/// One tap of each side. Taps are paired in order.
struct TapPair {
  Tensor student, teacher;
  std::size_t index = 0;
};

inline std::string tap_name(std::string_view side, std::size_t i) {
  return std::string(side) + ".features." + std::to_string(i);
}

/// The taps of both sides in pairs, in float32 or float64, the teacher's without gradient; as many on each side, as
/// many samples in each.
inline std::vector<TapPair> tap_pairs(const Call& c) {
  const Tensors s = c.list("student.features");
  const Tensors t = c.list("teacher.features");
  if (s.size() != t.size() || s.empty())
    throw std::invalid_argument("'student.features' has " + std::to_string(s.size()) +
                                " taps and 'teacher.features' has " + std::to_string(t.size()) +
                                ", expected the same number, at least one: they are paired in order");
  std::vector<TapPair> pairs;
  pairs.reserve(s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    check_samples(tap_name("student", i), s[i]);
    check_samples(tap_name("teacher", i), t[i]);
    if (s[i].size(0) != t[i].size(0) || s[i].size(0) != s[0].size(0))
      throw std::invalid_argument("'" + tap_name("student", i) + "' is " + to_string(s[i].shape()) + " and '" +
                                  tap_name("teacher", i) + "' is " + to_string(t[i].shape()) +
                                  ", expected the same number of samples in every tap");
    TapPair p{at_least_float32(s[i]), at_least_float32(t[i].detach()), i};
    if (p.teacher.dtype() != p.student.dtype()) p.teacher = p.teacher.to(p.student.dtype());
    pairs.push_back(std::move(p));
  }
  return pairs;
}

/// "tap 1: 'student.features.1' is [4, 8, 6, 6] and 'teacher.features.1' is [4, 16, 6, 6], expected ..."
[[noreturn]] inline void refuse_pair(const TapPair& p, const std::string& expected) {
  throw std::invalid_argument("tap " + std::to_string(p.index) + ": '" + tap_name("student", p.index) + "' is " +
                              to_string(p.student.shape()) + " and '" + tap_name("teacher", p.index) + "' is " +
                              to_string(p.teacher.shape()) + ", expected " + expected);
}

/// Both are maps [N, C, H, W].
inline void need_maps(const TapPair& p) {
  if (p.student.dim() != 4 || p.teacher.dim() != 4) refuse_pair(p, "feature maps [N, C, H, W] on both sides");
}

/// Adaptive average pooling. A mean over windows that do not overlap took twice as long.
inline Tensor averaged_to(const Tensor& map, std::int64_t h, std::int64_t w) {
  return map.size(2) == h && map.size(3) == w ? map : adaptive_avg_pool2d(map, {h, w});
}

/// The larger map reduced to the smaller one's size, each axis for itself.
inline void pool_to_smaller(Tensor& a, Tensor& b) {
  const std::int64_t h = std::min(a.size(2), b.size(2));
  const std::int64_t w = std::min(a.size(3), b.size(3));
  for (Tensor* x : {&a, &b}) *x = averaged_to(*x, h, w);
}

/// Running sum over taps: the first value itself, then added to.
inline void accumulate(Tensor& sum, const Tensor& value) { sum = sum ? sum + value : value; }

/// Names a part of the value for reports where somebody wants it. A part that is a tensor anyway goes to c.report.
inline void report_number(const Call& c, std::string_view name, double value) {
  if (c.wants(name)) c.report(name, Tensor::of<double>({value}, {}));
}
/// The sum over taps. Of several taps it reports what each adds, as tap.0, tap.1 ...
class TapSum {
 public:
  explicit TapSum(const Call& c) : call_(c) {}
  void add(const Tensor& value) {
    accumulate(sum_, value);
    values_.push_back(value);
  }
  /// The sum times `scale`, reported where taps were added.
  Tensor value(double scale = 1.0) const {
    for (std::size_t i = 0; values_.size() > 1 && i < values_.size(); ++i) {
      const std::string name = "tap." + std::to_string(i);
      if (call_.wants(name)) call_.report(name, scaled(values_[i], scale));
    }
    return scaled(sum_, scale);
  }

 private:
  static Tensor scaled(const Tensor& x, double scale) { return scale == 1.0 ? x : x * scale; }
  const Call& call_;
  Tensor sum_;
  std::vector<Tensor> values_;
};

/// Says once in the life of an instance that a batch cannot carry the relation, so that its value is 0.
class WarnOnce {
 public:
  void operator()(std::string_view text) {
    if (!said_) log_warning(text);
    said_ = true;
  }

 private:
  bool said_ = false;
};

}  // namespace kdhost::plugins
