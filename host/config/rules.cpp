// SPDX-License-Identifier: MIT
// The rules between values. Each function checks one part of the file and names the value to change. Part of
// host/config.
#include "config/rules.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/schedule_targets.hpp"

namespace kdhost {
namespace {

const Place& first_known(const Place& a, const Place& b) { return a.known() ? a : b; }

// The place that stands later in its file: of two values that exclude each other, the one to point at.
const Place& later(const Place& a, const Place& b) {
  return std::pair(a.line, a.column) < std::pair(b.line, b.column) ? b : a;
}

class Rules {
 public:
  Rules(const Experiment& experiment, const Value& root, std::vector<Message>& problems)
      : e_(experiment), root_(root), problems_(problems) {}

  void check() {
    seeds();
    omitted_classes();
    subsets();
    for (const Teacher& teacher : e_.teachers) one_teacher(teacher);
    unique(e_.teachers, "[[teacher]]", [](const Teacher& t) { return std::pair(t.name, t.component.place); });
    student();
    terms(e_.losses, root_.find("loss"));
    optimizer(e_.optimizer);
    lengths();
    for (const Stage& stage : e_.stages) {
      if (stage.losses) terms(*stage.losses, nullptr);
      if (stage.optimizer) optimizer(*stage.optimizer);
    }
    unique(e_.stages, "[[stage]]", [](const Stage& s) { return std::pair(s.name, s.place); });
    some_loss();
    check_schedule_targets(e_, problems_);
    device();
  }

 private:
  void problem(Place place, std::string what, std::string expected = {}, std::string mend = {}) {
    problems_.push_back(
        {.place = std::move(place), .what = std::move(what), .expected = std::move(expected), .mend = std::move(mend)});
  }

  // Not written at all; a value of a wrong type counts as written and has its own message.
  bool absent(const char* key) const {
    const Value* value = root_.find(key);
    return value == nullptr || (value->is(Value::Type::list) && value->list().empty());
  }

  void seeds() {
    if (e_.seeds.empty()) {
      problem(root_.find("seeds")->place(), "'seeds' is an empty list.", "Expected at least one integer.",
              "For example seeds = [1, 2, 3].");
    }
    for (const Integer& seed : repeated(e_.seeds)) {
      problem(seed.place, "seed " + std::to_string(seed.value) + " stands twice in 'seeds'.",
              "Expected different seeds, since equal ones give equal runs.");
    }
  }

  // Those that stand earlier in the list, too.
  static std::vector<Integer> repeated(const std::vector<Integer>& list) {
    std::vector<Integer> again;
    for (auto item = list.begin(); item != list.end(); ++item) {
      if (std::find(list.begin(), item, *item) != item) again.push_back(*item);
    }
    return again;
  }

  void omitted_classes() {
    if (!e_.data.omit_classes) return;
    for (const Integer& omitted : repeated(*e_.data.omit_classes)) {
      problem(omitted.place, "class " + std::to_string(omitted.value) + " stands twice in 'omit_classes' of [data].",
              "Expected each class once.", "Remove one of them.");
    }
  }

  void subsets() {
    const auto& [train, labels] = std::pair(e_.data.train, e_.data.labels);
    if (train && labels && labels->value > train->value) {
      problem(labels->place,
              "'labels' in [data] is " + std::to_string(labels->value) + ", but 'train' is " +
                  std::to_string(train->value) + ".",
              "Expected at most as many labels as training samples.");
    }
  }

  void one_teacher(const Teacher& teacher) {
    const std::string who = "teacher " + quoted(teacher.name.value);
    const Place& table = teacher.component.place;
    if (teacher.name.value == "student" || teacher.name.value == "batch") {
      problem(teacher.name.place, "a teacher is called " + quoted(teacher.name.value) + ".",
              "Expected another name: this one stands for the " + teacher.name.value + " in taps.");
    }
    if (teacher.from && teacher.weights) {
      problem(later(teacher.from->place, teacher.weights->place), who + " has both 'from' and 'weights'.",
              "Expected one of them: 'from' trains the teacher, 'weights' brings it.");
    }
    if (teacher.ema_of) follower(teacher, who);
    if (!teacher.ema_of && teacher.ema_decay != Teacher{}.ema_decay) {
      problem(first_known(teacher.ema_decay.place, table), who + " has 'ema_decay' without 'ema_of'.", {},
              "Add ema_of = \"student\" or remove it.");
    }
    if (teacher.train && (teacher.from || teacher.cache == CacheMode::memory || teacher.cache == CacheMode::disk)) {
      moving(teacher, who, "'train'");
    }
    if (teacher.component.use.value.empty() && !teacher.from && !teacher.ema_of) {
      problem(table, who + " has no 'use'.", "Expected use = the full id of a model.",
              "Or from = an experiment file whose student is the teacher.");
    }
    if (!teacher.rename.empty() && !teacher.weights) {
      problem(first_known(teacher.rename.front().from.place, table), who + " has 'rename' without 'weights'.", {},
              "Add weights = \"FILE\" or remove it.");
    }
  }

