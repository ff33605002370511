// SPDX-License-Identifier: MIT
// Bounded reading of the dynamic tables of an ELF file; see elf_image.hpp. That it is a shared library for this machine
// with a section table has been checked by plugin/elf_section.cpp.
#include "check/elf_image.hpp"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace kdhost::check {
namespace {

class ImageReader {
 public:
  explicit ImageReader(const std::filesystem::path& file) : file_(file) {
    std::ifstream in(file, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }

  ElfImage read() {
    const auto header = at<Elf64_Ehdr>(0, "its ELF header");
    for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
      sections_.push_back(at<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr), "its section table"));
    }
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type == SHT_DYNAMIC) read_dynamic(section);
      if (section.sh_type == SHT_GNU_verneed) read_needed_versions(section);
    }
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type == SHT_DYNSYM) read_symbols(section);
    }
    return std::move(image_);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(Exit::plugin, Message{.where = printable(file_.string(), 4096),
                                      .what = "is damaged: " + what + " does not lie in the file.",
                                      .mend = "Copy or build the plugin again."});
  }

  template <class T>
  T at(std::uint64_t offset, const char* what) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) damaged(what);
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }

  std::string text(const Elf64_Shdr& owner, std::uint64_t offset) const {
    if (owner.sh_link >= sections_.size()) damaged("a table of names");
    const Elf64_Shdr& table = sections_[owner.sh_link];
    if (offset >= table.sh_size || table.sh_offset > bytes_.size() || bytes_.size() - table.sh_offset < table.sh_size) {
      damaged("a name");
    }
    const std::string_view rest(bytes_.data() + table.sh_offset + offset,
                                static_cast<std::size_t>(table.sh_size - offset));
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) damaged("a name");
    return std::string(rest.substr(0, end));
  }

  void read_dynamic(const Elf64_Shdr& section) {
    for (std::uint64_t o = 0; o + sizeof(Elf64_Dyn) <= section.sh_size; o += sizeof(Elf64_Dyn)) {
      const auto entry = at<Elf64_Dyn>(section.sh_offset + o, "its dynamic table");
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) image_.libraries.push_back(text(section, entry.d_un.d_val));
      if (entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH) continue;
      std::string paths = text(section, entry.d_un.d_val);
      for (std::size_t begin = 0; begin <= paths.size();) {
        const std::size_t end = std::min(paths.find(':', begin), paths.size());
        image_.search_paths.push_back(paths.substr(begin, end - begin));
        begin = end + 1;
      }
    }
  }

  void read_needed_versions(const Elf64_Shdr& section) {
    std::uint64_t file_at = section.sh_offset;
    for (std::uint64_t i = 0; i < section.sh_info; ++i) {
      const auto need = at<Elf64_Verneed>(file_at, "a table of versions");
      std::uint64_t version_at = file_at + need.vn_aux;
      for (unsigned k = 0; k < need.vn_cnt; ++k) {
        const auto version = at<Elf64_Vernaux>(version_at, "a table of versions");
        const std::string name = text(section, version.vna_name);
        version_names_[version.vna_other & 0x7fffU] = name;
        image_.versions.push_back(name);
        version_at += version.vna_next;
        if (version.vna_next == 0) break;
      }
      file_at += need.vn_next;
      if (need.vn_next == 0) break;
    }
  }

  void read_symbols(const Elf64_Shdr& section) {
    std::optional<Elf64_Shdr> versions;
    for (const Elf64_Shdr& other : sections_) {
      if (other.sh_type == SHT_GNU_versym) versions = other;
    }
    const std::uint64_t count = section.sh_size / sizeof(Elf64_Sym);
    for (std::uint64_t i = 1; i < count; ++i) {
      const auto symbol = at<Elf64_Sym>(section.sh_offset + i * sizeof(Elf64_Sym), "its symbol table");
      const unsigned binding = ELF64_ST_BIND(symbol.st_info);
      const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
      if (binding == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL) continue;
      ElfSymbol found;
      found.name = text(section, symbol.st_name);
      found.defined = symbol.st_shndx != SHN_UNDEF;
      found.weak = binding == STB_WEAK;
      if (versions) {
        const auto index = at<Elf64_Half>(versions->sh_offset + i * sizeof(Elf64_Half), "the versions of its symbols");
        if (const auto name = version_names_.find(index & 0x7fffU); name != version_names_.end()) {
          found.version = name->second;
        }
      }
      image_.symbols.push_back(std::move(found));
    }
  }

  const std::filesystem::path& file_;
  std::string bytes_;
  std::vector<Elf64_Shdr> sections_;
  std::map<unsigned, std::string> version_names_;
  ElfImage image_;
};

}  // namespace

ElfImage read_elf_image(const std::filesystem::path& file) { return ImageReader(file).read(); }

}  // namespace kdhost::check
