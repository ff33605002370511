// SPDX-License-Identifier: MIT
#include "train/leg.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/in_charge.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/process_usage.hpp"
#include "base/progress.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"
#include "train/weights.hpp"

namespace kdhost {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Leg::Leg(LegContext context, Arm& arm, int64_t seed, std::string folder)
    : context_(std::move(context)),
      assembly_(context_.assembly),
      arm_(arm),
      seed_(seed),
      folder_(std::move(folder)),
      epoch_steps_(assembly_.steps_per_epoch()),
      feed_(assembly_, context_.teachers, arm.samples, seed, arm.baseline ? 1 : context_.chunk),
      step_(assembly_, feed_, learner_, seed) {
  learner_.student = assembly_.new_student(seed);
  for (const TermParts& t : arm.part_lists) learner_.terms.push_back(assembly_.new_parts(t.list, t.owner, seed));
  for (auto& t : assembly_.teachers()) {
    if (t.kind == TeacherKind::frozen || arm.baseline) {
      learner_.teachers.emplace_back();
    } else if (t.kind == TeacherKind::average) {
      learner_.teachers.push_back(learner_.student.clone(t.name));
      learner_.teachers.back().require_grad(false);
    } else {
      learner_.teachers.push_back(assembly_.new_parts(t.model->part_list(), t.name, seed));
      if (!t.origin.empty() && t.origin.rfind("learns", 0) != 0) learner_.teachers.back().copy_from(t.parts);
      learner_.teachers.back().require_grad(true);
    }
  }
  identity_ = {context_.experiment_hash, seed, arm.baseline, context_.environment, context_.allow_changes};
}

void Leg::start_stage(int64_t stage) {
  StagePlan& plan = arm_.stages[static_cast<std::size_t>(stage)];
  learner_.student.require_grad(true);
  for (std::size_t slot = 0; slot < learner_.student.size(); ++slot)
    for (const Text& pattern : plan.freeze)
      if (matches(pattern.value, learner_.student.spec(slot).name)) learner_.student.require_grad(slot, false);

  std::vector<TrainedParameter> parameters;
  const auto add = [&](Parts& parts, const std::string& prefix) {
    for (std::size_t slot : parts.trainable())
      parameters.push_back({prefix + "/" + parts.spec(slot).name, parts[slot], parts.spec(slot).no_decay});
  };
  add(learner_.student, "student");
  std::vector<bool> used(learner_.terms.size(), false);
  for (const Term& t : plan.terms) used[t.parts] = true;
  for (std::size_t i = 0; i < learner_.terms.size(); ++i)
    if (used[i]) add(learner_.terms[i], learner_.terms[i].owner());
  for (std::size_t i = 0; i < learner_.teachers.size(); ++i)
    if (assembly_.teachers()[i].kind == TeacherKind::learning)
      add(learner_.teachers[i], "teacher." + learner_.teachers[i].owner());
  auto next = std::make_unique<Optimizer>(plan.optimizer, std::move(parameters));
  if (learner_.optimizer && plan.keeps_optimizer_state) next->take_state(*learner_.optimizer);
  learner_.optimizer = std::move(next);
  feed_.start(plan);
  progress_.stage = stage;
}

kdh_moment Leg::moment() const {
  const StagePlan& plan = arm_.stages[static_cast<std::size_t>(progress_.stage)];
  kdh_moment m{};
  m.struct_size = sizeof m;
  m.step = progress_.step;
  m.steps = plan.steps;
  m.epoch = progress_.step / epoch_steps_;
  m.epochs = plan.epochs;
  m.steps_per_epoch = epoch_steps_;
  m.stage = progress_.stage;
  m.base = std::nan("");
  m.history = progress_.history.data();
  m.history_epoch = progress_.history_epoch.data();
  m.n_history = progress_.history.size();
  m.higher_is_better = assembly_.metrics().empty() || assembly_.metrics().front().metric->higher_is_better() ? 1 : 0;
  return m;
}

namespace {
// So many steps between two log lines are kept at most, to say afterwards which of them went wrong.
constexpr std::size_t kMostUnread = 4096;

/// While it lives, messages about hangs and crashes say where the leg stands.
struct LegNote {
  explicit LegNote(const std::string& leg) { note_leg(leg); }
  ~LegNote() { note_leg({}); }
  LegNote(const LegNote&) = delete;
  LegNote& operator=(const LegNote&) = delete;
};

/// What goes wrong in a step is told with its number, whoever finds it; files of the run have names of their own.
template <class Work>
void placed(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.exit() == Exit::data && !error.place().known()) throw;
    std::vector<Message> messages = error.with_context({}, training_words()).messages();
    if (error.exit() == Exit::plugin) {
      std::string& mend = messages.back().mend;
      mend += (mend.empty() ? "" : " ") + checkpoint_words(/*after_mending=*/true);
    }
    throw Error(error.exit(), std::move(messages));
  }
}
}  // namespace

