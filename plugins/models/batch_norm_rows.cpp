// SPDX-License-Identifier: MIT
//
// The kernels of batch_norm_rows.hpp, written with the compiler's vector type of eight floats and compiled twice: for
// any processor, and on x86-64 for AVX2 with FMA.
#include "batch_norm_rows.hpp"

#include <algorithm>
#include <cstring>

namespace kdhost::plugins {
namespace {

#define KDHOST_INLINE inline __attribute__((always_inline))

typedef float Eight __attribute__((vector_size(32)));

KDHOST_INLINE void load(Eight& v, const float* p) { std::memcpy(&v, p, sizeof v); }
KDHOST_INLINE void store(float* p, const Eight& v) { std::memcpy(p, &v, sizeof v); }

/// Keeps NaN, as LibTorch's relu does.
KDHOST_INLINE void relu(Eight& v) {
  const Eight zero = {};
  v = v < zero ? zero : v;
}

/// g where the value before or behind the ReLU was above 0 (or NaN), else 0.
KDHOST_INLINE void pass_active(Eight& g, const Eight& value) {
  const Eight zero = {};
  g = value <= zero ? zero : g;
}

struct Rows {
  std::int64_t begin, end;
};
KDHOST_INLINE Rows rows_of(const NormRows& m, std::int64_t block) {
  const std::int64_t begin = block * m.block_rows();
  return {begin, std::min(m.rows, begin + m.block_rows())};
}

// A block is walked in strips of 8 G channels, so that what belongs to a channel stays in registers over its rows.

template <int G>
KDHOST_INLINE void sums_strip(const NormRows& m, const Rows& r, const float* x, float* mean, float* squares) {
  // Two sums a group and turn: one alone would wait for each addition to finish.
  Eight even[G] = {}, odd[G] = {}, v, average[G];
  const auto count = static_cast<float>(r.end - r.begin);
  std::int64_t i = r.begin;
  for (; i + 2 <= r.end; i += 2) {
    for (int g = 0; g < G; ++g) {
      load(v, x + i * m.channels + 8 * g);
      even[g] += v;
      load(v, x + (i + 1) * m.channels + 8 * g);
      odd[g] += v;
    }
  }
  for (int g = 0; g < G; ++g) {
    if (i < r.end) {
      load(v, x + i * m.channels + 8 * g);
      even[g] += v;
    }
    average[g] = (even[g] + odd[g]) / count;
    store(mean + 8 * g, average[g]);
    even[g] = odd[g] = Eight{};
  }
  for (i = r.begin; i + 2 <= r.end; i += 2) {
    for (int g = 0; g < G; ++g) {
      load(v, x + i * m.channels + 8 * g);
      v -= average[g];
      even[g] += v * v;
      load(v, x + (i + 1) * m.channels + 8 * g);
      v -= average[g];
      odd[g] += v * v;
    }
  }
  for (int g = 0; g < G; ++g) {
    if (i < r.end) {
      load(v, x + i * m.channels + 8 * g);
      v -= average[g];
      even[g] += v * v;
    }
    store(squares + 8 * g, even[g] + odd[g]);
  }
}

KDHOST_INLINE void block_sums_body(const NormRows& m, const float* x, float* partial, std::int64_t first,
                                   std::int64_t last) {
  const std::int64_t c = m.channels;
  for (std::int64_t block = first; block < last; ++block) {
    const Rows r = rows_of(m, block);
    float* out = partial + block * 2 * c;
    std::int64_t k = 0;
    for (; k + 16 <= c; k += 16) sums_strip<2>(m, r, x + k, out + k, out + c + k);
    if (k < c) sums_strip<1>(m, r, x + k, out + k, out + c + k);
  }
}

template <int G>
KDHOST_INLINE void forward_strip(const NormRows& m, const Rows& r, const NormChannels& p, const float* x,
                                 const float* residual, float* y, std::int64_t k) {
  Eight mean[G], scale[G], shift[G];
  for (int g = 0; g < G; ++g)
    load(mean[g], p.mean + k + 8 * g), load(scale[g], p.scale + k + 8 * g), load(shift[g], p.shift + k + 8 * g);
  for (std::int64_t i = r.begin; i < r.end; ++i) {
    const std::int64_t at = i * m.channels + k;
    for (int g = 0; g < G; ++g) {
      Eight v, other;
      load(v, x + at + 8 * g);
      v = (v - mean[g]) * scale[g] + shift[g];
      if (residual) {
        load(other, residual + at + 8 * g);
        v += other;
      }
      relu(v);
      store(y + at + 8 * g, v);
    }
  }
}

KDHOST_INLINE void forward_body(const NormRows& m, const NormChannels& p, const float* x, const float* residual,
                                float* y, std::int64_t first, std::int64_t last) {
  for (std::int64_t block = first; block < last; ++block) {
    const Rows r = rows_of(m, block);
    std::int64_t k = 0;
    for (; k + 16 <= m.channels; k += 16) forward_strip<2>(m, r, p, x, residual, y, k);
    if (k < m.channels) forward_strip<1>(m, r, p, x, residual, y, k);
  }
}

template <int G>
KDHOST_INLINE void backward_sums_strip(const NormRows& m, const Rows& r, const NormChannels& p, const float* x,
                                       const float* dy, const float* y, float* through, float* out, std::int64_t k) {
  Eight mean[G], scale[G], shift[G], sum[G] = {}, deviation[G] = {};
  for (int g = 0; g < G; ++g)
    load(mean[g], p.mean + k + 8 * g), load(scale[g], p.scale + k + 8 * g), load(shift[g], p.shift + k + 8 * g);
  for (std::int64_t i = r.begin; i < r.end; ++i) {
    const std::int64_t at = i * m.channels + k;
    for (int g = 0; g < G; ++g) {
      Eight v, d, result;
      load(v, x + at + 8 * g), load(d, dy + at + 8 * g);
      v -= mean[g];
      if (y) {
        load(result, y + at + 8 * g);
        pass_active(d, result);
        store(through + at + 8 * g, d);
      } else {
        pass_active(d, v * scale[g] + shift[g]);
      }
      sum[g] += d;
      deviation[g] += d * v;
    }
  }
  for (int g = 0; g < G; ++g) store(out + k + 8 * g, sum[g]), store(out + m.channels + k + 8 * g, deviation[g]);
}

KDHOST_INLINE void backward_sums_body(const NormRows& m, const NormChannels& p, const float* x, const float* dy,
                                      const float* y, float* through, float* partial, std::int64_t first,
                                      std::int64_t last) {
  for (std::int64_t block = first; block < last; ++block) {
    const Rows r = rows_of(m, block);
    float* out = partial + block * 2 * m.channels;
    std::int64_t k = 0;
    for (; k + 16 <= m.channels; k += 16) backward_sums_strip<2>(m, r, p, x, dy, y, through, out, k);
    if (k < m.channels) backward_sums_strip<1>(m, r, p, x, dy, y, through, out, k);
  }
}

template <int G>
KDHOST_INLINE void backward_strip(const NormRows& m, const Rows& r, const NormChannels& p, const float* slope,
                                  const float* offset, const float* x, const float* dy, const float* through, float* dx,
                                  std::int64_t k) {
  Eight mean[G], scale[G], shift[G], rise[G], plus[G];
  for (int g = 0; g < G; ++g) {
    load(mean[g], p.mean + k + 8 * g), load(scale[g], p.scale + k + 8 * g), load(shift[g], p.shift + k + 8 * g);
    load(rise[g], slope + k + 8 * g), load(plus[g], offset + k + 8 * g);
  }
  for (std::int64_t i = r.begin; i < r.end; ++i) {
    const std::int64_t at = i * m.channels + k;
    for (int g = 0; g < G; ++g) {
      Eight v, d;
      load(v, x + at + 8 * g);
      v -= mean[g];
      if (through) {
        load(d, through + at + 8 * g);
      } else {
        load(d, dy + at + 8 * g);
        pass_active(d, v * scale[g] + shift[g]);
      }
      store(dx + at + 8 * g, d * scale[g] + (v * rise[g] + plus[g]));
    }
  }
}

KDHOST_INLINE void backward_body(const NormRows& m, const NormChannels& p, const float* slope, const float* offset,
                                 const float* x, const float* dy, const float* through, float* dx, std::int64_t first,
                                 std::int64_t last) {
  for (std::int64_t block = first; block < last; ++block) {
    const Rows r = rows_of(m, block);
    std::int64_t k = 0;
    for (; k + 16 <= m.channels; k += 16) backward_strip<2>(m, r, p, slope, offset, x, dy, through, dx, k);
    if (k < m.channels) backward_strip<1>(m, r, p, slope, offset, x, dy, through, dx, k);
  }
}

KDHOST_INLINE void add_relu_body(float* a, const float* b, std::int64_t begin, std::int64_t end) {
  std::int64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    Eight v, w;
    load(v, a + i), load(w, b + i);
    v += w;
    relu(v);
    store(a + i, v);
  }
  for (; i < end; ++i) {
    const float v = a[i] + b[i];
    a[i] = v < 0.0f ? 0.0f : v;
  }
}

// Each kernel once for AVX2 and once for any processor, chosen when it is called.
#if defined(__x86_64__)
const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#define KDHOST_TWICE(body, parameters, arguments)                                              \
  __attribute__((target("avx2,fma"))) void body##_avx2 parameters noexcept { body arguments; } \
  void body##_any parameters noexcept { body arguments; }
#define KDHOST_CHOOSE(body, arguments) has_avx2 ? body##_avx2 arguments : body##_any arguments
#else
#define KDHOST_TWICE(body, parameters, arguments)
#define KDHOST_CHOOSE(body, arguments) body arguments
#endif

KDHOST_TWICE(block_sums_body,
             (const NormRows& m, const float* x, float* partial, std::int64_t first, std::int64_t last),
             (m, x, partial, first, last))
KDHOST_TWICE(forward_body,
             (const NormRows& m, const NormChannels& p, const float* x, const float* residual, float* y,
              std::int64_t first, std::int64_t last),
             (m, p, x, residual, y, first, last))
KDHOST_TWICE(backward_sums_body,
             (const NormRows& m, const NormChannels& p, const float* x, const float* dy, const float* y, float* through,
              float* partial, std::int64_t first, std::int64_t last),
             (m, p, x, dy, y, through, partial, first, last))
KDHOST_TWICE(backward_body,
             (const NormRows& m, const NormChannels& p, const float* slope, const float* offset, const float* x,
              const float* dy, const float* through, float* dx, std::int64_t first, std::int64_t last),
             (m, p, slope, offset, x, dy, through, dx, first, last))
KDHOST_TWICE(add_relu_body, (float* a, const float* b, std::int64_t begin, std::int64_t end), (a, b, begin, end))

}  // namespace

