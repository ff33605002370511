// SPDX-License-Identifier: MIT
// summary.json: results as JSON and back.
#include <cmath>
#include <nlohmann/json.hpp>

#include "train/run.hpp"

namespace kdhost {
namespace {
using OrderedJson = nlohmann::ordered_json;

OrderedJson of(const Evaluation& e) {
  OrderedJson j = OrderedJson::object();
  for (const auto& [name, value] : e.numbers)
    if (std::isfinite(value))
      j[name] = value;
    else
      j[name] = nullptr;
  return j;
}

Evaluation evaluation(const OrderedJson& j) {
  Evaluation e;
  for (const auto& [name, value] : j.items())
    e.numbers.emplace_back(name, value.is_null() ? std::nan("") : value.get<double>());
  return e;
}
}  // namespace

std::string to_json(const RunResult& r) {
  OrderedJson j;
  j["title"] = r.title;
  j["experiment"] = r.experiment;
  j["folder"] = r.folder;
  j["metric"] = r.metric;
  j["higher_is_better"] = r.higher_is_better;
  j["has_validation"] = r.has_validation;
  j["seconds"] = r.seconds;
  j["first_step_seconds"] = r.first_step_seconds;
  j["peak_memory_mib"] = r.peak_memory_mib;
  j["student"] = {{"id", r.student_id}, {"parameters", r.student_parameters}, {"latency_ms", r.student_latency_ms}};
  j["teachers"] = OrderedJson::array();
  for (const auto& t : r.teachers)
    j["teachers"].push_back({{"name", t.name},
                             {"id", t.id},
                             {"label", t.label},
                             {"origin", t.origin},
                             {"parameters", t.parameters},
                             {"latency_ms", t.latency_ms},
                             {"test", of(t.test)}});
  j["legs"] = OrderedJson::array();
  for (const auto& l : r.legs)
    j["legs"].push_back({{"seed", l.seed},
                         {"arm", l.baseline ? "baseline" : "distilled"},
                         {"best_epoch", l.best_epoch + 1},
                         {"steps", l.steps},
                         {"seconds", l.seconds},
                         {"validation_best", of(l.validation_best)},
                         {"validation_last", of(l.validation_last)},
                         {"test_best", of(l.test_best)},
                         {"test_last", of(l.test_last)}});
  j["notes"] = r.notes;
  return j.dump(2) + "\n";
}

RunResult run_result_from_json(const std::string& text, const std::string& path) {
  RunResult r;
  try {
    const OrderedJson j = OrderedJson::parse(text);
    r.title = j.at("title");
    r.experiment = j.at("experiment");
    r.folder = j.at("folder");
    r.metric = j.at("metric");
    r.higher_is_better = j.at("higher_is_better");
    r.has_validation = j.at("has_validation");
    r.seconds = j.at("seconds");
    r.first_step_seconds = j.value("first_step_seconds", 0.0);
    r.peak_memory_mib = j.value("peak_memory_mib", 0.0);
    r.student_id = j.at("student").at("id");
    r.student_parameters = j.at("student").at("parameters");
    r.student_latency_ms = j.at("student").at("latency_ms");
    for (const auto& t : j.at("teachers"))
      r.teachers.push_back({t.at("name"), t.at("id"), t.at("origin"), t.at("parameters"), evaluation(t.at("test")),
                            t.at("latency_ms"), t.value("label", last_part(t.at("id").get<std::string>()))});
    for (const auto& l : j.at("legs")) {
      LegResult leg;
      leg.seed = l.at("seed");
      leg.baseline = l.at("arm") == "baseline";
      leg.best_epoch = l.at("best_epoch").get<int64_t>() - 1;
      leg.steps = l.at("steps");
      leg.seconds = l.at("seconds");
      leg.validation_best = evaluation(l.at("validation_best"));
      leg.validation_last = evaluation(l.at("validation_last"));
      leg.test_best = evaluation(l.at("test_best"));
      leg.test_last = evaluation(l.at("test_last"));
      r.legs.push_back(std::move(leg));
    }
    r.notes = j.at("notes").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& e) {
    throw Error(Exit::data, Message{{},
                                    path,
                                    std::string("it is not a summary of a run: ") + e.what() + ".",
                                    "Expected summary.json as `kdhost run` writes it.",
                                    "Run the experiment again."});
  }
  return r;
}

}  // namespace kdhost
