// SPDX-License-Identifier: MIT
#include "train/teacher_outputs.hpp"

#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <limits>
#include <set>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "data/sample_order.hpp"
#include "data/views.hpp"
#include "tensor/aten.hpp"

namespace kdhost {

namespace {
/// Batch fields in the precision of a teacher; cast copies must outlive the call.
std::vector<at::Tensor> bind_in(ModelInstance& model, const Batch& batch, at::ScalarType dtype) {
  std::vector<at::Tensor> held;
  Inputs& inputs = model.inputs();
  for (std::size_t slot = 0; slot < inputs.size(); ++slot) {
    const at::Tensor* field = batch.find(inputs.port(slot));
    held.push_back(field->is_floating_point() && field->scalar_type() != dtype ? field->to(dtype) : *field);
    inputs.set(slot, held.back());
  }
  return held;
}

int64_t free_memory() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES), size = ::sysconf(_SC_PAGE_SIZE);
  return static_cast<int64_t>(pages) * static_cast<int64_t>(size);
}
}  // namespace

void teacher_forward(Assembly& assembly, std::size_t teacher, const Batch& batch, const Wants& wants, Outputs& out) {
  const at::NoGradGuard no_grad;
  TeacherModel& t = assembly.teachers()[teacher];
  const at::ScalarType dtype = t.precision == Precision::bf16 ? at::kBFloat16 : parameter_dtype(t.precision);
  CallSettings settings;
  settings.flags = t.training_mode ? KDH_CALL_TRAINING : KDH_CALL_FROZEN;
  settings.device = assembly.device();
  out.clear();
  forward_views(t.model->inputs(), batch, wants, out, [&](const Batch& seen, const Wants& wanted, Outputs& found) {
    const std::vector<at::Tensor> held = bind_in(*t.model, seen, dtype);
    if (t.training_mode) {
      // Statistics of the batch, but the teacher's own stay as they are: batch norm would move them in place.
      Parts copy = t.parts.with_copied_buffers();
      t.model->forward(copy, settings, wanted, found);
    } else {
      t.model->forward(t.parts, settings, wanted, found);
    }
  });
  if (dtype == assembly.floating()) return;
  Outputs cast;
  for (const auto& e : out) cast.add(e.name, e.value.is_floating_point() ? e.value.to(assembly.floating()) : e.value);
  out = std::move(cast);
}

TeacherOutputs::TeacherOutputs(Assembly& assembly, const std::string& store_folder)
    : assembly_(assembly), store_folder_(store_folder), stores_(assembly.teachers().size()) {
  const auto& samples = assembly.subsets().train;
  position_.assign(static_cast<std::size_t>(assembly.dataset().info().samples[0]), -1);
  for (std::size_t i = 0; i < samples.size(); ++i)
    position_[static_cast<std::size_t>(samples[i])] = static_cast<int64_t>(i);

  const int64_t views = std::max<int64_t>(1, assembly.experiment().data.views.value);
  for (std::size_t i = 0; i < stores_.size(); ++i) {
    const TeacherModel& t = assembly.teachers()[i];
    const Teacher& written = assembly.experiment().teachers[i];
    texts_.emplace_back();
    if (t.kind != TeacherKind::frozen) {
      texts_.back() = t.kind == TeacherKind::average ? "follows the student" : "learns too";
      continue;
    }
    const CacheMode mode = written.cache.value;
    const std::string why = why_not_exact(i);
    if (mode == CacheMode::off || (mode == CacheMode::automatic && !why.empty())) {
      texts_.back() = "live" + (why.empty() ? std::string() : ": " + why);
      continue;
    }
    if (!why.empty())
      throw Error(
          Exit::experiment,
          Message{written.cache.place, "", "teacher outputs cannot be kept: " + why + ".",
                  "Expected an experiment in which kept outputs are those that the teacher would give.",
                  "Use cache = \"auto\" or \"off\"" +
                      std::string(assembly.augment().random() ? ", or data.views = K for K replayed augmentations."
                                                              : ".")});
    std::vector<StoredTap> taps;
    const Wants wants = wanted(i);
    for (const auto& name : wants.names())
      for (const auto& o : assembly.outputs(i + 1))
        if (o.port == name) taps.push_back({name, o.dtype, std::vector<int64_t>(o.sizes.begin() + 1, o.sizes.end())});
    if (taps.empty()) {
      texts_.back() = "not asked for anything";
      continue;
    }
    const int64_t rows = static_cast<int64_t>(samples.size()) * views;
    const auto bytes = static_cast<int64_t>(OutputStore::bytes_needed(rows, taps));
    const int64_t limit = free_memory() / 4;
    if (mode == CacheMode::automatic && bytes > limit) {
      texts_.back() = "live: keeping its outputs would take " + with_commas(bytes >> 20) + " MiB of " +
                      with_commas(free_memory() >> 20) + " MiB free";
      continue;
    }
    if (mode == CacheMode::memory && bytes > free_memory())
      throw Error(Exit::data,
                  Message{written.cache.place, "", "teacher outputs take " + with_commas(bytes >> 20) + " MiB.",
                          "Expected at most the free memory, " + with_commas(free_memory() >> 20) + " MiB.",
                          "Use cache = \"disk\" or \"off\"."});
    if (mode == CacheMode::disk) {
      Hasher key;
      key.add(t.weights_hash).add(std::string(t.model->id())).add(name_of(t.precision));
      for (const auto& file : assembly.dataset().info().files) key.add(hash_file(file).hex());
      for (const auto& tr : assembly.experiment().data.transforms)
        key.add(tr.component.use.value).add(to_toml(tr.component.params));
      key.add(static_cast<uint64_t>(assembly.experiment().data.split_seed.value)).add(static_cast<uint64_t>(views));
      for (int64_t s : samples) key.add(static_cast<uint64_t>(s));
      for (const auto& tap : taps) key.add(tap.name);
      const std::string hex = key.digest().hex();
      std::filesystem::create_directories(store_folder_);
      stores_[i] =
          std::make_unique<OutputStore>(OutputStore::disk(store_folder_ + "/" + hex + ".outputs", hex, taps, rows));
    } else {
      stores_[i] = std::make_unique<OutputStore>(OutputStore::memory(rows, taps, assembly.device()));
    }
    texts_.back() = "outputs kept " + std::string(mode == CacheMode::disk ? "on disk" : "in memory") + ", " +
                    with_commas(rows) + (views > 1 ? " rows of " + std::to_string(views) + " views" : " rows") + ", " +
                    with_commas(static_cast<int64_t>(stores_[i]->bytes()) >> 10) + " KiB";
    fill(i);
  }
}

