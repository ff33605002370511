// SPDX-License-Identifier: MIT
//
// kdhost/testing/fake_reductions.hpp: sums, extremes, norms, softmax, and losses over classes of the fake host. Part of
// <kdhost/testing.hpp>.
#pragma once
#include <kdhost/testing/fake_pointwise.hpp>

#include <limits>
#include <numeric>

namespace kdhost {
namespace testing {

/// The rows of a tensor along one dimension: element k of row r lies at start(r) + k * stride.
struct Rows {
  Rows(const Shape& shape, std::int64_t d) {
    for (std::int64_t i = 0; i < d; ++i) outer *= shape[at(i)];
    n = shape.empty() ? 1 : shape[at(d)];
    for (std::size_t i = at(d) + 1; i < shape.size(); ++i) stride *= shape[i];
  }
  std::int64_t rows() const { return outer * stride; }
  std::size_t place(std::int64_t row, std::int64_t k) const {
    return at((row / stride) * n * stride + k * stride + row % stride);
  }
  std::int64_t outer = 1, n = 1, stride = 1;
};

inline Shape without(Shape shape, std::int64_t d, bool keepdim) {
  if (shape.empty()) return shape;
  if (keepdim)
    shape[at(d)] = 1;
  else
    shape.erase(shape.begin() + d);
  return shape;
}

/// f(values of a group) for every combination of the dimensions that stay; no dimensions named: all of them.
template <class F>
Array reduce(const Array& a, const Shape& dims, bool keepdim, Dtype dtype, F f) {
  std::set<std::int64_t> gone;
  for (const std::int64_t d : dims) gone.insert(wrap_dim(d, a.dim()));
  if (dims.empty())
    for (std::int64_t d = 0; d < a.dim(); ++d) gone.insert(d);
  Shape kept, shape;
  for (std::int64_t d = 0; d < a.dim(); ++d) {
    kept.push_back(gone.count(d) != 0 ? 1 : a.shape[at(d)]);
    if (gone.count(d) == 0 || keepdim) shape.push_back(kept.back());
  }
  Array out = array(kept, dtype);
  std::vector<std::vector<double>> groups(out.v.size());
  for (std::int64_t i = 0; i < a.size(); ++i) groups[source(i, a.shape, kept)].push_back(a.v[at(i)]);
  for (std::size_t g = 0; g < groups.size(); ++g) out.v[g] = f(groups[g]);
  out.shape = shape;
  return out;
}

inline double sum_of(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
inline double log_sum_exp(const std::vector<double>& x) {
  const double m = *std::max_element(x.begin(), x.end());
  if (std::isinf(m)) return m;
  double s = 0;
  for (const double e : x) s += std::exp(e - m);
  return m + std::log(s);
}
inline double norm_of(const std::vector<double>& x, double p) {
  if (std::isinf(p)) {
    double m = 0;
    for (const double e : x) m = std::max(m, std::abs(e));
    return m;
  }
  double s = 0;
  for (const double e : x) s += p == 0 ? (e != 0 ? 1.0 : 0.0) : std::pow(std::abs(e), p);
  return p == 0 ? s : std::pow(s, 1.0 / p);
}

/// f(row, result) on every row along `dim`.
template <class F>
Array along(const Array& a, std::int64_t dim, Dtype dtype, F f) {
  const Rows r(a.shape, wrap_dim(dim, a.dim()));
  Array out = array(a.shape, dtype);
  std::vector<double> row(at(r.n)), result(at(r.n));
  for (std::int64_t i = 0; i < r.rows(); ++i) {
    for (std::int64_t k = 0; k < r.n; ++k) row[at(k)] = a.v[r.place(i, k)];
    f(row, result);
    for (std::int64_t k = 0; k < r.n; ++k) out.v[r.place(i, k)] = result[at(k)];
  }
  return out;
}
inline Array log_softmax_of(const Array& a, std::int64_t dim) {
  return along(a, dim, as_floating(a.dtype), [](const std::vector<double>& x, std::vector<double>& y) {
    const double lse = log_sum_exp(x);
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] - lse;
  });
}

/// Places of a row's elements in the order of their values; equal ones keep their order.
inline std::vector<std::size_t> order_of(const std::vector<double>& x, bool descending) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return descending ? x[i] > x[j] : x[i] < x[j]; });
  return order;
}

/// The first `k` of each row in that order: values and places.
inline std::pair<Array, Array> ordered(const Array& a, std::int64_t dim, std::int64_t k, bool descending) {
  const std::int64_t d = wrap_dim(dim, a.dim());
  const Rows from(a.shape, d);
  if (k > from.n) throw std::invalid_argument(std::to_string(k) + " of " + std::to_string(from.n) + " elements");
  Shape shape = a.shape;
  if (!shape.empty()) shape[at(d)] = k;
  const Rows to(shape, d);
  Array values = array(shape, a.dtype), indices = array(shape, Dtype::i64);
  std::vector<double> row(at(from.n));
  for (std::int64_t i = 0; i < from.rows(); ++i) {
    for (std::int64_t e = 0; e < from.n; ++e) row[at(e)] = a.v[from.place(i, e)];
    const std::vector<std::size_t> order = order_of(row, descending);
    for (std::int64_t e = 0; e < k; ++e) {
      values.v[to.place(i, e)] = row[order[at(e)]];
      indices.v[to.place(i, e)] = static_cast<double>(order[at(e)]);
    }
  }
  return {values, indices};
}

