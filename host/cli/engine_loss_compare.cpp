// SPDX-License-Identifier: MIT
#include "cli/engine_loss_compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

std::optional<double> quotient(double above, double below) {
  return below == 0 ? std::nullopt : std::optional<double>(above / below);
}

/// In float64 on the CPU, whatever the loss computes in and on.
at::Tensor flat(const at::Tensor& gradient) { return gradient.to(at::kCPU, at::kDouble).flatten(); }

GradientPair compare(std::string input, const at::Tensor& first, const at::Tensor& other) {
  GradientPair pair;
  pair.input = std::move(input);
  pair.first_norm = first.norm().item<double>();
  pair.other_norm = other.norm().item<double>();
  pair.ratio = quotient(pair.other_norm, pair.first_norm);
  if (pair.first_norm == 0 || pair.other_norm == 0) return pair;
  // Exact near 0 and 180 degrees, where the arc cosine of a product is not.
  const at::Tensor a = first / pair.first_norm, b = other / pair.other_norm;
  const double radians = 2 * std::atan2((a - b).norm().item<double>(), (a + b).norm().item<double>());
  pair.angle = radians * 180 / std::numbers::pi;
  return pair;
}

const NamedTensor* find(const std::vector<NamedTensor>& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const NamedTensor& t) { return t.name == name; });
  return found == list.end() ? nullptr : &*found;
}

std::string rounded(const std::optional<double>& value, const char* format) {
  if (!value) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, *value);
  return text;
}

std::string name_of(const LossEvaluation& loss) {
  return loss.id + (loss.sets.empty() ? "" : " (" + printable(join(loss.sets), 500) + ")");
}

}  // namespace

LossComparison compare(const LossEvaluation& first, const LossEvaluation& other) {
  LossComparison result;
  result.ratio = quotient(other.value, first.value);
  std::vector<at::Tensor> all_first, all_other;
  const auto add = [&](const std::string& name, const NamedTensor* a, const NamedTensor* b) {
    if (a != nullptr && b != nullptr && a->value.sizes() != b->value.sizes())
      throw Error(Exit::data, Message{.where = printable(name),
                                      .what = "is " + shape_text(a->value.sizes()) + " for " + first.id + " and " +
                                              shape_text(b->value.sizes()) + " for " + other.id + ".",
                                      .expected = "Expected the same shape, or there is no angle between gradients.",
                                      .mend = "Give both losses the same student."});
    all_first.push_back(a != nullptr ? flat(a->value) : at::zeros_like(flat(b->value)));
    all_other.push_back(b != nullptr ? flat(b->value) : at::zeros_like(flat(a->value)));
    result.inputs.push_back(compare(name, all_first.back(), all_other.back()));
  };
  for (const NamedTensor& gradient : first.gradients)
    add(gradient.name, &gradient, find(other.gradients, gradient.name));
  for (const NamedTensor& gradient : other.gradients)
    if (find(first.gradients, gradient.name) == nullptr) add(gradient.name, nullptr, &gradient);
  result.all.input = "all";
  if (!all_first.empty()) result.all = compare("all", at::concat(all_first), at::concat(all_other));
  return result;
}

std::string comparison_text(const LossEvaluation& first, const LossEvaluation& other, const LossComparison& result) {
  std::string text;
  text += "first  " + padded(digits17(first.value), 24) + " " + name_of(first) + "\n";
  text += "other  " + padded(digits17(other.value), 24) + " " + name_of(other) + "\n";
  text += "ratio  " + rounded(result.ratio, "%.6g") + "\n\n";
  std::size_t width = std::string("gradient of").size();
  for (const GradientPair& pair : result.inputs) width = std::max(width, pair.input.size());
  const auto row = [&](const std::string& input, const std::string& a, const std::string& b, const std::string& ratio,
                       const std::string& angle) {
    text += padded(input, width) + "  " + padded(a, 14) + padded(b, 14) + padded(ratio, 14) + angle + "\n";
  };
  row("gradient of", "first norm", "other norm", "ratio", "angle in degrees");
  const auto line = [&](const GradientPair& pair) {
    row(printable(pair.input), rounded(pair.first_norm, "%.6g"), rounded(pair.other_norm, "%.6g"),
        rounded(pair.ratio, "%.6g"), rounded(pair.angle, "%.4f"));
  };
  for (const GradientPair& pair : result.inputs) line(pair);
  line(result.all);
  return text;
}

Json comparison_json(const LossComparison& result) {
  const auto number = [](const std::optional<double>& value) {
    return value && std::isfinite(*value) ? Json(*value) : Json();
  };
  const auto pair_json = [&](const GradientPair& pair) {
    return Json{{"first_norm", number(pair.first_norm)},
                {"other_norm", number(pair.other_norm)},
                {"ratio", number(pair.ratio)},
                {"angle", number(pair.angle)}};
  };
  Json answer = {{"ratio", number(result.ratio)}, {"gradients", Json::object()}};
  for (const GradientPair& pair : result.inputs) answer["gradients"][pair.input] = pair_json(pair);
  answer["all_gradients"] = pair_json(result.all);
  return answer;
}

}  // namespace kdhost
