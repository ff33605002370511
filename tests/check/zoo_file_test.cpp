// SPDX-License-Identifier: MIT
// Levels 1 and 3 of the validator against the zoo: what is wrong with a file, and with what it says about itself.
#include <elf.h>

#include "check/zoo_check.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

const std::string kTellAuthor = " This is a fault of the plugin; tell its author.";
const std::string kSection = "has a faulty description: component 'zoo.faulty' ";

// The bytes of a whole plugin, changed.
template <class Change>
std::filesystem::path changed_copy(const Folder& folder, const std::string& name, Change&& change) {
  std::string bytes = read_file(zoo("healthy"));
  change(bytes);
  write_file(folder / name, bytes);
  return folder / name;
}

std::string record_finding(const std::filesystem::path& file) {
  return finding_of(request_for(file), "", "file.record");
}

}  // namespace

TEST_CASE("a whole plugin passes every test of its file") {
  check::Request request = request_for(zoo("healthy"));
  request.level = 1;
  const check::Report report = check::check_plugin(request);
  CHECK(report.good());
  CHECK(report.count(check::Verdict::pass) == report.outcomes.size());
  CHECK(report.outcomes.size() == 9);
}

TEST_CASE("what is no plugin at all is told apart") {
  const Folder folder;
  write_file(folder / "text.so", "hello");
  write_file(folder / "empty.so", "");
  CHECK(record_finding(folder / "text.so") ==
        "fail: is not a shared library: it begins with 'hello'. Expected an ELF file. Name the .so file that the "
        "plugin's build made.");
  CHECK(record_finding(folder / "empty.so") ==
        "fail: is empty. Expected a plugin: a shared library. Copy or build the plugin again.");
  CHECK(record_finding(folder / "absent.so") ==
        "fail: cannot be opened: No such file or directory. Expected a plugin: a readable shared library.");
  const auto half = changed_copy(folder, "half.so", [](std::string& b) { b.resize(b.size() / 2); });
  CHECK(record_finding(half).rfind("fail: is cut off or damaged: its section table should end at byte ", 0) == 0);
  const auto other =
      changed_copy(folder, "other.so", [](std::string& b) { b[offsetof(Elf64_Ehdr, e_machine)] = EM_RISCV - 256; });
  CHECK(record_finding(other).rfind("fail: is built for ", 0) == 0);
  CHECK(record_finding(other).find(" Build the plugin for this machine.") != std::string::npos);
  const auto program =
      changed_copy(folder, "program.so", [](std::string& b) { b[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC; });
  CHECK(record_finding(program) ==
        "fail: is a program, not a shared library. Link it with -shared, or build it with kdhost_add_plugin.");
  CHECK(no_process_left());
}

TEST_CASE("a table that points out of the file is refused in words") {
  const Folder folder;
  const auto file = changed_copy(folder, "damaged.so", [](std::string& bytes) {
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (unsigned i = 0; i < header.e_shnum; ++i) {
      Elf64_Shdr section;
      char* const at = bytes.data() + header.e_shoff + i * sizeof section;
      std::memcpy(&section, at, sizeof section);
      if (section.sh_type == SHT_DYNSYM) section.sh_offset = bytes.size() - 8;
      std::memcpy(at, &section, sizeof section);
    }
  });
  CHECK(finding_of(request_for(file), "", "file.exports") ==
        "fail: is damaged: its symbol table does not lie in the file. Copy or build the plugin again.");
}

TEST_CASE("each fault of a file gets its sentence") {
  CHECK(
      differences({
          {"unlisted", "", "file.record",
           "warn: has a record without a list of its components, so they are known only once it is loaded. Build it "
           "with "
           "kdhost_add_plugin, which fills in the list after linking."},
          {"no_record", "", "file.record",
           "fail: has no plugin record (ELF section .kdhost). Expected a plugin of kdhost. If it is one, end one of "
           "its "
           "sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin."},
          {"damaged_record", "", "file.record",
           "fail: has a damaged plugin record: line 1 has abi=one, expected two numbers as in abi=1.0. Build the "
           "plugin "
           "again "
           "with this kdhost's SDK."},
          {"recorded_twice", "", "file.record",
           "fail: has a damaged plugin record: line 3 names the component 'zoo.a' a second time. Build the plugin "
           "again "
           "with this "
           "kdhost's SDK."},
          {"wrong_major", "", "file.accepted",
           "fail: is built for plugin ABI 2.3, this program offers 1.0. The first number must be equal. Rebuild the "
           "plugin "
           "with this kdhost's SDK, or run kdhost 2.x."},
          {"newer_minor", "", "file.accepted",
           "fail: is built for plugin ABI 1.7, this program offers 1.0. The second number must not be larger than the "
           "program's. Install kdhost 1.7 or newer, or rebuild the plugin with this kdhost's SDK."},
          {"no_entry", "", "file.exports",
           "fail: does not export the function kdh_plugin_query. End one of its sources with KDHOST_PLUGIN(...) and "
           "build "
           "it "
           "with kdhost_add_plugin."},
          {"exports_more", "", "file.exports",
           "fail: exports more than kdh_plugin_query: zoo_helper. Build it with kdhost_add_plugin, or link with its "
           "version "
           "script kdhost.map: other plugins may use the same names."},
          {"weak_entry", "", "file.entry_strong",
           "fail: exports kdh_plugin_query as a weak symbol, which another library may replace. Remove "
           "__attribute__((weak)) or #pragma weak."},
          {"needs_library", "", "file.libraries",
           "fail: needs libzoo_other.so, which a plugin of tier portable must not: another machine may not have it, "
           "and "
           "two "
           "plugins may need different versions. Link only the C and C++ runtime (libc, libm, libgcc_s, libstdc++); "
           "link "
           "anything else statically."},
          {"undefined_symbol", "", "file.symbols",
           "fail: uses symbols that no library it names provides: zoo_nobody_defines_this. Link what is missing, or "
           "reach "
           "it "
           "through the host; kdhost_add_plugin finds such symbols when it links."},
          {"torch_library", "", "file.torch_library",
           "fail: registers operators with TORCH_LIBRARY, which ends the process when a second plugin does the same. "
           "Remove "
           "TORCH_LIBRARY; call your kernels directly, or with custom_grad where they need a gradient."},
          {"search_path", "", "file.search_path",
           "fail: has the library search path '/opt/zoo/lib', which another machine does not have. Link without "
           "-rpath, or "
           "with one that begins with $ORIGIN; kdhost_add_plugin sets none."},
      }) == "");
  CHECK(finding_of({"wrong_fingerprint", "", "file.accepted", ""})
            .rfind("fail: is built for another LibTorch: torch is 2.6.0, this program has ", 0) == 0);
  CHECK(finding_of({"healthy", "", "file.oldest_system", ""}).rfind("pass: needs glibc 2.", 0) == 0);
}

TEST_CASE("each fault of a description gets its sentence") {
  const std::vector<std::pair<std::string, std::string>> faulty{
      {"bad_magic", "has a faulty description: the plugin does not begin with the magic number of kdhost."},
      {"other_abi_in_code", "has a faulty description: the plugin says ABI 2.0, this program offers 1.0."},
      {"no_components", "has a faulty description: the plugin offers no component."},
      {"same_id_twice", kSection + "has an id that the same file offers twice."},
      {"unknown_kind", kSection + "is of the unknown kind 9."},
      {"null_create", kSection + "has no function create."},
      {"not_utf8", kSection + "has text that is not UTF-8, or has control characters, as summary."},
      {"null_text", kSection + "has a null pointer as summary."},
      {"many_params", kSection + "has 1125899906842624 parameters, expected at most 4096."},
      {"default_out_of_range",
       kSection + "has parameter 'temperature' with the default -1.0, which its own rules refuse: Expected a number, "
                  ">= 0."},
      {"default_of_other_type", kSection + "has parameter 'temperature' of type float with a default of type int."},
      {"unknown_param_type", kSection + "has parameter 'temperature' of type 77, which a parameter cannot have."},
      {"unknown_port_type", kSection + "has port 'student.logits' of type int, expected tensor or tensor_list."},
  };
  for (const auto& [plugin, what] : faulty) {
    INFO(plugin);
    CHECK(finding_of({plugin, "", "load.description", ""}) == "fail: " + what + kTellAuthor);
  }
  const std::string id = "zoo.faulty";
  CHECK(
      differences({
          {"bad_plugin_version", "", "description.plugin_version",
           "fail: the plugin has the version '1.0'. Write a semantic version such as 1.0.0: results are recorded with "
           "it."},
          {"bad_version", id, "description.version",
           "fail: it has the version 'one'. Write a semantic version such as 1.0.0: results are recorded with it."},
          {"no_summary", id, "description.documented",
           "fail: has no summary. Describe it in one line with Spec::summary; `kdhost plugins` shows it."},
          {"undocumented", id, "description.documented",
           "warn: says nothing about parameter 'temperature', port 'student.logits'. Add .doc(\"...\") to each; for a "
           "port "
           "begin with its shape, as \"[N, C]\"."},
          {"long_summary", id, "description.summary",
           "warn: has a summary of 17 bytes or several lines. Keep the summary to one line, and move the rest to "
           "Spec::details."},
          {"reversed_range", id, "description.ranges",
           "fail: parameter 'temperature' allows no value: its range goes from 5 to 1. Give the lower bound first, as "
           "range(0.0, 1.0)."},
          {"same_choice_twice", id, "description.choices",
           "fail: parameter 'temperature' has the same choice twice. Name each choice once."},
          {"choices_of_number", id, "description.choices",
           "fail: parameter 'temperature' has choices, but is no text. Use range(...) for numbers; choices are for "
           "text."},
          {"unbound_port", id, "description.ports",
           "fail: has the port 'logits', which no experiment can bind. Begin its name with 'student.', 'teacher.' or "
           "'batch.' and what it is."},
          {"no_ports", id, "description.ports",
           "fail: has no port, so it sees nothing. Declare what it reads with Spec::input, as \"student.logits\"."},
      }) == "");
}
