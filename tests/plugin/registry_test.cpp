// SPDX-License-Identifier: MIT
// Where plugins are looked for, which one is used, and what is said when none or too many are there.
#include "plugin/registry.hpp"

#include "base/hash.hpp"
#include "plugin/zoo_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

namespace fs = std::filesystem;
using Origin = SearchPlace::Origin;

const Place kLine{"e.toml", 7, 7};

std::string find_error(Registry& registry, const std::string& id, kdh_kind kind = KDH_KIND_LOSS) {
  return error_of([&] { registry.find(id, kind, kLine); });
}

}  // namespace

TEST_CASE("places are searched in the order experiment, command line, environment, program") {
  Experiment experiment;
  experiment.plugins = {Path("one.so", {"e.toml", 1, 1}), Path("two", {"e.toml", 1, 2})};
  const auto places = search_places(&experiment, {"three"}, "four::five:", "/opt/kdhost/bin");
  REQUIRE(places.size() == 6);
  CHECK(places[0].path == "one.so");
  CHECK(places[0].written == Place{"e.toml", 1, 1});
  CHECK(places[1].path == "two");
  CHECK(places[2].path == "three");
  CHECK(places[3].path == "four");
  CHECK(places[4].path == "five");
  CHECK(places[5].path == "/opt/kdhost/lib/kdhost/plugins");
  CHECK(origin_words(places[0].origin) == "the experiment");
  CHECK(origin_words(places[2].origin) == "--plugin-dir");
  CHECK(origin_words(places[3].origin) == "KDHOST_PLUGIN_PATH");
  CHECK(origin_words(places[5].origin) == "beside the program");
  CHECK(search_places(nullptr, {}, nullptr, "/b/bin").size() == 1);
}

TEST_CASE("a component is found by its record and opened when it is asked for") {
  const Folder folder;
  fs::copy_file(zoo("healthy"), folder / "healthy.so");
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(registry.problems().empty());
  Offer& offer = registry.find("zoo.net", KDH_KIND_MODEL, kLine);
  CHECK(offer.info.id == "zoo.net");
  CHECK(offer.component == nullptr);
  CHECK(offer.file->library == nullptr);
  CHECK(&registry.find("zoo.net", kLine) == &offer);
  const kdh_component& component = registry.open(offer);
  CHECK(component.kind == KDH_KIND_MODEL);
  CHECK(offer.file->library != nullptr);
  CHECK(registry.load("zoo.net", KDH_KIND_MODEL, kLine).component == &component);
  CHECK(plugin_hash(*offer.file) == hash_file(zoo("healthy").string()).hex());
  CHECK(registry.ids(KDH_KIND_METRIC) == std::vector<std::string>{"zoo.agreement", "zoo.hits"});
}

TEST_CASE("an earlier place shadows a later one") {
  Folder first;
  Folder second;
  first.with({"healthy"});
  second.with({"healthy", "misbehaving"});
  Registry registry(HostAbi{}, {place_of(first.path()), place_of(second.path())});
  REQUIRE(registry.files().size() == 3);
  CHECK(registry.find("zoo.net", kLine).file->path == first / "healthy.so");
  CHECK(registry.find("zoo.wrong_shape", kLine).file->path == second / "misbehaving.so");
  CHECK(registry.shadowed_by(registry.files()[1], "zoo.net") == &registry.files()[0]);
  CHECK(registry.shadowed_by(registry.files()[0], "zoo.net") == nullptr);
  CHECK(registry.shadowed_by(registry.files()[2], "zoo.wrong_shape") == nullptr);
}

TEST_CASE("another name of a file is the same plugin, also in another place") {
  Folder folder;
  const Folder links;
  folder.with({"healthy"});
  fs::create_symlink(folder / "healthy.so", folder / "a_link.so");
  fs::create_hard_link(folder / "healthy.so", links / "hard.so");
  Registry registry(HostAbi{}, {place_of(folder.path()), place_of(links.path())});
  REQUIRE(registry.files().size() == 1);
  CHECK(registry.files()[0].other_names.size() == 2);
  CHECK_NOTHROW(registry.find("zoo.net", kLine));
}

