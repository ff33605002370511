// SPDX-License-Identifier: MIT
#include "train/checkpoint.hpp"

#include <bit>
#include <nlohmann/json.hpp>

#include "tensor/aten.hpp"

namespace kdhost {

namespace {
using Json = nlohmann::json;

// Doubles as their bits: a resumed run must compare with exactly the values it left.
Json bits(double v) { return std::bit_cast<uint64_t>(v); }
double from_bits(const Json& j) { return std::bit_cast<double>(j.get<uint64_t>()); }

void add_parts(std::vector<NamedTensor>& list, const Parts& parts, const std::string& prefix) {
  for (std::size_t i = 0; i < parts.size(); ++i) list.push_back({prefix + "/" + parts.spec(i).name, parts[i].detach()});
}

void take_parts(Parts& parts, const SafetensorsFile& file, const std::string& prefix) {
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts.copy_from(i, file.tensor(prefix + "/" + parts.spec(i).name), file.path().string());
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> list(1);
  for (char c : text)
    if (c == '\n')
      list.emplace_back();
    else
      list.back() += c;
  return list;
}
}  // namespace

void write_checkpoint(const std::string& path, const Learner& learner, const Progress& p, const LegIdentity& identity) {
  std::vector<NamedTensor> tensors;
  add_parts(tensors, learner.student, "student");
  for (const auto& t : learner.terms) add_parts(tensors, t, t.owner());
  for (const auto& t : learner.teachers) add_parts(tensors, t, "teacher." + t.owner());
  if (learner.optimizer)
    for (auto& t : learner.optimizer->state()) tensors.push_back(std::move(t));

  Json history = Json::array();
  for (double v : p.history) history.push_back(bits(v));
  const Json state = {{"format", kCheckpointFormat},
                      {"experiment", identity.experiment},
                      {"seed", identity.seed},
                      {"baseline", identity.baseline},
                      {"environment", identity.environment},
                      {"stage", p.stage},
                      {"step", p.step},
                      {"total_steps", p.total_steps},
                      {"history", history},
                      {"history_epoch", p.history_epoch},
                      {"best", bits(p.best)},
                      {"best_epoch", p.best_epoch},
                      {"metrics_bytes", p.metrics_bytes},
                      {"seconds", bits(p.seconds)}};
  write_safetensors(path, tensors, {{"kdhost.checkpoint", state.dump()}}, /*with_digest=*/true);
}

Progress read_checkpoint(const std::string& path, Learner& learner, const LegIdentity& identity,
                         const std::function<void(int64_t)>& start_stage) {
  const SafetensorsFile file(path, DigestRule::required);
  const auto refuse = [&](std::string what, std::string expected, std::string mend) -> Error {
    return {Exit::data, Message{{}, path, std::move(what), std::move(expected), std::move(mend)}};
  };
  const auto found = file.metadata().find("kdhost.checkpoint");
  if (found == file.metadata().end())
    throw refuse("it is not a checkpoint of kdhost.", "Expected metadata named 'kdhost.checkpoint'.",
                 "Start a new run, without --resume.");
  Progress p;
  try {
    const Json state = Json::parse(found->second);
    const auto format = state.at("format").get<int64_t>();
    if (format > kCheckpointFormat)
      throw refuse("its format is " + std::to_string(format) + ".",
                   "Expected at most " + std::to_string(kCheckpointFormat) + ".",
                   "Resume with the kdhost that wrote it.");
    if (state.at("experiment") != identity.experiment || state.at("seed") != identity.seed ||
        state.at("baseline") != identity.baseline)
      throw refuse("it belongs to another experiment, seed or arm.", "Expected experiment " + identity.experiment + ".",
                   "Start a new run, without --resume.");
    const std::string then = state.at("environment");
    if (then != identity.environment) {
      const auto a = lines(then), b = lines(identity.environment);
      std::string difference;
      for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        const std::string x = i < a.size() ? a[i] : "nothing", y = i < b.size() ? b[i] : "nothing";
        if (x != y) difference += (difference.empty() ? "" : "; ") + ("then " + x + ", now " + y);
      }
      if (!identity.allow_changes)
        throw refuse("it was made under other conditions: " + difference + ".", "Expected the same, for the same bits.",
                     "Resume on the machine and with the programs that began the run, or start a new run; "
                     "--allow-changes goes on all the same, with other bits.");
      p.changes = difference;
    }
    p.stage = state.at("stage");
    p.step = state.at("step");
    p.total_steps = state.at("total_steps");
    for (const auto& v : state.at("history")) p.history.push_back(from_bits(v));
    p.history_epoch = state.at("history_epoch").get<std::vector<int64_t>>();
    p.best = from_bits(state.at("best"));
    p.best_epoch = state.at("best_epoch");
    p.metrics_bytes = state.at("metrics_bytes");
    p.seconds = from_bits(state.at("seconds"));
  } catch (const Json::exception& e) {
    throw refuse(std::string("its state cannot be read: ") + e.what() + ".", "Expected the state that kdhost writes.",
                 "Start a new run, without --resume.");
  }
  take_parts(learner.student, file, "student");
  for (auto& t : learner.terms) take_parts(t, file, t.owner());
  for (auto& t : learner.teachers) take_parts(t, file, "teacher." + t.owner());
  start_stage(p.stage);
  learner.optimizer->load(file);
  return p;
}

}  // namespace kdhost
