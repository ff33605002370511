// SPDX-License-Identifier: MIT
//
// kdhost/tensor.hpp: tensors, operators by name, hand-written gradients and raw memory, for authors of portable
// plugins. Lowest C++ header of the SDK; everything here is a thin layer over abi.h. C++17, no LibTorch. Include
// <kdhost/plugin.hpp>.
#pragma once
#include <kdhost/abi.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kdhost {
inline namespace v1 {

/// A data file is missing, damaged or unreadable: the run ends with the exit code for data.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Tensor;

namespace detail {
// One host per process, set when an instance is created and before any other code of the plugin runs. Hidden visibility
// keeps it per plugin; it is not per thread, since destructors and backward functions run on threads that create
// nothing.
inline const kdh_host* host = nullptr;

inline kdh_str str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view view(kdh_str s) { return {s.data ? s.data : "", static_cast<std::size_t>(s.size)}; }

[[noreturn]] inline void raise(kdh_status status) {
  std::string text(view(host->last_error(host)));
  if (status == KDH_E_INVALID_ARGUMENT || status == KDH_E_NOT_FOUND) throw std::invalid_argument(text);
  if (status == KDH_E_DATA) throw DataError(text);
  if (status == KDH_E_OUT_OF_MEMORY) throw std::bad_alloc();
  throw std::runtime_error(text);
}
inline void check(kdh_status status) {
  if (status != KDH_OK) raise(status);
}

/// Runs f and turns whatever it throws into a status and a text of the host: no exception crosses the C interface.
template <class F>
kdh_status guard(F&& f) noexcept {
  try {
    f();
    return KDH_OK;
  } catch (const std::bad_alloc&) {
    return host->set_error(host, KDH_E_OUT_OF_MEMORY, str("out of memory"));
  } catch (const DataError& e) {
    return host->set_error(host, KDH_E_DATA, str(e.what()));
  } catch (const std::invalid_argument& e) {
    return host->set_error(host, KDH_E_INVALID_ARGUMENT, str(e.what()));
  } catch (const std::exception& e) {
    return host->set_error(host, KDH_E_PLUGIN, str(e.what()));
  } catch (...) {
    return host->set_error(host, KDH_E_PLUGIN, str("an exception that is not a std::exception"));
  }
}
}  // namespace detail

/// Element type of a tensor; the numbers are those of abi.h.
enum class Dtype : std::int32_t {
  u8 = KDH_DTYPE_U8,
  i8 = KDH_DTYPE_I8,
  i16 = KDH_DTYPE_I16,
  i32 = KDH_DTYPE_I32,
  i64 = KDH_DTYPE_I64,
  f16 = KDH_DTYPE_F16,
  f32 = KDH_DTYPE_F32,
  f64 = KDH_DTYPE_F64,
  boolean = KDH_DTYPE_BOOL,
  bf16 = KDH_DTYPE_BF16
};

inline const char* name_of(Dtype t) {
  switch (t) {
    case Dtype::u8:
      return "uint8";
    case Dtype::i8:
      return "int8";
    case Dtype::i16:
      return "int16";
    case Dtype::i32:
      return "int32";
    case Dtype::i64:
      return "int64";
    case Dtype::f16:
      return "float16";
    case Dtype::f32:
      return "float32";
    case Dtype::f64:
      return "float64";
    case Dtype::boolean:
      return "bool";
    case Dtype::bf16:
      return "bfloat16";
  }
  return "unknown";
}
inline bool is_floating(Dtype t) { return t == Dtype::f16 || t == Dtype::f32 || t == Dtype::f64 || t == Dtype::bf16; }

namespace detail {
template <class T>
struct dtype_of;
template <>
struct dtype_of<std::uint8_t> {
  static constexpr Dtype value = Dtype::u8;
};
template <>
struct dtype_of<std::int8_t> {
  static constexpr Dtype value = Dtype::i8;
};
template <>
struct dtype_of<std::int16_t> {
  static constexpr Dtype value = Dtype::i16;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr Dtype value = Dtype::i32;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr Dtype value = Dtype::i64;
};
template <>
struct dtype_of<float> {
  static constexpr Dtype value = Dtype::f32;
};
template <>
struct dtype_of<double> {
  static constexpr Dtype value = Dtype::f64;
};
template <>
struct dtype_of<bool> {
  static constexpr Dtype value = Dtype::boolean;
};
}  // namespace detail

using Shape = std::vector<std::int64_t>;

/// "[64, 10]", as shapes are printed in every message.
inline std::string to_string(const Shape& s) {
  std::string text = "[";
  for (std::size_t i = 0; i < s.size(); ++i) text += (i ? ", " : "") + std::to_string(s[i]);
  return text + "]";
}

/// A number as an operator's argument. Integers, floating-point numbers and bools stay what they are, because the
/// result's dtype depends on it: labels + 1 is int64, labels + 1.0 is not.
class Scalar {
 public:
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Scalar(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      value_.type = KDH_T_BOOL;
      value_.u.i = number ? 1 : 0;
    } else if constexpr (std::is_integral_v<T>) {
      value_.type = KDH_T_INT;
      value_.u.i = static_cast<std::int64_t>(number);
    } else {
      value_.type = KDH_T_FLOAT;
      value_.u.f = static_cast<double>(number);
    }
  }
  const kdh_value& value() const { return value_; }

 private:
  kdh_value value_{};
};

