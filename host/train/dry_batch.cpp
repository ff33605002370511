// SPDX-License-Identifier: MIT
#include "train/dry_batch.hpp"

#include <cmath>
#include <cstdio>
#include <set>

#include "base/text.hpp"
#include "data/sample_order.hpp"
#include "data/views.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"
#include "train/distill_step.hpp"
#include "train/weights.hpp"

namespace kdhost {
namespace {

/// One training batch whose samples all have labels, with what every model says about it.
class DryRun {
 public:
  explicit DryRun(Assembly& assembly) : assembly_(assembly) {
    const Experiment& e = assembly.experiment();
    const int64_t seed = e.seeds.front().value;
    const auto& labelled = assembly.subsets().labelled.empty() ? assembly.subsets().train : assembly.subsets().labelled;
    std::vector<int64_t> samples = sample_order(labelled, static_cast<uint64_t>(seed), 0, e.data.shuffle);
    if (static_cast<int64_t>(samples.size()) > e.data.batch.value)
      samples.resize(static_cast<std::size_t>(e.data.batch.value));
    batch_ = assembly.loader().load(Split::train, samples);
    batch_.keys = augmentation_keys(static_cast<uint64_t>(seed), 0, batch_.samples);
    assembly.augment().apply(batch_, true);

    student_ = assembly.new_student(seed);
    for (auto& t : assembly.teachers()) {
      const bool moves = t.kind == TeacherKind::learning;
      others_.push_back(moves ? assembly.new_parts(t.model->part_list(), t.name, seed + 1) : Parts());
    }
    CallSettings settings;
    settings.flags = KDH_CALL_TRAINING | KDH_CALL_DRY;
    settings.device = assembly.device();
    outputs_.resize(1 + others_.size());
    for (std::size_t m = 0; m < outputs_.size(); ++m) {
      forward(m, Wants(), settings, outputs_[m]);
      const Wants viewed = taps_of_views(m);
      if (viewed.names().empty()) continue;
      Outputs more;
      forward(m, viewed, settings, more);
      for (const auto& entry : more) outputs_[m].add(entry.name, entry.value);
    }
  }

  /// Everything that may learn: the student and learning teachers, by name.
  std::vector<std::pair<std::string, at::Tensor>> learners() const {
    std::vector<std::pair<std::string, at::Tensor>> list;
    const auto add = [&](const Parts& parts, const std::string& prefix) {
      for (std::size_t slot : parts.trainable()) list.emplace_back(prefix + parts.spec(slot).name, parts[slot]);
    };
    add(student_, "");
    for (std::size_t i = 0; i < others_.size(); ++i) add(others_[i], assembly_.teachers()[i].name + ":");
    return list;
  }

  /// The value of a term; with `shift` every tensor on its teacher's side is moved a little, in a fixed direction.
  at::Tensor value(Term& term, Parts& parts, bool shift) {
    std::vector<at::Tensor> held;
    for (const auto& port : term.ports)
      for (std::size_t i = 0; i < port.sources.size(); ++i) {
        const Source& s = port.sources[i];
        at::Tensor t = tensor_of(s);
        if (port.detach) {
          t = t.detach();
          if (shift && s.kind == Source::Kind::tap && t.is_floating_point()) {
            at::Generator generator = at::detail::createCPUGenerator(7);
            const at::Tensor noise = at::randn(t.sizes(), generator,
                                               t.options().device(at::kCPU).memory_format(at::MemoryFormat::Contiguous))
                                         .to(t.device());
            t = t + noise * (0.5 * t.abs().mean() + 1e-3);
          }
        }
        held.push_back(t);
        if (port.is_list)
          term.loss->inputs().set(port.slot, i, held.back());
        else
          term.loss->inputs().set(port.slot, held.back());
      }
    CallSettings settings;
    settings.flags = KDH_CALL_TRAINING | KDH_CALL_DRY;
    settings.device = assembly_.device();
    const at::Tensor v = term.loss->compute(parts, settings);
    parts.discard_writes();
    return v;
  }

  const Parts& student() const { return student_; }

 private:
  void forward(std::size_t m, const Wants& wants, const CallSettings& settings, Outputs& out) {
    if (m > 0 && assembly_.teachers()[m - 1].kind == TeacherKind::frozen) {
      teacher_forward(assembly_, m - 1, batch_, wants, out);
      return;
    }
    ModelInstance& model = assembly_.model(m);
    const bool average = m > 0 && assembly_.teachers()[m - 1].kind == TeacherKind::average;
    Parts& parts = m == 0 || average ? student_ : others_[m - 1];
    forward_views(model.inputs(), batch_, wants, out, [&](const Batch& batch, const Wants& wanted, Outputs& found) {
      assembly_.bind_fields(model, batch);
      model.forward(parts, settings, wanted, found);
    });
  }

