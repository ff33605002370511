// SPDX-License-Identifier: MIT
//
// kdhost/testing/fake_tensor.hpp: the tensors of the fake host: contiguous, on the CPU, without gradient. Every
// operator computes in double and rounds its result to the dtype. Part of <kdhost/testing.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <set>

namespace kdhost {
namespace testing {

inline std::int64_t count(const Shape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) n *= d;
  return n;
}
inline Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}
inline std::size_t bytes_of(Dtype t) {
  switch (t) {
    case Dtype::u8:
    case Dtype::i8:
    case Dtype::boolean:
      return 1;
    case Dtype::i16:
      return 2;
    case Dtype::i32:
    case Dtype::f32:
      return 4;
    case Dtype::i64:
    case Dtype::f64:
      return 8;
    default:
      throw std::invalid_argument(std::string("the fake host has no ") + name_of(t));
  }
}

/// What operators compute with: all elements as doubles, in row-major order.
struct Array {
  Shape shape{};
  std::vector<double> v{};
  Dtype dtype = Dtype::f64;

  std::int64_t dim() const { return static_cast<std::int64_t>(shape.size()); }
  std::int64_t size() const { return static_cast<std::int64_t>(v.size()); }
};
inline Array array(Shape shape, Dtype dtype) {
  Array a;
  a.v.assign(static_cast<std::size_t>(count(shape)), 0.0);
  a.shape = std::move(shape);
  a.dtype = dtype;
  return a;
}
inline std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// What a handle of the fake host points to.
class FakeTensor {
 public:
  explicit FakeTensor(const Array& a) { assign(a); }
  void assign(const Array& a) {
    sizes_ = a.shape;
    strides_ = strides_of(sizes_);
    dtype_ = a.dtype;
    bytes_.assign(a.v.size() * bytes_of(dtype_), std::byte{0});
    for (std::size_t i = 0; i < a.v.size(); ++i) set(i, a.v[i]);
  }
  Array read() const {
    Array a = array(sizes_, dtype_);
    for (std::size_t i = 0; i < a.v.size(); ++i) a.v[i] = get(i);
    return a;
  }
  const Shape& sizes() const { return sizes_; }
  const Shape& strides() const { return strides_; }
  Dtype dtype() const { return dtype_; }
  void* data() { return bytes_.data(); }
  std::size_t size_in_bytes() const { return bytes_.size(); }
  std::atomic<std::int64_t> references{1};

 private:
  template <class T>
  double load(std::size_t i) const {
    T x;
    std::memcpy(&x, bytes_.data() + i * sizeof(T), sizeof(T));
    return static_cast<double>(x);
  }
  template <class T>
  void store(std::size_t i, double value) {
    const T x = static_cast<T>(value);
    std::memcpy(bytes_.data() + i * sizeof(T), &x, sizeof(T));
  }
  double get(std::size_t i) const {
    switch (dtype_) {
      case Dtype::f64:
        return load<double>(i);
      case Dtype::f32:
        return load<float>(i);
      case Dtype::i64:
        return load<std::int64_t>(i);
      case Dtype::i32:
        return load<std::int32_t>(i);
      case Dtype::i16:
        return load<std::int16_t>(i);
      case Dtype::i8:
        return load<std::int8_t>(i);
      default:
        return load<std::uint8_t>(i);
    }
  }
  void set(std::size_t i, double value) {
    switch (dtype_) {
      case Dtype::f64:
        return store<double>(i, value);
      case Dtype::f32:
        return store<float>(i, value);
      case Dtype::i64:
        return store<std::int64_t>(i, value);
      case Dtype::i32:
        return store<std::int32_t>(i, value);
      case Dtype::i16:
        return store<std::int16_t>(i, value);
      case Dtype::i8:
        return store<std::int8_t>(i, value);
      case Dtype::boolean:
        return store<std::uint8_t>(i, value != 0 ? 1 : 0);
      default:
        return store<std::uint8_t>(i, value);
    }
  }

  Shape sizes_, strides_;
  Dtype dtype_ = Dtype::f64;
  std::vector<std::byte> bytes_;
};

inline FakeTensor* fake(kdh_tensor h) { return reinterpret_cast<FakeTensor*>(h); }
inline kdh_tensor handle(FakeTensor* t) { return reinterpret_cast<kdh_tensor>(t); }
inline kdh_tensor make(const Array& a) { return handle(new FakeTensor(a)); }

// ---- shapes and dtypes

inline std::int64_t wrap_dim(std::int64_t d, std::int64_t rank) {
  const std::int64_t r = rank == 0 ? 1 : rank;
  if (d < -r || d >= r)
    throw std::invalid_argument("dimension " + std::to_string(d) + " of a tensor with " + std::to_string(rank) +
                                " dimensions");
  return d < 0 ? d + r : d;
}

