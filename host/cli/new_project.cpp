// SPDX-License-Identifier: MIT
// kdhost new KIND NAME: a plugin project that builds, passes its tests and `kdhost check`, and trains. Its files are
// sdk/templates/new, which the build has put into the program, with names filled in.
#include "cli/new_project.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <iostream>
#include <map>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "cli/front.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

struct KindText {
  const char* name;
  const char* words;
};
constexpr std::array<KindText, 6> kKinds{{{"loss", "loss"},
                                          {"model", "model"},
                                          {"scheduler", "scheduler"},
                                          {"dataset", "data set"},
                                          {"transform", "transform"},
                                          {"metric", "metric"}}};

// The version of Catch2 decides which header it has.
constexpr const char* kCatch =
    "#if __has_include(<catch2/catch_all.hpp>)  // version 3\n"
    "#include <catch2/catch_all.hpp>\n"
    "#else\n"
    "#define CATCH_CONFIG_MAIN\n"
    "#include <catch2/catch.hpp>\n"
    "#endif\n";

[[noreturn]] void refuse(std::string what, std::string expected, std::string mend, Exit exit = Exit::usage) {
  Message message;
  message.where = "kdhost new";
  message.what = std::move(what);
  message.expected = std::move(expected);
  message.mend = std::move(mend);
  throw Error(exit, std::move(message));
}

bool is_word(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::islower(static_cast<unsigned char>(text.front())) != 0 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_'; });
}

// "SoftKl" of "soft_kl".
std::string class_name(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
    } else {
      out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      upper = false;
    }
  }
  return out;
}

std::string filled(std::string text, const std::map<std::string, std::string>& words) {
  for (const auto& [word, value] : words) {
    const std::string mark = "@" + word + "@";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

std::string joined_lines(const std::vector<std::string>& lines) { return join(lines, "\n"); }

// A path as a shell takes it.
std::string shell_word(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '_' || c == '-' || c == '+' || c == '~' || c >= 0x80;
  });
  if (plain) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The installation this program belongs to, where it has an SDK; the compiler's own places need not be named.
fs::path sdk_prefix() {
  const fs::path prefix = program_folder().parent_path();
  std::error_code failed;
  const bool usual = prefix == "/usr" || prefix == "/usr/local";
  return !usual && fs::exists(prefix / "lib" / "cmake" / "kdhost", failed) ? prefix : fs::path();
}

struct Project {
  std::string kind;
  std::string words;
  std::string id;
  std::string name;
  std::string tier;
  fs::path folder;
};

Project read_project(const Options& options) {
  Project project;
  project.kind = options.arguments.at(0);
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const KindText& k) { return project.kind == k.name; });
  if (kind == kKinds.end()) {
    std::vector<std::string> names;
    for (const KindText& k : kKinds) names.emplace_back(k.name);
    refuse("unknown kind " + kdhost::quoted(project.kind) + ".", "Expected one of: " + join(names) + ".",
           did_you_mean(project.kind, names));
  }
  project.words = kind->words;
  const std::string& given = options.arguments.at(1);
  const std::size_t dot = given.rfind('.');
  project.name = dot == std::string::npos ? given : given.substr(dot + 1);
  const std::string author = dot == std::string::npos ? "example" : given.substr(0, dot);
  if (!is_word(project.name) || !is_word(author)) {
    refuse("the name is " + kdhost::quoted(given) + ".",
           "Expected NAME or AUTHOR.NAME of lower-case letters, digits and '_', beginning with a letter.",
           "For example my_loss, or acme.my_loss.");
  }
  if (author == "kdhost") {
    refuse("the name " + kdhost::quoted(given) + " begins with 'kdhost.'.", "That prefix is kdhost's own.",
           "Take a name of your own, as acme." + project.name + ".");
  }
  project.id = author + "." + project.name;
  project.tier = options.tier;
  project.folder = options.dir.empty() ? fs::path(project.name) : fs::path(options.dir);
  std::error_code failed;
  const bool exists = fs::exists(project.folder, failed);
  if (exists && !(fs::is_directory(project.folder, failed) && fs::is_empty(project.folder, failed))) {
    refuse(kdhost::quoted(project.folder.string()) + " exists already.", "Expected a new or an empty folder.",
           "Give another name, or another folder with --dir.", Exit::data);
  }
  return project;
}

