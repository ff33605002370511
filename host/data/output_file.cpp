// SPDX-License-Identifier: MIT
// Making, continuing, checking and reading the file of teacher outputs; see output_file.hpp for its layout.
#include "data/output_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"

namespace kdhost {

struct OutputFile::Entry {
  uint64_t state;
  std::array<uint8_t, 16> digest;
  uint64_t block;
};

namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are written as they lie in memory");

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxHeader = std::size_t{1} << 20;
constexpr std::string_view kMagic = "KDHOUT01";
constexpr uint64_t kFinished = 0x4453494E49464B44u;  // no byte of it is zero
constexpr std::size_t kDigestBytes = sizeof(Digest::bytes);

std::size_t round_up(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

Error problem(const std::string& path, std::string what, std::string expected = {}, std::string mend = {}) {
  return Error(Exit::data, Message{.place = {path},
                                   .where = {},
                                   .what = std::move(what),
                                   .expected = std::move(expected),
                                   .mend = std::move(mend)});
}

Error damaged(const std::string& path, const std::string& what, const std::string& expected) {
  return problem(path, "the teacher outputs are damaged: " + what + ".", "Expected " + expected + ".",
                 "Delete the file; the outputs are computed again.");
}

Error failed(const std::string& path, const std::string& verb, int reason) {
  return problem(
      path, "cannot be " + verb + ": " + std::generic_category().message(reason) + ".", {},
      reason == EACCES || reason == EPERM || reason == EROFS ? "Allow access, or choose cache = \"memory\"." : "");
}

Error no_space(const std::string& path, uint64_t needed, uint64_t available) {
  return problem(path,
                 "keeping the teacher outputs takes " + with_commas(static_cast<int64_t>(needed)) + " bytes, but " +
                     with_commas(static_cast<int64_t>(available)) + " are free on this disk.",
                 "Expected enough space for all of them.",
                 "Free some space, keep fewer taps or views, or choose cache = \"memory\" or \"off\".");
}

uint64_t available_space(const std::string& path) {
  std::error_code failure;
  const auto space = std::filesystem::space(std::filesystem::absolute(path).parent_path(), failure);
  return failure ? ~uint64_t{0} : space.available;
}

nlohmann::json describe(const std::vector<StoredTap>& taps) {
  nlohmann::json list = nlohmann::json::array();
  for (const StoredTap& tap : taps)
    list.push_back({{"name", tap.name}, {"dtype", dtype_name(tap.dtype)}, {"sizes", tap.sizes}});
  return list;
}

std::string make_header(const nlohmann::json& description) {
  const std::string text = description.dump();
  const std::size_t length = round_up(kMagic.size() + 16 + text.size() + kDigestBytes);
  std::string header(kMagic);
  for (const uint64_t number : {uint64_t{length}, uint64_t{text.size()}})
    header.append(reinterpret_cast<const char*>(&number), sizeof number);
  header += text;
  header.resize(length - kDigestBytes, '\0');
  const Digest digest = hash_text(header);
  header.append(reinterpret_cast<const char*>(digest.bytes.data()), kDigestBytes);
  return header;
}

/// The text of a whole header, or a discarded value where it is not one.
nlohmann::json read_header(const std::string& header) {
  const auto nothing = nlohmann::json(nlohmann::json::value_t::discarded);
  if (header.size() < kPage || !header.starts_with(kMagic)) return nothing;
  const std::size_t body = header.size() - kDigestBytes;
  const Digest digest = hash_text(std::string_view(header).substr(0, body));
  if (std::memcmp(digest.bytes.data(), header.data() + body, kDigestBytes) != 0) return nothing;
  uint64_t length = 0;
  std::memcpy(&length, header.data() + kMagic.size() + 8, sizeof length);
  const std::size_t begin = kMagic.size() + 16;
  if (length > body - begin) return nothing;
  return nlohmann::json::parse(header.substr(begin, length), nullptr, /*allow_exceptions=*/false);
}

std::string read_start(int descriptor, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(descriptor, text.data() + done, bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

Digest block_digest(std::size_t block, std::span<const std::byte> bytes) {
  return Hasher().add(uint64_t{block}).add(bytes).digest();
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path, const std::string& key, const std::vector<StoredTap>& taps,
                       int64_t rows)
    : path_(path.string()), taps_(taps), rows_(static_cast<std::size_t>(rows)) {
  for (const StoredTap& tap : taps) record_ += tap.bytes();
  if (record_ == 0)
    throw Error(Exit::internal, Message{.where = "teacher outputs",
                                        .what = "the taps to be kept are empty.",
                                        .expected = "Expected at least one number a sample."});
  rows_per_block_ = std::max<std::size_t>(1, kBlockBytes / record_);
  const std::size_t blocks = (rows_ + rows_per_block_ - 1) / rows_per_block_;
  const std::string header = make_header(
      nlohmann::json{{"key", key}, {"rows", rows}, {"rows_per_block", rows_per_block_}, {"taps", describe(taps)}});
  table_start_ = header.size();
  data_start_ = table_start_ + round_up(blocks * sizeof(Entry));
  size_ = data_start_ + rows_ * record_;
  trusted_.assign(blocks, 0);
  try {
    open_file(header);
  } catch (...) {
    if (memory_ != nullptr) ::munmap(memory_, size_);
    if (descriptor_ >= 0) ::close(descriptor_);
    throw;
  }
}

OutputFile::~OutputFile() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);  // releases the lock
}

void OutputFile::open_file(const std::string& header) {
  const auto try_open = [&] {
    // Not blocking: a pipe of that name must not stop the program.
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    may_write_ = descriptor_ >= 0;
    if (descriptor_ < 0 && (errno == EACCES || errno == EROFS))
      descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return descriptor_ >= 0;
  };
  if (!try_open()) {
    if (errno != ENOENT) throw failed(path_, "opened", errno);
    if (const uint64_t available = available_space(path_); available < size_) throw no_space(path_, size_, available);
    write_file(path_, header);
    if (!try_open()) throw failed(path_, "opened", errno);
  }
  check_header(header);
  struct stat facts {};
  if (::fstat(descriptor_, &facts) != 0) throw failed(path_, "examined", errno);
  // Exactly the header: made, but not grown yet. Growing is one step, so no other length can be left by a killed
  // program.
  const bool bare = static_cast<std::size_t>(facts.st_size) == table_start_;
  if (!bare && static_cast<std::size_t>(facts.st_size) != size_)
    throw damaged(path_, "the file has " + with_commas(facts.st_size) + " bytes",
                  with_commas(static_cast<int64_t>(size_)) + " bytes");
  if (!bare) {
    map(false);
    read_table();
    if (open_blocks_ == 0) return;
    ::munmap(memory_, size_);
    memory_ = nullptr;
  }
  lock();
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) throw failed(path_, "grown", errno);
  reserve();
  map(true);
  read_table();  // again: another program may have finished it before the lock was ours
}

void OutputFile::check_header(const std::string& header) const {
  struct stat facts {};
  if (::fstat(descriptor_, &facts) != 0) throw failed(path_, "examined", errno);
  if (!S_ISREG(facts.st_mode)) throw problem(path_, "is not an ordinary file.", "Expected a file of teacher outputs.");
  if (read_start(descriptor_, header.size()) == header) return;

  // Something differs: say what. The length in the file is bounded before it is used.
  const std::string start = read_start(descriptor_, kMagic.size() + 8);
  uint64_t length = 0;
  if (start.size() == kMagic.size() + 8) std::memcpy(&length, start.data() + kMagic.size(), sizeof length);
  if (!start.starts_with(kMagic))
    throw problem(path_, "is not a file of teacher outputs.",
                  "Expected one that begins with " + std::string(kMagic) + ".",
                  "Move it away, or delete it if kdhost wrote it.");
  if (length > kMaxHeader || length % kPage != 0)
    throw damaged(path_, "its header has no possible length", "at most 1 MiB");
  const nlohmann::json found = read_header(read_start(descriptor_, length));
  if (!found.is_object()) throw damaged(path_, "its header does not match its digest", "an unchanged header");
  const nlohmann::json expected = read_header(header);
  for (const char* name : {"key", "taps", "rows", "rows_per_block"}) {
    const std::string ours = expected[name].dump();
    const std::string theirs = found.contains(name) ? found[name].dump() : "nothing";
    if (ours != theirs)
      throw problem(path_,
                    "holds the outputs of another teacher, other data or other settings: " + std::string(name) +
                        " is " + printable(theirs, 400) + ".",
                    "Expected " + std::string(name) + " " + printable(ours, 400) + ".",
                    "Delete the file to have it made again, or name another one.");
  }
  throw damaged(path_, "its header differs", "the header of this version");
}

void OutputFile::lock() {
  if (!may_write_)
    throw problem(path_, "is unfinished and cannot be written.",
                  "Expected a finished file, or one that may be written.",
                  "Allow writing, or choose cache = \"memory\".");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) throw failed(path_, "locked", errno);
  throw problem(path_, "is being written by another program.", "Expected to be the only one that writes it.",
                "Wait until the other run has computed its teacher outputs, or choose cache = \"memory\".");
}