/// One dimension or several: 1, -1, {2, 3}.
struct Dims {
  template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
  Dims(T dim) : list{static_cast<std::int64_t>(dim)} {}
  Dims(std::initializer_list<std::int64_t> dims) : list(dims) {}
  Dims(Shape dims) : list(std::move(dims)) {}
  Shape list;
};

/// A counted reference to a tensor of the host; copying it copies the reference. A default-constructed one refers to
/// nothing. Arithmetic and most methods are in ops.hpp and mean what the same names mean in PyTorch.
class Tensor {
 public:
  Tensor() noexcept : handle_(nullptr) {}
  static Tensor adopt(kdh_tensor h) {
    Tensor t;
    t.handle_ = h;
    return t;
  }
  static Tensor borrow(kdh_tensor h) { return adopt(h ? detail::host->retain(detail::host, h) : nullptr); }
  /// A new CPU tensor (or on the device of `like`) with a copy of `values`, which must have as many elements as the
  /// shape.
  template <class T>
  static Tensor of(const std::vector<T>& values, const Shape& shape, const Tensor& like = {}) {
    std::int64_t n = 1;
    for (auto d : shape) n *= d;
    if (n != static_cast<std::int64_t>(values.size()))
      throw std::invalid_argument("Tensor::of: values do not fill the shape");
    return make(detail::dtype_of<T>::value, shape, values.data(), like);
  }
  /// Not initialised.
  static Tensor empty(const Shape& shape, Dtype dtype, const Tensor& like = {}) {
    return make(dtype, shape, nullptr, like);
  }

