// SPDX-License-Identifier: MIT
//
// kdhost/testing.hpp: unit tests of components without kdhost and without LibTorch. A Bench makes one component, gives
// it inputs and parts, and calls it on a fake host:
//
//   kdhost::testing::Bench<SoftKl> bench({{"temperature", 2.0}});
//   bench.input("student.logits", {1, 2, 3, 4}, {2, 2}).input("teacher.logits", {2, 1, 4, 3}, {2, 2});
//   assert(std::abs(bench.compute() - 0.83) < 1e-2);
//
// What it cannot do. It has the operators of ordinary losses only (any other is refused by name); all tensors are
// contiguous and on the CPU, so a "view" is a copy; there is no float16 or bfloat16; nothing records gradients, so
// gradients are looked at from outside: numeric_gradient() differentiates compute() by differences, and
// gradient_error() compares the backward() of a custom_grad struct with them. Sums run in double, so values agree with
// LibTorch's to rounding, not bit for bit. `kdhost check` and `kdhost loss` test the built plugin in the real host.
#pragma once
#include <kdhost/plugin.hpp>
#include <kdhost/testing/fake_host.hpp>

#include <map>

namespace kdhost {
namespace testing {

/// A tensor of the fake host.
inline Tensor tensor(const std::vector<double>& values, const Shape& shape, Dtype dtype = Dtype::f64) {
  fake_host();
  if (count(shape) != static_cast<std::int64_t>(values.size()))
    throw std::invalid_argument(std::to_string(values.size()) + " values for shape " + to_string(shape));
  Array a = array(shape, dtype);
  a.v = values;
  return Tensor::adopt(make(a));
}
/// All its elements in row-major order.
inline std::vector<double> values(const Tensor& t) { return fake(t.get())->read().v; }

/// A parameter's value as written in an experiment.
class Setting {
 public:
  Setting(const char* value) : text_(value) { value_ = kdhost::detail::make_value(KDH_T_STRING); }
  Setting(bool value) { value_ = kdhost::detail::val(value); }
  Setting(double value) { value_ = kdhost::detail::val(value); }
  Setting(int value) { value_ = kdhost::detail::val(value); }
  Setting(std::int64_t value) { value_ = kdhost::detail::val(value); }
  Setting(std::vector<std::int64_t> list) : ints_(std::move(list)) {
    value_ = kdhost::detail::make_value(KDH_T_INT_LIST);
  }
  Setting(std::vector<double> list) : floats_(std::move(list)) {
    value_ = kdhost::detail::make_value(KDH_T_FLOAT_LIST);
  }
  /// Refers to this object.
  kdh_value value() const {
    if (value_.type == KDH_T_STRING) return kdhost::detail::val(text_);
    if (value_.type == KDH_T_INT_LIST) return kdhost::detail::val(ints_);
    if (value_.type == KDH_T_FLOAT_LIST) return kdhost::detail::val(floats_);
    return value_;
  }

