// SPDX-License-Identifier: MIT
// What an experiment's components say about it: each mistake with its place and full text, and the rules by which
// `inputs` bind to ports.
#include "plugin/experiment_check.hpp"

#include "config/reader.hpp"
#include "plugin/zoo_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

// A correct experiment on the zoo's components; `extra` stands at its end.
std::string experiment_text(const std::string& extra, const std::string& teacher = "[teacher]\nuse = \"zoo.net\"\n") {
  return "[data]\nuse = \"zoo.nothing\"\n[student]\nuse = \"zoo.net\"\n[[metric]]\nuse = \"zoo.hits\"\n" + teacher +
         extra;
}

Registry& registry() {
  static Registry& all = *new Registry(HostAbi{}, {place_of(zoo("healthy"))});
  return all;
}

std::string problem(const std::string& text) {
  return error_of([&] {
    Experiment experiment = parse_experiment(text, "e.toml");
    check_experiment(experiment, registry());
  });
}

// "student:logits teacher:logits label" of the only loss.
std::string bound(const std::string& text) {
  const Experiment experiment = parse_experiment(text, "e.toml");
  const LossTerm& term = experiment.losses.at(0);
  const ComponentInfo info = registry().find(term.component.use.value, KDH_KIND_LOSS, {}).info;
  std::vector<Message> problems;
  std::string out;
  for (const BoundPort& port : bind_ports(info, term, experiment, problems)) {
    out += (out.empty() ? "" : "; ") + port.port->name + " <-";
    for (const Text& source : port.sources) out += " " + source.value;
  }
  return problems.empty() ? out : "problems";
}

const std::string kTwoTeachers =
    "[[teacher]]\nname = \"big\"\nuse = \"zoo.net\"\n[[teacher]]\nname = \"wide\"\nuse = \"zoo.net\"\n";

std::string loss(const std::string& rest) { return "[[loss]]\nuse = \"zoo.divergence\"\n" + rest; }

std::string feature(const std::string& inputs) {
  return "[[loss]]\nuse = \"zoo.feature\"\nparams = { power = 2 }\n" + inputs;
}

}  // namespace

TEST_CASE("a correct experiment passes and has every parameter written out") {
  Experiment experiment = parse_experiment(experiment_text(loss("params = { temperature = 2 }\n")), "e.toml");
  check_experiment(experiment, registry());
  CHECK(to_toml(experiment.student.component.params) == "{ dropout = 0.0, hidden = [8] }");
  CHECK(experiment.losses[0].component.params.find("temperature")->number() == 2.0);
  CHECK(experiment.losses[0].component.params.find("neighbours")->integer() == 3);
  CHECK(to_toml(experiment.data.component.params) == "{}");
}

TEST_CASE("all mistakes of an experiment are reported together, in file order") {
  CHECK(problem("[data]\nuse = \"zoo.nothing\"\nparams = { rot = \"x\" }\n[student]\nuse = \"zoo.nett\"\n"
                "[[loss]]\nuse = \"zoo.plain\"\nparams = { a = 1 }\n[[metric]]\nuse = \"zoo.plain\"\n") ==
        "exit 3: e.toml:3:12: 'zoo.nothing' has no parameter 'rot'.\n"
        "  It has: root. Did you mean 'root'?\n"
        "e.toml:5:7: no plugin offers 'zoo.nett'.\n"
        "  Known models: zoo.net. Did you mean 'zoo.net'?\n"
        "e.toml:8:12: 'zoo.plain' has no parameter 'a'.\n"
        "  It takes none.\n"
        "e.toml:10:7: 'zoo.plain' is a loss, expected a metric.\n"
        "  Known metrics: zoo.agreement, zoo.hits.");
}