  /// Taps of forwards on other fields of the batch than the input, which a forward for everything does not give.
  Wants taps_of_views(std::size_t m) const {
    std::set<std::string> names;
    for (const StagePlan& stage : assembly_.arms().front().stages)
      for (const std::string& name : stage.wants[m].names())
        if (!viewed_tap(name).view.empty()) names.insert(name);
    return Wants(std::vector<std::string>(names.begin(), names.end()));
  }

  at::Tensor tensor_of(const Source& s) {
    if (s.kind == Source::Kind::field) return *batch_.find(s.name);
    if (s.kind == Source::Kind::tap) return *outputs_[s.model].find(s.name);
    const bool frozen = s.model > 0 && assembly_.teachers()[s.model - 1].kind == TeacherKind::frozen;
    const Parts& parts = s.model == 0 ? student_
                         : frozen     ? assembly_.teachers()[s.model - 1].parts
                                      : others_[s.model - 1];
    return parts[*parts.find(s.name)];
  }

  Assembly& assembly_;
  Batch batch_;
  Parts student_;
  std::vector<Parts> others_;
  std::vector<Outputs> outputs_;
};

std::vector<at::Tensor> gradients(const at::Tensor& value, const std::vector<std::pair<std::string, at::Tensor>>& of) {
  std::vector<at::Tensor> inputs;
  for (const auto& [name, t] : of) inputs.push_back(t);
  if (!value.requires_grad()) return std::vector<at::Tensor>(inputs.size());
  return gradients_of(value, inputs);
}

std::vector<std::pair<std::string, at::Tensor>> trained_parts(const Parts& parts) {
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (std::size_t slot : parts.trainable()) list.emplace_back(parts.spec(slot).name, parts[slot]);
  return list;
}

double norm_of(const std::vector<at::Tensor>& list) {
  double sum = 0.0;
  for (const auto& g : list)
    if (g.defined()) sum += g.to(at::kDouble).pow(2).sum().item<double>();
  return std::sqrt(sum);
}

double difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].defined() != b[i].defined()) return 1.0;
    if (a[i].defined()) sum += (a[i] - b[i]).to(at::kDouble).pow(2).sum().item<double>();
  }
  return std::sqrt(sum);
}

std::string sources_text(const Assembly& assembly, const Term& term) {
  std::string text;
  for (const auto& p : term.ports)
    for (const auto& s : p.sources) {
      const std::string from =
          s.kind == Source::Kind::field
              ? "batch." + s.name
              : assembly.model_name(s.model) + ":" + (s.kind == Source::Kind::part ? "param/" : "") + s.name;
      text += (text.empty() ? "" : ", ") + p.port + " = " + from;
    }
  return text;
}
}  // namespace