  Tensor(const Tensor& o) : handle_(o.handle_ ? detail::host->retain(detail::host, o.handle_) : nullptr) {}
  Tensor(Tensor&& o) noexcept : handle_(std::exchange(o.handle_, nullptr)) {}
  Tensor& operator=(Tensor o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~Tensor() {
    if (handle_) detail::host->release(detail::host, handle_);
  }

  explicit operator bool() const { return handle_ != nullptr; }
  kdh_tensor get() const { return handle_; }
  kdh_tensor give() { return std::exchange(handle_, nullptr); }

  kdh_tensor_info info() const {
    kdh_tensor_info i{};
    i.struct_size = sizeof i;
    detail::check(detail::host->tensor_info(detail::host, handle_, &i));
    return i;
  }
  std::int64_t dim() const { return static_cast<std::int64_t>(info().rank); }
  Shape shape() const {
    const kdh_tensor_info i = info();
    return Shape(i.sizes, i.sizes + i.rank);
  }
  Shape strides() const {
    const kdh_tensor_info i = info();
    return Shape(i.strides, i.strides + i.rank);
  }
  std::int64_t size(std::int64_t d) const {
    const kdh_tensor_info i = info();
    const auto r = static_cast<std::int64_t>(i.rank);
    if (d < -r || d >= r)
      throw std::invalid_argument("dimension " + std::to_string(d) + " of a tensor of shape " + to_string(shape()));
    return i.sizes[d < 0 ? d + r : d];
  }
  std::int64_t numel() const {
    const kdh_tensor_info i = info();
    std::int64_t n = 1;
    for (std::uint64_t k = 0; k < i.rank; ++k) n *= i.sizes[k];
    return n;
  }
  Dtype dtype() const { return static_cast<Dtype>(info().dtype); }
  bool on_cpu() const { return info().device_type == KDH_DEVICE_CPU; }
  bool requires_grad() const { return info().requires_grad != 0; }
  bool is_contiguous() const {
    const kdh_tensor_info i = info();
    std::int64_t expected = 1;
    for (std::uint64_t k = i.rank; k-- > 0;) {
      if (i.sizes[k] != 1 && i.strides[k] != expected) return false;
      expected *= i.sizes[k];
    }
    return true;
  }
  /// The value of a one-element tensor. Waits for the device: never in a training step.
  double item() const {
    double v = 0;
    detail::check(detail::host->tensor_item(detail::host, handle_, &v));
    return v;
  }
  /// First element; the others lie at strides(). T must be the element type. Device memory on CUDA.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(raw(detail::dtype_of<T>::value));
  }
  /// The same for writing, only into a tensor that this plugin has made.
  template <class T>
  T* mutable_data() const {
    return static_cast<T*>(raw(detail::dtype_of<T>::value));
  }

  // Methods with the meaning of PyTorch's; defined in ops.hpp.
  Tensor sum() const;
  Tensor sum(const Dims& dims, bool keepdim = false) const;
  Tensor mean() const;
  Tensor mean(const Dims& dims, bool keepdim = false) const;
  Tensor matmul(const Tensor& other) const;
  Tensor t() const;
  Tensor transpose(std::int64_t a, std::int64_t b) const;
  Tensor permute(const Shape& dims) const;
  Tensor reshape(const Shape& shape) const;
  Tensor view(const Shape& shape) const;
  Tensor flatten(std::int64_t start = 0, std::int64_t end = -1) const;
  Tensor unsqueeze(std::int64_t d) const;
  Tensor squeeze(std::int64_t d) const;
  Tensor expand(const Shape& shape) const;
  Tensor contiguous() const;
  Tensor detach() const;
  Tensor clone() const;
  Tensor to(Dtype dtype) const;
  Tensor index_select(std::int64_t d, const Tensor& index) const;
  Tensor gather(std::int64_t d, const Tensor& index) const;
  Tensor narrow(std::int64_t d, std::int64_t start, std::int64_t length) const;
  Tensor select(std::int64_t d, std::int64_t index) const;
  Tensor pow(Scalar exponent) const;
  Tensor abs() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor relu() const;

 private:
  static Tensor make(Dtype dtype, const Shape& shape, const void* data, const Tensor& like) {
    kdh_tensor h = nullptr;
    detail::check(detail::host->tensor_new(detail::host, static_cast<std::int32_t>(dtype), shape.data(), shape.size(),
                                           data, like.get(), &h));
    return adopt(h);
  }
  void* raw(Dtype wanted) const {
    if (dtype() != wanted)
      throw std::invalid_argument(std::string("tensor of ") + name_of(dtype()) + " read as " + name_of(wanted));
    void* p = nullptr;
    detail::check(detail::host->tensor_data(detail::host, handle_, &p));
    return p;
  }
  kdh_tensor handle_;
};
// A Tensor is exactly one handle, so an array of Tensors is an array of handles.
static_assert(sizeof(Tensor) == sizeof(kdh_tensor) && alignof(Tensor) == alignof(kdh_tensor));

using Tensors = std::vector<Tensor>;

/// A random generator of the host, as an operator's `generator` argument.
struct Generator {
  kdh_generator handle = nullptr;
};