inline void add_reductions(Operators& ops) {
  const auto reduction = [&](const std::string& whole, const std::string& some, auto result_dtype, auto f) {
    const Operator op = single([=](const Arguments& a) {
      const Array x = a.tensor("self");
      const Shape dims = a.has("dim") ? a.ints("dim") : Shape{};
      return reduce(x, dims, a.flag("keepdim", false), a.dtype("dtype", result_dtype(x.dtype)),
                    [&](const std::vector<double>& g) { return f(a, g); });
    });
    if (!whole.empty()) ops.emplace_back(whole, op);
    if (!some.empty() && some != whole) ops.emplace_back(some, op);
  };
  const auto same = [](Dtype t) { return t; };
  const auto summed = [](Dtype t) { return is_floating(t) ? t : Dtype::i64; };
  const auto boolean = [](Dtype) { return Dtype::boolean; };
  const auto whole_number = [](Dtype) { return Dtype::i64; };
  reduction("sum", "sum.dim_IntList", summed, [](const Arguments&, const std::vector<double>& x) { return sum_of(x); });
  reduction("mean", "mean.dim", same,
            [](const Arguments&, const std::vector<double>& x) { return sum_of(x) / static_cast<double>(x.size()); });
  reduction("prod", "prod.dim_int", summed, [](const Arguments&, const std::vector<double>& x) {
    return std::accumulate(x.begin(), x.end(), 1.0, [](double p, double e) { return p * e; });
  });
  const auto variance = [](const Arguments& a, const std::vector<double>& x) {
    const double mean = sum_of(x) / static_cast<double>(x.size());
    double s = 0;
    for (const double e : x) s += (e - mean) * (e - mean);
    return s / (static_cast<double>(x.size()) - a.number("correction", 1.0));
  };
  reduction("var.correction", "", same, variance);
  reduction("std.correction", "", same,
            [=](const Arguments& a, const std::vector<double>& x) { return std::sqrt(variance(a, x)); });
  const auto largest = [](const Arguments&, const std::vector<double>& x) {
    return *std::max_element(x.begin(), x.end());
  };
  const auto smallest = [](const Arguments&, const std::vector<double>& x) {
    return *std::min_element(x.begin(), x.end());
  };
  reduction("max", "amax", same, largest);
  reduction("min", "amin", same, smallest);
  reduction("logsumexp", "", same, [](const Arguments&, const std::vector<double>& x) { return log_sum_exp(x); });
  reduction("norm.Scalar", "norm.ScalarOpt_dim", same,
            [](const Arguments& a, const std::vector<double>& x) { return norm_of(x, a.number("p", 2.0)); });
  reduction("linalg_vector_norm", "", same,
            [](const Arguments& a, const std::vector<double>& x) { return norm_of(x, a.number("ord", 2.0)); });
  reduction("any", "any.dim", boolean, [](const Arguments&, const std::vector<double>& x) {
    return std::any_of(x.begin(), x.end(), [](double e) { return e != 0; }) ? 1.0 : 0.0;
  });
  reduction("all", "all.dim", boolean, [](const Arguments&, const std::vector<double>& x) {
    return std::all_of(x.begin(), x.end(), [](double e) { return e != 0; }) ? 1.0 : 0.0;
  });
  reduction("count_nonzero", "count_nonzero.dim_IntList", whole_number,
            [](const Arguments&, const std::vector<double>& x) {
              return static_cast<double>(std::count_if(x.begin(), x.end(), [](double e) { return e != 0; }));
            });
  reduction("argmax", "", whole_number, [](const Arguments&, const std::vector<double>& x) {
    return static_cast<double>(std::max_element(x.begin(), x.end()) - x.begin());
  });
  reduction("argmin", "", whole_number, [](const Arguments&, const std::vector<double>& x) {
    return static_cast<double>(std::min_element(x.begin(), x.end()) - x.begin());
  });

  const auto extreme = [&](const char* name, bool descending) {
    ops.emplace_back(name, [descending](const Arguments& a) {
      const Array x = a.tensor("self");
      const std::int64_t d = wrap_dim(a.integer("dim"), x.dim());
      auto [values, indices] = ordered(x, d, 1, descending);
      values.shape = indices.shape = without(x.shape, d, a.flag("keepdim", false));
      return std::vector<kdh_tensor>{make(values), make(indices)};
    });
  };
  extreme("max.dim", true);
  extreme("min.dim", false);
  ops.emplace_back("topk", [](const Arguments& a) {
    const auto [values, indices] =
        ordered(a.tensor("self"), a.integer("dim", -1), a.integer("k"), a.flag("largest", true));
    return std::vector<kdh_tensor>{make(values), make(indices)};
  });
  const auto sorted = [](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t d = wrap_dim(a.integer("dim", -1), x.dim());
    return ordered(x, d, x.shape.empty() ? 1 : x.shape[at(d)], a.flag("descending", false));
  };
  ops.emplace_back("sort.stable", [sorted](const Arguments& a) {
    const auto [values, indices] = sorted(a);
    return std::vector<kdh_tensor>{make(values), make(indices)};
  });
  ops.emplace_back("argsort.stable", single([sorted](const Arguments& a) { return sorted(a).second; }));

  const auto softmax = [&](const char* name, bool logarithm) {
    ops.emplace_back(name, single([logarithm](const Arguments& a) {
                       Array x = a.tensor("self");
                       x.dtype = a.dtype("dtype", x.dtype);
                       Array y = log_softmax_of(x, a.integer("dim"));
                       return logarithm ? y : map(std::move(y), [](double e) { return std::exp(e); });
                     }));
  };
  softmax("softmax.int", false);
  softmax("log_softmax.int", true);
  ops.emplace_back("cumsum", single([](const Arguments& a) {
                     const Array x = a.tensor("self");
                     return along(x, a.integer("dim"), is_floating(x.dtype) ? x.dtype : Dtype::i64,
                                  [](const std::vector<double>& in, std::vector<double>& out) {
                                    std::partial_sum(in.begin(), in.end(), out.begin());
                                  });
                   }));
}

