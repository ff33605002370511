// SPDX-License-Identifier: MIT
//
// kdhost/call.hpp: what a component is given: parameters and facts when it is made, ports and a builder for its parts,
// a call when it works, a moment when time matters. Include <kdhost/plugin.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

#include <cmath>
#include <limits>

namespace kdhost {
inline namespace v1 {

namespace detail {
/// Named values of the host, found by name. Lists are short, so a linear search beats a map.
class Named {
 public:
  Named(const kdh_arg* args, std::uint64_t n, const char* what) : args_(args), n_(n), what_(what) {}
  const kdh_arg* find(std::string_view name) const {
    for (std::uint64_t i = 0; i < n_; ++i)
      if (view(args_[i].name) == name) return args_ + i;
    return nullptr;
  }
  bool has(std::string_view name) const {
    const kdh_arg* a = find(name);
    return a && a->value.type != KDH_T_NONE;
  }
  const kdh_value& get(std::string_view name, kdh_type type, const char* type_name) const {
    const kdh_arg* a = find(name);
    if (a && a->value.type == type) return a->value;
    const std::string text = std::string(what_) + " '" + std::string(name) + "'";
    if (a && a->value.type != KDH_T_NONE) throw std::invalid_argument(text + " is not of type " + type_name);
    if (a)
      throw std::invalid_argument(text +
                                  " has no value: it is not written and has no default. Give it a default, declare it "
                                  "required(), or ask has() before");
    std::string names;
    for (std::uint64_t i = 0; i < n_; ++i) names += (i == 0 ? "" : ", ") + std::string(view(args_[i].name));
    throw std::invalid_argument("there is no " + text + "; there " +
                                (n_ == 0 ? "are none" : (n_ == 1 ? "is only: " : "are: ") + names));
  }

  double number(std::string_view name) const {
    const kdh_arg* a = find(name);
    if (a && a->value.type == KDH_T_INT) return static_cast<double>(a->value.u.i);
    return get(name, KDH_T_FLOAT, "number").u.f;
  }
  std::int64_t integer(std::string_view name) const { return get(name, KDH_T_INT, "integer").u.i; }
  bool flag(std::string_view name) const { return get(name, KDH_T_BOOL, "bool").u.i != 0; }
  std::string_view text(std::string_view name) const {
    const kdh_value& v = get(name, KDH_T_STRING, "text");
    return {v.u.s, static_cast<std::size_t>(v.count)};
  }
  Shape integers(std::string_view name) const {
    const kdh_value& v = get(name, KDH_T_INT_LIST, "list of integers");
    return Shape(v.u.ints, v.u.ints + v.count);
  }
  std::vector<double> numbers(std::string_view name) const {
    const kdh_value& v = get(name, KDH_T_FLOAT_LIST, "list of numbers");
    return std::vector<double>(v.u.floats, v.u.floats + v.count);
  }
  std::vector<std::string> texts(std::string_view name) const {
    const kdh_value& v = get(name, KDH_T_STRING_LIST, "list of texts");
    std::vector<std::string> list;
    for (std::uint64_t i = 0; i < v.count; ++i) list.emplace_back(view(v.u.strings[i]));
    return list;
  }
  double number_or(std::string_view name, double otherwise) const { return has(name) ? number(name) : otherwise; }
  std::int64_t integer_or(std::string_view name, std::int64_t otherwise) const {
    return has(name) ? integer(name) : otherwise;
  }

 private:
  const kdh_arg* args_;
  std::uint64_t n_;
  const char* what_;
};
}  // namespace detail

/// The parameters of a component as written in the experiment, checked, with defaults filled in. Valid for the call.
class Params : public detail::Named {
 public:
  Params(const kdh_arg* args, std::uint64_t n) : Named(args, n, "parameter") {}
};

/// What the run knows: "data_places" (texts: folders to look for data in), and once the data set is open "classes",
/// "samples" (integers) and "labels" (integers: the class of each training sample, -1 where it has no label).
class Facts : public detail::Named {
 public:
  Facts(const kdh_arg* args, std::uint64_t n) : Named(args, n, "fact") {}
};

/// Shapes of everything that is bound to the instance, found by a dry batch.
class Ports {
 public:
  explicit Ports(const kdh_create* c) : c_(c), facts_(c->facts, c->n_facts) {}
  bool has(std::string_view port) const { return find(port) != nullptr; }
  /// Number of tensors of a list port.
  std::int64_t count(std::string_view list) const {
    std::int64_t n = 0;
    while (find(std::string(list) + "." + std::to_string(n))) ++n;
    return n;
  }
  /// Dimension 0 is the batch; -1 where the size varies from batch to batch.
  Shape shape(std::string_view port) const {
    const kdh_shape& s = at(port);
    return Shape(s.sizes, s.sizes + s.rank);
  }
  /// A size that parts may depend on: one that varies is refused by name.
  std::int64_t size(std::string_view port, std::int64_t dim) const {
    const Shape s = shape(port);
    const auto rank = static_cast<std::int64_t>(s.size());
    if (dim < -rank || dim >= rank)
      throw std::invalid_argument("port '" + std::string(port) + "' has shape " + to_string(s) + ", no dimension " +
                                  std::to_string(dim));
    const std::int64_t n = s[static_cast<std::size_t>(dim < 0 ? dim + rank : dim)];
    if (n < 0)
      throw std::invalid_argument("port '" + std::string(port) + "' has shape " + to_string(s) + ": dimension " +
                                  std::to_string(dim) + " varies from batch to batch, so nothing can be sized by it");
    return n;
  }
  Dtype dtype(std::string_view port) const { return static_cast<Dtype>(at(port).dtype); }
  const Facts& facts() const { return facts_; }
  /// Classes of the data set; an error where it has none.
  std::int64_t classes() const { return facts_.integer("classes"); }

 private:
  const kdh_shape* find(std::string_view port) const {
    const char* p = reinterpret_cast<const char*>(c_->shapes);
    for (std::uint64_t i = 0; i < c_->n_shapes; ++i, p += c_->shape_size) {
      const auto* s = reinterpret_cast<const kdh_shape*>(p);
      if (detail::view(s->port) == port) return s;
    }
    return nullptr;
  }
  const kdh_shape& at(std::string_view port) const {
    const kdh_shape* s = find(port);
    if (!s) throw std::invalid_argument("nothing is bound to port '" + std::string(port) + "'");
    return *s;
  }
  const kdh_create* c_;
  Facts facts_;
};

/// How the host fills a new parameter or buffer.
struct Init {
  kdh_init kind = KDH_INIT_ZEROS;
  double a = 0, b = 0;
  Tensor value{};
  static Init zeros() { return {KDH_INIT_ZEROS, 0, 0, {}}; }
  static Init ones() { return {KDH_INIT_ONES, 0, 0, {}}; }
  static Init constant(double v) { return {KDH_INIT_CONSTANT, v, 0, {}}; }
  static Init uniform(double lo, double hi) { return {KDH_INIT_UNIFORM, lo, hi, {}}; }
  static Init normal(double mean, double std) { return {KDH_INIT_NORMAL, mean, std, {}}; }
  static Init from(Tensor v) { return {KDH_INIT_VALUE, 0, 0, std::move(v)}; }
};

/// A parameter or buffer of the instance: a place in the call, never a tensor, so one instance serves several sets of
/// parts.
struct Slot {
  std::uint64_t index = ~std::uint64_t{0};
  explicit operator bool() const { return index != ~std::uint64_t{0}; }
};

struct Pair;
namespace nn {
struct Linear;
struct Conv2d;
struct ConvTranspose2d;
struct BatchNorm2d;
struct LayerNorm;
struct Embedding;
struct Lstm;
struct Gru;
struct MultiheadAttention;
struct Dropout;
struct ConvOptions;
}  // namespace nn

/// Declares the parts of an instance. The host initialises, optimises, moves, checkpoints and exports them.
class Builder {
 public:
  explicit Builder(const kdh_create* c, std::string prefix = {}) : c_(c), prefix_(std::move(prefix)) {}
  /// A builder whose names start with "name.".
  Builder scope(std::string_view name) const { return Builder(c_, prefix_ + std::string(name) + "."); }

  Slot parameter(std::string_view name, const Shape& shape, const Init& init, bool decay = true) const {
    return add(name, shape, init, KDH_PART_PARAMETER, decay, -1);
  }
  /// Starts without gradient.
  Slot frozen_parameter(std::string_view name, const Shape& shape, const Init& init) const {
    return add(name, shape, init, KDH_PART_FROZEN, true, -1);
  }
  Slot buffer(std::string_view name, const Shape& shape, const Init& init) const {
    return add(name, shape, init, KDH_PART_BUFFER, true, -1);
  }
  Slot buffer(std::string_view name, const Shape& shape, const Init& init, Dtype dtype) const {
    return add(name, shape, init, KDH_PART_BUFFER, true, static_cast<std::int32_t>(dtype));
  }

  // Layers of kdhost::nn with PyTorch's names, shapes and default initialisation; defined in nn.hpp.
  nn::Linear linear(std::string_view name, std::int64_t in, std::int64_t out, bool bias = true) const;
  nn::Conv2d conv2d(std::string_view name, std::int64_t in, std::int64_t out, Pair kernel) const;
  nn::Conv2d conv2d(std::string_view name, std::int64_t in, std::int64_t out, Pair kernel,
                    const nn::ConvOptions& options) const;
  nn::ConvTranspose2d conv_transpose2d(std::string_view name, std::int64_t in, std::int64_t out, Pair kernel,
                                       const nn::ConvOptions& options) const;
  nn::BatchNorm2d batch_norm2d(std::string_view name, std::int64_t channels, double eps = 1e-5,
                               double momentum = 0.1) const;
  nn::LayerNorm layer_norm(std::string_view name, const Shape& shape, double eps = 1e-5) const;
  nn::Embedding embedding(std::string_view name, std::int64_t count, std::int64_t dim) const;
  nn::Lstm lstm(std::string_view name, std::int64_t in, std::int64_t hidden, std::int64_t layers = 1,
                bool bidirectional = false) const;
  nn::Gru gru(std::string_view name, std::int64_t in, std::int64_t hidden, std::int64_t layers = 1,
              bool bidirectional = false) const;
  nn::MultiheadAttention attention(std::string_view name, std::int64_t width, std::int64_t heads) const;
  nn::Dropout dropout(double probability) const;

 private:
  Slot add(std::string_view name, const Shape& shape, const Init& init, std::uint32_t role, bool decay,
           std::int32_t dtype) const {
    const std::string full = prefix_ + std::string(name);
    kdh_part p{};
    p.struct_size = sizeof p;
    p.name = detail::str(full);
    p.role = role;
    p.flags = decay ? 0u : KDH_PART_NO_DECAY;
    p.sizes = shape.data();
    p.rank = shape.size();
    p.dtype = dtype;
    p.init = init.kind;
    p.a = init.a;
    p.b = init.b;
    p.value = init.value.get();
    Slot s;
    detail::check(c_->add_part(c_, &p, &s.index));
    return s;
  }
  const kdh_create* c_;
  std::string prefix_;
};

/// Where training stands. A scheduler is a pure function of it.
class Moment {
 public:
  explicit Moment(const kdh_moment* m) : m_(m) {}
  std::int64_t step() const { return m_->step; }                        ///< optimizer steps finished in this stage
  std::int64_t steps() const { return m_->steps; }                      ///< of this stage
  std::int64_t epoch() const { return m_->epoch; }                      ///< from 0
  std::int64_t epochs() const { return m_->epochs; }                    ///< of this stage
  std::int64_t steps_per_epoch() const { return m_->steps_per_epoch; }  ///< optimizer steps of one epoch
  std::int64_t stage() const { return m_->stage; }                      ///< from 0
  /// step / steps, in [0, 1).
  double progress() const {
    return m_->steps > 0 ? static_cast<double>(m_->step) / static_cast<double>(m_->steps) : 0.0;
  }
  /// The value written in the experiment file (schedulers).
  double base() const { return m_->base; }
  /// Validation values of the first metric, oldest first.
  std::size_t history_size() const { return static_cast<std::size_t>(m_->n_history); }
  double history(std::size_t i) const { return m_->history[i]; }
  std::int64_t history_epoch(std::size_t i) const { return m_->history_epoch[i]; }
  bool higher_is_better() const { return m_->higher_is_better != 0; }

 private:
  const kdh_moment* m_;
};

/// One random stream: a counter behind a 64-bit key (SplitMix64 finaliser), the same on every machine and in any order
/// of calls.
class Stream {
 public:
  explicit Stream(std::uint64_t key) : key_(key) {}
  std::uint64_t bits() {
    std::uint64_t z = key_ + 0x9e3779b97f4a7c15ull * ++count_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  double uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }
  /// In [0, n); n > 0. The bias is below n / 2^64.
  std::int64_t integer(std::int64_t n) {
    __extension__ using Wide = unsigned __int128;  // not ISO C++; GCC and Clang have it
    return static_cast<std::int64_t>((static_cast<Wide>(bits()) * static_cast<std::uint64_t>(n)) >> 64);
  }
  /// Standard normal (Box-Muller, one of the pair).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * uniform());
  }

 private:
  std::uint64_t key_;
  std::uint64_t count_ = 0;
};

/// One call of a component: its inputs, the parameters of this step, its parts. Valid for the call.
class Call {
 public:
  explicit Call(const kdh_call* c) : c_(c), inputs_(c->inputs, c->n_inputs, "input"), params_(c->params, c->n_params) {}