std::vector<std::string> commands_in(const Project& project, const std::string& folder) {
  const fs::path prefix = sdk_prefix();
  const std::string at = folder.empty() ? "" : shell_word(folder) + "/";
  std::vector<std::string> commands;
  commands.push_back("cmake -S " + (folder.empty() ? std::string(".") : shell_word(folder)) + " -B " + at + "build" +
                     (prefix.empty() ? "" : " -DCMAKE_PREFIX_PATH=" + shell_word(prefix.string())));
  commands.push_back("cmake --build " + at + "build");
  commands.push_back("ctest --test-dir " + at + "build");
  commands.push_back("kdhost check " + at + "build/" + project.name + ".so");
  commands.push_back("kdhost " + at + "experiment.toml");
  return commands;
}

std::map<std::string, std::string> words_of(const Project& project) {
  const bool exact = project.tier == "exact";
  std::vector<std::string> commands = commands_in(project, "");
  // What this machine's installation is called is no business of the project.
  commands.front() = "cmake -S . -B build";
  return {{"NAME", project.name},
          {"CLASS", class_name(project.name)},
          {"ID", project.id},
          {"PLUGIN", project.id},
          {"TIER", project.tier},
          {"KIND_WORDS", project.words},
          {"HEADER", exact ? "kdhost/exact.hpp" : "kdhost/plugin.hpp"},
          {"TIER_WORDS", exact ? " TIER exact" : ""},
          {"TEST_LIBRARIES", exact ? " LibTorch::LibTorch" : ""},
          {"CXX_STANDARD", exact ? "20" : "17"},
          {"LEVEL", project.kind == "loss" ? "9" : "7"},
          // LibTorch has a macro of this name, too.
          {"CATCH", exact ? "#undef CHECK\n" + std::string(kCatch) : kCatch},
          {"COMMANDS", joined_lines(commands)}};
}

// Where a template goes: "loss/component.cpp.in" of kind loss becomes "soft_kl.cpp".
std::optional<fs::path> target_of(const std::string& file, const Project& project) {
  const fs::path path(file);
  const std::string folder = path.parent_path();
  if (folder != project.kind && folder != "common") return std::nullopt;
  std::string name = path.filename();
  name.resize(name.size() - std::string_view(".in").size());
  if (name == "component.cpp") return project.name + ".cpp";
  if (name == "component_test.cpp") return project.name + "_test.cpp";
  if (name == "gitignore") return ".gitignore";
  if (name == "ci.yml") return fs::path(".github") / "workflows" / "ci.yml";
  // Only a loss needs a teacher.
  if (name == "teacher.toml" && project.kind != "loss") return std::nullopt;
  return name;
}

}  // namespace

int new_project(const Options& options) {
  const Project project = read_project(options);
  const std::map<std::string, std::string> words = words_of(project);
  std::cout << "A " << project.words << " '" << project.id << "' in " << printable(project.folder.string(), 4096)
            << ":\n";
  for (const ProjectTemplate& file : project_templates()) {
    const auto target = target_of(file.name, project);
    if (!target) continue;
    const fs::path path = project.folder / *target;
    std::error_code failed;
    fs::create_directories(path.parent_path(), failed);
    write_file(path.string(), filled(file.text, words));
    std::cout << "  " << target->string() << "\n";
  }
  std::cout << "\nBuild, test, check and train with it:\n";
  for (const std::string& command : commands_in(project, project.folder.string())) std::cout << "  " << command << "\n";
  return 0;
}

}  // namespace kdhost