inline Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw std::invalid_argument("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

/// The element of a tensor of shape `from` that stands at row-major place `i` of its broadcast form `to`.
inline std::size_t source(std::int64_t i, const Shape& to, const Shape& from) {
  std::int64_t place = 0, stride = 1;
  for (std::size_t k = 0; k < to.size(); ++k) {
    const std::int64_t n = to[to.size() - 1 - k], index = i % n;
    i /= n;
    if (k < from.size()) {
      const std::int64_t own = from[from.size() - 1 - k];
      if (own != 1) place += index * stride;
      stride *= own;
    }
  }
  return at(place);
}
inline Array expanded(const Array& a, const Shape& to) {
  Array out = array(to, a.dtype);
  for (std::int64_t i = 0; i < out.size(); ++i) out.v[at(i)] = a.v[source(i, to, a.shape)];
  return out;
}

inline int rank_of(Dtype t) { return t == Dtype::boolean ? 0 : is_floating(t) ? 2 : 1; }
inline Dtype promoted(Dtype a, Dtype b) {
  if (rank_of(a) != rank_of(b)) return rank_of(a) > rank_of(b) ? a : b;
  return bytes_of(a) >= bytes_of(b) ? a : b;
}
inline Dtype as_floating(Dtype t) { return is_floating(t) ? t : Dtype::f32; }

// ---- arguments of an operator

class Arguments {
 public:
  Arguments(const kdh_arg* args, std::uint64_t n) : args_(args), n_(n) {}
  const kdh_value* find(std::string_view name) const {
    for (std::uint64_t i = 0; i < n_; ++i)
      if (kdhost::detail::view(args_[i].name) == name && args_[i].value.type != KDH_T_NONE) return &args_[i].value;
    return nullptr;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const kdh_value& get(std::string_view name) const {
    const kdh_value* v = find(name);
    if (v == nullptr) throw std::invalid_argument("argument '" + std::string(name) + "' is missing");
    return *v;
  }
  FakeTensor& own(std::string_view name) const {
    const kdh_value& v = get(name);
    if (v.type != KDH_T_TENSOR) throw std::invalid_argument("argument '" + std::string(name) + "' must be a tensor");
    return *fake(v.u.tensor);
  }
  Array tensor(std::string_view name) const { return own(name).read(); }
  std::vector<Array> tensors(std::string_view name) const {
    const kdh_value& v = get(name);
    std::vector<Array> list;
    for (std::uint64_t i = 0; i < v.count; ++i) list.push_back(fake(v.u.tensors[i])->read());
    return list;
  }
  /// A tensor, or a number as a tensor without dimensions whose dtype yields to that of real tensors.
  Array operand(std::string_view name, Dtype beside) const {
    const kdh_value& v = get(name);
    if (v.type == KDH_T_TENSOR) return fake(v.u.tensor)->read();
    Array a = array({}, v.type == KDH_T_FLOAT && !is_floating(beside)     ? Dtype::f32
                        : v.type == KDH_T_INT && beside == Dtype::boolean ? Dtype::i64
                                                                          : beside);
    a.v[0] = number(name);
    return a;
  }
  double number(std::string_view name) const {
    const kdh_value& v = get(name);
    return v.type == KDH_T_FLOAT ? v.u.f : static_cast<double>(v.u.i);
  }
  double number(std::string_view name, double otherwise) const { return has(name) ? number(name) : otherwise; }
  std::int64_t integer(std::string_view name) const { return get(name).u.i; }
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const {
    return has(name) ? integer(name) : otherwise;
  }
  bool flag(std::string_view name, bool otherwise) const { return has(name) ? get(name).u.i != 0 : otherwise; }
  std::string_view text(std::string_view name, std::string_view otherwise) const {
    return has(name) ? std::string_view(get(name).u.s, get(name).count) : otherwise;
  }
  Shape ints(std::string_view name) const {
    const kdh_value& v = get(name);
    return v.type == KDH_T_INT ? Shape{v.u.i} : Shape(v.u.ints, v.u.ints + v.count);
  }
  Dtype dtype(std::string_view name, Dtype otherwise) const {
    return has(name) ? static_cast<Dtype>(integer(name)) : otherwise;
  }

 private:
  const kdh_arg* args_;
  std::uint64_t n_;
};

/// An operator of the fake host. Its results are given to the caller.
using Operator = std::function<std::vector<kdh_tensor>(const Arguments&)>;
using Operators = std::vector<std::pair<std::string, Operator>>;

/// Wraps a function of the arguments with one result.
template <class F>
Operator single(F f) {
  return [f](const Arguments& a) { return std::vector<kdh_tensor>{make(f(a))}; };
}

}  // namespace testing
}  // namespace kdhost
