// SPDX-License-Identifier: MIT
// kdhost loss ID: one loss on the tensors of a file: its value, what it names of it, and the gradients of the student's
// side and of its own parts; with --compare beside another loss. How a user compares a loss with code of their own, and
// sees what a variant means.
#include <ATen/Parallel.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/engine_loss_compare.hpp"
#include "cli/engine_loss_inputs.hpp"
#include "cli/engine_loss_state.hpp"
#include "cli/front.hpp"
#include "plugin/parameters.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"
#include "train/numerics.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

/// What to evaluate: ID or, with --compare, OTHER.
struct Request {
  std::string id;
  std::vector<std::string> sets;
  Value parameters;
  std::string inputs;
  std::optional<std::string> state;
  Place place;
};

Request first_request(const Options& options) {
  Request request{options.arguments.front(), options.sets, loss_parameters(options), options.inputs, options.state, {}};
  request.place.file = "kdhost loss";
  return request;
}

Request other_request(const Options& options) {
  Request request{*options.other_loss,
                  options.other_sets,
                  other_loss_parameters(options),
                  options.other_inputs.value_or(options.inputs),
                  options.other_state,
                  {}};
  request.place.file = "--compare";
  if (!request.state && request.id == options.arguments.front()) request.state = options.state;
  return request;
}

// What the loss named of its value, as numbers.
std::vector<std::pair<std::string, double>> numbers(const Outputs& terms) {
  std::vector<std::pair<std::string, double>> list;
  for (const auto& term : terms) {
    if (term.value.numel() == 1)
      list.emplace_back(term.name, term.value.item<double>());
    else
      log::warn("sub-term " + quoted(term.name) + " is " + shape_text(term.value.sizes()) + ", no number: left out");
  }
  return list;
}

// Zeros where the value does not depend on a tensor.
void add_gradients_of(LossEvaluation& result, const at::Tensor& value, const LossInputs& inputs, const Parts& parts) {
  const std::vector<BoundTensor> learning = inputs.learning();
  const std::vector<std::size_t> trained = parts.trainable();
  std::vector<at::Tensor> leaves;
  for (const BoundTensor& bound : learning) leaves.push_back(bound.value);
  for (const std::size_t slot : trained) leaves.push_back(parts[slot]);
  std::vector<at::Tensor> gradients(leaves.size());
  if (value.requires_grad()) gradients = gradients_of(value, leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const bool is_part = i >= learning.size();
    const std::string& name = is_part ? parts.spec(trained[i - learning.size()]).name : learning[i].name;
    if (!gradients[i].defined() && !is_part)
      log::warn("the value does not depend on " + printable(name) + ": its gradient is zero");
    (is_part ? result.part_gradients : result.gradients)
        .push_back({name, gradients[i].defined() ? gradients[i] : at::zeros_like(leaves[i])});
  }
}

LossEvaluation evaluate(Registry& registry, const Request& request, at::Device device, int64_t seed) {
  const Offer& offer = registry.load(request.id, KDH_KIND_LOSS, request.place);
  const Parameters parameters = resolve_parameters(offer.info, request.parameters, request.place);
  const SafetensorsFile file(request.inputs);
  const LossInputs inputs(offer.info, file, device);
  const LossState state(request.id, file, request.state);

  Origin origin;
  origin.component = offer.component;
  origin.tier = offer.file->library->description().tier;
  origin.plugin_file = offer.file->path.string();
  origin.place = request.place;
  origin.name = "loss." + short_name(request.id);
  Arguments facts;
  if (const int64_t samples = state.samples(); samples > 0) facts.add("samples", samples);
  if (const int64_t classes = inputs.classes(); classes > 0) facts.add("classes", classes);
  // In a training the term and its parts have the same name, and so they start with the same numbers.
  Parts parts;
  const std::string owner = origin.name;
  LossInstance loss(std::move(origin),
                    {Arguments(std::span(parameters.data(), parameters.size())), inputs.shapes(), std::move(facts)});
  inputs.bind(loss);
  parts = Parts(loss.part_list(), owner, static_cast<uint64_t>(seed), inputs.floating());
  LossEvaluation result;
  result.drawn = state.fill(parts);
  parts.to(device);
  parts.require_grad(true);

  CallSettings settings;
  settings.flags = KDH_CALL_TRAINING;
  settings.random_key = static_cast<uint64_t>(seed);
  settings.device = device;
  const at::Tensor value = loss.compute(parts, settings);
  result.id = request.id;
  result.sets = request.sets;
  result.value = value.item<double>();
  result.dtype = value.scalar_type();
  result.has_parts = parts.size() > 0;
  result.terms = numbers(loss.terms());
  add_gradients_of(result, value, inputs, parts);
  return result;
}