 private:
  kdh_value value_{};
  std::string text_;
  std::vector<std::int64_t> ints_;
  std::vector<double> floats_;
};
/// Parameters by name: {{"temperature", 2.0}, {"variant", "paper"}}.
class Settings {
 public:
  Settings() = default;
  Settings(std::initializer_list<std::pair<const char*, Setting>> list) {
    for (const auto& item : list) values.emplace(item.first, item.second);
  }
  std::map<std::string, Setting> values;
};

/// One instance of component T. It is created when it is first called, so that its constructor sees the shapes of the
/// inputs.
template <class T>
class Bench {
 public:
  explicit Bench(Settings settings = {}) : settings_(std::move(settings)), component_(&prepared()) {
    read_parameters();
  }
  ~Bench() {
    if (self_ != nullptr) component_->destroy(self_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// Binds a port: "student.logits" in float64, "batch.label" with Dtype::i64.
  Bench& input(const std::string& port, const std::vector<double>& numbers, const Shape& shape,
               Dtype dtype = Dtype::f64) {
    inputs_[port] = {tensor(numbers, shape, dtype)};
    lists_.erase(port);
    return *this;
  }
  /// Binds a list port: "student.features".
  Bench& inputs(const std::string& port, Tensors list) {
    inputs_[port] = std::move(list);
    lists_.insert(port);
    return *this;
  }
  /// What the run knows: "classes", "samples".
  Bench& fact(const std::string& name, std::int64_t value) {
    facts_[name] = value;
    return *this;
  }
  Bench& training(bool on) {
    training_ = on;
    return *this;
  }
  /// Seed of c.generator(), of dropout and of initial values.
  Bench& seed(std::uint64_t value) {
    seed_ = value;
    return *this;
  }
  Bench& at_step(std::int64_t step, std::int64_t steps) {
    moment_.step = step;
    moment_.steps = steps;
    return *this;
  }
  Bench& at_epoch(std::int64_t epoch, std::int64_t epochs) {
    moment_.epoch = epoch;
    moment_.epochs = epochs;
    return *this;
  }
  /// Validation values of the first metric so far, one after each epoch, the oldest first.
  Bench& history(std::vector<double> values, bool higher_is_better = true) {
    history_ = std::move(values);
    history_epochs_.clear();
    for (std::size_t i = 0; i < history_.size(); ++i) history_epochs_.push_back(static_cast<std::int64_t>(i));
    moment_.history = history_.data();
    moment_.history_epoch = history_epochs_.data();
    moment_.n_history = history_.size();
    moment_.higher_is_better = higher_is_better ? 1 : 0;
    return *this;
  }
  /// Another value of a schedulable parameter, from the next call on.
  Bench& set(const std::string& name, double value) {
    for (kdh_arg& p : params_)
      if (kdhost::detail::view(p.name) == name) {
        p.value = p.value.type == KDH_T_INT ? kdhost::detail::val(static_cast<std::int64_t>(value))
                                            : kdhost::detail::val(value);
        return *this;
      }
    throw std::invalid_argument("no parameter '" + name + "'");
  }

  /// A loss's value.
  double compute() {
    kdh_tensor out = nullptr;
    call([&](const kdh_call* c) { return static_cast<const kdh_loss*>(table_)->compute(self_, c, &out); });
    return Tensor::adopt(out).item();
  }
  /// A model's results, or a transform's changed fields, by name.
  std::map<std::string, Tensor> forward() {
    call([&](const kdh_call* c) {
      if constexpr (std::is_base_of_v<Transform, T>)
        return static_cast<const kdh_transform*>(table_)->apply(self_, c);
      else
        return static_cast<const kdh_model*>(table_)->forward(self_, c);
    });
    return results_;
  }
  /// A metric's numbers from this one batch.
  std::map<std::string, double> measure() {
    kdh_tensor sums = nullptr;
    call([&](const kdh_call* c) { return static_cast<const kdh_metric*>(table_)->sums(self_, c, &sums); });
    const std::vector<double> numbers = testing::values(Tensor::adopt(sums));
    call([&](const kdh_call* c) {
      return static_cast<const kdh_metric*>(table_)->result(self_, c, numbers.data(), numbers.size());
    });
    return numbers_;
  }
  /// A scheduler's value at the step of at_step(); `base`: the value in the experiment file.
  double value(double base = 1.0) {
    create();
    moment_.base = base;
    double out = 0;
    kdhost::detail::check(
        static_cast<const kdh_scheduler*>(table_)->value(self_, &moment_, params_.data(), params_.size(), &out));
    return out;
  }

  /// A data set, to be asked itself.
  const DataSet& data() {
    create();
    return *static_cast<kdhost::detail::HeldDataSet*>(self_)->data;
  }

  /// What the last call reported or emitted.
  const Tensor& result(const std::string& name) const { return results_.at(name); }
  /// A parameter or buffer by name; buffers written with c.write() have their new value.
  Tensor part(const std::string& name) {
    create();
    return parts_.at(index_of(name));
  }
  void set_part(const std::string& name, const std::vector<double>& numbers) {
    const Tensor old = part(name);
    parts_[index_of(name)] = tensor(numbers, old.shape(), old.dtype());
  }
  std::vector<std::string> part_names() {
    create();
    return part_names_;
  }

  /// d compute() / d input, element by element, by central differences of width `step`.
  std::vector<double> numeric_gradient(const std::string& port, double step = 1e-5) {
    Tensor& bound = inputs_.at(port).at(0);
    const std::vector<double> start = values(bound);
    const Shape shape = bound.shape();
    std::vector<double> gradient;
    for (std::size_t i = 0; i < start.size(); ++i) {
      std::vector<double> moved = start;
      moved[i] = start[i] + step;
      bound = tensor(moved, shape);
      const double above = compute();
      moved[i] = start[i] - step;
      bound = tensor(moved, shape);
      gradient.push_back((above - compute()) / (2.0 * step));
    }
    bound = tensor(start, shape);
    return gradient;
  }

 private:
  static const kdh_component& prepared() {
    fake_host();
    return kdhost::detail::component<T>();
  }

  void read_parameters() {
    std::set<std::string> known;
    for (std::uint64_t i = 0; i < component_->n_params; ++i) {
      const kdh_param& p = component_->params[i];
      const std::string name(kdhost::detail::view(p.name));
      known.insert(name);
      const auto written = settings_.values.find(name);
      kdh_value v = written == settings_.values.end() ? p.default_value : written->second.value();
      if (p.type == KDH_T_FLOAT && v.type == KDH_T_INT) v = kdhost::detail::val(static_cast<double>(v.u.i));
      if (v.type == KDH_T_NONE && (p.flags & KDH_PARAM_REQUIRED) != 0)
        throw std::invalid_argument("parameter '" + name + "' is required");
      if (v.type != KDH_T_NONE && v.type != p.type)
        throw std::invalid_argument("parameter '" + name + "' has another type");
      if (v.type == KDH_T_FLOAT || v.type == KDH_T_INT)
        check_range(p, name, v.type == KDH_T_FLOAT ? v.u.f : static_cast<double>(v.u.i));
      params_.push_back({p.name, v});
    }
    for (const auto& item : settings_.values)
      if (known.count(item.first) == 0) throw std::invalid_argument("there is no parameter '" + item.first + "'");
  }
  static void check_range(const kdh_param& p, const std::string& name, double x) {
    const bool low = (p.flags & KDH_PARAM_MIN_EXCLUSIVE) != 0 ? x <= p.min : x < p.min;
    const bool high = (p.flags & KDH_PARAM_MAX_EXCLUSIVE) != 0 ? x >= p.max : x > p.max;
    if (low || high)
      throw std::invalid_argument("parameter '" + name + "' is " + std::to_string(x) + ", out of its range");
  }

  void create() {
    if (self_ != nullptr) return;
    std::vector<kdh_shape> shapes;
    std::vector<std::string> names;
    names.reserve(64);  // the names must stay where they are
    for (const auto& item : inputs_)
      for (std::size_t i = 0; i < item.second.size() && names.size() < 64; ++i) {
        names.push_back(lists_.count(item.first) != 0 ? item.first + "." + std::to_string(i) : item.first);
        const kdh_tensor_info info = item.second[i].info();
        kdh_shape s{};
        s.port = kdhost::detail::str(names.back());
        s.sizes = info.sizes;
        s.rank = info.rank;
        s.dtype = info.dtype;
        shapes.push_back(s);
      }
    std::vector<kdh_arg> facts;
    for (const auto& f : facts_) facts.push_back({kdhost::detail::str(f.first), kdhost::detail::val(f.second)});
    kdh_create how{};
    how.struct_size = sizeof how;
    how.host = &fake_host();
    how.params = params_.data();
    how.n_params = params_.size();
    how.shapes = shapes.data();
    how.n_shapes = shapes.size();
    how.shape_size = sizeof(kdh_shape);
    how.facts = facts.data();
    how.n_facts = facts.size();
    how.ctx = this;
    how.add_part = [](const kdh_create* c, const kdh_part* p, std::uint64_t* slot) {
      return guarded([&] { static_cast<Bench*>(c->ctx)->add_part(*p, slot); });
    };
    kdhost::detail::check(component_->create(component_, &how, &self_, &table_));
  }

  void add_part(const kdh_part& p, std::uint64_t* slot) {
    const std::string name(kdhost::detail::view(p.name));
    for (const std::string& other : part_names_)
      if (other == name) throw std::invalid_argument("two parts are named '" + name + "'");
    Stream stream(seed_ + 0x9e3779b97f4a7c15ull * (parts_.size() + 1));
    Array a = array(Shape(p.sizes, p.sizes + p.rank), p.dtype < 0 ? Dtype::f64 : static_cast<Dtype>(p.dtype));
    if (p.init == KDH_INIT_VALUE)
      a.v = fake(p.value)->read().v;
    else
      a = map(std::move(a), [&](double) {
        switch (p.init) {
          case KDH_INIT_ONES:
            return 1.0;
          case KDH_INIT_CONSTANT:
            return p.a;
          case KDH_INIT_UNIFORM:
            return stream.uniform(p.a, p.b);
          case KDH_INIT_NORMAL:
            return p.a + p.b * stream.normal();
          default:
            return 0.0;
        }
      });
    *slot = parts_.size();
    parts_.push_back(Tensor::adopt(make(a)));
    part_names_.push_back(name);
  }

  template <class F>
  void call(F f) {
    create();
    std::vector<kdh_arg> args;
    for (const auto& item : inputs_)
      args.push_back({kdhost::detail::str(item.first), lists_.count(item.first) != 0
                                                           ? kdhost::detail::val(item.second)
                                                           : kdhost::detail::val(item.second.at(0))});
    Stream stream(seed_);
    std::vector<std::uint64_t> keys;
    if (!inputs_.empty() && inputs_.begin()->second.at(0).dim() > 0)
      for (std::int64_t i = 0; i < inputs_.begin()->second[0].size(0); ++i)
        keys.push_back(seed_ * 1000003u + static_cast<std::uint64_t>(i));
    moment_.struct_size = sizeof moment_;
    results_.clear();
    numbers_.clear();
    kdh_call c{};
    c.struct_size = sizeof c;
    c.host = &fake_host();
    c.flags = training_ ? KDH_CALL_TRAINING : 0u;
    c.inputs = args.data();
    c.n_inputs = args.size();
    c.params = params_.data();
    c.n_params = params_.size();
    c.parts = reinterpret_cast<const kdh_tensor*>(parts_.data());
    c.n_parts = parts_.size();
    c.generator = reinterpret_cast<kdh_generator>(&stream);
    c.moment = &moment_;
    c.sample_keys = keys.data();
    c.n_sample_keys = keys.size();
    c.ctx = this;
    c.emit = [](const kdh_call* k, kdh_str name, kdh_tensor t) {
      return guarded([&] {
        if (!self(k)->results_.emplace(std::string(kdhost::detail::view(name)), Tensor::borrow(t)).second)
          throw std::invalid_argument("the result '" + std::string(kdhost::detail::view(name)) + "' was set twice");
      });
    };
    c.emit_number = [](const kdh_call* k, kdh_str name, double value) {
      self(k)->numbers_[std::string(kdhost::detail::view(name))] = value;
      return kdh_status{KDH_OK};
    };
    c.wants = [](const kdh_call*, kdh_str) { return std::int32_t{1}; };
    c.write = [](const kdh_call* k, std::uint64_t slot, kdh_tensor t) {
      self(k)->writes_[slot] = Tensor::borrow(t);
      return kdh_status{KDH_OK};
    };
    c.derived = [](const kdh_call*, std::uint64_t, kdh_derive_fn derive, void* ctx, kdh_tensor* out, std::uint64_t n) {
      return derive(ctx, out, n);
    };
    writes_.clear();
    kdhost::detail::check(f(&c));
    for (const auto& w : writes_) parts_.at(w.first) = w.second;
  }
  static Bench* self(const kdh_call* c) { return static_cast<Bench*>(c->ctx); }
  std::size_t index_of(const std::string& name) const {
    for (std::size_t i = 0; i < part_names_.size(); ++i)
      if (part_names_[i] == name) return i;
    throw std::invalid_argument("no part '" + name + "'");
  }

  Settings settings_;
  const kdh_component* component_;
  std::vector<kdh_arg> params_;
  std::map<std::string, Tensors> inputs_;
  std::set<std::string> lists_;
  std::map<std::string, std::int64_t> facts_;
  Tensors parts_;
  std::vector<std::string> part_names_;
  std::map<std::uint64_t, Tensor> writes_;
  std::map<std::string, Tensor> results_;
  std::map<std::string, double> numbers_;
  kdh_moment moment_{};
  std::vector<double> history_;
  std::vector<std::int64_t> history_epochs_;
  bool training_ = true;
  std::uint64_t seed_ = 1;
  void* self_ = nullptr;
  const void* table_ = nullptr;
};

/// The largest difference between what f.backward() says and central differences of f.forward(), over all inputs that
/// get a gradient; relative to 1 + |difference quotient|. `f` is the struct that is given to custom_grad; inputs in
/// float64. The output's elements are weighed unevenly, so that a mixed-up order shows.
template <class F>
double gradient_error(F f, const Tensors& inputs, double step = 1e-5) {
  const kdh_host& host = fake_host();
  host.grad_mode(&host, 0);
  Tensors saved;
  const Tensor y = f.forward(inputs, saved);
  std::vector<double> weights(values(y).size());
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.5 + 1.0 / static_cast<double>(i + 1);
  const Tensors gradients = f.backward(saved, tensor(weights, y.shape()));
  const auto total = [&](const Tensors& at_inputs) {
    Tensors unused;
    const std::vector<double> v = values(f.forward(at_inputs, unused));
    double s = 0;
    for (std::size_t i = 0; i < v.size(); ++i) s += v[i] * weights[i];
    return s;
  };
  double worst = gradients.size() == inputs.size() ? 0.0 : std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < std::min(gradients.size(), inputs.size()); ++k) {
    if (!gradients[k]) continue;
    const std::vector<double> start = values(inputs[k]), given = values(gradients[k]);
    if (given.size() != start.size()) return std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < start.size(); ++i) {
      std::vector<double> up = start, down = start;
      up[i] += step;
      down[i] -= step;
      Tensors above = inputs, below = inputs;
      above[k] = tensor(up, inputs[k].shape());
      below[k] = tensor(down, inputs[k].shape());
      const double slope = (total(above) - total(below)) / (2.0 * step);
      worst = std::max(worst, std::abs(slope - given[i]) / (1.0 + std::abs(slope)));
    }
  }
  host.grad_mode(&host, 1);
  return worst;
}

}  // namespace testing
}  // namespace kdhost
