// SPDX-License-Identifier: MIT
//
// kdhost/testing/fake_shapes.hpp: changes of shape, indexing, matrix products, the simplest network operators and new
// tensors of the fake host. Part of <kdhost/testing.hpp>.
#pragma once
#include <kdhost/call.hpp>
#include <kdhost/testing/fake_reductions.hpp>

namespace kdhost {
namespace testing {

inline Array reshaped(Array a, Shape shape) {
  std::int64_t known = 1;
  std::size_t open = shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0)
      open = i;
    else
      known *= shape[i];
  }
  if (open < shape.size() && known > 0) shape[open] = a.size() / known;
  if (count(shape) != a.size())
    throw std::invalid_argument("shape " + to_string(shape) + " for " + std::to_string(a.size()) + " elements");
  a.shape = std::move(shape);
  return a;
}

inline Array permuted(const Array& a, const Shape& dims) {
  if (dims.size() != a.shape.size())
    throw std::invalid_argument("permute: " + to_string(dims) + " for shape " + to_string(a.shape));
  const Shape strides = strides_of(a.shape);
  Shape shape, from;
  for (const std::int64_t d : dims) {
    shape.push_back(a.shape[at(wrap_dim(d, a.dim()))]);
    from.push_back(strides[at(wrap_dim(d, a.dim()))]);
  }
  Array out = array(shape, a.dtype);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    std::int64_t rest = i, place = 0;
    for (std::size_t k = shape.size(); k-- > 0; rest /= shape[k]) place += rest % shape[k] * from[k];
    out.v[at(i)] = a.v[at(place)];
  }
  return out;
}
inline Array transposed(const Array& a, std::int64_t d0, std::int64_t d1) {
  Shape dims(a.shape.size());
  std::iota(dims.begin(), dims.end(), std::int64_t{0});
  if (!dims.empty()) std::swap(dims[at(wrap_dim(d0, a.dim()))], dims[at(wrap_dim(d1, a.dim()))]);
  return permuted(a, dims);
}

/// The elements `index` along dimension d.
inline Array picked(const Array& a, std::int64_t dim, const std::vector<std::int64_t>& index) {
  const std::int64_t d = wrap_dim(dim, a.dim());
  Shape shape = a.shape;
  if (shape.empty()) return a;
  shape[at(d)] = static_cast<std::int64_t>(index.size());
  const Rows from(a.shape, d), to(shape, d);
  Array out = array(shape, a.dtype);
  for (std::int64_t i = 0; i < from.rows(); ++i)
    for (std::size_t k = 0; k < index.size(); ++k) {
      if (index[k] < 0 || index[k] >= from.n)
        throw std::invalid_argument("index " + std::to_string(index[k]) + " of " + std::to_string(from.n) +
                                    " elements");
      out.v[to.place(i, static_cast<std::int64_t>(k))] = a.v[from.place(i, index[k])];
    }
  return out;
}
inline std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  std::vector<std::int64_t> list;
  for (std::int64_t i = begin; i < end; i += step) list.push_back(i);
  return list;
}

inline Array joined(const std::vector<Array>& list, std::int64_t dim) {
  if (list.empty()) throw std::invalid_argument("cat of no tensors");
  const std::int64_t d = wrap_dim(dim, list[0].dim());
  Shape shape = list[0].shape;
  shape.at(at(d)) = 0;
  for (const Array& a : list) shape[at(d)] += a.shape.at(at(d));
  Array out = array(shape, list[0].dtype);
  const Rows to(shape, d);
  std::int64_t begin = 0;
  for (const Array& a : list) {
    const Rows from(a.shape, d);
    if (from.rows() != to.rows())
      throw std::invalid_argument("cat: shapes " + to_string(list[0].shape) + " and " + to_string(a.shape));
    for (std::int64_t i = 0; i < from.rows(); ++i)
      for (std::int64_t k = 0; k < from.n; ++k) out.v[to.place(i, begin + k)] = a.v[from.place(i, k)];
    begin += from.n;
  }
  return out;
}