void write_gradients(const std::string& path, const LossEvaluation& first, const LossEvaluation* other) {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const LossEvaluation& loss, const std::string& prefix) {
    for (const NamedTensor& g : loss.gradients) tensors.push_back({prefix + g.name, g.value});
    for (const NamedTensor& g : loss.part_gradients) tensors.push_back({prefix + "param/" + g.name, g.value});
  };
  add(first, "");
  if (other != nullptr) add(*other, "other/");
  write_safetensors(path, tensors, {{"format", "pt"}}, /*with_digest=*/false);
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json json_of(const LossEvaluation& loss, int64_t seed) {
  Json answer = {{"loss", loss.id}, {"value", number(loss.value)}, {"dtype", dtype_name(loss.dtype)}};
  answer["terms"] = Json::object();
  for (const auto& [name, value] : loss.terms) answer["terms"][name] = number(value);
  answer["gradients"] = Json::object();
  const auto add = [&](const NamedTensor& gradient, const std::string& prefix) {
    const double norm = gradient.value.to(at::kDouble).norm().item<double>();
    answer["gradients"][prefix + gradient.name] = {{"shape", gradient.value.sizes().vec()}, {"norm", number(norm)}};
  };
  for (const NamedTensor& gradient : loss.gradients) add(gradient, "");
  for (const NamedTensor& gradient : loss.part_gradients) add(gradient, "param/");
  if (loss.has_parts) answer["parts"] = {{"seed", seed}, {"not_given", loss.drawn}};
  return answer;
}

std::string parts_text(const LossEvaluation& loss, int64_t seed) {
  if (loss.drawn.empty()) return {};
  const std::string count = std::to_string(loss.drawn.size()) + (loss.drawn.size() == 1 ? " part" : " parts");
  return "# " + loss.id + ": " + count + " as at the start of a training, seed " + std::to_string(seed) +
         " (--state FILE sets them): " + printable(join(loss.drawn), 500) + "\n";
}

}  // namespace

void evaluate_loss(const Options& options) {
  if (options.threads) at::set_num_threads(*options.threads);
  const at::Device device = find_device(Text(options.device.value_or("cpu"), Place{"--device"}));
  Registry registry(engine_host(options), plugin_places(options));
  for (const Error& problem : registry.problems()) throw problem;
  const int64_t seed = options.seed.value_or(0);
  const LossEvaluation first = evaluate(registry, first_request(options), device, seed);
  std::optional<LossEvaluation> other;
  if (options.other_loss) other = evaluate(registry, other_request(options), device, seed);
  if (options.grads) write_gradients(*options.grads, first, other ? &*other : nullptr);

  Json answer;
  if (other) {
    const LossComparison result = compare(first, *other);
    if (!options.json) {
      std::cout << comparison_text(first, *other, result) << parts_text(first, seed) << parts_text(*other, seed);
      return;
    }
    answer = {{"first", json_of(first, seed)}, {"other", json_of(*other, seed)}};
    answer.update(comparison_json(result));
  } else {
    if (!options.json) {
      std::cout << digits17(first.value) << "\n";
      for (const auto& [name, value] : first.terms) std::cout << printable(name) << " " << digits17(value) << "\n";
      std::cout << parts_text(first, seed);
      return;
    }
    answer = json_of(first, seed);
  }
  if (options.grads) answer["gradients_file"] = *options.grads;
  std::cout << answer.dump(2) << "\n";
}

}  // namespace kdhost