namespace detail {
inline kdh_value make_value(kdh_type type, std::uint64_t count = 0) {
  kdh_value v{};
  v.type = type;
  v.count = count;
  return v;
}
inline kdh_value val(std::nullptr_t) { return make_value(KDH_T_NONE); }
inline kdh_value val(const Tensor& t) {
  if (!t) return make_value(KDH_T_NONE);
  kdh_value v = make_value(KDH_T_TENSOR);
  v.u.tensor = t.get();
  return v;
}
inline kdh_value val(double d) {
  kdh_value v = make_value(KDH_T_FLOAT);
  v.u.f = d;
  return v;
}
inline kdh_value val(std::int64_t i) {
  kdh_value v = make_value(KDH_T_INT);
  v.u.i = i;
  return v;
}
inline kdh_value val(int i) { return val(static_cast<std::int64_t>(i)); }
inline kdh_value val(bool b) {
  kdh_value v = make_value(KDH_T_BOOL);
  v.u.i = b ? 1 : 0;
  return v;
}
inline kdh_value val(Dtype t) { return val(static_cast<std::int64_t>(t)); }
inline kdh_value val(const Generator& g) {
  if (!g.handle) return make_value(KDH_T_NONE);
  kdh_value v = make_value(KDH_T_GENERATOR);
  v.u.generator = g.handle;
  return v;
}
inline kdh_value val(std::string_view s) {
  kdh_value v = make_value(KDH_T_STRING, s.size());
  v.u.s = s.data();
  return v;
}
inline kdh_value val(const std::string& s) { return val(std::string_view(s)); }
inline kdh_value val(const char* s) { return val(std::string_view(s)); }
inline kdh_value val(const Shape& x) {
  kdh_value v = make_value(KDH_T_INT_LIST, x.size());
  v.u.ints = x.data();
  return v;
}
inline kdh_value val(const std::vector<double>& x) {
  kdh_value v = make_value(KDH_T_FLOAT_LIST, x.size());
  v.u.floats = x.data();
  return v;
}
inline kdh_value val(const Tensors& x) {
  kdh_value v = make_value(KDH_T_TENSOR_LIST, x.size());
  v.u.tensors = reinterpret_cast<const kdh_tensor*>(x.data());
  return v;
}
inline kdh_value val(const Scalar& s) { return s.value(); }
template <std::size_t N>
kdh_value val(const std::array<std::int64_t, N>& x) {
  kdh_value v = make_value(KDH_T_INT_LIST, N);
  v.u.ints = x.data();
  return v;
}
template <class T>
kdh_value val(const std::optional<T>& x) {
  return x ? val(*x) : make_value(KDH_T_NONE);
}
// Nothing converts on the way: a temporary made here would be gone before the host reads it.
template <class T>
kdh_value val(const T&) = delete;
}  // namespace detail

/// A named argument; it refers to the value, so it may only stand inside the call expression.
struct Arg {
  kdh_arg a;
  template <class T>
  Arg(std::string_view name, const T& value) : a{detail::str(name), detail::val(value)} {}
};
static_assert(sizeof(Arg) == sizeof(kdh_arg));

/// A LibTorch operator, looked up once:  static const Op relu("aten::relu");  Tensor y = relu({{"self", x}});
class Op {
 public:
  explicit constexpr Op(const char* name, const char* overload = "") : name_(name), overload_(overload) {}

  Tensor operator()(std::initializer_list<Arg> args) const { return std::move(call<1>(args)[0]); }
  /// An operator with N results.
  template <std::size_t N>
  std::array<Tensor, N> call(std::initializer_list<Arg> args) const {
    std::array<kdh_value, N> r{};
    std::uint64_t n = 0;
    detail::check(detail::host->op_run(detail::host, resolve(), &args.begin()->a, args.size(), r.data(), N, &n));
    std::array<Tensor, N> t;
    for (std::size_t i = 0; i < N && i < n; ++i)
      if (r[i].type == KDH_T_TENSOR) t[i] = Tensor::adopt(r[i].u.tensor);
    return t;
  }
  /// An operator that returns a list of at most `most` tensors.
  Tensors list(std::initializer_list<Arg> args, std::size_t most) const {
    std::vector<kdh_value> r(most);
    std::uint64_t n = 0;
    detail::check(detail::host->op_run(detail::host, resolve(), &args.begin()->a, args.size(), r.data(), most, &n));
    Tensors t;
    t.reserve(n);
    for (std::size_t i = 0; i < n; ++i) t.push_back(Tensor::adopt(r[i].u.tensor));
    return t;
  }