inline void add_class_losses(Operators& ops) {
  // log_p [N, C] or [N, C, ...]; classes [N, ...]. Absent weights are 1.
  const auto negative_log = [](const Arguments& a, const Array& log_p, const Array& classes, double smoothing) {
    if (log_p.dim() < 2)
      throw std::invalid_argument("the fake host wants [N, C, ...] here, found " + to_string(log_p.shape));
    if (a.has("weight")) throw std::invalid_argument("the fake host takes no class weights");
    const Rows r(log_p.shape, 1);
    const std::int64_t ignored = a.integer("ignore_index", -100);
    Array losses = array(without(log_p.shape, 1, false), log_p.dtype);
    double counted = 0;
    for (std::int64_t i = 0; i < r.rows(); ++i) {
      const auto label = static_cast<std::int64_t>(classes.v.at(at(i)));
      if (label == ignored) continue;
      if (label < 0 || label >= r.n)
        throw std::invalid_argument("class " + std::to_string(label) + " of " + std::to_string(r.n) + " classes");
      double spread = 0;
      for (std::int64_t k = 0; k < r.n; ++k) spread -= log_p.v[r.place(i, k)];
      losses.v[at(i)] = -(1.0 - smoothing) * log_p.v[r.place(i, label)] + smoothing * spread / static_cast<double>(r.n);
      counted += 1;
    }
    const std::int64_t reduction = a.integer("reduction", 1);
    if (reduction == 0) return losses;
    Array out = reduced(losses, 2);
    if (reduction == 1) out.v[0] /= counted;
    return out;
  };
  ops.emplace_back("nll_loss_nd", single([=](const Arguments& a) {
                     return negative_log(a, a.tensor("self"), a.tensor("target"), 0.0);
                   }));
  ops.emplace_back("cross_entropy_loss", single([=](const Arguments& a) {
                     const Array log_p = log_softmax_of(a.tensor("self"), 1), target = a.tensor("target");
                     const double smoothing = a.number("label_smoothing", 0.0);
                     if (!is_floating(target.dtype)) return negative_log(a, log_p, target, smoothing);
                     const double classes = static_cast<double>(log_p.shape.at(1));
                     const Array terms = map(log_p, target, log_p.dtype, [=](double l, double t) {
                       return -l * (t * (1.0 - smoothing) + smoothing / classes);
                     });
                     const Array rows = reduce(terms, {1}, false, log_p.dtype, sum_of);
                     return reduced(rows, a.integer("reduction", 1));
                   }));
  ops.emplace_back("cosine_similarity", single([](const Arguments& a) {
                     const Array x = a.tensor("x1"), y = a.tensor("x2");
                     const Shape shape = broadcast(x.shape, y.shape), dim{a.integer("dim", 1)};
                     const double eps = a.number("eps", 1e-8);
                     const auto length = [&](const Array& t) {
                       return reduce(expanded(t, shape), dim, false, t.dtype,
                                     [&](const std::vector<double>& g) { return std::max(norm_of(g, 2.0), eps); });
                     };
                     const Array dot = reduce(map(x, y, x.dtype, [](double p, double q) { return p * q; }), dim, false,
                                              x.dtype, sum_of);
                     const auto divide = [](double p, double q) { return p / q; };
                     return map(map(dot, length(x), x.dtype, divide), length(y), x.dtype, divide);
                   }));
}

}  // namespace testing
}  // namespace kdhost