void norm_block_sums(const NormRows& m, const float* x, float* partial, std::int64_t first,
                     std::int64_t last) noexcept {
  KDHOST_CHOOSE(block_sums_body, (m, x, partial, first, last));
}

void norm_join_sums(const NormRows& m, const float* partial, double* mean, double* variance) noexcept {
  const std::int64_t c = m.channels, end = m.blocks() - 1;
  const auto size = [&](std::int64_t block) {
    return static_cast<double>(block < end ? m.block_rows() : m.rows - end * m.block_rows());
  };
  const auto all = static_cast<double>(m.rows);
  for (std::int64_t k = 0; k < c; ++k) mean[k] = variance[k] = 0;
  for (std::int64_t block = 0; block <= end; ++block) {
    const double n = size(block);
    for (std::int64_t k = 0; k < c; ++k) mean[k] += n * static_cast<double>(partial[block * 2 * c + k]);
  }
  for (std::int64_t k = 0; k < c; ++k) mean[k] /= all;
  for (std::int64_t block = 0; block <= end; ++block) {
    const double n = size(block);
    for (std::int64_t k = 0; k < c; ++k) {
      const double apart = static_cast<double>(partial[block * 2 * c + k]) - mean[k];
      variance[k] += static_cast<double>(partial[(block * 2 + 1) * c + k]) + n * apart * apart;
    }
  }
  for (std::int64_t k = 0; k < c; ++k) variance[k] /= all;
}