  void follower(const Teacher& teacher, const std::string& who) {
    if (teacher.ema_of->value != "student") {
      problem(teacher.ema_of->place, who + " has ema_of = " + quoted(teacher.ema_of->value) + ".",
              "Expected \"student\".", did_you_mean(teacher.ema_of->value, {"student"}));
    }
    if (teacher.from || teacher.weights || teacher.train) {
      const char* other = teacher.from ? "from" : teacher.weights ? "weights" : "train";
      problem(teacher.ema_of->place, who + " has both 'ema_of' and '" + other + "'.",
              "Expected one of them: a teacher that follows the student starts as its copy.");
    }
    if (teacher.cache == CacheMode::memory || teacher.cache == CacheMode::disk) moving(teacher, who, "'ema_of'");
  }

  // A teacher that changes while training has no outputs that could be kept.
  void moving(const Teacher& teacher, const std::string& who, const std::string& why) {
    if (teacher.cache != CacheMode::memory && teacher.cache != CacheMode::disk) return;
    problem(teacher.cache.place, who + " has cache = " + quoted(name_of(teacher.cache.value)) + " beside " + why + ".",
            "Expected cache = \"auto\" or \"off\", since the outputs of this teacher change at every step.");
  }

  void student() {
    const Student& student = e_.student;
    if (student.weights) return;
    const auto needs_weights = [&](const Place& place, const char* key) {
      problem(first_known(place, student.component.place),
              "[student] has '" + std::string(key) + "' without 'weights'.", {},
              "Add weights = \"FILE\" or remove it.");
    };
    if (!student.rename.empty()) needs_weights(student.rename.front().from.place, "rename");
    if (!student.load.empty()) needs_weights(student.load.front().place, "load");
  }

  template <class Item, class NameAndPlace>
  void unique(const std::vector<Item>& items, const std::string& title, NameAndPlace name_and_place) {
    std::vector<std::pair<Text, Place>> seen;
    for (const Item& item : items) {
      const auto now = name_and_place(item);
      const auto earlier =
          std::find_if(seen.begin(), seen.end(), [&](const auto& old) { return old.first == now.first; });
      if (earlier != seen.end() && !now.first.value.empty()) {
        problem(first_known(now.first.place, now.second),
                "two " + title + " are called " + quoted(now.first.value) + "; the other one stands at " +
                    first_known(earlier->first.place, earlier->second).text() + ".",
                "Expected a name of its own for each.", "Add name = \"...\" to one of them.");
      }
      seen.push_back(now);
    }
  }

  void terms(const std::vector<LossTerm>& losses, const Value* written) {
    unique(losses, "[[loss]]", [](const LossTerm& t) { return std::pair(t.name, t.component.place); });
    const bool all_off =
        std::none_of(losses.begin(), losses.end(), [](const LossTerm& term) { return term.enabled.value; });
    if (!losses.empty() && all_off) {
      problem(first_known(losses.front().enabled.place, written != nullptr ? written->place() : Place{}),
              "every [[loss]] has enabled = false.", "Expected at least one term to train with.");
    }
    for (const LossTerm& term : losses) {
      for (const Binding& binding : term.inputs) {
        if (binding.port.value.rfind("batch.", 0) == 0) continue;
        for (const Text& tap : binding.taps) one_tap(binding, tap);
      }
    }
  }

  void one_tap(const Binding& binding, const Text& tap) {
    // Without a table [teacher] that could be read, every name would look wrong.
    if (e_.teachers.empty() && !absent("teacher")) return;
    std::vector<std::string> models = {"student"};
    for (const Teacher& teacher : e_.teachers) models.push_back(teacher.name.value);
    const std::size_t colon = tap.value.find(':');
    const std::string port = quoted(binding.port.value);
    if (colon == std::string::npos) {
      const bool teacher_side = binding.port.value == "teacher" || binding.port.value.rfind("teacher.", 0) == 0;
      if (teacher_side && e_.teachers.empty()) {
        problem(tap.place, "port " + port + " takes a tap of the teacher, but the experiment has no [teacher].",
                "Expected a table [teacher].",
                "Or name a tap of the student: \"student:" + printable(tap.value) + "\".");
      } else if (teacher_side && e_.teachers.size() > 1) {
        models.erase(models.begin());
        problem(tap.place,
                "tap " + quoted(tap.value) + " of port " + port + " names no teacher, and there are several.",
                "Expected NAME:" + printable(tap.value) + " with one of " + join(models) + ".");
      }
      return;
    }
    const std::string model = tap.value.substr(0, colon);
    if (model.empty() || colon + 1 == tap.value.size()) {
      problem(tap.place, "tap " + quoted(tap.value) + " of port " + port + " is not complete.",
              "Expected tap or model:tap.");
    } else if (std::find(models.begin(), models.end(), model) == models.end()) {
      problem(tap.place, "tap " + quoted(tap.value) + " of port " + port + " names an unknown model.",
              "Known models: " + join(models) + ".", did_you_mean(model, models));
    }
  }