void OutputFile::reserve() const {
  struct stat facts {};
  if (::fstat(descriptor_, &facts) != 0) throw failed(path_, "examined", errno);
  const uint64_t there = static_cast<uint64_t>(facts.st_blocks) * 512;
  const uint64_t more = size_ > there ? size_ - there : 0;
  if (const uint64_t available = available_space(path_); available < more) throw no_space(path_, more, available);
  // A page of a mapped file that finds no space when it is first written kills the program; so take all of it now.
  int result = 0;
  do {
    result = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size_));
  } while (result == EINTR);
  if (result == ENOSPC || result == EDQUOT) throw no_space(path_, more, available_space(path_));
  if (result != 0) throw failed(path_, "given its disk space", result);
  if (::fsync(descriptor_) != 0) throw failed(path_, "flushed to disk", errno);
}

void OutputFile::map(bool writable) {
  void* memory = ::mmap(nullptr, size_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor_, 0);
  if (memory == MAP_FAILED) throw failed(path_, "mapped", errno);
  memory_ = static_cast<std::byte*>(memory);
}

OutputFile::Entry* OutputFile::entry(std::size_t block) const {
  return reinterpret_cast<Entry*>(memory_ + table_start_) + block;
}

std::span<std::byte> OutputFile::block_bytes(std::size_t block) const {
  const std::size_t begin = block * rows_per_block_;
  const std::size_t end = std::min(rows_, begin + rows_per_block_);
  return {memory_ + data_start_ + begin * record_, (end - begin) * record_};
}

