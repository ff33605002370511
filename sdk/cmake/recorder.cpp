// SPDX-License-Identifier: MIT
// The recorder: run by kdhost_add_plugin after a plugin is linked. It loads the plugin, asks for its description and
// writes it as text into the room that KDHOST_PLUGIN left in the ELF section .kdhost, so that the host can list and
// check components without running plugin code. The file is replaced as a whole: written beside, then renamed.
//
// The text, after the first line (which the compiler wrote), one line for each
//   component kind=<kind> id=<id> version=<v> flags=<n> TAB summary
//   port <id> TAB input|output TAB name TAB type TAB flags TAB doc
//   param <id> TAB name TAB type TAB flags TAB default TAB min TAB max TAB choice|choice|... TAB doc
//   doc <id> TAB source|details|recipe TAB text
//   cut <id> TAB doc|param|port          these lines of the component are missing: there was no room for them
// Tab, newline and backslash in a text are written \t, \n, \\ (in a choice also | as \|). Flags are the numbers of
// abi.h. A default is a TOML value ("text" in quotes, [1, 2] for lists); an empty one, and an empty bound, is none.
#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <kdhost/abi.h>

namespace {

std::string plain(kdh_str s) { return s.size == 0 ? std::string() : std::string(s.data, s.size); }

std::string escaped(const std::string& text, bool in_choice = false) {
  std::string out;
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || (in_choice && c == '|')) {
      (out += '\\') += c;
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}
std::string escaped(kdh_str s) { return escaped(plain(s)); }

// Shortest of 15 to 17 digits that reads back as the same number; always with a point or exponent, as TOML wants.
std::string number(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  char buffer[40];
  for (int digits = 15; digits <= 17; ++digits) {
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, x);
    if (std::strtod(buffer, nullptr) == x) break;
  }
  std::string text = buffer;
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string bound(double x) { return std::isnan(x) ? std::string() : number(x); }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <class Element>
std::string list(std::uint64_t count, Element element) {
  std::string out = "[";
  for (std::uint64_t i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + element(i);
  return out + "]";
}

std::string toml(const kdh_value& v) {
  switch (v.type) {
    case KDH_T_INT:
      return std::to_string(v.u.i);
    case KDH_T_FLOAT:
      return number(v.u.f);
    case KDH_T_BOOL:
      return v.u.i != 0 ? "true" : "false";
    case KDH_T_STRING:
      return quoted(plain({v.u.s, v.count}));
    case KDH_T_INT_LIST:
      return list(v.count, [&](std::uint64_t i) { return std::to_string(v.u.ints[i]); });
    case KDH_T_FLOAT_LIST:
      return list(v.count, [&](std::uint64_t i) { return number(v.u.floats[i]); });
    case KDH_T_STRING_LIST:
      return list(v.count, [&](std::uint64_t i) { return quoted(plain(v.u.strings[i])); });
    default:
      return {};
  }
}

const char* type_name(kdh_type type) {
  static const char* const kNames[] = {"none",     "tensor",      "int",        "float",     "bool",       "string",
                                       "int_list", "tensor_list", "float_list", "generator", "string_list"};
  return type < std::size(kNames) ? kNames[type] : "unknown";
}

const char* kind_name(kdh_kind kind) {
  static const char* const kNames[] = {"unknown", "loss", "model", "scheduler", "dataset", "transform", "metric"};
  return kind < std::size(kNames) ? kNames[kind] : "unknown";
}

// Arrays of structs that may be longer than this header knows carry their stride.
template <class T>
const T& at(const T* first, std::uint64_t i, std::uint64_t stride) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + i * stride);
}

// The lines of one component, in groups that can be left out on their own, the dearest to keep first.
struct Lines {
  std::string id, head;
  std::string group[3];
};
constexpr const char* kGroupNames[3] = {"port", "param", "doc"};

Lines lines_of(const kdh_component& c) {
  Lines out;
  out.id = plain(c.id);
  out.head = std::string("component kind=") + kind_name(c.kind) + " id=" + out.id + " version=" + plain(c.version) +
             " flags=" + std::to_string(c.flags) + "\t" + escaped(c.summary) + "\n";
  auto port = [&](const kdh_port& p, const char* side) {
    out.group[0] += "port " + out.id + "\t" + side + "\t" + escaped(p.name) + "\t" + type_name(p.type) + "\t" +
                    std::to_string(p.flags) + "\t" + escaped(p.doc) + "\n";
  };
  for (std::uint64_t i = 0; i < c.n_inputs; ++i) port(at(c.inputs, i, c.port_size), "input");
  for (std::uint64_t i = 0; i < c.n_outputs; ++i) port(at(c.outputs, i, c.port_size), "output");
  for (std::uint64_t i = 0; i < c.n_params; ++i) {
    const kdh_param& p = at(c.params, i, c.param_size);
    std::string choices;
    for (std::uint64_t k = 0; k < p.n_choices; ++k) choices += (k == 0 ? "" : "|") + escaped(plain(p.choices[k]), true);
    out.group[1] += "param " + out.id + "\t" + escaped(p.name) + "\t" + type_name(p.type) + "\t" +
                    std::to_string(p.flags) + "\t" + escaped(toml(p.default_value)) + "\t" + bound(p.min) + "\t" +
                    bound(p.max) + "\t" + choices + "\t" + escaped(p.doc) + "\n";
  }
  auto doc = [&](const char* field, kdh_str text) {
    if (text.size != 0) out.group[2] += "doc " + out.id + "\t" + field + "\t" + escaped(text) + "\n";
  };
  doc("source", c.source);
  doc("details", c.details);
  doc("recipe", c.recipe);
  return out;
}

