// SPDX-License-Identifier: MIT
// How the `inputs` of a loss term bind to the ports of its component: the rules "Ports" and "Several teachers" of the
// experiment file. Declared in experiment_check.hpp.
#include <algorithm>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "plugin/experiment_check.hpp"

namespace kdhost {
namespace {

class PortBinder {
 public:
  PortBinder(const ComponentInfo& component, const LossTerm& term, const Experiment& experiment,
             std::vector<Message>& problems)
      : component_(component), term_(term), experiment_(experiment), problems_(problems) {}

  std::vector<BoundPort> bind() {
    for (const Binding& binding : term_.inputs) bind_written(binding);
    std::vector<BoundPort> out;
    for (const PortInfo& port : component_.inputs) {
      const auto written =
          std::find_if(written_.begin(), written_.end(), [&](const BoundPort& b) { return b.port == &port; });
      if (written != written_.end()) {
        out.push_back(*written);
      } else if (std::optional<BoundPort> bound = bind_default(port)) {
        out.push_back(std::move(*bound));
      }
    }
    return out;
  }

 private:
  void report(const Place& place, std::string what, std::string expected, std::string mend = {}) {
    Message message;
    message.place = place.known() ? place : term_.component.use.place;
    message.what = std::move(what);
    message.expected = std::move(expected);
    message.mend = std::move(mend);
    problems_.push_back(std::move(message));
  }

  std::string loss() const { return "'" + component_.id + "'"; }

  std::vector<std::string> port_names() const {
    std::vector<std::string> names;
    for (const PortInfo& port : component_.inputs) names.push_back(port.name);
    return names;
  }

  std::vector<std::string> model_names() const {
    std::vector<std::string> names{"student"};
    for (const Teacher& teacher : experiment_.teachers) names.push_back(teacher.name.value);
    return names;
  }

  // The port that a key of `inputs` means: a full port, or a side's only list, else its logits, else its only port.
  const PortInfo* named_port(const Text& key) {
    if (const PortInfo* port = component_.input(key.value)) return port;
    const bool is_side = key.value == "student" || key.value == "teacher";
    std::vector<const PortInfo*> lists;
    std::vector<const PortInfo*> all;
    for (const PortInfo& port : component_.inputs) {
      if (!is_side || port.side() != key.value) continue;
      all.push_back(&port);
      if (port.is_list) lists.push_back(&port);
    }
    if (lists.size() == 1) return lists.front();
    if (const PortInfo* logits = component_.input(key.value + ".logits"); is_side && logits != nullptr) return logits;
    if (all.size() == 1) return all.front();
    const std::string ports = "Its ports: " + join(port_names()) + ".";
    if (all.size() > 1) {
      report(key.place, kdhost::quoted(key.value) + " may mean several ports of " + loss() + ".", ports,
             "Write the full name of the port.");
    } else {
      std::vector<std::string> names = port_names();
      names.insert(names.end(), {"student", "teacher"});
      report(key.place, loss() + " has no port " + kdhost::quoted(key.value) + ".", ports,
             did_you_mean(key.value, names));
    }
    return nullptr;
  }

  void bind_written(const Binding& binding) {
    const PortInfo* port = named_port(binding.port);
    if (port == nullptr) return;
    for (const BoundPort& earlier : written_) {
      if (earlier.port != port) continue;
      report(binding.port.place, "port '" + port->name + "' of " + loss() + " is bound twice.",
             "Expected one line of inputs for each port.");
      return;
    }
    const bool combines = component_.param("combine") != nullptr && port->name.starts_with("teacher.");
    if (!port->is_list && binding.taps.size() != 1 && !combines) {
      report(binding.port.place,
             "port '" + port->name + "' of " + loss() + " takes one tap, found " + std::to_string(binding.taps.size()) +
                 ".",
             "Only a teacher's port takes several, of a loss with a parameter 'combine'.");
      written_.push_back({port, {}});
      return;
    }
    BoundPort bound;
    bound.port = port;
    for (const Text& tap : binding.taps) {
      if (std::optional<Text> source = source_of(*port, tap)) bound.sources.push_back(std::move(*source));
    }
    written_.push_back(std::move(bound));
  }