void OutputFile::read_table() {
  const std::size_t blocks = trusted_.size();
  open_rows_.assign(blocks, 0);
  open_blocks_ = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    const Entry& found = *entry(block);
    if (found.state == kFinished) {
      if (found.block != block)
        throw damaged(path_,
                      "the table calls block " + std::to_string(block) + " number " + std::to_string(found.block),
                      "blocks in order");
      continue;
    }
    if (found.state != 0)
      throw damaged(path_, "block " + std::to_string(block) + " has no known state", "finished or not");
    open_rows_[block] = block_bytes(block).size() / record_;
    ++open_blocks_;
  }
  const std::byte* rest = memory_ + table_start_ + blocks * sizeof(Entry);
  if (std::any_of(rest, static_cast<const std::byte*>(memory_) + data_start_,
                  [](std::byte b) { return b != std::byte{0}; }))
    throw damaged(path_, "bytes after the table are not zero", "zeros");
}

std::vector<uint8_t> OutputFile::present() const {
  std::vector<uint8_t> rows(rows_, 0);
  for (std::size_t row = 0; row < rows_; ++row) rows[row] = open_rows_[row / rows_per_block_] == 0 ? 1 : 0;
  return rows;
}

void OutputFile::put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values) {
  std::size_t offset = 0;
  for (std::size_t tap = 0; tap < taps_.size(); ++tap) {
    const at::Tensor value = values[tap].cpu().contiguous();
    const std::size_t bytes = taps_[tap].bytes();
    const auto* from = static_cast<const std::byte*>(value.const_data_ptr());
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::memcpy(memory_ + data_start_ + static_cast<std::size_t>(rows[i]) * record_ + offset, from + i * bytes,
                  bytes);
    offset += bytes;
  }
  for (const int64_t row : rows) {
    const std::size_t block = static_cast<std::size_t>(row) / rows_per_block_;
    trusted_[block] = 1;
    if (--open_rows_[block] == 0) finish(block);
  }
}

void OutputFile::finish(std::size_t block) {
  const std::span<std::byte> bytes = block_bytes(block);
  flush(bytes.data(), bytes.size());
  Entry& made = *entry(block);
  made.digest = block_digest(block, bytes).bytes;
  made.block = block;
  std::atomic_ref<uint64_t>(made.state).store(kFinished, std::memory_order_release);
  flush(&made, sizeof made);
  if (--open_blocks_ > 0) return;
  ::mprotect(memory_, size_, PROT_READ);  // from now on a stray write is a crash, not a wrong teacher
  ::flock(descriptor_, LOCK_UN);
}

void OutputFile::flush(const void* begin, std::size_t length) const {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(begin) - memory_);
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t start = offset / page * page;
  if (::msync(memory_ + start, offset + length - start, MS_SYNC) != 0) throw failed(path_, "flushed to disk", errno);
}

void OutputFile::verify(std::size_t block) const {
  const std::span<const std::byte> bytes = block_bytes(block);
  Digest expected;
  expected.bytes = entry(block)->digest;
  const Digest found = block_digest(block, bytes);
  const std::size_t begin = block * rows_per_block_;
  if (found != expected)
    throw damaged(path_,
                  "block " + std::to_string(block) + " (rows " + std::to_string(begin) + " to " +
                      std::to_string(std::min(rows_, begin + rows_per_block_) - 1) + ") has digest " + found.hex(),
                  "digest " + expected.hex());
  trusted_[block] = 1;
}

std::vector<at::Tensor> OutputFile::get(std::span<const int64_t> rows, at::Device device) const {
  for (const int64_t row : rows) {
    const std::size_t block = static_cast<std::size_t>(row) / rows_per_block_;
    if (trusted_[block] == 0) verify(block);
  }
  std::vector<at::Tensor> values;
  std::size_t offset = 0;
  for (const StoredTap& tap : taps_) {
    at::Tensor value = rows_for(tap, static_cast<int64_t>(rows.size()), device);
    const std::size_t bytes = tap.bytes();
    auto* to = static_cast<std::byte*>(value.mutable_data_ptr());
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::memcpy(to + i * bytes, memory_ + data_start_ + static_cast<std::size_t>(rows[i]) * record_ + offset, bytes);
    values.push_back(device.is_cpu() ? std::move(value) : value.to(device, /*non_blocking=*/true));
    offset += bytes;
  }
  return values;
}

}  // namespace kdhost
