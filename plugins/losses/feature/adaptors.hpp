// SPDX-License-Identifier: MIT
//
// What feature losses train between a student's tap and a teacher's: the shapes of a pair of taps before the first
// batch, and the small modules that more than one loss uses. Every loss that has such a module offers adaptor = "auto"
// (train it) and "none" (compare the taps as they are).
#pragma once
#include "../loss_inputs.hpp"

#include <cmath>

namespace kdhost::plugins {

/// Pairs of taps that are bound; where one side has more, compute says what is wrong.
inline std::size_t bound_pairs(const Ports& ports) {
  return static_cast<std::size_t>(std::min(ports.count("student.features"), ports.count("teacher.features")));
}

/// Refuses a pair in the constructor, in the words of refuse_pair.
[[noreturn]] inline void refuse_ports(const Ports& ports, std::size_t tap, const std::string& expected) {
  const std::string student = tap_name("student", tap), teacher = tap_name("teacher", tap);
  throw std::invalid_argument("tap " + std::to_string(tap) + ": '" + student + "' is " +
                              to_string(ports.shape(student)) + " and '" + teacher + "' is " +
                              to_string(ports.shape(teacher)) + ", expected " + expected);
}

/// Channels, height and width of a pair of maps.
struct MapSizes {
  std::int64_t student_channels, student_height, student_width;
  std::int64_t teacher_channels, teacher_height, teacher_width;
  bool equal() const {
    return student_channels == teacher_channels && student_height == teacher_height && student_width == teacher_width;
  }
};

inline MapSizes map_sizes(const Ports& ports, std::size_t tap) {
  const std::string student = tap_name("student", tap), teacher = tap_name("teacher", tap);
  if (ports.shape(student).size() != 4 || ports.shape(teacher).size() != 4)
    refuse_ports(ports, tap, "feature maps [N, C, H, W] on both sides");
  return {ports.size(student, 1), ports.size(student, 2), ports.size(student, 3),
          ports.size(teacher, 1), ports.size(teacher, 2), ports.size(teacher, 3)};
}

/// Channels of a pair of maps whose sizes are free.
struct MapChannels {
  std::int64_t student, teacher;
};

inline MapChannels map_channels(const Ports& ports, std::size_t tap) {
  const std::string student = tap_name("student", tap), teacher = tap_name("teacher", tap);
  if (ports.shape(student).size() != 4 || ports.shape(teacher).size() != 4)
    refuse_ports(ports, tap, "feature maps [N, C, H, W] on both sides");
  return {ports.size(student, 1), ports.size(teacher, 1)};
}

/// Width of a tap that is taken as one vector a sample: [N, D], or a map [N, C, H, W] flattened to C*H*W.
inline std::int64_t flat_width(const Ports& ports, const std::string& port) {
  const Shape shape = ports.shape(port);
  if (shape.size() < 2)
    throw std::invalid_argument("'" + port + "' is " + to_string(shape) + ", expected a vector a sample, [N, D]");
  std::int64_t width = 1;
  for (std::size_t d = 1; d < shape.size(); ++d) width *= ports.size(port, static_cast<std::int64_t>(d));
  return width;
}

/// Convolution without bias, then batch norm.
struct ConvNorm {
  nn::Conv2d conv{};
  nn::BatchNorm2d norm{};
  Tensor operator()(const Call& c, const Tensor& x) const { return norm(c, conv(c, x)); }
};

/// An odd `kernel` keeps height and width. `init`: of the weight; none: PyTorch's default.
inline ConvNorm conv_norm(const Builder& b, std::int64_t in, std::int64_t out, std::int64_t kernel,
                          std::optional<Init> init = {}) {
  nn::ConvOptions o;
  o.padding = kernel / 2;
  o.bias = false;
  o.init = std::move(init);
  return {b.conv2d("conv", in, out, kernel, o), b.batch_norm2d("norm", out)};
}

/// A convolution that brings the student's map to the teacher's channels and size, then batch norm: by sizes conv 3x3
/// with stride 2 (twice as large), transposed conv 4x4 with stride 2 (half as large), or a conv of kernel 1 + H_s - H_t
/// (at least as large). RepDistiller's ConvReg without its ReLU.
struct SizeRegressor {
  bool upwards = false;
  nn::Conv2d conv{};
  nn::ConvTranspose2d transposed{};
  nn::BatchNorm2d norm{};
  Tensor operator()(const Call& c, const Tensor& x) const { return norm(c, upwards ? transposed(c, x) : conv(c, x)); }
};

inline SizeRegressor size_regressor(const Ports& ports, std::size_t tap, const Builder& b) {
  const MapSizes m = map_sizes(ports, tap);
  nn::ConvOptions two;
  two.stride = 2;
  two.padding = 1;
  SizeRegressor r;
  if (m.student_height == 2 * m.teacher_height && m.student_width == 2 * m.teacher_width) {
    r.conv = b.conv2d("conv", m.student_channels, m.teacher_channels, 3, two);
  } else if (2 * m.student_height == m.teacher_height && 2 * m.student_width == m.teacher_width) {
    r.upwards = true;
    r.transposed = b.conv_transpose2d("conv", m.student_channels, m.teacher_channels, 4, two);
  } else if (m.student_height >= m.teacher_height && m.student_width >= m.teacher_width) {
    r.conv = b.conv2d("conv", m.student_channels, m.teacher_channels,
                      {1 + m.student_height - m.teacher_height, 1 + m.student_width - m.teacher_width});
  } else {
    refuse_ports(ports, tap,
                 "sizes that a regressor can join: the student's at least the teacher's, or exactly half of it; choose "
                 "other taps");
  }
  r.norm = b.batch_norm2d("norm", m.teacher_channels);
  return r;
}

/// Refuses a pair whose channels differ.
inline void need_equal_channels(const TapPair& p, const std::string& mend) {
  if (p.student.size(1) != p.teacher.size(1)) refuse_pair(p, "the same number of channels" + mend);
}

/// Refuses a pair whose shapes differ.
inline void need_equal_shapes(const TapPair& p, const std::string& mend) {
  if (p.student.shape() != p.teacher.shape()) refuse_pair(p, "equal shapes" + mend);
}

}  // namespace kdhost::plugins