TEST_CASE("an id offered twice in one place is refused and names both files") {
  Folder folder;
  folder.with({"healthy"});
  fs::copy_file(zoo("healthy"), folder / "copy.so");
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(folder.shown(find_error(registry, "zoo.plain")) ==
        "exit 5: e.toml:7:7: 'zoo.plain' is offered twice in one search place: by DIR/copy.so and by DIR/healthy.so.\n"
        "  An id is unique within a search place. Remove one of the two files.");
}

TEST_CASE("an unknown id is answered with the nearest one") {
  Folder folder;
  folder.with({"healthy"});
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(find_error(registry, "zoo.divergense") ==
        "exit 3: e.toml:7:7: no plugin offers 'zoo.divergense'.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain. Did you mean 'zoo.divergence'?");
  CHECK(find_error(registry, "plain") ==
        "exit 3: e.toml:7:7: no plugin offers 'plain'.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain. Did you mean "
        "'zoo.plain'?");
  CHECK(find_error(registry, "mine.kl") ==
        "exit 3: e.toml:7:7: no plugin offers 'mine.kl'.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain. A plugin of your own is found by plugins = [\"FILE or "
        "FOLDER\"] or --plugin-dir.");
  CHECK(find_error(registry, "zoo.net") ==
        "exit 3: e.toml:7:7: 'zoo.net' is a model, expected a loss.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain.");
  CHECK(find_error(registry, "zoo.ner", KDH_KIND_DATASET) ==
        "exit 3: e.toml:7:7: no plugin offers 'zoo.ner'.\n  Known data sets: zoo.nothing. Did you mean 'zoo.net'?");
  CHECK_FALSE(registry.undecided("zoo.ner"));
}

TEST_CASE("where no plugin is, the places are named") {
  const Folder folder;
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(folder.shown(find_error(registry, "kdhost.kd")) ==
        "exit 3: e.toml:7:7: no plugin offers 'kdhost.kd'.\n  No plugin was found in: DIR.");
}

TEST_CASE("an id offered only by a refused file is that file's refusal, and no later place is asked") {
  Folder folder;
  folder.with({"wrong_major", "wrong_fingerprint", "no_record"});
  Registry registry(host_with_torch(), {place_of(folder.path())});
  CHECK(registry.problems().empty());
  CHECK(folder.shown(find_error(registry, "zoo.from_the_future")) ==
        "exit 5: e.toml:7:7: DIR/wrong_major.so: is built for plugin ABI 2.3, this program offers 1.0.\n"
        "  The first number must be equal. Rebuild the plugin with this kdhost's SDK, or run kdhost 2.x.");
  CHECK(folder.shown(find_error(registry, "zoo.exact"))
            .rfind("exit 5: e.toml:7:7: DIR/wrong_fingerprint.so: is built for "
                   "another LibTorch: ",
                   0) == 0);
  CHECK(folder.shown(find_error(registry, "zoo.else")) ==
        "exit 3: e.toml:7:7: no plugin offers 'zoo.else'.\n"
        "  No plugin was found in: DIR. 1 plugin file could not be used and may offer it: see `kdhost plugins`.");
}

TEST_CASE("a plugin or folder that the user names must be there and usable") {
  const Folder folder;
  fs::copy_file(zoo("no_record"), folder / "no_record.so");
  const auto problem = [&](const fs::path& path, Origin origin) {
    const Registry registry(HostAbi{}, {{path, origin, origin == Origin::experiment ? kLine : Place{}}});
    return registry.problems().empty() ? "no error"
                                       : folder.shown(error_of([&] { throw registry.problems().front(); }));
  };
  const std::string missing = "'DIR/gone' does not exist.\n  Expected a plugin file or a folder with plugins.";
  CHECK(problem(folder / "gone", Origin::experiment) == "exit 3: e.toml:7:7: " + missing);
  CHECK(problem(folder / "gone", Origin::command_line) == "exit 2: --plugin-dir: " + missing);
  CHECK(problem(folder / "gone", Origin::environment) == "no error");
  CHECK(problem(folder / "gone", Origin::program) == "no error");
  CHECK(problem(folder / "no_record.so", Origin::experiment)
            .rfind("exit 5: e.toml:7:7: DIR/no_record.so: has no plugin "
                   "record",
                   0) == 0);
  CHECK(problem(folder.path(), Origin::experiment) == "no error");
}