TEST_CASE("a problem that only plugins have is exit 5") {
  Folder folder;
  folder.with({"healthy", "wrong_major"});
  Registry own(HostAbi{}, {place_of(folder.path())});
  const auto text_of = [&](const std::string& extra) {
    return folder.shown(error_of([&] {
      Experiment experiment = parse_experiment(experiment_text(extra), "e.toml");
      check_experiment(experiment, own);
    }));
  };
  const std::string refused = "[[loss]]\nuse = \"zoo.from_the_future\"\n";
  CHECK(text_of(refused) ==
        "exit 5: e.toml:10:7: DIR/wrong_major.so: is built for plugin ABI 2.3, this program offers 1.0.\n"
        "  The first number must be equal. Rebuild the plugin with this kdhost's SDK, or run kdhost 2.x.");
  CHECK(text_of(refused + "[[loss]]\nuse = \"zoo.gone\"\n").rfind("exit 3: ", 0) == 0);
}

TEST_CASE("ports that are not bound take logits and fields of the batch") {
  CHECK(bound(experiment_text(loss(""))) ==
        "student.logits <- student:logits; teacher.logits <- teacher:logits; batch.label <- label");
  CHECK(bound(experiment_text("[[loss]]\nuse = \"zoo.plain\"\n", "")) ==
        "student.logits <- student:logits; batch.label <- label");
}

TEST_CASE("a key of inputs is a port or a side, a value one tap or a list with or without the model") {
  const std::string one = "student.logits <- student:exit2; teacher.logits <- teacher:logits; batch.label <- label";
  CHECK(bound(experiment_text(loss("inputs = { student = \"exit2\" }\n"))) == one);
  CHECK(bound(experiment_text(loss("inputs = { \"student.logits\" = \"exit2\" }\n"))) == one);
  CHECK(bound(experiment_text(loss("inputs = { \"student.logits\" = [\"student:exit2\"] }\n"))) == one);
  CHECK(bound(experiment_text(feature("inputs = { student = [\"a\", \"b\"], teacher = \"c\" }\n"))) ==
        "student.features <- student:a student:b; teacher.features <- teacher:c");
  CHECK(bound(experiment_text(feature("inputs = { student = \"a\", teacher = [\"student:b\", \"teacher:c\"] }\n"))) ==
        "student.features <- student:a; teacher.features <- student:b teacher:c");
  CHECK(bound(experiment_text(
            loss("inputs = { teacher = \"teacher:param/fc.weight\", \"batch.label\" = \"soft\" }\n"))) ==
        "student.logits <- student:logits; teacher.logits <- teacher:param/fc.weight; batch.label <- soft");
  CHECK(bound(experiment_text(loss("inputs = { teacher = \"wide:logits\" }\n"), kTwoTeachers)) ==
        "student.logits <- student:logits; teacher.logits <- wide:logits; batch.label <- label");
  CHECK(bound(experiment_text(loss("inputs = { teacher = \"student:exit3\" }\n"), "")) ==
        "student.logits <- student:logits; teacher.logits <- student:exit3; batch.label <- label");
}

TEST_CASE("inputs that fit no port are refused") {
  CHECK(problem(experiment_text(loss("inputs = { studnt = \"x\" }\n"))) ==
        "exit 3: e.toml:11:12: 'zoo.divergence' has no port 'studnt'.\n"
        "  Its ports: student.logits, teacher.logits, batch.label. Did you mean 'student'?");
  CHECK(problem(experiment_text(loss("inputs = { \"student.logit\" = \"x\" }\n"))) ==
        "exit 3: e.toml:11:12: 'zoo.divergence' has no port 'student.logit'.\n"
        "  Its ports: student.logits, teacher.logits, batch.label. Did you mean 'student.logits'?");
  CHECK(problem(experiment_text(loss("inputs = { student = [\"a\", \"b\"] }\n"))) ==
        "exit 3: e.toml:11:12: port 'student.logits' of 'zoo.divergence' takes one tap, found 2.\n"
        "  Only a teacher's port takes several, of a loss with a parameter 'combine'.");
  CHECK(problem(experiment_text(loss("inputs = { student = \"a\", \"student.logits\" = \"b\" }\n"))) ==
        "exit 3: e.toml:11:27: port 'student.logits' of 'zoo.divergence' is bound twice.\n"
        "  Expected one line of inputs for each port.");
  CHECK(problem(experiment_text(loss("inputs = { \"batch.label\" = \"teacher:logits\" }\n"))) ==
        "exit 3: e.toml:11:28: port 'batch.label' of 'zoo.divergence' takes a field of the batch, found "
        "'teacher:logits'.\n"
        "  Expected the name of a field, as in \"label\".");
  CHECK(problem(experiment_text(feature("inputs = { teacher = \"a\" }\n"))) ==
        "exit 3: e.toml:10:7: port 'student.features' of 'zoo.feature' is not bound.\n"
        "  A list of taps has no default. Write inputs = { \"student.features\" = [\"TAP\"] }; `kdhost inspect` lists "
        "the "
        "taps.");
}