inline std::vector<kdh_tensor> pieces(const Array& a, std::int64_t dim, std::int64_t size) {
  const std::int64_t n = a.shape.at(at(wrap_dim(dim, a.dim())));
  std::vector<kdh_tensor> list;
  for (std::int64_t i = 0; i < n; i += size) list.push_back(make(picked(a, dim, range(i, std::min(n, i + size)))));
  return list;
}

inline Array product(Array a, Array b) {
  const bool row = a.dim() == 1, column = b.dim() == 1;
  if (row) a.shape.insert(a.shape.begin(), 1);
  if (column) b.shape.push_back(1);
  const std::int64_t m = a.shape[at(a.dim() - 2)], k = a.shape.back(), n = b.shape.back();
  if (b.shape[at(b.dim() - 2)] != k)
    throw std::invalid_argument("matrix product of shapes " + to_string(a.shape) + " and " + to_string(b.shape));
  const Shape batch = broadcast(Shape(a.shape.begin(), a.shape.end() - 2), Shape(b.shape.begin(), b.shape.end() - 2));
  Shape sa = batch, sb = batch, shape = batch;
  sa.insert(sa.end(), {m, k});
  sb.insert(sb.end(), {k, n});
  shape.insert(shape.end(), {m, n});
  const Array x = expanded(a, sa), y = expanded(b, sb);
  Array out = array(shape, promoted(a.dtype, b.dtype));
  for (std::int64_t g = 0; g < count(batch); ++g)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double s = 0;
        for (std::int64_t l = 0; l < k; ++l) s += x.v[at((g * m + i) * k + l)] * y.v[at((g * k + l) * n + j)];
        out.v[at((g * m + i) * n + j)] = s;
      }
  if (column) out.shape.pop_back();
  if (row) out.shape.erase(out.shape.end() - (column ? 1 : 2));
  return out;
}