std::vector<std::string> dry_batch(Assembly& assembly) {
  std::vector<std::string> notes;
  if (assembly.arms().empty()) return notes;
  std::vector<Message> problems;
  DryRun dry(assembly);
  const auto learners = dry.learners();
  std::set<std::string> reached, moving, trainable_somewhere;
  double largest = 0.0, smallest = 1e300;
  std::string largest_name, smallest_name;
  // Terms that train parts of their own in one stage and the student in another are no mistake; by Term::parts.
  std::set<std::size_t> reaching;
  std::vector<std::pair<std::size_t, Message>> only_own_parts;

  Arm& arm = assembly.arms().front();
  std::vector<Parts> parts;
  for (const auto& t : arm.part_lists)
    parts.push_back(assembly.new_parts(t.list, t.owner, assembly.experiment().seeds.front().value));
  for (std::size_t stage_index = 0; stage_index < arm.stages.size(); ++stage_index) {
    StagePlan& stage = arm.stages[stage_index];
    const std::string in_stage = arm.stages.size() > 1 ? "stage " + kdhost::quoted(stage.name) + ", " : "";
    if (stage.terms.empty())
      problems.push_back({assembly.experiment().student.component.place, in_stage + "loss", "no loss term is enabled.",
                          "Expected at least one [[loss]].", "Write one, or remove its enabled = false."});
    for (const auto& [name, tensor] : learners) {
      bool frozen = false;
      for (const auto& pattern : stage.freeze) frozen = frozen || matches(pattern.value, name);
      if (!frozen) trainable_somewhere.insert(name);
    }
    kdh_moment moment{};
    moment.struct_size = sizeof moment;
    moment.steps = stage.steps;
    moment.epochs = stage.epochs;
    moment.steps_per_epoch = stage.epochs > 0 ? std::max<int64_t>(1, stage.steps / stage.epochs) : 1;
    moment.stage = static_cast<int64_t>(stage_index);
    stage.schedules.check_ranges(moment);
    if (assembly.subsets().validation.empty() || assembly.metrics().empty())
      stage.schedules.check_independent_of_validation(moment);
    for (Term& term : stage.terms) {
      const std::string where = in_stage + "loss " + kdhost::quoted(term.name);
      const auto refuse = [&](std::string what, std::string expected, std::string mend) {
        problems.push_back({term.place, where, std::move(what), std::move(expected), std::move(mend)});
      };
      const std::string target = "loss." + term.name + ".weight";
      const bool scheduled = stage.schedules.drives(target);
      if (scheduled ? stage.schedules.largest(target, moment) == 0.0 : term.base_weight == 0.0) {
        refuse("its weight is 0 in every step.", "Expected a weight that acts at some time.",
               "Give it a weight, or write enabled = false.");
        continue;
      }
      at::Tensor value, shifted;
      try {
        value = dry.value(term, parts[term.parts], false);
        shifted = term.of_teacher ? dry.value(term, parts[term.parts], true) : value;
      } catch (const Error& e) {
        throw e.with_context(term.place, in_stage.empty() ? "" : "stage " + kdhost::quoted(stage.name));
      }
      const double number = value.item<double>();
      if (!std::isfinite(number)) {
        refuse("its value on the first batch is " + shortest(number) + ".", "Expected a finite number.",
               "Look at the values of what it sees: " + sources_text(assembly, term) + ".");
        continue;
      }
      const auto gradient = gradients(value, learners);
      const auto moved = term.of_teacher ? gradients(shifted, learners) : gradient;
      const double reach = std::max(norm_of(gradient), norm_of(moved));
      if (reach == 0.0) {
        const bool trains_own = norm_of(gradients(value, trained_parts(parts[term.parts]))) > 0.0;
        refuse(
            "it never reaches the student: its gradient is zero for every trained parameter.",
            "Expected a term that depends on what the student computes. It sees " + sources_text(assembly, term) + ".",
            "Bind its student ports to taps of the student, or choose another loss.");
        if (trains_own) {
          only_own_parts.emplace_back(term.parts, std::move(problems.back()));
          problems.pop_back();
        }
        continue;
      }
      reaching.insert(term.parts);
      // What a memory bank takes from the teacher changes the value now and the student's gradient in later steps.
      const bool remembered = term.of_teacher && term.loss->remembers() && shifted.item<double>() != number;
      if (term.of_teacher && !remembered && difference(gradient, moved) <= 1e-12 * reach)
        refuse("the teacher does not matter: other teacher outputs give the student the same gradient.",
               "Expected a gradient that changes with the teacher. It sees " + sources_text(assembly, term) + ".",
               "Bind its teacher ports to taps of a teacher, or choose another loss.");
      for (std::size_t i = 0; i < learners.size(); ++i) {
        if (!moved[i].defined()) continue;
        reached.insert(learners[i].first);
        if (moved[i].ne(0).any().item<bool>()) moving.insert(learners[i].first);
      }
      const double weighted =
          (scheduled ? stage.schedules.largest(target, moment) : std::abs(term.base_weight)) * norm_of(moved);
      if (weighted > largest) {
        largest = weighted;
        largest_name = term.name;
      }
      if (weighted < smallest) {
        smallest = weighted;
        smallest_name = term.name;
      }
    }
  }
  for (auto& [index, message] : only_own_parts)
    if (!reaching.count(index)) problems.push_back(std::move(message));
  // No path from any loss is a mistake in the experiment. A gradient that is zero on this batch alone is none: all
  // units before a ReLU may be below zero for a few samples.
  std::vector<std::string> unreached, still;
  for (const auto& name : trainable_somewhere)
    if (!reached.count(name))
      unreached.push_back(name);
    else if (!moving.count(name))
      still.push_back(name);
  if (problems.empty() && !unreached.empty())
    problems.push_back(
        {assembly.experiment().student.component.use.place, "",
         "no loss reaches these parameters: " + printable(join(unreached), 2000) + ".",
         "Expected every trained parameter to get a gradient from some loss.",
         "Bind a loss to an output that needs them, or freeze them: a [[stage]] with freeze = [\"...\"]."});
  for (const auto& t : assembly.teachers())
    if (t.kind == TeacherKind::frozen && t.parts.fingerprint().hex() != t.weights_hash)
      problems.push_back({t.place, "teacher " + kdhost::quoted(t.name), "a forward has changed it.",
                          "Expected its parameters and buffers to stay as they were loaded.",
                          "Mend the plugin of its model, which writes to what it was given."});
  if (!problems.empty()) throw Error(Exit::experiment, problems);
  if (!still.empty())
    notes.push_back("the first batch moves these parameters not at all: " + printable(join(still), 2000) +
                    " (units that are never active, for one)");
  if (largest > 1e4 * smallest) {
    char text[160];
    std::snprintf(text, sizeof text,
                  "the weighted gradient of loss '%s' is %.0f times that of '%s': the latter hardly acts",
                  largest_name.c_str(), largest / smallest, smallest_name.c_str());
    notes.emplace_back(text);
  }
  return notes;
}

}  // namespace kdhost
