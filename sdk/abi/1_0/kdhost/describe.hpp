// SPDX-License-Identifier: MIT
//
// kdhost/describe.hpp: how a component says what it is: id, parameters, ports. Filled once, read by the host, by
// `kdhost describe` and by the recorder that writes it into the plugin file. Include <kdhost/plugin.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

#include <deque>
#include <limits>

namespace kdhost {
inline namespace v1 {

/// The description of one component. Every text is copied.
class Spec {
 public:
  /// One parameter; refine it by chaining.
  class Param {
   public:
    Param(Spec& s, std::size_t i) : spec_(&s), i_(i) {}
    /// lo <= value <= hi (of each element of a list).
    Param range(double lo, double hi) {
      p().min = lo;
      p().max = hi;
      return *this;
    }
    /// lo <= value.
    Param at_least(double lo) {
      p().min = lo;
      return *this;
    }
    /// lo < value.
    Param above(double lo) {
      p().min = lo;
      p().flags |= KDH_PARAM_MIN_EXCLUSIVE;
      return *this;
    }
    /// value < hi.
    Param below(double hi) {
      p().max = hi;
      p().flags |= KDH_PARAM_MAX_EXCLUSIVE;
      return *this;
    }
    Param doc(std::string_view text) {
      p().doc = spec_->keep(text);
      return *this;
    }
    /// Read from the call, not the constructor: a [[schedule]] may drive it.
    Param schedulable() {
      p().flags |= KDH_PARAM_SCHEDULABLE;
      return *this;
    }
    /// A file or folder. A relative one starts at the folder of the file that contains it; the component gets it
    /// absolute. Text only.
    Param path() {
      p().flags |= KDH_PARAM_PATH;
      return *this;
    }
    Param required() {
      p().flags |= KDH_PARAM_REQUIRED;
      p().default_value = detail::make_value(KDH_T_NONE);
      return *this;
    }

   private:
    kdh_param& p() { return spec_->params_[i_]; }
    Spec* spec_;
    std::size_t i_;
  };

  /// One port; refine it by chaining.
  class Port {
   public:
    Port(Spec& s, bool output, std::size_t i) : spec_(&s), output_(output), i_(i) {}
    /// Shape and meaning: "[N, C] logits".
    Port doc(std::string_view text) {
      p().doc = spec_->keep(text);
      return *this;
    }
    Port optional() {
      p().flags |= KDH_PORT_OPTIONAL;
      return *this;
    }

   private:
    kdh_port& p() { return output_ ? spec_->outputs_[i_] : spec_->inputs_[i_]; }
    Spec* spec_;
    bool output_;
    std::size_t i_;
  };

  Spec& id(std::string_view v) { return set(c_.id, v); }            ///< "vendor.name", unique over all kinds
  Spec& version(std::string_view v) { return set(c_.version, v); }  ///< semantic version of the component
  Spec& summary(std::string_view v) { return set(c_.summary, v); }  ///< one line
  Spec& source(std::string_view v) { return set(c_.source, v); }    ///< paper and section, authors' code
  Spec& details(std::string_view v) { return set(c_.details, v); }  ///< formula, variants, numerics
  Spec& recipe(std::string_view v) { return set(c_.recipe, v); }    ///< a TOML snippet to paste
  Spec& fixed() { return flag_on(KDH_COMPONENT_FIXED); }            ///< transform: the same in training and evaluation
  /// Transform: a sample's result depends on other samples of its batch, so teacher outputs cannot be kept by sample.
  Spec& mixes_samples() { return flag_on(KDH_COMPONENT_MIXES); }
  Spec& lower_is_better() { return flag_on(KDH_COMPONENT_LOWER_BETTER); }
  Spec& teacher_in_training_mode() { return flag_on(KDH_COMPONENT_TEACHER_IN_TRAINING_MODE); }

  Param number(std::string_view name, double value) { return add(name, KDH_T_FLOAT, detail::val(value)); }
  /// Without a default: absent unless written (Params::has tells).
  Param number(std::string_view name) { return add(name, KDH_T_FLOAT, detail::val(nullptr)); }
  Param integer(std::string_view name, std::int64_t value) { return add(name, KDH_T_INT, detail::val(value)); }
  Param integer(std::string_view name) { return add(name, KDH_T_INT, detail::val(nullptr)); }
  Param flag(std::string_view name, bool value) { return add(name, KDH_T_BOOL, detail::val(value)); }
  Param text(std::string_view name, std::string_view value) { return add(name, KDH_T_STRING, text_value(value)); }
  Param text(std::string_view name) { return add(name, KDH_T_STRING, detail::val(nullptr)); }
  /// One of several words; the first is the default.
  Param choice(std::string_view name, std::initializer_list<std::string_view> words) {
    Param p = add(name, KDH_T_STRING, text_value(*words.begin()));
    auto& list = lists_of_text_.emplace_back();
    for (auto w : words) list.push_back(keep(w));
    params_.back().choices = list.data();
    params_.back().n_choices = list.size();
    return p;
  }
  Param integers(std::string_view name, Shape values) {
    return add(name, KDH_T_INT_LIST, detail::val(ints_.emplace_back(std::move(values))));
  }
  Param numbers(std::string_view name, std::vector<double> values) {
    return add(name, KDH_T_FLOAT_LIST, detail::val(floats_.emplace_back(std::move(values))));
  }
  Param numbers(std::string_view name) { return add(name, KDH_T_FLOAT_LIST, detail::val(nullptr)); }
  Param texts(std::string_view name, std::initializer_list<std::string_view> values) {
    auto& list = lists_of_text_.emplace_back();
    for (auto v : values) list.push_back(keep(v));
    kdh_value v = detail::make_value(KDH_T_STRING_LIST, list.size());
    v.u.strings = list.data();
    return add(name, KDH_T_STRING_LIST, v);
  }

  /// A port that takes one tensor: "student.logits", "teacher.logits", "batch.label".
  Port input(std::string_view name) { return add_port(inputs_, false, name, KDH_T_TENSOR); }
  /// A port that takes a list of tensors: "student.features".
  Port inputs(std::string_view name) { return add_port(inputs_, false, name, KDH_T_TENSOR_LIST); }
  /// A result of a model that does not depend on its parameters.
  Port output(std::string_view name) { return add_port(outputs_, true, name, KDH_T_TENSOR); }

  /// The finished description; `*this` must outlive it.
  kdh_component component(kdh_kind kind) const {
    kdh_component c = c_;
    c.kind = kind;
    c.params = params_.data();
    c.n_params = params_.size();
    c.param_size = sizeof(kdh_param);
    c.inputs = inputs_.data();
    c.n_inputs = inputs_.size();
    c.outputs = outputs_.data();
    c.n_outputs = outputs_.size();
    c.port_size = sizeof(kdh_port);
    return c;
  }

 private:
  kdh_str keep(std::string_view s) { return detail::str(texts_.emplace_back(s)); }
  kdh_value text_value(std::string_view s) { return detail::val(std::string_view(texts_.emplace_back(s))); }
  Spec& set(kdh_str& field, std::string_view v) {
    field = keep(v);
    return *this;
  }
  Spec& flag_on(std::uint32_t f) {
    c_.flags |= f;
    return *this;
  }
  Param add(std::string_view name, kdh_type type, kdh_value value) {
    kdh_param p{};
    p.name = keep(name);
    p.type = type;
    p.default_value = value;
    p.min = p.max = std::numeric_limits<double>::quiet_NaN();
    params_.push_back(p);
    return {*this, params_.size() - 1};
  }
  Port add_port(std::vector<kdh_port>& list, bool output, std::string_view name, kdh_type type) {
    kdh_port p{};
    p.name = keep(name);
    p.type = type;
    list.push_back(p);
    return {*this, output, list.size() - 1};
  }

  kdh_component c_{};
  std::vector<kdh_param> params_;
  std::vector<kdh_port> inputs_, outputs_;
  // Deques never move their elements, so the pointers handed out stay valid.
  std::deque<std::string> texts_;
  std::deque<Shape> ints_;
  std::deque<std::vector<double>> floats_;
  std::deque<std::vector<kdh_str>> lists_of_text_;
};

}  // namespace v1
}  // namespace kdhost
