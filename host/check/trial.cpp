// SPDX-License-Identifier: MIT
// Shapes from documentation, inputs, parameters and instances; see trial.hpp.
#include "check/trial.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "check/child.hpp"
#include "plugin/parameters.hpp"
#include "tensor/aten.hpp"

namespace kdhost::check {
namespace {

// Large enough for every network that halves an image four times.
constexpr std::int64_t kImage = 32;
constexpr std::int64_t kImageChannels = 3;
constexpr std::int64_t kMap = 6;
constexpr std::int64_t kMapChannels = 8;
constexpr std::int64_t kWidth = 12;
constexpr std::int64_t kLength = 5;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

bool is_label(const PortInfo& port) { return ends_with(port.name, ".label"); }
bool is_logits(const PortInfo& port) { return ends_with(port.name, ".logits"); }
bool is_image(const PortInfo& port) { return ends_with(port.name, ".input"); }
bool is_mask(const PortInfo& port) { return ends_with(port.name, "mask"); }

// "N", "C", "H" of the first "[N, C, H]" in the text; nothing where there is none.
std::optional<std::vector<std::string>> documented_shape(const std::string& doc) {
  const std::size_t open = doc.find('[');
  const std::size_t close = doc.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = open + 1; i <= close; ++i) {
    if (doc[i] == ',' || i == close) {
      if (!word.empty()) words.push_back(word);
      word.clear();
    } else if (doc[i] != ' ' || !word.empty()) {
      word += doc[i];
    }
  }
  return words;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The size that a word stands for. Equal words must give equal sizes at all ports of one component.
std::int64_t size_of(const std::string& word, const PortInfo& port, const Layout& layout) {
  std::int64_t number = 0;
  const auto [stop, bad] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (bad == std::errc() && stop == word.data() + word.size()) return number;
  const std::string name = lower(word);
  const bool image = is_image(port);
  if (name == "classes" || (name == "c" && (is_logits(port) || is_label(port)))) return layout.classes;
  if (name == "c" || name == "channels") return image ? kImageChannels : kMapChannels;
  if (name == "h" || name == "w" || name == "height" || name == "width") return image ? kImage : kMap;
  if (name == "l" || name == "t" || name == "s" || name == "length") return kLength;
  if (name == "e") return kWidth - 2;
  return kWidth;
}

std::vector<std::int64_t> shape_from(const std::vector<std::string>& words, const PortInfo& port,
                                     const Layout& layout) {
  std::vector<std::int64_t> shape;
  for (const std::string& word : words) {
    if (word == "..." && is_image(port)) {
      shape.insert(shape.end(), {kImageChannels, kImage, kImage});
    } else {
      const bool batch = shape.empty() && (word == "N" || word.find(" N") != std::string::npos || word == "...");
      shape.push_back(batch ? layout.batch : size_of(word, port, layout));
    }
  }
  return shape;
}

// The port of the other side with the same role: "teacher.features" has the shape of "student.features" where its own
// documentation gives none.
const PortInfo* counterpart(const ComponentInfo& info, const PortInfo& port) {
  const std::string role = port.name.substr(port.name.find('.') + 1);
  for (const PortInfo& other : info.inputs) {
    if (other.name != port.name && other.name.substr(other.name.find('.') + 1) == role) return &other;
  }
  return nullptr;
}

std::vector<std::int64_t> port_shape(const ComponentInfo& info, const PortInfo& port, const Layout& layout) {
  if (layout.ports == Layout::Ports::targets && is_label(port)) {
    for (const PortInfo& other : info.inputs) {
      if (is_logits(other)) return port_shape(info, other, layout);
    }
  }
  // What is documented for one tensor holds; hidden layers come in several shapes.
  if (port.is_list || !documented_shape(port.doc)) {
    if (layout.ports == Layout::Ports::maps) return {layout.batch, kMapChannels, kMap, kMap};
    if (layout.ports == Layout::Ports::vectors) return {layout.batch, kWidth};
    if (layout.ports == Layout::Ports::sequences) return {layout.batch, kLength, kWidth};
  }
  if (const auto words = documented_shape(port.doc)) return shape_from(*words, port, layout);
  if (is_label(port)) return {layout.batch};
  if (is_logits(port)) return {layout.batch, layout.classes};
  if (is_image(port)) return {layout.batch, kImageChannels, kImage, kImage};
  if (const PortInfo* other = counterpart(info, port)) {
    if (const auto words = documented_shape(other->doc)) return shape_from(*words, *other, layout);
  }
  return {layout.batch, kWidth};
}

at::Tensor drawn(const std::vector<std::int64_t>& shape, Stream& stream, at::ScalarType dtype) {
  at::Tensor values = at::empty(shape, at::kDouble);
  double* data = values.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) data[i] = stream.normal();
  return values.to(dtype);
}

at::Tensor drawn_whole(const std::vector<std::int64_t>& shape, Stream& stream, std::int64_t bound) {
  at::Tensor values = at::empty(shape, at::kLong);
  auto* data = values.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    data[i] = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(bound)));
  }
  return values;
}

