// SPDX-License-Identifier: MIT
// Shipping: which file a component comes from, in words, and experiments that insist on the files they were made with.
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "plugin/front_program.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

namespace fs = std::filesystem;

// The same plugin with other bytes: what lies behind the last section is nobody's.
void change(const fs::path& file) { write_file(file, read_file(file) + "another build"); }

std::string hash_of(const fs::path& file) { return hash_file(file.string()).hex(); }

// The program with an experiment and its lock file.
struct Locked {
  Front front;
  std::string before;

  Locked() {
    front.add_engine();
    before = hash_of(front.plugins() / "healthy.so");
    write_file(front.folder() / "e.toml", kGood);
    const Answer answer = front.run("check e.toml --lock --threads 1");
    REQUIRE(answer.exit == 6);  // the engine was asked
    CHECK(answer.err == "e.lock written: 4 components\n");
  }
};

}  // namespace

TEST_CASE(
    "kdhost plugins --verbose says of each file where it was found, tier, ABI, compiler, hash and what hides it") {
  const Front front;
  fs::create_directory(front.folder() / "mine");
  fs::copy_file(zoo("unlisted"), front.folder() / "mine" / "unlisted.so");
  fs::copy_file(zoo("no_room"), front.folder() / "mine" / "first.so");
  fs::copy_file(zoo("other_params"), front.plugins() / "second.so");
  fs::remove(front.plugins() / "healthy.so");
  const Answer answer = front.run("plugins --verbose --plugin-dir mine/");
  CHECK(answer.exit == 0);
  const std::string facts = "    ABI 1.0, built with hand\n    XXH3-128 ";
  CHECK(answer.out ==
        "--plugin-dir: mine/\n"
        "  first.so  zoo.faulty 1.0.0, portable\n" +
            facts + hash_of(zoo("no_room")) +
            "\n"
            "    loss       zoo.faulty  1.0.0  cut short\n"
            "  unlisted.so  zoo.unlisted 1.0.0, portable\n" +
            facts + hash_of(zoo("unlisted")) +
            "\n"
            "    built without a list of its components; they are known once it is loaded\n"
            "beside the program: DIR/lib/kdhost/plugins\n"
            "  second.so  zoo.faulty 1.0.0, portable\n" +
            facts + hash_of(zoo("other_params")) +
            "\n"
            "    loss       zoo.faulty  1.0.0  o\n"
            "      not used: shadowed by mine/first.so\n");
  const auto json = nlohmann::json::parse(front.run("plugins --verbose --json --plugin-dir mine/").out);
  REQUIRE(json.size() == 3);
  CHECK(json[2]["found"] == "beside the program");
  CHECK(json[2]["xxh3_128"] == hash_of(zoo("other_params")));
  CHECK(json[2]["components"][0]["shadowed_by"] == "mine/first.so");
}

TEST_CASE("plugins in Python packages are found where KDHOST_PLUGIN_PATH names a package or a folder of packages") {
  const Front front;
  const auto add = [&](const std::string& place, const std::string& plugin) {
    fs::create_directories(front.folder() / place);
    fs::copy_file(zoo(plugin), front.folder() / place / (plugin + ".so"));
  };
  add("site-packages/losses_of_ours/kdhost_plugins", "no_room");
  add("site-packages/of_others/plugins", "other_params");  // not the folder that is looked for
  add("one_package/kdhost_plugins", "unlisted");
  fs::remove(front.plugins() / "healthy.so");
  const Answer answer = front.run("plugins", "KDHOST_PLUGIN_PATH=site-packages:one_package");
  CHECK(answer.exit == 0);
  CHECK(answer.out ==
        "KDHOST_PLUGIN_PATH: site-packages\n"
        "  losses_of_ours/kdhost_plugins/no_room.so  zoo.faulty 1.0.0, portable\n"
        "    loss       zoo.faulty  1.0.0  cut short\n"
        "KDHOST_PLUGIN_PATH: one_package\n"
        "  kdhost_plugins/unlisted.so  zoo.unlisted 1.0.0, portable\n"
        "    built without a list of its components; they are known once it is loaded\n"
        "beside the program: DIR/lib/kdhost/plugins\n"
        "  no plugin\n");
  add("site-packages/a_copy/kdhost_plugins", "no_room");
  CHECK(front.run("describe zoo.faulty", "KDHOST_PLUGIN_PATH=site-packages").err ==
        "error: kdhost describe: 'zoo.faulty' is offered twice in one search place: by "
        "site-packages/a_copy/kdhost_plugins/no_room.so and by "
        "site-packages/losses_of_ours/kdhost_plugins/no_room.so.\n"
        "  An id is unique within a search place. Remove one of the two files.\n");
  CHECK(front.run("plugins --plugin-dir one_package").out.find("--plugin-dir: one_package\n  no plugin\n") == 0);
}

