// SPDX-License-Identifier: MIT
// Opening plugins: each way a plugin can be wrong has its own refusal, and a file is opened once.
#include "plugin/library.hpp"

#include "plugin/zoo_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

// The refusal of a zoo plugin that was opened by its own record.
std::string refusal(const std::string& name) {
  const std::filesystem::path file = zoo(name);
  return replaced(error_of([&] { open_library(file, read_record(file), host_with_torch()); }),
                  file.parent_path().string() + "/", "");
}

std::string faulty(const std::string& name, const std::string& what) {
  return "exit 5: " + name + ".so: has a faulty description: " + what +
         ".\n  This is a fault of the plugin; tell its author.";
}

const std::string kComponent = "component 'zoo.faulty' ";

}  // namespace

TEST_CASE("a plugin for another interface is refused before any of its code runs") {
  CHECK(refusal("wrong_major") ==
        "exit 5: wrong_major.so: is built for plugin ABI 2.3, this program offers 1.0.\n"
        "  The first number must be equal. Rebuild the plugin with this kdhost's SDK, or run kdhost 2.x.");
  CHECK(refusal("newer_minor") ==
        "exit 5: newer_minor.so: is built for plugin ABI 1.7, this program offers 1.0.\n"
        "  The second number must not be larger than the program's. Install kdhost 1.7 or newer, or rebuild the plugin "
        "with this kdhost's SDK.");
  CHECK(
      refusal("wrong_fingerprint") ==
      "exit 5: wrong_fingerprint.so: is built for another LibTorch: torch is 2.6.0, this program has 2.13.0; cxx11abi "
      "is 0, this program has 1.\n"
      "  An exact plugin works only with the LibTorch it was built with. Build it again: cmake -S . -B build "
      "-DLIBTORCH_ROOT=<this program's LibTorch 2.13.0> && cmake --build build");
}

TEST_CASE("a fingerprint must agree in every key of either side") {
  Record record;
  record.abi_major = KDH_ABI_MAJOR;
  record.tier = KDH_TIER_EXACT;
  const auto check = [&](const std::string& fingerprint) {
    record.fingerprint = parse_fingerprint(fingerprint);
    const std::string text = error_of([&] { check_record(record, "p.so", host_with_torch()); });
    return text.substr(0, text.find('\n'));
  };
  CHECK(check("torch=2.13.0 cxx11abi=1 cuda=none") == "no error");
  CHECK(check("cuda=none torch=2.13.0 cxx11abi=1") == "no error");
  CHECK(check("torch=2.13.0 cxx11abi=1") ==
        "exit 5: p.so: is built for another LibTorch: cuda is not stated, this program has none.");
  CHECK(check("torch=2.13.0 cxx11abi=1 cuda=none rocm=6") ==
        "exit 5: p.so: is built for another LibTorch: rocm is 6, this program has no such field.");
  record.fingerprint = parse_fingerprint("torch=1.0");
  CHECK_NOTHROW(check_record(record, "p.so", HostAbi{}));  // a program that does not know its LibTorch compares nothing
}

TEST_CASE("a host of a newer minor version takes plugins of an older one") {
  HostAbi newer;
  newer.minor = 7;
  Record record;
  record.abi_major = KDH_ABI_MAJOR;
  record.abi_minor = 3;
  CHECK_NOTHROW(check_record(record, "p.so", newer));
  record.abi_minor = 8;
  CHECK_THROWS_AS(check_record(record, "p.so", newer), Error);
}

TEST_CASE("an exact plugin is opened only by a program with LibTorch") {
  Record record;
  record.abi_major = KDH_ABI_MAJOR;
  record.tier = KDH_TIER_EXACT;
  CHECK(error_of([&] { open_library("p.so", record, HostAbi{}); }) ==
        "exit 5: p.so: is an exact plugin, which only a program with LibTorch can open.\n"
        "  Use a command that computes, such as `kdhost check`.");
}

TEST_CASE("a library that does not load is refused with the linker's reason") {
  const std::string text = refusal("undefined_symbol");
  CHECK(text ==
        "exit 5: undefined_symbol.so: cannot be loaded: undefined_symbol.so: undefined symbol: "
        "zoo_nobody_defines_this.\n"
        "  Build it with kdhost_add_plugin, which finds missing symbols when it links.");
}

TEST_CASE("a library without a usable entry is refused") {
  CHECK(refusal("no_entry") ==
        "exit 5: no_entry.so: does not export the function kdh_plugin_query.\n"
        "  Expected a plugin of kdhost. End one of its sources with KDHOST_PLUGIN(...) and build it "
        "with kdhost_add_plugin.");
  CHECK(refusal("throws_in_query") ==
        "exit 5: throws_in_query.so: threw an exception from kdh_plugin_query: not in the mood.\n"
        "  This is a fault of the plugin; tell its author.");
  CHECK(refusal("null_description") ==
        "exit 5: null_description.so: gave no description of itself (kdh_plugin_query returned null).\n"
        "  This is a fault of the plugin; tell its author.");
}

