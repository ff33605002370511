// SPDX-License-Identifier: MIT
// The record of a plugin: what is read from a whole one, and that no file can do harm.
#include "plugin/record.hpp"

#include <kdhost/abi.h>

#include "plugin/elf_section.hpp"
#include "plugin/zoo_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::string parse_error(const std::string& text) {
  return error_of([&] { parse_record(text, "p.so"); });
}

const std::string kHead = "KDHOST1 abi=1.0 tier=portable name=p version=1.0.0 built_with=gcc-12\n";
const std::string kComponentLine = "component kind=loss id=p.l version=1.0.0 flags=0\tsummary\n";

}  // namespace

TEST_CASE("the record of a plugin says everything that its description says") {
  const Record record = read_record(zoo("healthy"));
  CHECK(record.abi_major == 1);
  CHECK(record.abi_minor == 0);
  CHECK(record.tier == KDH_TIER_PORTABLE);
  CHECK(record.name == "zoo.healthy");
  CHECK(record.version == "3.1.4");
  CHECK(record.built_with.rfind("gcc-", 0) + record.built_with.rfind("clang-", 0) + 1 == 0);
  CHECK(record.fingerprint.empty());
  REQUIRE(record.lists_components);
  REQUIRE(record.components.size() == 9);

  const Library& library = open_library(zoo("healthy"), record, HostAbi{});
  const Record& live = library.record();
  REQUIRE(live.components.size() == 9);
  for (std::size_t i = 0; i < live.components.size(); ++i) {
    const ComponentInfo& a = record.components[i];
    const ComponentInfo& b = live.components[i];
    CAPTURE(b.id);
    CHECK(a.id == b.id);
    CHECK(a.kind == b.kind);
    CHECK(a.flags == b.flags);
    CHECK(a.version == b.version);
    CHECK(a.summary == b.summary);
    CHECK(a.source == b.source);
    CHECK(a.details == b.details);
    CHECK(a.recipe == b.recipe);
    CHECK(a.complete);
    REQUIRE(a.params.size() == b.params.size());
    for (std::size_t k = 0; k < b.params.size(); ++k) {
      const ParamInfo& p = a.params[k];
      const ParamInfo& q = b.params[k];
      CAPTURE(q.name);
      CHECK(p.name == q.name);
      CHECK(p.doc == q.doc);
      CHECK(p.type == q.type);
      CHECK(p.required == q.required);
      CHECK(p.schedulable == q.schedulable);
      CHECK(p.min_exclusive == q.min_exclusive);
      CHECK(p.max_exclusive == q.max_exclusive);
      CHECK(p.choices == q.choices);
      CHECK(range_words(p) == range_words(q));
      CHECK(p.default_value == q.default_value);
    }
    REQUIRE(a.inputs.size() == b.inputs.size());
    for (std::size_t k = 0; k < b.inputs.size(); ++k) {
      CHECK(a.inputs[k].name == b.inputs[k].name);
      CHECK(a.inputs[k].doc == b.inputs[k].doc);
      CHECK(a.inputs[k].is_list == b.inputs[k].is_list);
      CHECK(a.inputs[k].optional == b.inputs[k].optional);
    }
    CHECK(a.outputs.size() == b.outputs.size());
  }
}

TEST_CASE("texts of a record keep their tabs, newlines, quotes and bars") {
  const Record record = read_record(zoo("healthy"));
  const ComponentInfo& component = *record.component("zoo.divergence");
  CHECK(component.details == "L = T^2 sum (s - t)^2\nwith T the temperature.");
  CHECK(component.param("note")->default_value->string() == "tab\there");
  CHECK(component.param("form")->choices == std::vector<std::string>{"code", "paper|as printed"});
  CHECK(component.param("form")->doc == "published \"variant\"");
  CHECK(range_words(*component.param("form")) == "one of \"code\", \"paper|as printed\"");
  CHECK(range_words(*component.param("temperature")) == "> 0");
  CHECK(range_words(*component.param("neighbours")) == ">= 1 and <= 10");
  CHECK_FALSE(component.param("margin")->default_value);
}