// All lines in at most `room` bytes: what does not fit is left out in whole groups, documentation first, from the last
// component to the first, then parameters, then ports; each gap leaves a `cut` line.
std::string fit(std::vector<Lines> components, std::size_t room) {
  auto joined = [&] {
    std::string text;
    for (const Lines& c : components) text += c.head + c.group[0] + c.group[1] + c.group[2];
    return text;
  };
  std::string text = joined();
  for (std::size_t g = 3; g-- > 0;) {
    for (std::size_t i = components.size(); i-- > 0 && text.size() > room;) {
      std::string cut = "cut " + components[i].id + "\t" + kGroupNames[g] + "\n";
      if (cut.size() >= components[i].group[g].size()) continue;
      components[i].group[g] = cut;
      text = joined();
    }
  }
  if (text.size() > room) throw std::runtime_error("the record has no room for the plugin's list of components");
  return text;
}

const kdh_plugin& query(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);  // stays loaded: the description lies in it
  if (library == nullptr) throw std::runtime_error(dlerror());
  auto entry = reinterpret_cast<kdh_plugin_query_fn>(dlsym(library, KDH_ENTRY_SYMBOL));
  if (entry == nullptr)
    throw std::runtime_error("it has no " KDH_ENTRY_SYMBOL "; write KDHOST_PLUGIN(...) in one source");
  const kdh_plugin* plugin = entry(KDH_ABI_MAJOR, KDH_ABI_MINOR);
  if (plugin == nullptr || plugin->magic != KDH_MAGIC) throw std::runtime_error("its description is damaged");
  return *plugin;
}

// The bytes of section .kdhost within the file.
struct Range {
  std::size_t begin = 0, size = 0;
};

Range find_record(const std::string& file) {
  auto read = [&](std::size_t offset, auto& out) {
    if (offset > file.size() || file.size() - offset < sizeof out)
      throw std::runtime_error("it is not a whole ELF file");
    std::memcpy(&out, file.data() + offset, sizeof out);
  };
  Elf64_Ehdr header;
  read(0, header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    throw std::runtime_error("it is not a 64-bit ELF file");
  }
  auto section = [&](std::size_t index) {
    Elf64_Shdr s;
    read(header.e_shoff + index * header.e_shentsize, s);
    return s;
  };
  const Elf64_Shdr names = section(header.e_shstrndx);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr s = section(i);
    char name[sizeof KDH_RECORD_SECTION];
    read(names.sh_offset + s.sh_name, name);
    if (std::memcmp(name, KDH_RECORD_SECTION, sizeof name) != 0) continue;
    if (s.sh_offset > file.size() || file.size() - s.sh_offset < s.sh_size) break;
    return {s.sh_offset, s.sh_size};
  }
  throw std::runtime_error("it has no section " KDH_RECORD_SECTION "; write KDHOST_PLUGIN(...) in one source");
}

void record(const char* path) {
  const kdh_plugin& plugin = query(path);
  std::vector<Lines> components;
  for (std::uint64_t i = 0; i < plugin.n_components; ++i) {
    components.push_back(lines_of(at(plugin.components, i, plugin.component_size)));
  }

  std::ifstream in(path, std::ios::binary);
  std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const Range range = find_record(file);
  std::string first = file.substr(range.begin, range.size);
  first.resize(std::min(first.find('\0'), first.size()));
  first.resize(std::min(first.find('\n'), first.size()));
  if (first.rfind(KDH_RECORD_MAGIC " ", 0) != 0)
    throw std::runtime_error("its record does not begin with " KDH_RECORD_MAGIC);
  first += '\n';
  if (first.size() >= range.size) throw std::runtime_error("its record has no room for components");
  std::string text = first + fit(std::move(components), range.size - first.size() - 1);
  text.resize(range.size, '\0');
  file.replace(range.begin, range.size, text);

  const std::filesystem::path target = path;
  std::filesystem::path beside = target;
  beside += ".recorded";
  std::ofstream out(beside, std::ios::binary | std::ios::trunc);
  out.write(file.data(), static_cast<std::streamsize>(file.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + beside.string());
  std::filesystem::permissions(beside, std::filesystem::status(target).permissions());
  std::filesystem::rename(beside, target);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PLUGIN.so\n", argv[0]);
    return 2;
  }
  try {
    record(argv[1]);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kdhost recorder: %s: %s\n", argv[1], e.what());
    return 1;
  }
}