std::string TeacherOutputs::why_not_exact(std::size_t teacher) const {
  const TeacherModel& t = assembly_.teachers()[teacher];
  if (t.training_mode) return "a loss wants its batch norm in training mode";
  if (wants_views(wanted(teacher))) return "it is shown other views of a sample";
  if (assembly_.augment().mixes()) return "a transform mixes the samples of a batch";
  if (assembly_.augment().random() && assembly_.experiment().data.views.value == 0) return "augmentation is random";
  for (const auto& arm : assembly_.arms())
    for (const auto& stage : arm.stages)
      for (const auto& s : assembly_.experiment().schedules)
        if (stage.schedules.drives(s.target.value) &&
            (s.target.value.rfind("teacher", 0) == 0 || s.target.value.rfind("data.transform", 0) == 0))
          return "a schedule drives " + s.target.value;
  return {};
}

Wants TeacherOutputs::wanted(std::size_t teacher) const {
  std::set<std::string> names;
  for (const auto& stage : assembly_.arms().front().stages)
    for (const auto& n : stage.wants[teacher + 1].names()) names.insert(n);
  return Wants(std::vector<std::string>(names.begin(), names.end()));
}

std::pair<uint64_t, int64_t> TeacherOutputs::augmentation(int64_t seed, int64_t pass) const {
  const int64_t views = assembly_.experiment().data.views.value;
  if (views == 0) return {static_cast<uint64_t>(seed), pass};
  return {static_cast<uint64_t>(assembly_.experiment().data.split_seed.value), pass % views};
}

void TeacherOutputs::fill(std::size_t teacher) {
  OutputStore& store = *stores_[teacher];
  const std::vector<int64_t> missing = store.missing();
  if (missing.empty()) return;
  const int64_t views = std::max<int64_t>(1, assembly_.experiment().data.views.value);
  const Wants wants = wanted(teacher);
  const std::size_t most = 512;
  Outputs out;
  // Rows ascend by sample, then view; a batch holds rows of one view.
  for (int64_t view = 0; view < views; ++view) {
    std::vector<int64_t> rows, samples;
    const auto flush = [&] {
      if (rows.empty()) return;
      Batch batch = assembly_.loader().load(Split::train, samples);
      batch.keys = augmentation_keys(augmentation(0, view).first, view, samples);
      assembly_.augment().apply(batch, true);
      forward(teacher, batch, wants, out);
      std::vector<at::Tensor> values;
      for (const auto& tap : store.taps()) values.push_back(*out.find(tap.name));
      store.put(rows, values);
      rows.clear();
      samples.clear();
    };
    for (int64_t row : missing) {
      if (row % views != view) continue;
      rows.push_back(row);
      samples.push_back(assembly_.subsets().train[static_cast<std::size_t>(row / views)]);
      if (rows.size() == most) flush();
    }
    flush();
  }
}

