// SPDX-License-Identifier: MIT
// kdhost.idx; see idx_data.hpp, and idx_file.hpp for the format.
#include "idx_data.hpp"

#include "idx_file.hpp"

#include <algorithm>

namespace kdhost::plugins {

void Idx::describe(Spec& s) {
  s.id("kdhost.idx").version("1.0.0").summary("any data in IDX files, plain or gzipped");
  s.source("the IDX format as described with MNIST, LeCun, Cortes, Burges");
  s.details(
      "Fields: input with the element type of the file, label int64 []. The first size of a file counts the samples. "
      "Inputs\n"
      "of rank 3 [N, H, W] become [1, H, W], others keep their shape. Element types: uint8, int8, int16, int32, "
      "float32,\n"
      "float64; labels whole numbers. File names are looked for in root, also with .gz at their end; one that is \"\" "
      "is left\n"
      "out together with its partner.");
  s.recipe(
      "[data]\nuse    = \"kdhost.idx\"\n"
      "params = { root = \"digits\", train_input = \"train-images\", train_label = \"train-labels\",\n"
      "           test_input = \"test-images\", test_label = \"test-labels\" }\n");
  s.text("root").path().required().doc("the folder of the files");
  s.text("train_input", "train-images-idx3-ubyte").doc("file of the training inputs");
  s.text("train_label", "train-labels-idx1-ubyte").doc("file of the training labels");
  s.text("validation_input", "").doc("file of the validation inputs");
  s.text("validation_label", "").doc("file of the validation labels");
  s.text("test_input", "t10k-images-idx3-ubyte").doc("file of the test inputs");
  s.text("test_label", "t10k-labels-idx1-ubyte").doc("file of the test labels");
  s.integer("classes").at_least(1).doc("number of classes; absent: the largest label plus one");
  s.number("scale").doc("floating-point value = stored * scale; absent: 1/255 for uint8 inputs, else 1");
}

Idx::Idx(const Params& p) {
  const std::string root(p.text("root"));
  info_.classes = p.integer_or("classes", 0);
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const std::string key = name_of_split(split);
    const std::string input(p.text(key + "_input")), label(p.text(key + "_label"));
    if (input.empty() != label.empty())
      throw std::invalid_argument("parameters '" + key + "_input' and '" + key +
                                  "_label': one is empty; expected two file names or none");
    if (!input.empty()) add(split, plain_or_gz(root + "/" + input), plain_or_gz(root + "/" + label), p);
  }
  if (info_.files.empty())
    throw std::invalid_argument("every file name is empty; expected the files of at least one split");
  if (p.integer_or("classes", 0) > 0) return;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const std::int64_t n = info_.samples[static_cast<std::size_t>(split)];
    const auto* labels = static_cast<const std::int64_t*>(resident(split, 1));
    if (n > 0) info_.classes = std::max(info_.classes, *std::max_element(labels, labels + n) + 1);
  }
}

void Idx::add(Split split, const std::string& images, const std::string& labels_path, const Params& p) {
  IdxArray input = read_idx(images, {-1, -1, "inputs"});
  const IdxArray labels = read_idx(labels_path, {-1, 1, "labels"});
  must_pair(input, labels);
  Shape shape(input.sizes.begin() + 1, input.sizes.end());
  if (shape.size() == 2) shape.insert(shape.begin(), 1);
  if (info_.fields.empty()) {
    info_.fields = {{"input", input.dtype, shape, p.number_or("scale", input.dtype == Dtype::u8 ? 1.0 / 255.0 : 1.0)},
                    {"label", Dtype::i64, {}, 1.0}};
  } else if (info_.fields[0].shape != shape || info_.fields[0].dtype != input.dtype) {
    refuse(images, "has samples of " + to_string(shape) + " " + name_of(input.dtype),
           to_string(info_.fields[0].shape) + " " + name_of(info_.fields[0].dtype) + " as in " + info_.files[0],
           "All splits must hold the same kind of sample.");
  }
  info_.files.push_back(images);
  info_.files.push_back(labels_path);
  std::vector<Column> columns;
  columns.push_back(std::move(input.column));
  columns.push_back(labels_of(labels, p.integer_or("classes", 0)));
  set_split(split, labels.samples(), std::move(columns));
}

}  // namespace kdhost::plugins