// "seed 1, distilled"; a plain training has no arms to tell apart.
std::string Leg::words() const {
  const bool plain = assembly_.arms().size() == 1 && assembly_.experiment().teachers.empty();
  return "seed " + std::to_string(seed_) + (plain ? "" : ", " + arm_name());
}

LegResult Leg::run() {
  const LegNote note(words());
  started_ = saved_at_ = shown_at_ = now_seconds();
  if (std::filesystem::exists(file("last.ckpt"))) {
    progress_ = read_checkpoint(file("last.ckpt"), learner_, identity_, [this](int64_t s) { start_stage(s); });
    context_.log.cut(progress_.metrics_bytes);
    note_step(progress_.total_steps);
    note_saved(progress_.total_steps);
    if (!progress_.changes.empty()) {
      log::warn(training_words() + ": goes on under other conditions: " + progress_.changes +
                "; its bits are not those of an undisturbed run");
      const nlohmann::ordered_json line = {
          {"seed", seed_}, {"arm", arm_name()}, {"step", progress_.total_steps}, {"changes", progress_.changes}};
      context_.log.add(line.dump());
    }
    if (progress_.best_epoch >= 0) {
      best_ = learner_.student.clone("best");
      const SafetensorsFile stored(file("best.ckpt"), DigestRule::required);
      for (std::size_t i = 0; i < best_->size(); ++i)
        best_->copy_from(i, stored.tensor(best_->spec(i).name), file("best.ckpt"));
    }
  } else {
    // A run that is resumed before this leg's first checkpoint starts it anew, and so does the log.
    start_stage(0);
    progress_.metrics_bytes = context_.log.flush();
    save();
  }
  started_step_ = progress_.total_steps;
  const double seconds_before = progress_.seconds;
  for (int64_t s = progress_.stage; s < static_cast<int64_t>(arm_.stages.size()); ++s) {
    if (s != progress_.stage) {
      progress_.step = 0;
      start_stage(s);
    }
    train_stage();
  }
  arm_.stages.back().schedules.reset();
  progress_.seconds = seconds_before + now_seconds() - started_;

  LegResult result;
  result.seed = seed_;
  result.baseline = arm_.baseline;
  result.steps = progress_.total_steps;
  result.seconds = progress_.seconds;
  Parts& best = best_ ? *best_ : learner_.student;
  const auto epochs = (progress_.total_steps + epoch_steps_ - 1) / epoch_steps_;
  result.best_epoch = best_ ? progress_.best_epoch : epochs - 1;
  if (!context_.validation.empty()) {
    result.validation_best = context_.validation.student(best);
    result.validation_last = context_.validation.student(learner_.student);
  }
  if (!context_.test.empty()) {
    result.test_best = context_.test.student(best);
    result.test_last = best_ ? context_.test.student(learner_.student) : result.test_best;
  }
  const auto write = [&](const Parts& parts, const char* name) {
    std::vector<NamedTensor> tensors;
    for (std::size_t i = 0; i < parts.size(); ++i) tensors.push_back({parts.spec(i).name, parts[i].detach()});
    write_safetensors(file(name), tensors, {{"format", "pt"}}, false);
  };
  write(learner_.student, "last.safetensors");
  write(best, "student.safetensors");
  std::string line = words() + ": ";
  if (const auto& m = assembly_.metrics(); !m.empty()) {
    const std::string name = last_part(std::string(m.front().metric->id()));
    char text[96];
    if (const auto v = result.test_best.find(name)) {
      std::snprintf(text, sizeof text, "test %s %.4f, ", name.c_str(), *v);
      line += text;
    }
  }
  char text[64];
  std::snprintf(text, sizeof text, "%lld steps in %.1f s", static_cast<long long>(result.steps), result.seconds);
  progress::done(line + text);
  return result;
}

