// SPDX-License-Identifier: MIT
// For tests of data sets: a folder that disappears, small files made by hand in the formats that the data sets read,
// and what a data set says about them.
#pragma once

#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "plugins/plain_host.hpp"

namespace kdhost::test {

namespace fs = std::filesystem;
using FileBytes = std::string;

class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ =
        fs::temp_directory_path() / ("kdhost-datasets-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const FileBytes& bytes) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file.string();
  }

 private:
  fs::path path_;
};

inline FileBytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return FileBytes(std::istreambuf_iterator<char>(in), {});
}

/// Compresses with the gzip program of the system, an implementation that is not ours.
inline FileBytes gzipped(const Folder& folder, const FileBytes& bytes, int level = 6) {
  const std::string file = folder.write("to-compress", bytes);
  fs::remove(file + ".gz");
  REQUIRE(std::system(("gzip -k -" + std::to_string(level) + " '" + file + "'").c_str()) == 0);
  FileBytes packed = read_file(file + ".gz");
  fs::remove(file);
  fs::remove(file + ".gz");
  return packed;
}

template <class T>
FileBytes bytes_of(const std::vector<T>& values) {
  FileBytes b(values.size() * sizeof(T), '\0');
  std::memcpy(b.data(), values.data(), b.size());
  return b;
}

/// An IDX file; `contents` in the order of bytes of the file.
inline FileBytes idx(int type, const std::vector<uint32_t>& sizes, const FileBytes& contents) {
  FileBytes b = {'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const uint32_t s : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) b += static_cast<char>((s >> shift) & 255u);
  return b + contents;
}

/// Bytes 0, 1, 2, ... (mod 251, so that rows differ).
inline FileBytes ramp(std::size_t n, unsigned start = 0) {
  FileBytes b(n, '\0');
  for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<char>((i + start) % 251);
  return b;
}

inline FileBytes safetensors(const std::string& header, const FileBytes& data) {
  FileBytes b;
  for (int i = 0; i < 8; ++i) b += static_cast<char>((header.size() >> (8 * i)) & 255u);
  return b + header + data;
}

/// A data set as the host sees it.
class OpenData {
 public:
  OpenData(std::string_view id, const Settings& settings, const Settings& facts = {})
      : instance_("kdhost_datasets", id, settings, facts) {
    PlainInstance::check(table().info(instance_.self(), &info_));
  }
  const kdh_dataset_info& info() const { return info_; }
  const kdh_field& field(std::size_t f) const { return info_.fields[f]; }
  std::string name(std::size_t f) const { return std::string(text_of(field(f).name)); }
  std::vector<int64_t> shape(std::size_t f) const { return {field(f).sizes, field(f).sizes + field(f).rank}; }
  std::vector<std::string> files() const {
    std::vector<std::string> list;
    for (uint64_t i = 0; i < info_.n_files; ++i) list.emplace_back(text_of(info_.files[i]));
    return list;
  }
  std::string class_name(std::size_t k) const { return std::string(text_of(info_.class_names[k])); }

  template <class T>
  std::vector<T> all(uint32_t split, std::size_t f) const {
    const void* data = table().resident(instance_.self(), split, f);
    REQUIRE(data != nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(data) % sizeof(T) == 0);
    const auto n = static_cast<std::size_t>(info_.samples[split]) * elements(f);
    std::vector<T> values(n);
    std::memcpy(values.data(), data, n * sizeof(T));
    return values;
  }
  template <class X, class Y>
  std::pair<std::vector<X>, std::vector<Y>> fetch(uint32_t split, const std::vector<int64_t>& index) const {
    std::vector<X> x(index.size() * elements(0));
    std::vector<Y> y(index.size() * elements(1));
    void* const out[] = {x.data(), y.data()};
    PlainInstance::check(table().fetch(instance_.self(), split, index.data(), index.size(), out));
    return {x, y};
  }

 private:
  const kdh_dataset& table() const { return instance_.table<kdh_dataset>(); }
  std::size_t elements(std::size_t f) const {
    std::size_t n = 1;
    for (const int64_t d : shape(f)) n *= static_cast<std::size_t>(d);
    return n;
  }
  PlainInstance instance_;
  kdh_dataset_info info_{};
};

/// The text with which a data set refuses its files.
inline std::string data_refusal(std::string_view id, const Settings& settings, const Settings& facts = {}) {
  try {
    const OpenData data(id, settings, facts);
  } catch (const Refused& e) {
    CHECK(e.status == KDH_E_DATA);
    return e.what();
  }
  return "nothing was refused";
}

}  // namespace kdhost::test