TEST_CASE("a lock file names each component of an experiment with the content of its plugin") {
  const Locked locked;
  const auto json = nlohmann::json::parse(read_file(locked.front.folder() / "e.lock"));
  CHECK(json["lock"] == 1);
  std::vector<std::string> ids;
  for (const auto& component : json["components"]) {
    ids.push_back(component["id"]);
    CHECK(component["plugin"] == "healthy.so");
    CHECK(component["version"] == "1.0.0");
    CHECK(component["xxh3_128"] == locked.before);
  }
  CHECK(ids == std::vector<std::string>{"zoo.nothing", "zoo.net", "zoo.plain", "zoo.hits"});
  for (const char* command : {"e.toml --locked", "run e.toml --locked", "check e.toml --locked"}) {
    CAPTURE(command);
    CHECK(locked.front.run(command + std::string(" --threads 1")).exit == 6);
  }
}

TEST_CASE("plugins that are not the locked ones are refused by --locked before any of their code runs") {
  const Locked locked;
  const Front& front = locked.front;
  change(front.plugins() / "healthy.so");
  const std::string now = hash_of(front.plugins() / "healthy.so");
  REQUIRE(now != locked.before);
  const Answer answer = front.run("e.toml --locked");
  CHECK(answer.exit == 5);
  CHECK(answer.out.empty());
  CHECK(answer.err ==
        "error: e.lock: DIR/lib/kdhost/plugins/healthy.so is another file than the locked one: its XXH3-128 is " + now +
            ".\n"
            "  Locked are 'zoo.nothing' (" +
            locked.before + "), 'zoo.net' (" + locked.before + "), 'zoo.plain' (" + locked.before + "), 'zoo.hits' (" +
            locked.before + "). Put the locked plugin back, or accept this one: `kdhost check e.toml --lock`.\n");
  CHECK(front.run("e.toml --threads 1").exit == 6);  // nobody insisted
  CHECK(front.run("check e.toml --lock --locked --threads 1").exit == 6);
}

TEST_CASE("components that the lock does not know, and a lock that is not there or is none, are refused by --locked") {
  const Locked locked;
  const Front& front = locked.front;
  write_file(front.folder() / "e.toml", kGood + "[[metric]]\nuse = \"zoo.agreement\"\n[teacher]\nuse = \"zoo.net\"\n");
  const Answer more = front.run("e.toml --locked");
  CHECK(more.exit == 5);
  CHECK(more.err ==
        "error: e.lock: does not know 'zoo.agreement'.\n"
        "  The experiment uses more than when it was locked. Lock it again: `kdhost check e.toml --lock`.\n");
  const std::string meant =
      "\n  --locked compares the plugins of other.toml with this file. Write it: `kdhost check other.toml --lock`.\n";
  fs::rename(front.folder() / "e.toml", front.folder() / "other.toml");
  const Answer missing = front.run("other.toml --locked");
  CHECK(missing.exit == 5);
  CHECK(missing.err == "error: other.lock: there is no such file." + meant);
  write_file(front.folder() / "other.lock", "[[package]]\n");
  CHECK(front.run("other.toml --locked").err == "error: other.lock: is not a lock file of kdhost." + meant);
  write_file(front.folder() / "other.lock", "{\"lock\": 2, \"components\": []}");
  CHECK(front.run("other.toml --locked").err ==
        "error: other.lock: is a lock file of another version of kdhost." + meant);
}

TEST_CASE("the plugins of a teacher's file are locked with those of the experiment") {
  const Front front;
  front.add_engine();
  fs::copy_file(zoo("other_params"), front.folder() / "mine.so");
  const auto teacher = [&](const std::string& loss) {
    write_file(front.folder() / "teacher.toml", kGood + "[[loss]]\nuse = \"" + loss + "\"\n");
  };
  teacher("zoo.faulty");
  write_file(front.folder() / "e.toml", kGood + "[teacher]\nfrom = \"teacher.toml\"\n");
  const std::string here = " --plugin-dir . --threads 1";
  CHECK(front.run("check e.toml --lock" + here).exit == 6);
  CHECK(front.run("e.toml --locked" + here).exit == 6);
  change(front.folder() / "mine.so");
  const Answer answer = front.run("e.toml --locked" + here);
  CHECK(answer.exit == 5);
  CHECK(answer.err.rfind("error: e.lock: ./mine.so is another file than the locked one: ", 0) == 0);

  fs::copy_file(zoo("unlisted"), front.folder() / "unlisted.so");
  teacher("zoo.unlisted");
  const Answer unknown = front.run("check e.toml --lock" + here);
  CHECK(unknown.exit == 5);
  CHECK(unknown.err ==
        "error: DIR/teacher.toml:10:7: 'zoo.unlisted' is in a plugin whose record does not list its components.\n"
        "  Expected to know the plugin file without running it. Build that plugin with kdhost_add_plugin.\n");
}

TEST_CASE("a lock is for an experiment, not for a plugin") {
  const Front front;
  const Answer answer = front.run("check lib/kdhost/plugins/healthy.so --lock");
  CHECK(answer.exit == 2);
  CHECK(answer.err ==
        "error: kdhost check: --lock and --locked are for experiments, found the plugin "
        "'lib/kdhost/plugins/healthy.so'.\n  Expected FILE.toml.\n");
}