  // "tap" or "model:tap" as "model:tap" with the model's own name; a field name for batch ports.
  std::optional<Text> source_of(const PortInfo& port, const Text& tap) {
    const std::size_t colon = tap.value.find(':');
    if (port.side() == "batch") {
      if (colon == std::string::npos) return tap;
      report(tap.place,
             "port '" + port.name + "' of " + loss() + " takes a field of the batch, found " +
                 kdhost::quoted(tap.value) + ".",
             "Expected the name of a field, as in \"label\".");
      return std::nullopt;
    }
    // A model that does not exist, or is not named where it must be, is an error of the file alone: the reader tells.
    const std::vector<std::string> models = model_names();
    const bool teacher_side = port.side() == "teacher";
    if (colon == std::string::npos && teacher_side && experiment_.teachers.size() != 1) return std::nullopt;
    if (colon == std::string::npos) return Text(models[teacher_side ? 1 : 0] + ":" + tap.value, tap.place);
    if (std::find(models.begin(), models.end(), tap.value.substr(0, colon)) == models.end()) return std::nullopt;
    return tap;
  }

  // The model whose tap a port takes that the file does not bind.
  std::optional<std::string> default_model(const PortInfo& port) {
    const Place& place = term_.component.use.place;
    if (port.side() != "teacher") return "student";
    if (experiment_.teachers.size() == 1) return experiment_.teachers.front().name.value;
    if (experiment_.teachers.empty()) {
      report(place, "port '" + port.name + "' of " + loss() + " needs a teacher, and the experiment has none.",
             "Expected a [teacher] table, or a tap of the student, as in \"student:exit3\".");
    } else {
      std::vector<std::string> names = model_names();
      names.erase(names.begin());
      report(place, "port '" + port.name + "' of " + loss() + " does not say which teacher it takes.",
             "Teachers: " + join(names) + ".",
             "Write inputs = { \"" + port.name + "\" = \"" + names.front() + ":logits\" }.");
    }
    return std::nullopt;
  }

  std::optional<BoundPort> bind_default(const PortInfo& port) {
    if (port.side() == "batch") {
      BoundPort bound;
      bound.port = &port;
      bound.sources.emplace_back(port.name.substr(std::string("batch.").size()));
      return bound;
    }
    const bool is_model = port.side() == "student" || port.side() == "teacher";
    if (!is_model) return std::nullopt;
    if (port.name == port.side() + ".logits" && !port.is_list) {
      // Without a teacher an optional teacher port simply stays unbound.
      if (port.optional && port.side() == "teacher" && experiment_.teachers.empty()) return std::nullopt;
      const std::optional<std::string> model = default_model(port);
      if (!model) return std::nullopt;
      BoundPort bound;
      bound.port = &port;
      bound.sources.emplace_back(*model + ":logits");
      return bound;
    }
    if (port.optional) return std::nullopt;
    if (port.side() == "teacher" && experiment_.teachers.empty()) {
      default_model(port);
      return std::nullopt;
    }
    report(term_.component.use.place, "port '" + port.name + "' of " + loss() + " is not bound.",
           port.is_list ? "A list of taps has no default." : "Only logits and fields of the batch have a default.",
           "Write inputs = { \"" + port.name + "\" = " + (port.is_list ? "[\"TAP\"]" : "\"TAP\"") +
               " }; `kdhost inspect` lists the taps.");
    return std::nullopt;
  }

  const ComponentInfo& component_;
  const LossTerm& term_;
  const Experiment& experiment_;
  std::vector<Message>& problems_;
  std::vector<BoundPort> written_;
};

}  // namespace

std::vector<BoundPort> bind_ports(const ComponentInfo& component, const LossTerm& term, const Experiment& experiment,
                                  std::vector<Message>& problems) {
  return PortBinder(component, term, experiment, problems).bind();
}

}  // namespace kdhost