void Leg::train_stage() {
  const StagePlan& plan = arm_.stages[static_cast<std::size_t>(progress_.stage)];
  const Experiment& e = assembly_.experiment();
  while (progress_.step < plan.steps) {
    note_step(progress_.total_steps + 1);
    placed([this] { take_step(); });
    const bool stage_ends = progress_.step == plan.steps;
    const bool leg_ends = stage_ends && progress_.stage + 1 == static_cast<int64_t>(arm_.stages.size());
    const bool epoch_ends = progress_.total_steps % epoch_steps_ == 0 || leg_ends;
    if (epoch_ends) placed([this] { end_epoch(); });
    const int64_t every = e.train.checkpoint_steps.value;
    const bool due = every > 0 ? progress_.total_steps % every == 0 : epoch_ends && now_seconds() - saved_at_ >= 2.0;
    if (due || leg_ends) save();
    if (interrupted()) {
      if (!due && !leg_ends) save();
      throw Error(Exit::interrupted, Message{{},
                                             words(),
                                             "stopped by a signal after step " + std::to_string(progress_.total_steps) +
                                                 " of " + std::to_string(arm_.steps()) + ".",
                                             "",
                                             "Everything is saved: the same command with --resume goes on."});
    }
  }
}

void Leg::take_step() {
  StagePlan& plan = arm_.stages[static_cast<std::size_t>(progress_.stage)];
  const Experiment& e = assembly_.experiment();
  const int64_t accumulate = e.train.accumulate.value;
  const int64_t batches = feed_.batches_per_pass();
  const int64_t per_pass = (batches + accumulate - 1) / accumulate;
  const int64_t pass = progress_.total_steps / per_pass;
  const int64_t first = (progress_.total_steps % per_pass) * accumulate;
  const kdh_moment now = moment();
  plan.schedules.apply(now);
  const bool ends = progress_.step + 1 == plan.steps;
  const bool logs = (progress_.total_steps + 1) % e.train.log_steps.value == 0 || ends;
  const StepReport report =
      step_.run(plan, now, progress_.total_steps, pass, first, std::min(accumulate, batches - first), logs);
  ++progress_.step;
  ++progress_.total_steps;
  if (first_step_seconds_ == 0.0) first_step_seconds_ = process_seconds();
  if (report.nonfinite.defined()) {
    nonfinite_ = nonfinite_.defined() ? at::maximum(nonfinite_, report.nonfinite) : report.nonfinite;
    if (unread_.size() < kMostUnread) unread_.emplace_back(progress_.total_steps, report.values);
  }
  if (logs) {
    if (nonfinite_.defined() && nonfinite_.item<float>() != 0.0f) refuse_nonfinite(plan);
    unread_.clear();
    const double t = now_seconds();
    log_step(report, t - started_);
    if (t - shown_at_ > 0.2) {
      shown_at_ = t;
      progress::show(progress_text(&report));
    }
  }
}

void Leg::refuse_nonfinite(const StagePlan& plan) const {
  for (const auto& [step, values] : unread_) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double value = values[k].defined() ? values[k].item<double>() : 0.0;
      if (std::isfinite(value)) continue;
      throw Error(Exit::diverged,
                  Message{plan.terms[k].place, "",
                          plan.terms[k].loss->words() + ", in compute: its value was " + shortest(value) + " in step " +
                              std::to_string(step) + ".",
                          "Expected a finite number.",
                          "Mend the plugin if its inputs are usual, else lower the learning rate or the loss weight. "
                          "Such a step has changed no weight."});
    }
  }
  throw Error(Exit::diverged,
              Message{plan.terms.empty() ? Place() : plan.terms.front().place,
                      "in this step or one since the last line of the log", "a gradient is not finite.",
                      "Expected finite numbers.", "Lower the learning rate. Such a step has changed no weight."});
}

void Leg::log_step(const StepReport& report, double seconds) {
  const StagePlan& plan = arm_.stages[static_cast<std::size_t>(progress_.stage)];
  nlohmann::ordered_json line;
  line["seed"] = seed_;
  line["arm"] = arm_name();
  line["step"] = progress_.total_steps;
  line["epoch"] = static_cast<double>(progress_.total_steps) / static_cast<double>(epoch_steps_);
  line["lr"] = plan.optimizer_values.lr;
  line["seconds"] = std::round((progress_.seconds + seconds) * 1e6) * 1e-6;
  for (std::size_t i = 0; i < plan.terms.size(); ++i) {
    auto& term = line["terms"][plan.terms[i].name];
    if (!report.values[i].defined()) {
      term = nullptr;  // no labelled sample in this batch, or weight 0
      continue;
    }
    const double v = report.values[i].item<double>();
    term = {{"value", v}, {"weighted", v * plan.terms[i].weight}};
    for (const auto& [name, part] : report.named[i])
      if (part.numel() == 1) term["parts"][name] = part.item<double>();
  }
  for (const auto& [target, value] : plan.schedules.values()) line["schedules"][target] = value;
  const auto done = static_cast<double>(progress_.total_steps - started_step_);
  line["samples_per_second"] =
      std::round(done * static_cast<double>(assembly_.experiment().data.batch.value) / seconds);
  context_.log.add(line.dump());
}

