// SPDX-License-Identifier: MIT
// kdhost export RUN: the student alone, without anything of the training: as safetensors, or as TorchScript that
// PyTorch opens without kdhost.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/front.hpp"
#include "cli/models_only.hpp"
#include "cli/run_weights.hpp"
#include "cli/torchscript.hpp"
#include "config/reader.hpp"
#include "tensor/aten.hpp"
#include "tensor/safetensors.hpp"
#include "train/weights.hpp"

namespace kdhost {
namespace {

TrainedStudent chosen_student(const std::string& run, const Options& options) {
  for (TrainedStudent& student : trained_students(run, options))
    if (!student.baseline) return std::move(student);
  throw Error(Exit::data, no_results(run));
}

void write_copy(const TrainedStudent& student, const std::string& out) {
  const SafetensorsFile stored(student.file);
  std::vector<NamedTensor> tensors;
  for (const StoredTensor& tensor : stored.tensors()) tensors.push_back({tensor.name, stored.tensor(tensor)});
  write_safetensors(out, tensors, {{"format", "pt"}}, /*with_digest=*/false);
}

// Values of the model's input ports for the first `count` samples, as they come out of the fixed transforms.
std::vector<at::Tensor> inputs_of(Assembly& assembly, std::int64_t count) {
  const bool train = !assembly.subsets().train.empty();
  const std::int64_t available = assembly.dataset().info().samples[train ? 0 : 2];
  std::vector<std::int64_t> samples;
  for (std::int64_t i = 0; i < std::min(count, available); ++i) samples.push_back(i);
  Batch batch = assembly.loader().load(train ? Split::train : Split::test, samples);
  assembly.augment().apply(batch, false);
  std::vector<at::Tensor> values;
  const Inputs& inputs = assembly.student().inputs();
  for (std::size_t slot = 0; slot < inputs.size(); ++slot)
    values.push_back(batch.find(inputs.port(slot))->contiguous());
  return values;
}

void tell_what_it_takes(const Inputs& ports, const std::vector<at::Tensor>& inputs,
                        const std::vector<std::string>& transforms) {
  std::string text = "takes ";
  for (std::size_t slot = 0; slot < inputs.size(); ++slot) {
    std::vector<std::int64_t> sizes = inputs[slot].sizes().vec();
    std::string shape = shape_text(sizes);
    if (!sizes.empty()) shape.replace(1, std::to_string(sizes.front()).size(), "N");
    text += (slot > 0 ? ", " : "") + std::string(ports.port(slot)) + " " + dtype_name(inputs[slot].scalar_type()) +
            " " + shape;
  }
  if (!transforms.empty()) text += ", after the transforms " + join(transforms);
  log::info(text);
}

void write_torchscript(const std::string& run, const TrainedStudent& student, const Options& options,
                       const std::string& out) {
  RunInput input;
  input.experiment = read_experiment(run + "/resolved.toml");
  Experiment& experiment = input.experiment;
  keep_models_only(experiment);
  experiment.teachers.clear();
  experiment.student.weights.reset();
  experiment.student.rename.clear();
  experiment.student.load.clear();
  experiment.numerics.device = Text("cpu");
  input.registry = std::make_shared<Registry>(engine_host(options), plugin_places(options, &experiment));
  const std::unique_ptr<Assembly> assembly = assemble(input);

  ModelInstance& model = assembly->student();
  Parts parts(model.part_list(), "student", 0, assembly->floating());
  load_weights(parts, Path(student.file), {}, {}, "student");
  // Two batches of different size: a trace that holds for one size only is found out.
  const std::vector<std::vector<at::Tensor>> batches = {inputs_of(*assembly, 2), inputs_of(*assembly, 3)};
  write_file(out, torchscript_of(model, parts, batches, assembly->main_output(0)));

  std::vector<std::string> transforms;
  for (const Augment::Item& item : assembly->augment().items())
    if (item.in_evaluation) transforms.push_back(item.name);
  tell_what_it_takes(model.inputs(), batches.front(), transforms);
}

}  // namespace

void export_student(const Options& options) {
  const std::string& run = options.arguments.front();
  const TrainedStudent student = chosen_student(run, options);
  const bool torchscript = options.export_format == ExportFormat::torchscript;
  const std::string out = options.out.value_or(
      (std::filesystem::path(run) / (torchscript ? "student.pt" : "student.safetensors")).string());
  if (torchscript)
    write_torchscript(run, student, options, out);
  else
    write_copy(student, out);
  if (options.json) {
    const nlohmann::ordered_json answer = {{"file", out},
                                           {"format", torchscript ? "torchscript" : "safetensors"},
                                           {"seed", student.seed},
                                           {"which", options.which == Which::best ? "best" : "last"}};
    std::cout << answer.dump(2) << "\n";
    return;
  }
  std::cout << out << "\n";
}

}  // namespace kdhost
