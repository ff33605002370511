// SPDX-License-Identifier: MIT
// kdhost.cifar10 and kdhost.cifar100; see cifar.hpp.
#include "cifar.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

constexpr std::size_t kPixels = 3 * 32 * 32;

// The lines of a text file of names beside the data, which may be absent.
std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  if (!file_exists(path)) return names;
  const DataFile file(path);
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 1u << 16)), '\0');
  file.read(0, text.data(), text.size());
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
    begin = end + 1;
  }
  return names;
}

void describe_root(Spec& s) {
  s.text("root").path().doc("the folder of the files, or the one above it; absent: the run's data places are searched");
}

}  // namespace

void CifarFiles::set_info(const Layout& layout) {
  info_.classes = layout.classes;
  info_.fields = {{"input", Dtype::u8, {3, 32, 32}, 1.0 / 255.0}, {"label", Dtype::i64, {}, 1.0}};
}

void CifarFiles::load(Split split, const std::vector<std::string>& paths, const Layout& layout) {
  const std::size_t record = layout.label_bytes + kPixels;
  std::vector<std::size_t> records;
  std::size_t total = 0;
  for (const std::string& path : paths) {
    const std::uint64_t size = DataFile(path).size();
    if (size == 0 || size % record != 0)
      refuse(path,
             "has " + std::to_string(size) + " bytes, which is " + std::to_string(size / record) + " records and " +
                 std::to_string(size % record) + " bytes",
             "whole records of " + std::to_string(record) + " bytes, at least one",
             "The file is damaged or incomplete, or of another CIFAR version: fetch it again.");
    records.push_back(static_cast<std::size_t>(size / record));
    total += records.back();
  }
  Column pixels{Bytes(total * kPixels), 0}, labels{Bytes(total * sizeof(std::int64_t)), 0};
  std::uint8_t* to = pixels.memory.data();
  auto* label = reinterpret_cast<std::int64_t*>(labels.memory.data());
  constexpr std::size_t kChunk = 256;  // records read at once
  Bytes chunk(kChunk * record);
  for (std::size_t f = 0; f < paths.size(); ++f) {
    const DataFile file(paths[f]);
    for (std::size_t first = 0; first < records[f]; first += kChunk) {
      const std::size_t n = std::min(kChunk, records[f] - first);
      file.read(first * record, chunk.data(), n * record);
      for (std::size_t i = 0; i < n; ++i, to += kPixels) {
        const std::uint8_t* from = chunk.data() + i * record;
        *label = from[layout.label_at];
        if (*label >= layout.classes)
          refuse(paths[f], "record " + std::to_string(first + i) + " has label " + std::to_string(*label),
                 "0.." + std::to_string(layout.classes - 1),
                 "The file is damaged, or of another CIFAR version: fetch it again.");
        ++label;
        std::memcpy(to, from + layout.label_bytes, kPixels);
      }
    }
    info_.files.push_back(paths[f]);
  }
  std::vector<Column> columns;
  columns.push_back(std::move(pixels));
  columns.push_back(std::move(labels));
  set_split(split, static_cast<std::int64_t>(total), std::move(columns));
}

void Cifar10::describe(Spec& s) {
  s.id("kdhost.cifar10").version("1.0.0").summary("CIFAR-10: 60,000 colour images of ten things, 32 x 32");
  s.source("Krizhevsky 2009, Learning multiple layers of features from tiny images; the binary version");
  s.details(
      "Fields: input uint8 [3, 32, 32], scaled to [0, 1] by 1/255; label int64 []. Files: data_batch_1.bin to\n"
      "data_batch_5.bin (training, 50,000) and test_batch.bin (10,000). The training files may be missing, all of "
      "them: then\n"
      "there is a test split only.");
  s.recipe("[data]\nuse        = \"kdhost.cifar10\"\nbatch      = 128\nvalidation = 5000\n");
  describe_root(s);
}

Cifar10::Cifar10(const Params& p, const Facts& facts) {
  const std::string folder = find_data(
      p, facts, "cifar10", {"cifar-10-batches-bin"}, {"test_batch.bin"},
      "Unpack cifar-10-binary.tar.gz (the binary version) in one of these places, or name its folder with params = { "
      "root = \"...\" }.");
  const Layout layout{1, 0, 10};
  set_info(layout);
  info_.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  std::vector<std::string> train;
  std::string missing;
  for (int i = 1; i <= 5; ++i) {
    const std::string path = folder + "/data_batch_" + std::to_string(i) + ".bin";
    if (file_exists(path)) {
      train.push_back(path);
    } else {
      missing = path;
    }
  }
  if (!train.empty() && !missing.empty())
    refuse(missing, "is missing, while " + train[0] + " is there", "all five training files or none",
           "Fetch the missing file.");
  if (!train.empty()) load(Split::train, train, layout);
  load(Split::test, {folder + "/test_batch.bin"}, layout);
}

void Cifar100::describe(Spec& s) {
  s.id("kdhost.cifar100").version("1.0.0").summary("CIFAR-100: 60,000 colour images of a hundred things, 32 x 32");
  s.source("Krizhevsky 2009, Learning multiple layers of features from tiny images; the binary version");
  s.details(
      "Fields: input uint8 [3, 32, 32], scaled to [0, 1] by 1/255; label int64 []. Files: train.bin (50,000) and "
      "test.bin\n"
      "(10,000); train.bin may be missing. Names of the classes come from fine_label_names.txt or "
      "coarse_label_names.txt where\n"
      "they lie beside.");
  s.recipe("[data]\nuse        = \"kdhost.cifar100\"\nbatch      = 64\nvalidation = 5000\n");
  describe_root(s);
  s.choice("label", {"fine", "coarse"}).doc("100 fine classes or 20 coarse ones");
}

Cifar100::Cifar100(const Params& p, const Facts& facts) {
  const std::string folder = find_data(
      p, facts, "cifar100", {"cifar-100-binary"}, {"test.bin"},
      "Unpack cifar-100-binary.tar.gz (the binary version) in one of these places, or name its folder with params = { "
      "root = \"...\" }.");
  const std::string kind(p.text("label"));
  const bool fine = kind == "fine";
  const Layout layout{2, fine ? 1u : 0u, fine ? 100 : 20};
  set_info(layout);
  info_.class_names = names_in(folder + "/" + kind + "_label_names.txt");
  if (info_.class_names.size() != static_cast<std::size_t>(layout.classes)) info_.class_names.clear();
  if (file_exists(folder + "/train.bin")) load(Split::train, {folder + "/train.bin"}, layout);
  load(Split::test, {folder + "/test.bin"}, layout);
}

}  // namespace kdhost::plugins