TEST_CASE("a faulty description is refused with the part at fault") {
  CHECK(refusal("bad_magic") == faulty("bad_magic", "the plugin does not begin with the magic number of kdhost"));
  CHECK(refusal("other_abi_in_code") ==
        faulty("other_abi_in_code", "the plugin says ABI 2.0, this program offers 1.0"));
  CHECK(refusal("small_description") ==
        faulty("small_description",
               "the plugin has struct_size 24, expected at least " + std::to_string(sizeof(kdh_plugin))));
  CHECK(refusal("no_components") == faulty("no_components", "the plugin offers no component"));
  CHECK(refusal("same_id_twice") == faulty("same_id_twice", kComponent + "has an id that the same file offers twice"));
  CHECK(refusal("bad_id") ==
        faulty("bad_id",
               "component 0 has the id 'no dots', expected letters, digits, '_' or '-' in parts joined by dots, "
               "as in 'author.name'"));
  CHECK(refusal("unknown_kind") == faulty("unknown_kind", kComponent + "is of the unknown kind 9"));
  CHECK(refusal("null_create") == faulty("null_create", kComponent + "has no function create"));
  CHECK(refusal("not_utf8") ==
        faulty("not_utf8", kComponent + "has text that is not UTF-8, or has control characters, as summary"));
  CHECK(refusal("endless_text") == faulty("endless_text", kComponent + "has 1099511627776 bytes of text as summary"));
  CHECK(refusal("null_text") == faulty("null_text", kComponent + "has a null pointer as summary"));
  CHECK(refusal("small_stride") ==
        faulty("small_stride", kComponent + "has parameters of 16 bytes each, expected at least " +
                                   std::to_string(sizeof(kdh_param)) + " and a multiple of 8"));
  CHECK(refusal("many_params") ==
        faulty("many_params", kComponent + "has 1125899906842624 parameters, expected at most 4096"));
  CHECK(refusal("default_out_of_range") ==
        faulty("default_out_of_range", kComponent +
                                           "has parameter 'temperature' with the default -1.0, which its own rules "
                                           "refuse: Expected a number, >= 0"));
  CHECK(refusal("default_of_other_type") ==
        faulty("default_of_other_type",
               kComponent + "has parameter 'temperature' of type float with a default of type int"));
  CHECK(refusal("unknown_param_type") ==
        faulty("unknown_param_type", kComponent + "has parameter 'temperature' of type 77, which a parameter cannot "
                                                  "have"));
  CHECK(refusal("unknown_port_type") ==
        faulty("unknown_port_type",
               kComponent + "has port 'student.logits' of type int, expected tensor or tensor_list"));
}

TEST_CASE("a plugin that contradicts its own record is refused") {
  const std::string mend = "\n  Build the plugin again with kdhost_add_plugin.";
  CHECK(refusal("other_name_in_code") ==
        "exit 5: other_name_in_code.so: contradicts its own record: the name is 'zoo.faulty' in the record, "
        "'zoo.somebody_else' in the code." +
            mend);
  CHECK(refusal("other_list") ==
        "exit 5: other_list.so: contradicts its own record: the list of components is 'zoo.other' in the record, "
        "'zoo.faulty' in the code." +
            mend);
  CHECK(
      refusal("other_params") ==
      "exit 5: other_params.so: contradicts its own record: parameters and ports of 'zoo.faulty' is '' in the record, "
      "'temperature: float, student.logits' in the code." +
          mend);
}

TEST_CASE("a file is opened once, whatever it is called") {
  const Folder folder;
  std::filesystem::create_symlink(zoo("healthy"), folder / "link.so");
  const Record record = read_record(zoo("healthy"));
  const Library& first = open_library(zoo("healthy"), record, HostAbi{});
  CHECK(&open_library(zoo("healthy"), record, HostAbi{}) == &first);
  CHECK(&open_library(folder / "link.so", record, HostAbi{}) == &first);
  REQUIRE(first.component("zoo.net") != nullptr);
  CHECK(first.component("zoo.net")->kind == KDH_KIND_MODEL);
  CHECK(first.component("zoo.net.") == nullptr);
}

TEST_CASE("a plugin built by hand, without a list of components, loads all the same") {
  const Record record = read_record(zoo("unlisted"));
  CHECK_FALSE(record.lists_components);
  const Library& library = open_library(zoo("unlisted"), record, HostAbi{});
  CHECK(library.record().lists_components);
  CHECK(library.component("zoo.unlisted") != nullptr);
}