TEST_CASE("a fingerprint is read from the record of an exact plugin only") {
  const Record record = read_record(zoo("wrong_fingerprint"));
  CHECK(record.tier == KDH_TIER_EXACT);
  CHECK(record.fingerprint_text() == "torch=2.6.0 cxx11abi=0 cuda=none");
  CHECK(record.built_with == "hand");
}

TEST_CASE("lines of a newer minor version are skipped, lines cut for room make a component incomplete") {
  const Record newer = parse_record(kHead + kComponentLine + "licence p.l\tMIT\n", "p.so");
  CHECK(newer.component("p.l")->complete);
  CHECK(parse_record(kHead + kComponentLine + "cut p.l\tdoc\n", "p.so").component("p.l")->complete);
  CHECK_FALSE(parse_record(kHead + kComponentLine + "cut p.l\tparam\n", "p.so").component("p.l")->complete);
  CHECK_FALSE(parse_record(kHead, "p.so").lists_components);
}

TEST_CASE("a damaged record is refused with its line") {
  const auto refusal = [](const std::string& why) {
    return "exit 5: p.so: has a damaged plugin record: " + why + ".\n  Build the plugin again with this kdhost's SDK.";
  };
  CHECK(parse_error("") == refusal("line 1 is empty"));
  CHECK(parse_error("ELF") == refusal("line 1 is 'ELF', expected it to begin with KDHOST1"));
  CHECK(parse_error("KDHOST1 tier=portable name=p") == refusal("line 1 lacks abi="));
  CHECK(parse_error("KDHOST1 abi=1.0 name=p") == refusal("line 1 lacks tier="));
  CHECK(parse_error("KDHOST1 abi=1.0 tier=portable") == refusal("line 1 lacks name="));
  CHECK(parse_error("KDHOST1 abi=1 tier=portable name=p") ==
        refusal("line 1 has abi=1, expected two numbers as in abi=1.0"));
  CHECK(parse_error("KDHOST1 abi=1.0 tier=stable name=p") ==
        refusal("line 1 has tier=stable, expected portable or exact"));
  CHECK(parse_error("KDHOST1 abi=1.0 tier=portable name=\xff") ==
        refusal("line 1 holds bytes that are not UTF-8 text"));
  CHECK(parse_error(kHead + "component kind=fish id=p.l\ts\n") == refusal("line 2 names the unknown kind 'fish'"));
  CHECK(parse_error(kHead + "component id=p.l\ts\n") == refusal("line 2 lacks kind="));
  CHECK(parse_error(kHead + "component kind=loss id=l\ts\n") ==
        refusal("line 2 has the badly formed id 'l', expected parts joined by a dot, as in 'author.name'"));
  CHECK(parse_error(kHead + kComponentLine + kComponentLine) ==
        refusal("line 3 names the component 'p.l' a second time"));
  CHECK(parse_error(kHead + "doc p.l\tsource\tx\n") ==
        refusal("line 2 speaks of the component 'p.l', which no line before it names"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tfloat\n") ==
        refusal("line 3 has 3 fields after 'param', expected 9"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tvector\t0\t\t\t\t\t\n") ==
        refusal("line 3 has the unknown type 'vector'"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tfloat\tx\t\t\t\t\t\n") ==
        refusal("line 3 has flags 'x', expected a number"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tfloat\t0\t[1\t\t\t\t\n") ==
        refusal("line 3 has the default '[1', expected a TOML value"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tfloat\t0\t\tlow\t\t\t\n") ==
        refusal("line 3 has the bound 'low', expected a number"));
  CHECK(parse_error(kHead + kComponentLine + "param p.l\tT\tfloat\t0\t\t\t\t\t\\q\n") ==
        refusal("line 3 has an unknown escape in '\\q'"));
  CHECK(parse_error(kHead + kComponentLine + "port p.l\tsideways\ts.l\ttensor\t0\t\n") ==
        refusal("line 3 has the port direction 'sideways'"));
  CHECK(parse_error(kHead + kComponentLine + "port p.l\tinput\ts.l\tint\t0\t\n") ==
        refusal("line 3 has a port of type 'int', expected tensor or tensor_list"));
}

TEST_CASE("a file that is no plugin is refused with what it is") {
  const Folder folder;
  const std::filesystem::path file = folder / "p.so";
  const auto refusal = [&] { return folder.shown(error_of([&] { read_record(file); })); };

  CHECK(refusal() ==
        "exit 5: DIR/p.so: cannot be opened: No such file or directory.\n"
        "  Expected a plugin: a readable shared library.");
  write_file(file, "");
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is empty.\n"
        "  Expected a plugin: a shared library. Copy or build the plugin again.");
  write_file(file, "#!/bin/sh\necho hello\n");
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is not a shared library: it begins with '#!/bin/s'.\n"
        "  Expected an ELF file. Name the .so file that the plugin's build made.");
  write_file(file, "\177ELF");
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is cut off or damaged: its ELF header should end at byte 64, the file has 4 bytes.\n"
        "  Copy or build the plugin again.");
  const std::string whole = read_file(zoo("healthy"));
  write_file(file, whole.substr(0, 5000));
  CHECK(refusal() == "exit 5: DIR/p.so: is cut off or damaged: its section table should end at byte " +
                         std::to_string(whole.size()) +
                         ", the file has 5000 bytes.\n  Copy or build the plugin again.");
  std::string other = whole;
  other[18] = '\xf3';  // e_machine: RISC-V
  other[19] = '\0';
  write_file(file, other);
#if defined(__x86_64__)
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is built for RISC-V.\n"
        "  This program runs on x86-64. Build the plugin for this machine.");
#endif
  other = whole;
  other[16] = '\1';  // e_type: relocatable
  write_file(file, other);
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is an object file, not a shared library.\n"
        "  Link it with -shared, or build it with kdhost_add_plugin.");
  other = whole;
  other[60] = other[61] = '\0';  // e_shnum
  write_file(file, other);
  CHECK(refusal() ==
        "exit 5: DIR/p.so: is damaged, or its section table was removed: without it the plugin's record cannot be "
        "found.\n"
        "  Build the plugin again; `strip` may be used, `sstrip` may not.");
  std::filesystem::copy_file(zoo("no_record"), file, std::filesystem::copy_options::overwrite_existing);
  CHECK(refusal() ==
        "exit 5: DIR/p.so: has no plugin record (ELF section .kdhost).\n"
        "  Expected a plugin of kdhost. If it is one, end one of its sources with KDHOST_PLUGIN(...) and build "
        "it with kdhost_add_plugin.");
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  CHECK(refusal() == "exit 5: DIR/p.so: is not a regular file.\n  Expected a plugin: a shared library.");
}

TEST_CASE("no cut or changed byte of a plugin file does more than refuse it") {
  const Folder folder;
  const std::filesystem::path file = folder / "p.so";
  const std::string whole = read_file(zoo("unlisted"));
  const auto try_it = [&](const std::string& bytes) {
    write_file(file, bytes);
    try {
      read_record(file);
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::plugin);
    }
  };
  for (std::size_t length = 0; length < whole.size(); length += 97) try_it(whole.substr(0, length));
  // The ELF header and the section table decide what is read: each of their bytes, turned over and set to ones.
  for (const unsigned flip : {0xFFU, 0x01U, 0x80U}) {
    const std::size_t table = whole.size() - 64U * 24U;
    for (std::size_t i = 0; i < 64U + 64U * 24U; ++i) {
      std::string bytes = whole;
      const std::size_t at = i < 64 ? i : table + (i - 64);
      bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ flip);
      try_it(bytes);
    }
  }
}