inline void add_shapes(Operators& ops) {
  const auto op = [&](const char* name, auto f) { ops.emplace_back(name, single(f)); };
  op("reshape", [](const Arguments& a) { return reshaped(a.tensor("self"), a.ints("shape")); });
  op("view", [](const Arguments& a) { return reshaped(a.tensor("self"), a.ints("size")); });
  op("flatten.using_ints", [](const Arguments& a) {
    Array x = a.tensor("self");
    const std::int64_t from = wrap_dim(a.integer("start_dim", 0), x.dim()),
                       to = wrap_dim(a.integer("end_dim", -1), x.dim());
    Shape shape(x.shape.begin(), x.shape.begin() + from);
    shape.push_back(-1);
    if (!x.shape.empty()) shape.insert(shape.end(), x.shape.begin() + to + 1, x.shape.end());
    return reshaped(std::move(x), shape);
  });
  op("permute", [](const Arguments& a) { return permuted(a.tensor("self"), a.ints("dims")); });
  op("transpose.int",
     [](const Arguments& a) { return transposed(a.tensor("self"), a.integer("dim0"), a.integer("dim1")); });
  op("t", [](const Arguments& a) {
    const Array x = a.tensor("self");
    return x.dim() < 2 ? x : transposed(x, 0, 1);
  });
  op("unsqueeze", [](const Arguments& a) {
    Array x = a.tensor("self");
    x.shape.insert(x.shape.begin() + wrap_dim(a.integer("dim"), x.dim() + 1), 1);
    return x;
  });
  op("squeeze", [](const Arguments& a) {
    Array x = a.tensor("self");
    x.shape.erase(std::remove(x.shape.begin(), x.shape.end(), 1), x.shape.end());
    return x;
  });
  op("squeeze.dim", [](const Arguments& a) {
    Array x = a.tensor("self");
    const std::int64_t d = wrap_dim(a.integer("dim"), x.dim());
    if (!x.shape.empty() && x.shape[at(d)] == 1) x.shape.erase(x.shape.begin() + d);
    return x;
  });
  op("expand", [](const Arguments& a) {
    const Array x = a.tensor("self");
    Shape to = a.ints("size");
    for (std::size_t k = 0; k < x.shape.size(); ++k)
      if (to[to.size() - 1 - k] < 0) to[to.size() - 1 - k] = x.shape[x.shape.size() - 1 - k];
    return expanded(x, to);
  });
  op("expand_as", [](const Arguments& a) { return expanded(a.tensor("self"), a.own("other").sizes()); });
  op("broadcast_to", [](const Arguments& a) { return expanded(a.tensor("self"), a.ints("size")); });
  op("flip", [](const Arguments& a) {
    Array x = a.tensor("self");
    for (const std::int64_t d : a.ints("dims")) {
      std::vector<std::int64_t> index = range(0, x.shape.at(at(wrap_dim(d, x.dim()))));
      std::reverse(index.begin(), index.end());
      x = picked(x, d, index);
    }
    return x;
  });
  op("cat", [](const Arguments& a) { return joined(a.tensors("tensors"), a.integer("dim", 0)); });
  op("stack", [](const Arguments& a) {
    std::vector<Array> list = a.tensors("tensors");
    for (Array& x : list) x.shape.insert(x.shape.begin() + wrap_dim(a.integer("dim", 0), x.dim() + 1), 1);
    return joined(list, a.integer("dim", 0));
  });
  ops.emplace_back("split.Tensor", [](const Arguments& a) {
    return pieces(a.tensor("self"), a.integer("dim", 0), a.integer("split_size"));
  });
  ops.emplace_back("chunk", [](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t n = x.shape.at(at(wrap_dim(a.integer("dim", 0), x.dim()))), chunks = a.integer("chunks");
    return pieces(x, a.integer("dim", 0), (n + chunks - 1) / chunks);
  });
  ops.emplace_back("unbind.int", [](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t d = wrap_dim(a.integer("dim", 0), x.dim());
    std::vector<kdh_tensor> list;
    for (std::int64_t i = 0; i < x.shape.at(at(d)); ++i) {
      Array piece = picked(x, d, {i});
      piece.shape.erase(piece.shape.begin() + d);
      list.push_back(make(piece));
    }
    return list;
  });

  // ---- indexing
  op("narrow", [](const Arguments& a) {
    const std::int64_t start = a.integer("start");
    return picked(a.tensor("self"), a.integer("dim"), range(start, start + a.integer("length")));
  });
  op("select.int", [](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t d = wrap_dim(a.integer("dim"), x.dim()), i = a.integer("index");
    Array out = picked(x, d, {i < 0 ? i + x.shape.at(at(d)) : i});
    out.shape.erase(out.shape.begin() + d);
    return out;
  });
  op("slice.Tensor", [](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t n = x.shape.at(at(wrap_dim(a.integer("dim"), x.dim())));
    const auto place = [n](std::int64_t i) { return std::max<std::int64_t>(0, std::min(n, i < 0 ? i + n : i)); };
    return picked(x, a.integer("dim"),
                  range(place(a.integer("start", 0)), place(a.integer("end", n)), a.integer("step", 1)));
  });
  const auto whole = [](const Array& x) {
    std::vector<std::int64_t> list;
    for (const double e : x.v) list.push_back(static_cast<std::int64_t>(e));
    return list;
  };
  op("index_select",
     [whole](const Arguments& a) { return picked(a.tensor("self"), a.integer("dim"), whole(a.tensor("index"))); });
  op("embedding", [whole](const Arguments& a) {
    const Array weight = a.tensor("weight"), index = a.tensor("indices");
    Shape shape = index.shape;
    shape.push_back(weight.shape.at(1));
    return reshaped(picked(weight, 0, whole(index)), shape);
  });
  op("gather", [whole](const Arguments& a) {
    const Array x = a.tensor("self"), index = a.tensor("index");
    const std::int64_t d = wrap_dim(a.integer("dim"), x.dim());
    const std::vector<std::int64_t> places = whole(index);
    const Shape strides = strides_of(x.shape);
    Array out = array(index.shape, x.dtype);
    for (std::int64_t i = 0; i < out.size(); ++i) {
      std::int64_t rest = i, place = 0;
      for (std::size_t k = index.shape.size(); k-- > 0; rest /= index.shape[k]) {
        const std::int64_t c = k == at(d) ? places[at(i)] : rest % index.shape[k];
        if (c < 0 || c >= x.shape[k])
          throw std::invalid_argument("gather: index " + std::to_string(c) + " is out of range");
        place += c * strides[k];
      }
      out.v[at(i)] = x.v[at(place)];
    }
    return out;
  });
  op("one_hot", [whole](const Arguments& a) {
    const Array x = a.tensor("self");
    const std::int64_t classes = a.integer("num_classes");
    Shape shape = x.shape;
    shape.push_back(classes);
    Array out = array(shape, Dtype::i64);
    const std::vector<std::int64_t> list = whole(x);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] < 0 || list[i] >= classes)
        throw std::invalid_argument("class " + std::to_string(list[i]) + " of " + std::to_string(classes) + " classes");
      out.v[i * at(classes) + at(list[i])] = 1;
    }
    return out;
  });
}