void TeacherOutputs::forward(std::size_t teacher, const Batch& batch, const Wants& wants, Outputs& out) {
  teacher_forward(assembly_, teacher, batch, wants, out);
}

int64_t TeacherOutputs::chunk(int64_t pinned) {
  bool live = false;
  for (std::size_t i = 0; i < stores_.size(); ++i)
    live = live || (!stores_[i] && assembly_.teachers()[i].kind == TeacherKind::frozen &&
                    !assembly_.teachers()[i].training_mode);
  if (!live) return 1;
  if (pinned > 0) return pinned;
  // Seconds a sample for one batch and for several at once; the best of three, after one that is not counted.
  constexpr double kLongBatch = 0.03;  // seconds; the perceptrons that gain most take a tenth of it
  constexpr std::array<int64_t, 3> sizes = {1, 8, 16};
  std::array<double, sizes.size()> best{};
  best.fill(std::numeric_limits<double>::infinity());
  std::size_t chosen = 0;
  const Batch one = assembly_.first_batch(assembly_.experiment().seeds.front().value);
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    Batch batch = one;
    if (sizes[k] > 1)
      for (auto& f : batch.fields)
        f.value = at::concat(std::vector<at::Tensor>(static_cast<std::size_t>(sizes[k]), f.value));
    for (int repeat = 0; repeat < 4; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      Outputs out;
      for (std::size_t i = 0; i < stores_.size(); ++i)
        if (!stores_[i] && assembly_.teachers()[i].kind == TeacherKind::frozen) {
          forward(i, batch, wanted(i), out);
          if (!out.empty() && assembly_.device().is_cuda()) (void)out[0].value.sum().item();
        }
      const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (repeat > 0) best[k] = std::min(best[k], s / static_cast<double>(sizes[k]));
      // Such a batch keeps all cores busy by itself: more would gain nothing, and to try them takes seconds and memory.
      // The dry batch has warmed this size up already, so that one forward tells where it is far above.
      if (k == 0 && (s > 2 * kLongBatch || (repeat > 1 && best[0] > kLongBatch))) return 1;
    }
    if (best[k] < 0.97 * best[chosen]) chosen = k;
  }
  return sizes[chosen];
}

void TeacherOutputs::add(std::vector<FedBatch>& batches, const StagePlan& stage, int64_t pass) {
  const int64_t view = augmentation(0, pass).second;
  const int64_t views = std::max<int64_t>(1, assembly_.experiment().data.views.value);
  for (auto& b : batches) b.teachers.resize(stores_.size());
  for (std::size_t i = 0; i < stores_.size(); ++i) {
    const Wants& wants = stage.wants[i + 1];
    if (assembly_.teachers()[i].kind != TeacherKind::frozen || wants.names().empty()) continue;
    if (stores_[i]) {
      for (auto& b : batches) {
        std::vector<int64_t> rows;
        rows.reserve(b.batch.samples.size());
        for (int64_t s : b.batch.samples)
          rows.push_back(position_[static_cast<std::size_t>(s)] * views + (views > 1 ? view : 0));
        const std::vector<at::Tensor> values = stores_[i]->get(rows, assembly_.device());
        for (std::size_t k = 0; k < values.size(); ++k) b.teachers[i].add(stores_[i]->taps()[k].name, values[k]);
      }
      continue;
    }
    if (batches.size() == 1 || wants_views(wants)) {
      for (auto& b : batches) forward(i, b.batch, wants, b.teachers[i]);
      continue;
    }
    Batch all;
    all.split = batches.front().batch.split;
    const auto& inputs = assembly_.teachers()[i].model->inputs();
    for (std::size_t slot = 0; slot < inputs.size(); ++slot) {
      std::vector<at::Tensor> pieces;
      for (const auto& b : batches) pieces.push_back(*b.batch.find(inputs.port(slot)));
      all.set(field_name(inputs.port(slot)), at::concat(pieces));
    }
    Outputs out;
    forward(i, all, wants, out);
    for (const auto& e : out) {
      int64_t start = 0;
      for (auto& b : batches) {
        b.teachers[i].add(e.name, e.value.narrow(0, start, b.batch.size()));
        start += b.batch.size();
      }
    }
  }
}

}  // namespace kdhost
