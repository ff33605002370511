// SPDX-License-Identifier: MIT
#include "train/evaluation.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

#include "tensor/aten.hpp"
#include "train/teacher_outputs.hpp"

namespace kdhost {

EvaluationSet::EvaluationSet(Assembly& assembly, Split split, std::vector<int64_t> samples)
    : assembly_(assembly), split_(split), samples_(std::move(samples)) {}

namespace {
std::vector<std::vector<int64_t>> pieces(const std::vector<int64_t>& samples, int64_t size) {
  std::vector<std::vector<int64_t>> list;
  const auto step = static_cast<std::size_t>(size);
  for (std::size_t i = 0; i < samples.size(); i += step)
    list.emplace_back(samples.begin() + static_cast<std::ptrdiff_t>(i),
                      samples.begin() + static_cast<std::ptrdiff_t>(std::min(samples.size(), i + step)));
  return list;
}

int64_t evaluation_batch(const Experiment& e) {
  return e.data.eval_batch ? e.data.eval_batch->value : std::max<int64_t>(e.data.batch.value, 256);
}

Batch evaluation_batch_of(Assembly& assembly, Split split, const std::vector<int64_t>& samples) {
  Batch batch = assembly.loader().load(split, samples);
  assembly.augment().apply(batch, false);
  return batch;
}
}  // namespace

const at::Tensor& EvaluationSet::teacher_tap(std::size_t teacher, const std::string& name) {
  for (const auto& k : kept_)
    if (k.teacher == teacher && k.name == name) return k.values;
  std::vector<at::Tensor> parts;
  Outputs out;
  for (const auto& piece : pieces(samples_, evaluation_batch(assembly_.experiment()))) {
    teacher_forward(assembly_, teacher, evaluation_batch_of(assembly_, split_, piece), Wants({name}), out);
    parts.push_back(*out.find(name));
  }
  return kept_.emplace_back(Kept{teacher, name, at::concat(parts)}).values;
}

void EvaluationSet::bind(MetricUse& use, const Batch& batch, std::size_t judged, const Outputs& out,
                         std::size_t first_row) {
  for (const PortBinding& port : use.ports) {
    const Source& s = port.sources.front();
    const at::Tensor* t = nullptr;
    if (s.kind == Source::Kind::field)
      t = batch.find(s.name);
    else if (s.model == 0 || s.model == judged)
      t = out.find(s.name);
    else
      t = &held_.emplace_back(
          teacher_tap(s.model - 1, s.name).narrow(0, static_cast<int64_t>(first_row), batch.size()));
    use.metric->inputs().set(port.slot, *t);
  }
}

Evaluation EvaluationSet::judge(std::size_t model, Parts& parts, bool everything) {
  const at::NoGradGuard no_grad;
  Evaluation result;
  auto& metrics = assembly_.metrics();
  std::vector<MetricUse*> used;
  std::set<std::string> names;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (!everything && i > 0) break;
    const bool live_teacher = std::any_of(metrics[i].ports.begin(), metrics[i].ports.end(), [&](const PortBinding& p) {
      const std::size_t m = p.sources.front().model;
      return m > 0 && assembly_.teachers()[m - 1].kind != TeacherKind::frozen;
    });
    if (live_teacher || (model > 0 && metrics[i].of_teacher)) continue;
    used.push_back(&metrics[i]);
    metrics[i].metric->reset();
    for (const auto& p : metrics[i].ports)
      if (p.sources.front().kind == Source::Kind::tap && p.sources.front().model == 0)
        names.insert(p.sources.front().name);
  }
  if (used.empty() || samples_.empty()) return result;
  const Wants wants(std::vector<std::string>(names.begin(), names.end()));
  CallSettings settings;
  settings.device = assembly_.device();
  Outputs out;
  std::size_t row = 0;
  for (const auto& piece : pieces(samples_, evaluation_batch(assembly_.experiment()))) {
    const Batch batch = evaluation_batch_of(assembly_, split_, piece);
    if (model > 0) {
      teacher_forward(assembly_, model - 1, batch, wants, out);
    } else {
      assembly_.bind_fields(assembly_.student(), batch);
      out.clear();
      const AutocastGuard autocast(assembly_.experiment().train.precision.value, assembly_.device());
      assembly_.student().forward(parts, settings, wants, out);
    }
    held_.clear();
    for (MetricUse* m : used) {
      bind(*m, batch, model, out, row);
      m->metric->add(settings);
    }
    row += piece.size();
  }
  for (MetricUse* m : used) {
    const Numbers& numbers = m->metric->result(settings);
    const std::string name = last_part(std::string(m->metric->id()));
    for (std::size_t i = 0; i < numbers.size(); ++i)
      result.numbers.emplace_back(i == 0 ? name : name + "." + numbers[i].first, numbers[i].second);
  }
  return result;
}

Evaluation EvaluationSet::student(Parts& parts, bool everything) { return judge(0, parts, everything); }
Evaluation EvaluationSet::teacher(std::size_t index) {
  return judge(index + 1, assembly_.teachers()[index].parts, true);
}

EvaluationSet test_set(Assembly& assembly) {
  std::vector<int64_t> every(static_cast<std::size_t>(assembly.dataset().info().samples[2]));
  std::iota(every.begin(), every.end(), int64_t{0});
  return {assembly, Split::test, std::move(every)};
}

double latency_ms(Assembly& assembly, std::size_t model, Parts& parts) {
  const at::NoGradGuard no_grad;
  const bool test = assembly.dataset().info().samples[2] > 0;
  const Batch batch = evaluation_batch_of(assembly, test ? Split::test : Split::train, {0});
  CallSettings settings;
  settings.device = assembly.device();
  const Wants wants({assembly.main_output(model)});
  Outputs out;
  std::vector<double> times;
  for (int i = 0; i < 60; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (model > 0) {
      teacher_forward(assembly, model - 1, batch, wants, out);
    } else {
      assembly.bind_fields(assembly.student(), batch);
      out.clear();
      assembly.student().forward(parts, settings, wants, out);
    }
    if (assembly.device().is_cuda() && !out.empty()) (void)out[0].value.sum().item();
    if (i >= 10)
      times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

}  // namespace kdhost