 private:
  const void* resolve() const {
    const void* h = handle_.load(std::memory_order_acquire);
    if (!h) {
      detail::check(detail::host->op_resolve(detail::host, name_, overload_, &h));
      handle_.store(h, std::memory_order_release);  // every thread would store the same value
    }
    return h;
  }
  const char *name_, *overload_;
  mutable std::atomic<const void*> handle_{nullptr};
};

inline bool grad_enabled() { return detail::host->grad_mode(detail::host, -1) != 0; }

/// No gradient is recorded on this thread while it lives.
class NoGrad {
 public:
  NoGrad() : before_(detail::host->grad_mode(detail::host, 0)) {}
  ~NoGrad() { detail::host->grad_mode(detail::host, before_); }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  std::int32_t before_;
};

/// y = f(inputs) with a derivative written by hand. F is a movable struct with
///   Tensor  forward(const Tensors& in, Tensors& saved)          runs without gradient; puts into `saved` what backward
///   needs Tensors backward(const Tensors& saved, const Tensor& grad)  one gradient an input; an empty Tensor means
///   none
/// Written with operators on saved *inputs*, backward can itself be differentiated. If it uses results computed in
/// forward, call once_differentiable() first in backward: otherwise a second derivative would silently be missing.
template <class F>
Tensor custom_grad(std::string_view name, F f, const Tensors& inputs) {
  Tensors saved;
  Tensor y;
  {
    const NoGrad off;
    y = f.forward(inputs, saved);
  }
  if (!y) throw std::runtime_error(std::string(name) + ": forward returned no tensor");
  const auto backward = [](const kdh_host*, void* ctx, const kdh_tensor* kept, std::uint64_t n_kept,
                           const kdh_tensor* grad, std::uint64_t, kdh_tensor* out, std::uint64_t n_out) -> kdh_status {
    return detail::guard([&] {
      Tensors list;
      list.reserve(n_kept);
      for (std::uint64_t i = 0; i < n_kept; ++i) list.push_back(Tensor::borrow(kept[i]));
      Tensors g = static_cast<F*>(ctx)->backward(list, Tensor::borrow(grad[0]));
      if (g.size() != n_out)
        throw std::runtime_error("backward returned " + std::to_string(g.size()) + " gradients for " +
                                 std::to_string(n_out) + " inputs");
      for (std::uint64_t i = 0; i < n_out; ++i) out[i] = g[i].give();
    });
  };
  const kdh_tensor out = y.get();
  kdh_tensor result = nullptr;
  detail::check(detail::host->custom_grad(
      detail::host, detail::str(name), reinterpret_cast<const kdh_tensor*>(inputs.data()), inputs.size(), &out, 1,
      reinterpret_cast<const kdh_tensor*>(saved.data()), saved.size(), backward, new F(std::move(f)),
      [](void* p) { delete static_cast<F*>(p); }, &result));
  return Tensor::adopt(result);
}

/// Refuses a second derivative with a sentence, instead of losing it.
inline void once_differentiable() {
  if (grad_enabled())
    throw std::runtime_error("this hand-written gradient can be taken once only (create_graph is not supported)");
}

/// f(begin, end) over [0, n) in pieces of at least `grain`, on the host's threads. f must not throw or call operators.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, const F& f) {
  static_assert(std::is_nothrow_invocable_v<F, std::int64_t, std::int64_t> ||
                std::is_invocable_v<F, std::int64_t, std::int64_t>);
  detail::host->parallel_for(
      detail::host, 0, n, grain,
      [](void* ctx, std::int64_t begin, std::int64_t end) { (*static_cast<const F*>(ctx))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

inline void log_info(std::string_view text) { detail::host->log(detail::host, KDH_LOG_INFO, detail::str(text)); }
inline void log_warning(std::string_view text) { detail::host->log(detail::host, KDH_LOG_WARNING, detail::str(text)); }

}  // namespace v1
}  // namespace kdhost