// True for the last third of a dimension: what a padding mask of a sequence looks like.
at::Tensor padding_mask(const std::vector<std::int64_t>& shape, at::ScalarType dtype) {
  at::Tensor values = at::ones(shape, at::kDouble);
  if (values.dim() > 1 && values.size(1) > 2) values.narrow(1, values.size(1) - 1, 1).zero_();
  return values.to(dtype);
}

at::Tensor make_tensor(const ComponentInfo& info, const PortInfo& port, const Layout& layout, Stream& stream,
                       at::ScalarType dtype) {
  const std::vector<std::int64_t> shape = port_shape(info, port, layout);
  const std::string doc = lower(port.doc);
  const bool whole = contains(doc, "int64") || contains(doc, "class numbers");
  if (is_mask(port)) return padding_mask(shape, whole ? at::kLong : contains(doc, "bool") ? at::kBool : dtype);
  if (is_label(port) && layout.ports != Layout::Ports::targets && (whole || shape.size() == 1))
    return drawn_whole(shape, stream, layout.classes);
  if (whole) return drawn_whole(shape, stream, layout.batch);
  at::Tensor values = drawn(shape, stream, dtype);
  // Images are in [0, 1].
  if (is_image(port)) values = at::sigmoid(values);
  if (port.side() == "student") values.requires_grad_(true);
  return values;
}

constexpr std::array<std::pair<Layout::Ports, std::int64_t>, 10> kLayouts{{{Layout::Ports::documented, 2},
                                                                           {Layout::Ports::documented, 1},
                                                                           {Layout::Ports::documented, 3},
                                                                           {Layout::Ports::maps, 2},
                                                                           {Layout::Ports::maps, 1},
                                                                           {Layout::Ports::vectors, 2},
                                                                           {Layout::Ports::vectors, 1},
                                                                           {Layout::Ports::sequences, 2},
                                                                           {Layout::Ports::sequences, 1},
                                                                           {Layout::Ports::targets, 1}}};

// Only the process that tests uses these; a plugin is one file in it.
using Fits = std::map<std::pair<std::string, std::string>, Fit>;
Fits creatable_fits;
Fits callable_fits;

// Networks get few samples, since they take long.
Layout layout_of(const ComponentInfo& info, Layout::Ports ports, std::int64_t list) {
  return {ports, list, info.kind == KDH_KIND_MODEL ? 4 : 8, 10};
}

std::pair<std::string, std::string> fit_key(const Subject& subject, const ComponentInfo& info) {
  return {subject.file().string(), info.id};
}

}  // namespace

std::vector<at::Tensor> flat(const Tensors& tensors) {
  std::vector<at::Tensor> all;
  for (const PortTensors& port : tensors) all.insert(all.end(), port.tensors.begin(), port.tensors.end());
  return all;
}

std::vector<at::Tensor> side_of(const Tensors& tensors, const std::string& side) {
  std::vector<at::Tensor> all;
  for (const PortTensors& port : tensors) {
    if (port.port.rfind(side + ".", 0) != 0) continue;
    std::copy_if(port.tensors.begin(), port.tensors.end(), std::back_inserter(all),
                 [](const at::Tensor& t) { return t.is_floating_point(); });
  }
  return all;
}

Tensors changed(const Tensors& tensors,
                const std::function<at::Tensor(const PortTensors&, const at::Tensor&)>& change) {
  Tensors made;
  for (const PortTensors& port : tensors) {
    PortTensors& copy = made.emplace_back(PortTensors{port.port, port.is_list, {}});
    for (const at::Tensor& tensor : port.tensors) copy.tensors.push_back(change(port, tensor));
  }
  return made;
}

Tensors make_tensors(const ComponentInfo& info, const Layout& layout, Stream& stream, at::ScalarType dtype,
                     const std::vector<std::string>& leave_out) {
  Tensors tensors;
  for (const PortInfo& port : info.inputs) {
    if (std::find(leave_out.begin(), leave_out.end(), port.name) != leave_out.end()) continue;
    PortTensors& bound = tensors.emplace_back(PortTensors{port.name, port.is_list, {}});
    const std::int64_t count = port.is_list ? layout.list : 1;
    for (std::int64_t i = 0; i < count; ++i) {
      bound.tensors.push_back(make_tensor(info, port, layout, stream, dtype));
    }
  }
  return tensors;
}

void bind_ports(Inputs& inputs, const Tensors& tensors) {
  inputs = Inputs();
  for (const PortTensors& port : tensors) {
    if (!port.is_list) {
      inputs.set(inputs.add(port.port), port.tensors.front());
      continue;
    }
    const std::size_t slot = inputs.add_list(port.port, port.tensors.size());
    for (std::size_t i = 0; i < port.tensors.size(); ++i) inputs.set(slot, i, port.tensors[i]);
  }
}