TEST_CASE("a component's own path limits where it is taken from") {
  Folder first;
  Folder second;
  first.with({"healthy"});
  second.with({"misbehaving"});
  fs::copy_file(zoo("healthy"), second / "again.so");
  Registry registry(HostAbi{}, {place_of(first.path()), place_of(second.path())});
  const Path from((second / "again.so").string(), kLine);
  CHECK(registry.find("zoo.net", KDH_KIND_MODEL, kLine, from).file->path == second / "again.so");
  CHECK(registry.find("zoo.net", KDH_KIND_MODEL, kLine, Path(second.path().string())).file->path ==
        second / "again.so");
  const std::string text = error_of([&] { registry.find("zoo.netz", KDH_KIND_MODEL, kLine, from); });
  CHECK(
      second.shown(text) ==
      "exit 3: e.toml:7:7: 'DIR/again.so' does not offer 'zoo.netz'.\n"
      "  It offers: zoo.divergence, zoo.feature, zoo.plain, zoo.net, zoo.ramp, zoo.nothing, zoo.shift, zoo.agreement, "
      "zoo.hits. Did you mean 'zoo.net'?");
}

TEST_CASE("components of a plugin without a list are found by opening it") {
  Folder folder;
  folder.with({"unlisted", "null_description"});
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(registry.ids().empty());
  Offer& offer = registry.find("zoo.unlisted", KDH_KIND_LOSS, kLine);
  CHECK(offer.info.param("temperature") != nullptr);
  CHECK(registry.files()[0].refusal.has_value());  // found broken on the way
}

TEST_CASE("a component whose record was cut for room is described by the plugin itself") {
  Folder folder;
  folder.with({"no_room"});
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK_FALSE(registry.files()[0].components().front().complete);
  const Offer& offer = registry.find("zoo.faulty", KDH_KIND_LOSS, kLine);
  CHECK(offer.info.complete);
  CHECK(offer.info.input("student.logits") != nullptr);
}

TEST_CASE("what an exact plugin without a list offers is left open by a program without LibTorch") {
  const Folder folder;
  std::string bytes = replaced(read_file(zoo("unlisted")), "tier=portable", "tier=exact   ");
  write_file(folder / "exact.so", bytes);
  Registry registry(HostAbi{}, {place_of(folder.path())});
  CHECK(registry.undecided("zoo.unlisted"));
}

TEST_CASE("a file that did not come with the program is shown to the host before it is opened, once") {
  Folder foreign;
  Folder own;
  foreign.with({"healthy"});
  own.with({"misbehaving"});
  std::vector<std::string> shown;
  HostAbi host;
  host.admit = [&](const fs::path& file) { shown.push_back(file.filename()); };
  Registry registry(host, {place_of(foreign.path()), place_of(own.path(), Origin::program)});
  registry.find("zoo.net", KDH_KIND_MODEL, kLine);
  registry.find("zoo.wrong_shape", KDH_KIND_LOSS, kLine);
  CHECK(shown.empty());
  registry.admit_found();
  CHECK(shown == std::vector<std::string>{"healthy.so"});
  registry.load("zoo.net", KDH_KIND_MODEL, kLine);
  registry.load("zoo.wrong_shape", KDH_KIND_LOSS, kLine);
  CHECK(shown.size() == 1);
}

TEST_CASE("a file that the host does not admit is refused at the line that asks for it, and not opened") {
  Folder folder;
  folder.with({"healthy"});
  HostAbi host;
  host.admit = [](const fs::path&) { throw Error(Exit::plugin, Message{.where = "p.so", .what = "crashed."}); };
  Registry registry(host, {place_of(folder.path())});
  Offer& offer = registry.find("zoo.net", KDH_KIND_MODEL, kLine);
  CHECK(error_of([&] { registry.admit_found(); }) == "exit 5: e.toml:7:7: p.so: crashed.");
  CHECK(error_of([&] { registry.load("zoo.net", KDH_KIND_MODEL, kLine); }) == "exit 5: e.toml:7:7: p.so: crashed.");
  CHECK(offer.file->library == nullptr);
}

TEST_CASE("a program that goes by records alone opens no plugin") {
  Folder folder;
  folder.with({"unlisted"});
  HostAbi host;
  host.can_open = false;
  Registry registry(host, {place_of(folder.path())});
  CHECK(registry.undecided("zoo.unlisted"));
  CHECK(registry.files().front().library == nullptr);
}
