// SPDX-License-Identifier: MIT
// The bounded ELF reader behind elf_section.hpp: file header, section table, section names, one section.
#include "plugin/elf_section.hpp"

#include <elf.h>
#include <fcntl.h>
#include <kdhost/abi.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace kdhost {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "plugins are read on x86-64 and AArch64 only"
#endif

// A record is some kilobytes; a larger section is not ours to read.
constexpr std::uint64_t kLargestRecord = std::uint64_t{4} << 20U;

constexpr const char* kBuildAgain = "Copy or build the plugin again.";

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC 64";
    case EM_S390:
      return "S/390";
    default:
      return "machine number " + std::to_string(machine);
  }
}

class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd_ < 0) refuse_errno("cannot be opened");
    struct stat status {};
    if (::fstat(fd_, &status) != 0) {
      ::close(fd_);
      refuse_errno("cannot be looked at");
    }
    if (!S_ISREG(status.st_mode)) {
      ::close(fd_);
      refuse("is not a regular file.", "Expected a plugin: a shared library.");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile() { ::close(fd_); }

  std::string record_text() {
    const Elf64_Ehdr header = read_header();
    const std::vector<Elf64_Shdr> sections = read_sections(header);
    const Elf64_Shdr& names = sections[header.e_shstrndx];
    need(names.sh_offset, names.sh_size, "its table of section names");
    constexpr std::string_view wanted(KDH_RECORD_SECTION "\0", sizeof KDH_RECORD_SECTION);
    for (const Elf64_Shdr& section : sections) {
      if (section.sh_name >= names.sh_size || names.sh_size - section.sh_name < wanted.size()) continue;
      std::string name(wanted.size(), '\0');
      read(names.sh_offset + section.sh_name, name.data(), name.size());
      if (name != wanted || section.sh_type == SHT_NOBITS) continue;
      if (section.sh_size > kLargestRecord) {
        refuse(
            "has a damaged record: section " KDH_RECORD_SECTION " has " + std::to_string(section.sh_size) + " bytes.",
            "Expected at most " + std::to_string(kLargestRecord) + ".", kBuildAgain);
      }
      need(section.sh_offset, section.sh_size, "its record");
      std::string text(section.sh_size, '\0');
      read(section.sh_offset, text.data(), text.size());
      const std::size_t end = text.find('\0');
      if (end == std::string::npos) refuse("has a damaged record: its text has no end.", "", kBuildAgain);
      text.resize(end);
      return text;
    }
    refuse("has no plugin record (ELF section " KDH_RECORD_SECTION ").", "Expected a plugin of kdhost.",
           "If it is one, end one of its sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin.");
  }

 private:
  [[noreturn]] void refuse(std::string what, std::string expected, std::string mend = {}) const {
    Message message;
    message.where = printable(path_.string(), 4096);
    message.what = std::move(what);
    message.expected = std::move(expected);
    message.mend = std::move(mend);
    throw Error(Exit::plugin, std::move(message));
  }

  [[noreturn]] void refuse_errno(const std::string& what) const {
    const std::string reason = std::strerror(errno);
    refuse(what + ": " + reason + ".", "Expected a plugin: a readable shared library.");
  }

  void need(std::uint64_t offset, std::uint64_t length, const char* what) const {
    if (offset <= size_ && length <= size_ - offset) return;
    const std::string end =
        offset > UINT64_MAX - length ? std::string("beyond 2^64") : "at byte " + std::to_string(offset + length);
    refuse(std::string("is cut off or damaged: ") + what + " should end " + end + ", the file has " +
               std::to_string(size_) + " bytes.",
           "", kBuildAgain);
  }

  void read(std::uint64_t offset, void* to, std::size_t length) const {
    auto* out = static_cast<char*>(to);
    while (length > 0) {
      const ssize_t got = ::pread(fd_, out, length, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) refuse_errno("cannot be read");
      if (got == 0) refuse("became shorter while it was read.", "", kBuildAgain);
      out += got;
      offset += static_cast<std::uint64_t>(got);
      length -= static_cast<std::size_t>(got);
    }
  }

  Elf64_Ehdr read_header() const {
    Elf64_Ehdr header{};
    if (size_ == 0) refuse("is empty.", "Expected a plugin: a shared library.", kBuildAgain);
    const std::size_t start = size_ < sizeof header ? static_cast<std::size_t>(size_) : sizeof header;
    read(0, &header, start);
    if (start < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
      const std::string begin(reinterpret_cast<const char*>(&header), start < 8 ? start : 8);
      refuse("is not a shared library: it begins with " + kdhost::quoted(begin) + ".", "Expected an ELF file.",
             "Name the .so file that the plugin's build made.");
    }
    need(0, sizeof header, "its ELF header");
    const bool wide = header.e_ident[EI_CLASS] == ELFCLASS64;
    const bool little = header.e_ident[EI_DATA] == ELFDATA2LSB;
    if (!wide || !little || header.e_machine != kMachine) {
      // Only in files of our own byte order can the machine number be read as it stands.
      const std::string found = little ? machine_name(header.e_machine) : std::string("a big-endian machine");
      refuse("is built for " + found + ".", "This program runs on " + machine_name(kMachine) + ".",
             "Build the plugin for this machine.");
    }
    if (header.e_type != ET_DYN) {
      refuse(std::string("is ") +
                 (header.e_type == ET_REL    ? "an object file"
                  : header.e_type == ET_EXEC ? "a program"
                                             : "an ELF file of type " + std::to_string(header.e_type)) +
                 ", not a shared library.",
             "", "Link it with -shared, or build it with kdhost_add_plugin.");
    }
    return header;
  }

  std::vector<Elf64_Shdr> read_sections(const Elf64_Ehdr& header) const {
    if (header.e_shnum == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum) {
      refuse("is damaged, or its section table was removed: without it the plugin's record cannot be found.", "",
             "Build the plugin again; `strip` may be used, `sstrip` may not.");
    }
    const std::uint64_t bytes = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
    need(header.e_shoff, bytes, "its section table");
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    read(header.e_shoff, sections.data(), bytes);
    return sections;
  }

  const std::filesystem::path& path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace

std::string read_record_text(const std::filesystem::path& file) { return ElfFile(file).record_text(); }

}  // namespace kdhost