void norm_forward(const NormRows& m, const NormChannels& p, const float* x, const float* residual, float* y,
                  std::int64_t first, std::int64_t last) noexcept {
  KDHOST_CHOOSE(forward_body, (m, p, x, residual, y, first, last));
}

void norm_backward_sums(const NormRows& m, const NormChannels& p, const float* x, const float* dy, const float* y,
                        float* through, float* partial, std::int64_t first, std::int64_t last) noexcept {
  KDHOST_CHOOSE(backward_sums_body, (m, p, x, dy, y, through, partial, first, last));
}

void norm_join_gradients(const NormRows& m, const float* partial, double* sum, double* sum_deviation) noexcept {
  const std::int64_t c = m.channels;
  for (std::int64_t k = 0; k < c; ++k) sum[k] = sum_deviation[k] = 0;
  for (std::int64_t block = 0; block < m.blocks(); ++block) {
    for (std::int64_t k = 0; k < c; ++k) {
      sum[k] += static_cast<double>(partial[block * 2 * c + k]);
      sum_deviation[k] += static_cast<double>(partial[(block * 2 + 1) * c + k]);
    }
  }
}

void norm_backward(const NormRows& m, const NormChannels& p, const float* slope, const float* offset, const float* x,
                   const float* dy, const float* through, float* dx, std::int64_t first, std::int64_t last) noexcept {
  KDHOST_CHOOSE(backward_body, (m, p, slope, offset, x, dy, through, dx, first, last));
}

void add_relu_in_place(float* a, const float* b, std::int64_t begin, std::int64_t end) noexcept {
  KDHOST_CHOOSE(add_relu_body, (a, b, begin, end));
}

}  // namespace kdhost::plugins