  /// The tensor bound to a port; an error that names the port when nothing is.
  Tensor operator[](std::string_view port) const {
    return Tensor::borrow(inputs_.get(port, KDH_T_TENSOR, "tensor").u.tensor);
  }
  bool has(std::string_view port) const { return inputs_.has(port); }
  /// The tensors of a list port, in order.
  Tensors list(std::string_view port) const {
    const kdh_value& v = inputs_.get(port, KDH_T_TENSOR_LIST, "list of tensors");
    Tensors t;
    t.reserve(v.count);
    for (std::uint64_t i = 0; i < v.count; ++i) t.push_back(Tensor::borrow(v.u.tensors[i]));
    return t;
  }
  /// Names of the bound inputs, for components that take whatever the batch has.
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (std::uint64_t i = 0; i < c_->n_inputs; ++i) list.emplace_back(detail::view(c_->inputs[i].name));
    return list;
  }

  const Params& params() const { return params_; }
  double number(std::string_view name) const { return params_.number(name); }
  std::int64_t integer(std::string_view name) const { return params_.integer(name); }
  bool flag(std::string_view name) const { return params_.flag(name); }
  std::string_view text(std::string_view name) const { return params_.text(name); }

  /// A parameter or buffer declared with the builder.
  Tensor part(Slot s) const { return Tensor::borrow(c_->parts[s.index]); }
  /// The buffer's new value, copied in after backward.
  void write(Slot s, const Tensor& value) const { detail::check(c_->write(c_, s.index, value.get())); }

