// SPDX-License-Identifier: MIT
// Level 10 of the validator: the tests of level 5 under valgrind, which sees reads and writes outside of memory that
// tests of values cannot see. Skipped where valgrind is not installed.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/launch.hpp"
#include "check/suite.hpp"

namespace kdhost::check {
namespace {

constexpr double kPatience = 45.0;

std::filesystem::path find_tool(const std::string& name) {
  std::string folders = environment_variable("PATH").value_or("");
  while (!folders.empty()) {
    const std::string folder = folders.substr(0, folders.find(':'));
    folders.erase(0, folder.size() + 1);
    std::error_code failed;
    if (std::filesystem::exists(folder + "/" + name, failed)) return folder + "/" + name;
  }
  return {};
}

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The blocks of valgrind's report in which the plugin's file stands: LibTorch and the loader have reports of their own.
std::string first_complaint(const std::string& report, const std::string& file) {
  std::string block;
  std::size_t begin = 0;
  while (begin < report.size()) {
    const std::size_t end = std::min(report.find('\n', begin), report.size());
    std::string line = report.substr(begin, end - begin);
    begin = end + 1;
    if (line.rfind("==", 0) != 0) continue;
    const std::size_t text = line.find("== ");
    line = text == std::string::npos ? "" : line.substr(text + 3);
    if (line.empty() || line[0] != ' ') {
      if (block.find(file) != std::string::npos) return block.substr(0, block.find('\n'));
      block = line + '\n';
    } else {
      block += line + '\n';
    }
  }
  return block.find(file) != std::string::npos ? block.substr(0, block.find('\n')) : std::string();
}

Finding test_valgrind(Subject& subject, const ComponentInfo* info) {
  const Settings& settings = subject.settings();
  const std::filesystem::path valgrind = find_tool("valgrind");
  if (valgrind.empty()) return skipped("valgrind is not installed.");
  if (settings.program.empty()) return skipped("there is no program to run under valgrind.");
  const std::string command =
      "OMP_NUM_THREADS=1 " + shell_quoted(valgrind) + " --quiet --error-limit=no --leak-check=no --num-callers=30 " +
      shell_quoted(settings.program) + " check " + shell_quoted(settings.file) + " --in-process --level 5 --only " +
      shell_quoted(info->id) + " --skip call.process_kept --skip 'life.*' --skip scheduler.long 2>&1 < /dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) return skipped("valgrind cannot be started.");
  std::string report;
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
    report.append(buffer.data(), n);
  const std::string complaint = first_complaint(report, settings.file.filename());
  if (complaint.empty()) return passed();
  return failed(
      "valgrind says about a test of level 5: " + printable(complaint, 300),
      "Run the program under valgrind as this does: valgrind kdhost-engine check FILE --in-process --level 5.");
}

}  // namespace

void add_tool_tests(std::vector<Test>& tests) {
  tests.push_back({.level = 10,
                   .name = "tools.valgrind",
                   .kinds = {KDH_KIND_LOSS, KDH_KIND_MODEL, KDH_KIND_SCHEDULER, KDH_KIND_DATASET, KDH_KIND_TRANSFORM,
                             KDH_KIND_METRIC},
                   .needs = {"call.works"},
                   .run = test_valgrind,
                   .patience = kPatience});
}

}  // namespace kdhost::check