std::optional<Value> allowed_value(const ParamInfo& param, std::int64_t list) {
  if (param.default_value) return param.default_value;
  if (param.is_path) return std::nullopt;
  const bool low = !std::isnan(param.min);
  const bool high = !std::isnan(param.max);
  double number = low && high ? param.min + (param.max - param.min) / 2.0
                  : low       ? param.min + 1.0
                  : high      ? param.max - 1.0
                              : 1.0;
  if (low && high && !std::isfinite(number)) number = 1.0;
  const auto whole = static_cast<std::int64_t>(std::clamp(std::ceil(number), -9e15, 9e15));
  const std::string word = param.choices.empty() ? std::string("word") : param.choices.front();
  ValueList values;
  for (std::int64_t i = 0; i < list; ++i) {
    if (param.type == KDH_T_INT_LIST) values.emplace_back(whole);
    if (param.type == KDH_T_FLOAT_LIST) values.emplace_back(number);
    if (param.type == KDH_T_STRING_LIST) values.emplace_back(word);
  }
  switch (param.type) {
    case KDH_T_INT:
      return Value(whole);
    case KDH_T_FLOAT:
      return Value(number);
    case KDH_T_BOOL:
      return Value(false);
    case KDH_T_STRING:
      return Value(word);
    default:
      return Value(std::move(values));
  }
}

bool wants_a_file(const Subject& subject, const ComponentInfo& info, const ParamInfo& param) {
  const auto set = subject.settings().parameters.find(info.id);
  const bool given = set != subject.settings().parameters.end() && set->second.find(param.name) != nullptr;
  return param.required && !given && !allowed_value(param, 1);
}

Value usual_parameters(const Subject& subject, const ComponentInfo& info, const Layout& layout) {
  const auto set = subject.settings().parameters.find(info.id);
  Value table = set == subject.settings().parameters.end() ? Value() : set->second;
  for (const ParamInfo& param : info.params) {
    if (!param.required || table.find(param.name) != nullptr) continue;
    if (param.name == "batch_size" && param.type == KDH_T_INT) {
      table.set(param.name, Value(layout.batch));
      continue;
    }
    if (std::optional<Value> value = allowed_value(param, layout.list)) table.set(param.name, std::move(*value));
  }
  return table;
}

Origin origin_of(Subject& subject, const ComponentInfo& info) {
  const Library& library = subject.library();
  Origin origin;
  origin.component = library.component(info.id);
  origin.tier = library.description().tier;
  return origin;
}

Creation creation_of(Subject& subject, const ComponentInfo& info, const Value& parameters, const Tensors& tensors) {
  const Parameters resolved = resolve_parameters(info, parameters, {});
  Creation creation{Arguments(std::span(resolved.data(), resolved.size())), {}, {}};
  std::int64_t classes = 10;
  for (const PortTensors& port : tensors) {
    for (std::size_t i = 0; i < port.tensors.size(); ++i) {
      const at::Tensor& tensor = port.tensors[i];
      PortShape shape{port.is_list ? port.port + "." + std::to_string(i) : port.port, tensor.sizes().vec(),
                      tensor.scalar_type()};
      if (!shape.sizes.empty()) shape.sizes[0] = -1;
      if (port.port == "student.logits" && tensor.dim() > 1) classes = tensor.size(1);
      creation.shapes.push_back(std::move(shape));
    }
  }
  creation.facts.add("classes", classes).add("samples", std::int64_t{1000}).add("seed", std::int64_t{1});
  creation.facts.add("data_places", subject.settings().data_places);
  note_call("create", info);
  return creation;
}

void note_call(const char* function, const ComponentInfo& info) {
  note_activity("the function " + std::string(function) + " of '" + info.id + "'");
}

const Fit& creatable(Subject& subject, const ComponentInfo& info) {
  if (const auto known = creatable_fits.find(fit_key(subject, info)); known != creatable_fits.end())
    return known->second;
  std::optional<Error> first;
  for (const auto& [ports, list] : kLayouts) {
    Fit fit{layout_of(info, ports, list), {}};
    try {
      fit.parameters = usual_parameters(subject, info, fit.layout);
      Stream stream(subject.settings().seed, "check");
      const Tensors tensors = make_tensors(info, fit.layout, stream, at::kFloat);
      const Instance instance(info.kind, origin_of(subject, info), creation_of(subject, info, fit.parameters, tensors));
      return creatable_fits[fit_key(subject, info)] = std::move(fit);
    } catch (const Error& error) {
      if (!first) first = error;
    }
  }
  throw *first;
}

const Fit& callable(Subject& subject, const ComponentInfo& info, const std::function<void(const Fit&)>& call) {
  if (const auto known = callable_fits.find(fit_key(subject, info)); known != callable_fits.end()) return known->second;
  const Fit& usual = creatable(subject, info);
  for (const auto& [ports, list] : kLayouts) {
    Fit fit{layout_of(info, ports, list), {}};
    try {
      fit.parameters = usual_parameters(subject, info, fit.layout);
      call(fit);
      return callable_fits[fit_key(subject, info)] = std::move(fit);
    } catch (const Error&) {
      // The next layout may fit; if none does, the usual one is tried again by the test, which reports what it says.
    }
  }
  return callable_fits[fit_key(subject, info)] = usual;
}

}  // namespace kdhost::check