TEST_CASE("a loss that needs a teacher says so when there is none or several") {
  CHECK(problem(experiment_text(loss(""), "")) ==
        "exit 3: e.toml:8:7: port 'teacher.logits' of 'zoo.divergence' needs a teacher, and the experiment has none.\n"
        "  Expected a [teacher] table, or a tap of the student, as in \"student:exit3\".");
  CHECK(problem(experiment_text(loss(""), kTwoTeachers)) ==
        "exit 3: e.toml:14:7: port 'teacher.logits' of 'zoo.divergence' does not say which teacher it takes.\n"
        "  Teachers: big, wide. Write inputs = { \"teacher.logits\" = \"big:logits\" }.");
  CHECK(problem(experiment_text("[[loss]]\nuse = \"zoo.plain\"\n[[metric]]\nuse = \"zoo.agreement\"\n", "")) ==
        "exit 3: e.toml:10:7: metric 'zoo.agreement' compares with a teacher, and the experiment has none.\n"
        "  Expected a [teacher] table, or another metric.");
}

TEST_CASE("schedules drive only parameters that may change") {
  const auto schedule = [](const std::string& target) {
    return loss("[[data.transform]]\nuse = \"zoo.shift\"\n[[schedule]]\ntarget = \"" + target +
                "\"\nuse = \"zoo.ramp\"\n");
  };
  const auto text = [](const std::string& target, const std::string& what, const std::string& can) {
    return "exit 3: e.toml:14:10: schedule of '" + target + "': " + what + ".\n  " + can;
  };
  for (const char* good :
       {"loss.divergence.params.temperature", "loss.divergence.params.neighbours", "loss.divergence.weight",
        "student.params.dropout", "teacher.params.dropout", "data.transform.shift.params.pixels", "optimizer.lr"}) {
    CAPTURE(good);
    CHECK(problem(experiment_text(schedule(good))) == "no error");
  }
  CHECK(problem(experiment_text(schedule("loss.divergence.params.margin"))) ==
        text("loss.divergence.params.margin", "parameter 'margin' of 'zoo.divergence' cannot change while training",
             "Parameters that may change: temperature, neighbours."));
  CHECK(problem(experiment_text(schedule("loss.divergence.params.temprature"))) ==
        text("loss.divergence.params.temprature", "'zoo.divergence' has no parameter 'temprature'",
             "Parameters that may change: temperature, neighbours. Did you mean 'temperature'?"));
  CHECK(problem(experiment_text(schedule("student.params.hidden"))) ==
        text("student.params.hidden", "parameter 'hidden' of 'zoo.net' cannot change while training",
             "Parameters that may change: dropout."));
  CHECK(problem(experiment_text(schedule("data.transform.shift.params.pixel"))) ==
        text("data.transform.shift.params.pixel", "'zoo.shift' has no parameter 'pixel'",
             "Parameters that may change: pixels. Did you mean 'pixels'?"));
}

TEST_CASE("stages are checked as the file is") {
  CHECK(problem(experiment_text(loss("") +
                                "[[stage]]\nepochs = 1\n[[stage.loss]]\nuse = \"zoo.plain\"\nparams = { b = 1 }\n"
                                "[[stage.schedule]]\ntarget = \"loss.plain.params.b\"\nuse = \"zoo.ramp\"\n")) ==
        "exit 3: e.toml:15:12: 'zoo.plain' has no parameter 'b'.\n"
        "  It takes none.\n"
        "e.toml:17:10: schedule of 'loss.plain.params.b': 'zoo.plain' has no parameter 'b'.\n"
        "  None of its parameters may change while training.");
}
