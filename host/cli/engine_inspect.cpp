// SPDX-License-Identifier: MIT
// kdhost inspect FILE: what student and teachers are made of, side by side: taps with their shapes, parameters,
// multiply-accumulates. It is where the names for `inputs` come from.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/models_only.hpp"
#include "cli/operation_count.hpp"
#include "report/text_table.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

struct ModelFacts {
  std::string name;
  std::string id;
  std::vector<PortShape> taps;
  const PartList* parts = nullptr;
  std::int64_t parameters = 0;
  std::int64_t operations = 0;  ///< multiply-accumulates for one sample
};

std::int64_t operations_of(Assembly& assembly, std::size_t index, const Batch& sample) {
  ModelInstance& model = assembly.model(index);
  Parts parts = assembly.new_parts(model.part_list(), "inspect", 0);
  assembly.bind_fields(model, sample);
  const Wants wants({assembly.main_output(index)});
  CallSettings settings;
  settings.device = assembly.device();
  const at::NoGradGuard no_grad;
  Outputs out;
  return count_operations([&] { model.forward(parts, settings, wants, out); });
}

std::vector<ModelFacts> facts_of(Assembly& assembly) {
  const Split split = assembly.subsets().train.empty() ? Split::test : Split::train;
  Batch sample = assembly.loader().load(split, std::vector<std::int64_t>{0});
  assembly.augment().apply(sample, false);
  std::vector<ModelFacts> models;
  for (std::size_t i = 0; i <= assembly.teachers().size(); ++i) {
    if (i > 0 && !assembly.teachers()[i - 1].model) continue;  // an average has the student's form
    ModelInstance& model = assembly.model(i);
    ModelFacts facts;
    facts.name = assembly.model_name(i);
    facts.id = std::string(model.id());
    facts.taps = assembly.outputs(i);
    facts.parts = model.part_list().get();
    facts.parameters = assembly.new_parts(model.part_list(), "inspect", 0).count_parameters();
    facts.operations = operations_of(assembly, i, sample);
    models.push_back(std::move(facts));
  }
  return models;
}

// "[N, 16, 32, 32]": the first size, -1, is that of the batch.
std::string tap_shape(const std::vector<std::int64_t>& sizes) {
  std::vector<std::string> texts;
  for (const std::int64_t size : sizes) texts.push_back(size < 0 ? std::string("N") : std::to_string(size));
  return "[" + join(texts) + "]";
}

// The names of all taps in an order that keeps each model's own: a name that is new stands after the one before it.
std::vector<std::string> tap_names(const std::vector<ModelFacts>& models) {
  std::vector<std::string> names;
  for (const ModelFacts& model : models) {
    auto after = names.begin();
    for (const PortShape& tap : model.taps) {
      const auto found = std::find(names.begin(), names.end(), tap.port);
      after = (found == names.end() ? names.insert(after, tap.port) : found) + 1;
    }
  }
  return names;
}

Cells as_cells(const std::vector<ModelFacts>& models) {
  Cells rows{{"tap"}};
  for (const ModelFacts& model : models) rows.front().push_back(printable(model.name + " " + model.id));
  for (const std::string& name : tap_names(models)) {
    rows.push_back({printable(name)});
    for (const ModelFacts& model : models) {
      const auto tap =
          std::find_if(model.taps.begin(), model.taps.end(), [&](const PortShape& t) { return t.port == name; });
      rows.back().push_back(tap == model.taps.end() ? "–" : tap_shape(tap->sizes));
    }
  }
  rows.emplace_back();
  rows.push_back({"parameters"});
  for (const ModelFacts& model : models) rows.back().push_back(with_commas(model.parameters));
  rows.push_back({"multiply-accumulates a sample"});
  for (const ModelFacts& model : models) rows.back().push_back(with_commas(model.operations));
  return rows;
}

std::string role_name(PartRole role) {
  switch (role) {
    case PartRole::parameter:
      return "parameter";
    case PartRole::buffer:
      return "buffer";
    case PartRole::frozen:
      break;
  }
  return "frozen";
}

Json as_json(const std::vector<ModelFacts>& models) {
  Json list = Json::array();
  for (const ModelFacts& model : models) {
    Json taps = Json::array();
    for (const PortShape& tap : model.taps) taps.push_back({{"name", tap.port}, {"shape", tap.sizes}});
    Json parts = Json::array();
    for (const PartSpec& part : *model.parts)
      parts.push_back({{"name", part.name}, {"role", role_name(part.role)}, {"shape", part.sizes}});
    list.push_back({{"name", model.name},
                    {"id", model.id},
                    {"parameters", model.parameters},
                    {"multiply_accumulates", model.operations},
                    {"taps", std::move(taps)},
                    {"parts", std::move(parts)}});
  }
  return {{"models", std::move(list)}};
}

}  // namespace

void inspect_file(const Options& options) {
  RunInput input = read_run_input(options.arguments.front(), options);
  // A tap that a loss names wrongly must not keep the list of taps from being seen.
  keep_models_only(input.experiment);
  const std::unique_ptr<Assembly> assembly = assemble(input);
  const std::vector<ModelFacts> models = facts_of(*assembly);
  if (options.json) {
    std::cout << as_json(models).dump(2) << "\n";
    return;
  }
  std::cout << aligned(as_cells(models)) << "\nN is the batch; --json also lists every parameter and buffer.\n";
}

}  // namespace kdhost