  // A setting the rule does not read would be a silent mistake. Defaults pass: resolved.toml writes them all.
  void optimizer(const OptimizerSettings& settings) {
    const OptimizerSettings standard;
    const std::string rule = name_of(settings.use.value);
    const auto unread = [&](const Place& place, const char* key, const char* of) {
      problem(first_known(place, settings.use.place),
              "'" + std::string(key) + "' in [optimizer] has no effect with use = " + quoted(rule) + ".",
              "It belongs to " + std::string(of) + ".", "Remove it or change use.");
    };
    if (settings.use == OptimizerKind::sgd) {
      const bool betas = settings.beta1 != standard.beta1 || settings.beta2 != standard.beta2;
      if (betas) unread(settings.beta1.place, "betas", "adam and adamw");
      if (settings.eps != standard.eps) unread(settings.eps.place, "eps", "adam and adamw");
      if (settings.nesterov && settings.momentum == 0.0) {
        problem(settings.nesterov.place, "'nesterov' in [optimizer] is true, but 'momentum' is 0.",
                "Expected a momentum above 0.");
      }
    } else {
      if (settings.momentum != standard.momentum) unread(settings.momentum.place, "momentum", "sgd");
      if (settings.nesterov) unread(settings.nesterov.place, "nesterov", "sgd");
    }
  }

  void lengths() {
    const auto both = [&](const auto& table, const std::string& title) {
      if (!table.epochs || !table.steps) return;
      problem(later(table.epochs->place, table.steps->place), title + " sets both 'epochs' and 'steps'.",
              "Expected one of them.");
    };
    both(e_.train, "[train]");
    for (const Stage& stage : e_.stages) {
      const std::string title = "[[stage]] " + quoted(stage.name.value);
      both(stage, title);
      if (!stage.epochs && !stage.steps) {
        problem(stage.place, title + " has no length.", "Expected epochs = N or steps = N.");
      }
    }
    if (e_.stages.empty()) return;
    const auto beside = [&](const std::optional<Integer>& length, const char* key) {
      if (!length) return;
      problem(length->place, "[train] sets '" + std::string(key) + "' beside [[stage]].",
              "Expected the length in each [[stage]] only.", "Remove this line.");
    };
    beside(e_.train.epochs, "epochs");
    beside(e_.train.steps, "steps");
  }

  void some_loss() {
    const bool needed = e_.stages.empty() || std::any_of(e_.stages.begin(), e_.stages.end(),
                                                         [](const Stage& stage) { return !stage.losses; });
    if (needed && absent("loss")) {
      problem({root_.place().file}, "the experiment has no [[loss]].", "Expected at least one.",
              "For plain training: [[loss]] with use = \"kdhost.cross_entropy\".");
    }
    for (const Stage& stage : e_.stages) {
      if (stage.losses && stage.losses->empty()) {
        problem(stage.place, "[[stage]] " + quoted(stage.name.value) + " has an empty list of losses.",
                "Expected at least one [[stage.loss]], or none written to inherit those of the file.");
      }
    }
  }

  void device() {
    const std::string& text = e_.numerics.device.value;
    const bool numbered = text.rfind("cuda:", 0) == 0 && text.size() > 5 && text.size() < 9 &&
                          text.find_first_not_of("0123456789", 5) == std::string::npos;
    if (text == "auto" || text == "cpu" || text == "cuda" || numbered) return;
    problem(e_.numerics.device.place, "'device' in [numerics] is the string " + quoted(text) + ".",
            "Expected auto, cpu, cuda or cuda:N.", did_you_mean(text, {"auto", "cpu", "cuda"}));
  }

  const Experiment& e_;
  const Value& root_;
  std::vector<Message>& problems_;
};

}  // namespace

void check_rules(const Experiment& experiment, const Value& root, std::vector<Message>& problems) {
  Rules(experiment, root, problems).check();
}

}  // namespace kdhost