inline void add_products(Operators& ops) {
  const auto op = [&](const char* name, auto f) { ops.emplace_back(name, single(f)); };
  op("matmul", [](const Arguments& a) { return product(a.tensor("self"), a.tensor("other")); });
  op("mm", [](const Arguments& a) { return product(a.tensor("self"), a.tensor("mat2")); });
  op("bmm", [](const Arguments& a) { return product(a.tensor("self"), a.tensor("mat2")); });
  op("mv", [](const Arguments& a) { return product(a.tensor("self"), a.tensor("vec")); });
  op("dot", [](const Arguments& a) { return product(a.tensor("self"), a.tensor("tensor")); });
  op("outer", [](const Arguments& a) {
    return product(reshaped(a.tensor("self"), {-1, 1}), reshaped(a.tensor("vec2"), {1, -1}));
  });
  op("addmm", [](const Arguments& a) {
    const double beta = a.number("beta", 1.0), alpha = a.number("alpha", 1.0);
    const Array p = product(a.tensor("mat1"), a.tensor("mat2"));
    return map(a.tensor("self"), p, p.dtype, [=](double x, double y) { return beta * x + alpha * y; });
  });
  const auto with_bias = [](const Arguments& a, const Array& y, std::int64_t trailing) {
    if (!a.has("bias")) return y;
    Array bias = a.tensor("bias");
    bias.shape.insert(bias.shape.end(), at(trailing), 1);
    return map(y, bias, y.dtype, [](double p, double q) { return p + q; });
  };
  op("linear", [=](const Arguments& a) {
    return with_bias(a, product(a.tensor("input"), transposed(a.tensor("weight"), 0, 1)), 0);
  });
  op("conv2d", [=](const Arguments& a) {
    const Array x = a.tensor("input"), w = a.tensor("weight");
    const Shape stride = a.ints("stride"), padding = a.ints("padding"), dilation = a.ints("dilation");
    const std::int64_t groups = a.integer("groups", 1), in = w.shape.at(1), per_group = w.shape[0] / groups;
    if (x.dim() != 4 || x.shape[1] != in * groups)
      throw std::invalid_argument("conv2d of " + to_string(x.shape) + " with weights " + to_string(w.shape));
    const auto reach = [&](std::size_t s) {
      return (x.shape[2 + s] + 2 * padding[s] - dilation[s] * (w.shape[2 + s] - 1) - 1) / stride[s] + 1;
    };
    Array y = array({x.shape[0], w.shape[0], reach(0), reach(1)}, x.dtype);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const std::int64_t col = i % y.shape[3], row = i / y.shape[3] % y.shape[2],
                         o = i / (y.shape[3] * y.shape[2]) % y.shape[1], n = i / (y.shape[3] * y.shape[2] * y.shape[1]);
      double s = 0;
      for (std::int64_t k = 0; k < in * w.shape[2] * w.shape[3]; ++k) {
        const std::int64_t kc = k % w.shape[3], kr = k / w.shape[3] % w.shape[2], ch = k / (w.shape[3] * w.shape[2]);
        const std::int64_t r = row * stride[0] - padding[0] + kr * dilation[0],
                           c = col * stride[1] - padding[1] + kc * dilation[1];
        if (r < 0 || c < 0 || r >= x.shape[2] || c >= x.shape[3]) continue;
        const std::int64_t channel = o / per_group * in + ch;
        s += w.v[at(o * in * w.shape[2] * w.shape[3] + k)] *
             x.v[at(((n * x.shape[1] + channel) * x.shape[2] + r) * x.shape[3] + c)];
      }
      y.v[at(i)] = s;
    }
    return with_bias(a, y, 2);
  });
  op("adaptive_avg_pool2d", [](const Arguments& a) {
    const Array x = a.tensor("self");
    const Shape to = a.ints("output_size");
    const std::int64_t planes = count(x.shape) / (x.shape.at(2) * x.shape.at(3)), h = x.shape[2], w = x.shape[3];
    Array y = array({x.shape[0], x.shape[1], to[0], to[1]}, x.dtype);
    for (std::int64_t i = 0; i < planes * to[0] * to[1]; ++i) {
      const std::int64_t c = i % to[1], r = i / to[1] % to[0], plane = i / (to[1] * to[0]);
      double s = 0, n = 0;
      for (std::int64_t p = r * h / to[0]; p < ((r + 1) * h + to[0] - 1) / to[0]; ++p)
        for (std::int64_t q = c * w / to[1]; q < ((c + 1) * w + to[1] - 1) / to[1]; ++q, ++n)
          s += x.v[at((plane * h + p) * w + q)];
      y.v[at(i)] = s / n;
    }
    return y;
  });
  op("cdist", [](const Arguments& a) {
    const Array x = a.tensor("x1"), y = a.tensor("x2");
    if (x.dim() != 2 || y.dim() != 2) throw std::invalid_argument("the fake host's cdist takes matrices");
    const std::int64_t n = x.shape[0], m = y.shape[0], k = x.shape[1];
    Array out = array({n, m}, x.dtype);
    std::vector<double> difference(at(k));
    for (std::int64_t i = 0; i < n * m; ++i) {
      for (std::int64_t l = 0; l < k; ++l) difference[at(l)] = x.v[at(i / m * k + l)] - y.v[at(i % m * k + l)];
      out.v[at(i)] = norm_of(difference, a.number("p", 2.0));
    }
    return out;
  });
  const auto triangle = [&](const char* name, bool upper) {
    op(name, [upper](const Arguments& a) {
      Array x = a.tensor("self");
      const std::int64_t rows = x.shape.at(at(x.dim() - 2)), columns = x.shape.back(),
                         diagonal = a.integer("diagonal", 0);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        const std::int64_t above = i % columns - i / columns % rows;
        if (upper ? above < diagonal : above > diagonal) x.v[at(i)] = 0;
      }
      return x;
    });
  };
  triangle("triu", true);
  triangle("tril", false);
  op("diagonal", [](const Arguments& a) {
    const Array x = a.tensor("self");
    if (x.dim() != 2 || a.integer("offset", 0) != 0)
      throw std::invalid_argument("the fake host's diagonal takes one matrix");
    Array out = array({std::min(x.shape[0], x.shape[1])}, x.dtype);
    for (std::int64_t i = 0; i < out.size(); ++i) out.v[at(i)] = x.v[at(i * x.shape[1] + i)];
    return out;
  });
}