  bool training() const { return (c_->flags & KDH_CALL_TRAINING) != 0; }
  /// Parts stay as they are and no gradient is wanted: derived() keeps its results.
  bool frozen() const { return (c_->flags & KDH_CALL_FROZEN) != 0; }
  /// The dry batch before training.
  bool dry() const { return (c_->flags & KDH_CALL_DRY) != 0; }
  Generator generator() const { return {c_->generator}; }
  Moment moment() const { return Moment(c_->moment); }

  /// Will anybody use this output or tap?
  bool wants(std::string_view name) const { return c_->wants(c_, detail::str(name)) != 0; }
  /// A named result beside the value: a loss's sub-term for reports.
  void report(std::string_view name, const Tensor& value) const {
    detail::check(c_->emit(c_, detail::str(name), value.get()));
  }
  void emit(std::string_view name, const Tensor& value) const { report(name, value); }
  void emit_number(std::string_view name, double value) const {
    detail::check(c_->emit_number(c_, detail::str(name), value));
  }

  /// Transforms: the random stream of sample i of the batch, made of (seed, epoch, sample).
  Stream stream(std::int64_t i) const {
    if (static_cast<std::uint64_t>(i) >= c_->n_sample_keys)
      throw std::invalid_argument("no random stream for this sample");
    return Stream(c_->sample_keys[i]);
  }
  std::int64_t samples() const { return static_cast<std::int64_t>(c_->n_sample_keys); }

