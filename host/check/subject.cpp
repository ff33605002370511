// SPDX-License-Identifier: MIT
// Reading, loading and opening the plugin under test; see subject.hpp.
#include "check/subject.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/error.hpp"
#include "check/child.hpp"
#include "plugin/description.hpp"

namespace kdhost::check {
namespace {

// Nanoseconds that this thread was ready to run and had to wait, as the kernel counts them; 0 where it does not.
std::uint64_t waited_nanoseconds() {
  std::ifstream in("/proc/thread-self/schedstat");
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  in >> running >> waiting;
  return waiting;
}

void add_words(std::ostringstream& out, const ComponentInfo& c) {
  out << kind_name(c.kind) << ' ' << c.flags << '\n';
  for (const std::string* text : {&c.id, &c.version, &c.summary, &c.source, &c.details, &c.recipe})
    out << *text << '\n';
  for (const ParamInfo& p : c.params) {
    out << p.name << '\t' << p.doc << '\t' << p.type << p.required << p.schedulable << p.min_exclusive
        << p.max_exclusive << '\t' << p.min << '\t' << p.max << '\t'
        << (p.default_value ? to_toml(*p.default_value) : "");
    for (const std::string& choice : p.choices) out << '\t' << choice;
    out << '\n';
  }
  for (const auto* ports : {&c.inputs, &c.outputs}) {
    for (const PortInfo& p : *ports) out << p.name << '\t' << p.doc << '\t' << p.is_list << p.optional << '\n';
  }
}

}  // namespace

std::string description_text(const Record& record) {
  std::ostringstream out;
  out << record.abi_major << '.' << record.abi_minor << ' ' << record.tier << '\n'
      << record.name << '\n'
      << record.version << '\n'
      << record.fingerprint_text() << '\n';
  for (const ComponentInfo& c : record.components) add_words(out, c);
  return out.str();
}

const Record& Subject::record() {
  if (!record_) record_ = read_record(file());
  return *record_;
}

const ElfImage& Subject::image() {
  if (!image_) image_ = read_elf_image(file());
  return *image_;
}

const Loading& Subject::loading() {
  if (loading_) return *loading_;
  loading_.emplace();
  Loading& l = *loading_;
  const std::string path = std::filesystem::absolute(file());
  // Its pages shall not have to come from a disk within the time that is taken.
  {
    std::ifstream warm(path, std::ios::binary);
    std::ostringstream() << warm.rdbuf();
  }
  l.before = process_state();
  note_activity("the loading of the file (dlopen)");
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t waited = waited_nanoseconds();
  const LoadedFile loaded = load_file(path);
  l.refusal = loaded.refusal;
  l.thrown_early = loaded.thrown;
  const double wall = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  // A copy of this process that the plugin made must not go on as if it were this process.
  if (is_stray_copy()) ::_exit(0);
  l.milliseconds = wall - static_cast<double>(waited_nanoseconds() - waited) * 1e-6;
  void* const entry = loaded.handle != nullptr ? ::dlsym(loaded.handle, KDH_ENTRY_SYMBOL) : nullptr;
  if (entry != nullptr) {
    l.has_entry = true;
    l.query = reinterpret_cast<kdh_plugin_query_fn>(entry);
    note_activity("the function " KDH_ENTRY_SYMBOL);
    try {
      l.description = l.query(settings_.host.major, settings_.host.minor);
    } catch (const std::exception& thrown) {
      l.thrown = thrown.what();
    } catch (...) {
      l.thrown = "an exception of unknown type";
    }
    if (is_stray_copy()) ::_exit(0);
  }
  l.after = process_state();
  // What the plugin wrote into buffers of the C library counts as written while it was loaded.
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  return l;
}

const Library& Subject::library() {
  if (library_ == nullptr) {
    loading();
    note_activity("the reading of its description");
    check_record(record(), file(), settings_.host);
    library_ = &open_library(file(), record(), settings_.host);
  }
  return *library_;
}

const ComponentInfo& Subject::component(std::string_view id) {
  const ComponentInfo* found = library().record().component(id);
  if (found == nullptr) {
    throw Error(Exit::plugin, Message{.where = file().string(), .what = "does not offer '" + std::string(id) + "'."});
  }
  return *found;
}

}  // namespace kdhost::check