/// The generator behind a Generator of the fake host.
inline Stream& stream_of(const kdh_value* v) {
  static Stream hidden(0);
  return v != nullptr ? *reinterpret_cast<Stream*>(v->u.generator) : hidden;
}

inline void add_creation(Operators& ops) {
  const auto filled = [&](const char* name, double value, bool like, bool sized) {
    ops.emplace_back(name, single([=](const Arguments& a) {
                       const Dtype d = a.dtype("dtype", like ? a.own("self").dtype() : Dtype::f32);
                       Array x = array(sized ? a.ints("size") : a.own("self").sizes(), d);
                       const double v = a.has("fill_value") ? a.number("fill_value") : value;
                       return map(std::move(x), [v](double) { return v; });
                     }));
  };
  filled("zeros", 0, false, true);
  filled("ones", 1, false, true);
  filled("full", 0, false, true);
  filled("new_zeros", 0, true, true);
  filled("new_ones", 1, true, true);
  filled("new_full", 0, true, true);
  filled("zeros_like", 0, true, false);
  filled("ones_like", 1, true, false);
  filled("full_like", 0, true, false);
  filled("empty_like", 0, true, false);
  const auto in_place = [&](const char* name, const char* target, auto f) {
    const std::string self = target;
    ops.emplace_back(name, [=](const Arguments& a) {
      FakeTensor& t = a.own(self);
      t.assign(f(a, t.read()));
      ++t.references;
      return std::vector<kdh_tensor>{handle(&t)};
    });
  };
  in_place("arange.start_out", "out", [](const Arguments& a, const Array& out) {
    const double start = a.number("start"), step = a.number("step", 1.0);
    Array x = array({static_cast<std::int64_t>(std::ceil((a.number("end") - start) / step))}, out.dtype);
    for (std::int64_t i = 0; i < x.size(); ++i) x.v[at(i)] = start + step * static_cast<double>(i);
    return x;
  });
  in_place("eye.out", "out", [](const Arguments& a, const Array& out) {
    const std::int64_t n = a.integer("n");
    Array x = array({n, n}, out.dtype);
    for (std::int64_t i = 0; i < n; ++i) x.v[at(i * n + i)] = 1;
    return x;
  });
  in_place("uniform_", "self", [](const Arguments& a, Array x) {
    return map(std::move(x), [&](double) {
      return stream_of(a.find("generator")).uniform(a.number("from", 0.0), a.number("to", 1.0));
    });
  });
  in_place("normal_", "self", [](const Arguments& a, Array x) {
    return map(std::move(x), [&](double) {
      return a.number("mean", 0.0) + a.number("std", 1.0) * stream_of(a.find("generator")).normal();
    });
  });
  in_place("random_.from", "self", [](const Arguments& a, Array x) {
    const std::int64_t from = a.integer("from"), to = a.integer("to");
    return map(std::move(x),
               [&](double) { return static_cast<double>(from + stream_of(a.find("generator")).integer(to - from)); });
  });
  in_place("randperm.generator_out", "out", [](const Arguments& a, const Array& out) {
    Array x = array({a.integer("n")}, out.dtype);
    for (std::int64_t i = 0; i < x.size(); ++i) x.v[at(i)] = static_cast<double>(i);
    for (std::int64_t i = x.size(); i-- > 1;)
      std::swap(x.v[at(i)], x.v[at(stream_of(a.find("generator")).integer(i + 1))]);
    return x;
  });
  ops.emplace_back("bernoulli", single([](const Arguments& a) {
                     return map(a.tensor("self"),
                                [&](double p) { return stream_of(a.find("generator")).uniform() < p ? 1.0 : 0.0; });
                   }));
  ops.emplace_back("dropout", single([](const Arguments& a) {
                     const double p = a.number("p");
                     if (!a.flag("train", false) || p == 0) return a.tensor("input");
                     return map(a.tensor("input"),
                                [&](double x) { return stream_of(nullptr).uniform() < p ? 0.0 : x / (1.0 - p); });
                   }));
}

}  // namespace testing
}  // namespace kdhost