  /// N tensors made from the parts by f() -> std::array<Tensor, N>; kept between calls while the parts are frozen.
  /// `key` tells apart the results of one instance: use the index of a slot.
  template <std::size_t N, class F>
  std::array<Tensor, N> derived(std::uint64_t key, F f) const {
    kdh_tensor out[N] = {};
    detail::check(c_->derived(
        c_, key,
        [](void* ctx, kdh_tensor* result, std::uint64_t) -> kdh_status {
          return detail::guard([&] {
            std::array<Tensor, N> t = (*static_cast<F*>(ctx))();
            for (std::size_t i = 0; i < N; ++i) result[i] = t[i].give();
          });
        },
        &f, out, N));
    std::array<Tensor, N> t;
    for (std::size_t i = 0; i < N; ++i) t[i] = Tensor::adopt(out[i]);
    return t;
  }

 private:
  const kdh_call* c_;
  detail::Named inputs_;
  Params params_;
};

/// Where a model puts its results.
class Outputs {
 public:
  explicit Outputs(const Call& c) : c_(&c) {}
  /// A result: "logits".
  void set(std::string_view name, const Tensor& value) { c_->emit(name, value); }
  /// A named intermediate output.
  void tap(std::string_view name, const Tensor& value) { c_->emit(name, value); }
  bool wants(std::string_view name) const { return c_->wants(name); }

 private:
  const Call* c_;
};

}  // namespace v1
}  // namespace kdhost