void Leg::check_teachers() {
  for (const auto& t : assembly_.teachers())
    if (t.kind == TeacherKind::frozen && t.parts.fingerprint().hex() != t.weights_hash)
      throw Error(Exit::plugin, Message{t.place, "epoch " + std::to_string(progress_.total_steps / epoch_steps_),
                                        "the frozen teacher " + kdhost::quoted(t.name) + " has changed.",
                                        "Expected its parameters and buffers to stay as they were loaded.",
                                        "A component writes to what it was given: mend its plugin."});
}

void Leg::end_epoch() {
  check_teachers();
  const int64_t epoch = (progress_.total_steps + epoch_steps_ - 1) / epoch_steps_ - 1;
  const Experiment& e = assembly_.experiment();
  const bool leg_ends = progress_.total_steps == arm_.steps();
  if (context_.validation.empty() || assembly_.metrics().empty()) return;
  if ((epoch + 1) % e.train.evaluate_epochs.value != 0 && !leg_ends) return;
  last_validation_ = context_.validation.student(learner_.student, /*everything=*/false);
  if (last_validation_.numbers.empty()) return;
  const double value = last_validation_.numbers.front().second;
  progress_.history.push_back(value);
  progress_.history_epoch.push_back(epoch);
  const bool higher = assembly_.metrics().front().metric->higher_is_better();
  if (!best_ || (higher ? value > progress_.best : value < progress_.best)) {
    progress_.best = value;
    progress_.best_epoch = epoch;
    if (best_)
      best_->copy_from(learner_.student);
    else
      best_ = learner_.student.clone("best");
    best_written_ = false;
  }
  nlohmann::ordered_json line;
  line["seed"] = seed_;
  line["arm"] = arm_name();
  line["step"] = progress_.total_steps;
  line["epoch"] = epoch + 1;
  for (const auto& [name, v] : last_validation_.numbers) line["validation"][name] = v;
  context_.log.add(line.dump());
  progress::show(progress_text(nullptr));
}

std::string Leg::progress_text(const StepReport* report) const {
  const StagePlan& plan = arm_.stages[static_cast<std::size_t>(progress_.stage)];
  const double elapsed = now_seconds() - started_;
  const auto done = static_cast<double>(progress_.total_steps - started_step_);
  const double speed = done / std::max(elapsed, 1e-9);
  char text[160];
  std::snprintf(text, sizeof text, "%s %s: epoch %.1f/%lld", context_.phase.c_str(), words().c_str(),
                static_cast<double>(progress_.total_steps) / static_cast<double>(epoch_steps_),
                static_cast<long long>((arm_.steps() + epoch_steps_ - 1) / epoch_steps_));
  std::string line = text;
  if (report)
    for (std::size_t i = 0; i < plan.terms.size(); ++i)
      if (report->values[i].defined()) {
        std::snprintf(text, sizeof text, "  %s %.4g", plan.terms[i].name.c_str(), report->values[i].item<double>());
        line += text;
      }
  if (!progress_.history.empty()) {
    std::snprintf(text, sizeof text, "  validation %.4f", progress_.history.back());
    line += text;
  }
  std::snprintf(text, sizeof text, "  %.0f samples/s  %.0f s left",
                speed * static_cast<double>(assembly_.experiment().data.batch.value *
                                            assembly_.experiment().train.accumulate.value),
                static_cast<double>(arm_.steps() - progress_.total_steps) / std::max(speed, 1e-9));
  return line + text;
}

void Leg::save() {
  if (best_ && !best_written_) {
    std::vector<NamedTensor> tensors;
    for (std::size_t i = 0; i < best_->size(); ++i) tensors.push_back({best_->spec(i).name, (*best_)[i].detach()});
    write_safetensors(file("best.ckpt"), tensors, {{"epoch", std::to_string(progress_.best_epoch)}}, true);
    best_written_ = true;
  }
  progress_.metrics_bytes = context_.log.flush();
  Progress saved = progress_;
  saved.seconds += now_seconds() - started_;
  write_checkpoint(file("last.ckpt"), learner_, saved, identity_);
  note_saved(progress_.total_steps);
  saved_at_ = now_seconds();
}

}  // namespace kdhost
