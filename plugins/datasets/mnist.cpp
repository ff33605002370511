// SPDX-License-Identifier: MIT
// kdhost.mnist and kdhost.fashion_mnist; see mnist.hpp, and idx_file.hpp for the format.
#include "mnist.hpp"

#include "idx_file.hpp"

namespace kdhost::plugins {
namespace {

// Test files are wanted; training files may be missing both, not one.
bool has_training_files(const std::string& folder) {
  const std::string images = folder + "/train-images-idx3-ubyte", labels = folder + "/train-labels-idx1-ubyte";
  const bool has_images = file_exists(plain_or_gz(images)), has_labels = file_exists(plain_or_gz(labels));
  if (has_images != has_labels)
    refuse(has_images ? labels : images, "is missing, while " + plain_or_gz(has_images ? images : labels) + " is there",
           "both training files or none", "Fetch the missing file.");
  return has_images;
}

void describe_files(Spec& s) {
  s.details(
      "Fields: input uint8 [1, 28, 28], scaled to [0, 1] by 1/255; label int64 []. Files, each plain or with .gz:\n"
      "train-images-idx3-ubyte, train-labels-idx1-ubyte (60,000), t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte "
      "(10,000).\n"
      "The two training files may be missing together: then there is a test split only.");
  s.text("root").path().doc("the folder of the files, or the one above it; absent: the run's data places are searched");
}

std::string folder_of(const Params& p, const Facts& facts, const char* name, const std::vector<std::string>& folders,
                      const char* how_to_get) {
  return find_data(p, facts, name, folders, {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}, how_to_get);
}

}  // namespace

void MnistFiles::load(const std::string& folder, std::vector<std::string> class_names) {
  info_.classes = 10;
  info_.class_names = std::move(class_names);
  info_.fields = {{"input", Dtype::u8, {1, 28, 28}, 1.0 / 255.0}, {"label", Dtype::i64, {}, 1.0}};
  for (const auto& [split, prefix] : {std::pair{Split::train, "/train"}, std::pair{Split::test, "/t10k"}}) {
    if (split == Split::train && !has_training_files(folder)) continue;
    IdxArray images = read_idx(plain_or_gz(folder + prefix + "-images-idx3-ubyte"), {0x08, 3, "images"});
    if (images.sizes[1] != 28 || images.sizes[2] != 28)
      refuse(images.path,
             "has images of " + std::to_string(images.sizes[1]) + " x " + std::to_string(images.sizes[2]) + " pixels",
             "28 x 28", "For images of another size use the data set kdhost.idx.");
    const IdxArray labels = read_idx(plain_or_gz(folder + prefix + "-labels-idx1-ubyte"), {0x08, 1, "labels"});
    must_pair(images, labels);
    info_.files.push_back(images.path);
    info_.files.push_back(labels.path);
    std::vector<Column> columns;
    columns.push_back(std::move(images.column));
    columns.push_back(labels_of(labels, info_.classes));
    set_split(split, labels.samples(), std::move(columns));
  }
}

void Mnist::describe(Spec& s) {
  s.id("kdhost.mnist").version("1.0.0").summary("MNIST: 70,000 handwritten digits, 28 x 28");
  s.source("LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition");
  s.recipe("[data]\nuse        = \"kdhost.mnist\"\nbatch      = 64\nvalidation = 5000\n");
  describe_files(s);
}

Mnist::Mnist(const Params& p, const Facts& facts) {
  load(folder_of(
           p, facts, "mnist", {"mnist", "MNIST/raw"},
           "Put the four IDX files there, plain or gzipped, or name their folder with params = { root = \"...\" }."),
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

void FashionMnist::describe(Spec& s) {
  s.id("kdhost.fashion_mnist").version("1.0.0").summary("Fashion-MNIST: 70,000 articles of clothing, 28 x 28");
  s.source("Xiao, Rasul, Vollgraf 2017, Fashion-MNIST, arXiv 1708.07747");
  s.recipe("[data]\nuse        = \"kdhost.fashion_mnist\"\nbatch      = 64\nvalidation = 5000\n");
  describe_files(s);
}

FashionMnist::FashionMnist(const Params& p, const Facts& facts) {
  load(folder_of(p, facts, "fashion_mnist", {"fashion-mnist", "fashion_mnist", "FashionMNIST/raw"},
                 "On Debian: apt-get install dataset-fashion-mnist. Elsewhere put the four IDX files there, plain or "
                 "gzipped, or "
                 "name their folder with params = { root = \"...\" }."),
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"});
}

}  // namespace kdhost::plugins
