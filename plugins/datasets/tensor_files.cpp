// SPDX-License-Identifier: MIT
// kdhost.tensors; see tensor_files.hpp, and safetensors_file.hpp for the format.
#include "tensor_files.hpp"

#include "safetensors_file.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

constexpr std::array<Split, 3> kSplits = {Split::train, Split::validation, Split::test};

// A whole number of any integer type, at element i.
std::int64_t whole(const std::uint8_t* data, Dtype dtype, std::size_t i) {
  const auto read = [&](auto v) {
    std::memcpy(&v, data + i * sizeof v, sizeof v);
    return static_cast<std::int64_t>(v);
  };
  switch (dtype) {
    case Dtype::u8:
    case Dtype::boolean:
      return read(std::uint8_t{});
    case Dtype::i8:
      return read(std::int8_t{});
    case Dtype::i16:
      return read(std::int16_t{});
    case Dtype::i32:
      return read(std::int32_t{});
    default:
      return read(std::int64_t{});
  }
}

// The first element that is infinite or not a number, or n. An exponent of ones says so in every floating-point type.
template <class Word>
std::size_t first_not_finite(const std::uint8_t* data, std::size_t n, Word exponent) {
  for (std::size_t i = 0; i < n; ++i) {
    Word w;
    std::memcpy(&w, data + i * sizeof w, sizeof w);
    if ((w & exponent) == exponent) return i;
  }
  return n;
}
std::size_t first_not_finite(const std::uint8_t* data, std::size_t n, Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
      return first_not_finite<std::uint16_t>(data, n, 0x7c00u);
    case Dtype::bf16:
      return first_not_finite<std::uint16_t>(data, n, 0x7f80u);
    case Dtype::f32:
      return first_not_finite<std::uint32_t>(data, n, 0x7f800000u);
    case Dtype::f64:
      return first_not_finite<std::uint64_t>(data, n, 0x7ff0000000000000u);
    default:
      return n;
  }
}

std::string kind_of(const Field& f) { return to_string(f.shape) + " " + name_of(f.dtype); }

// Input first, label second, the rest by name: the same order in every file.
void sort_fields(std::vector<SafetensorsEntry>& entries) {
  const auto rank = [](const std::string& name) { return name == "input" ? 0 : name == "label" ? 1 : 2; };
  std::sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
    return rank(a.name) != rank(b.name) ? rank(a.name) < rank(b.name) : a.name < b.name;
  });
}

}  // namespace

void TensorFiles::describe(Spec& s) {
  s.id("kdhost.tensors").version("1.0.0").summary("ready-made tensors, one safetensors file for each split");
  s.source("the safetensors format, github.com/huggingface/safetensors");
  s.details(
      "Each file has a tensor `input` [N, ...] and a tensor `label`: class numbers [N] of any integer type, or "
      "probabilities\n"
      "[N, C] of a floating-point type. Any other tensor [N, ...] becomes a further field of its name. Element types "
      "are kept,\n"
      "so float64 data stay float64. All files must have the same fields. Written from Python by\n"
      "safetensors.numpy.save_file({\"input\": x, \"label\": y}, \"train.safetensors\").");
  s.recipe(
      "[data]\nuse    = \"kdhost.tensors\"\nparams = { train = \"train.safetensors\", test = \"test.safetensors\" }\n");
  s.text("train").path().doc("file of the training split");
  s.text("validation").path().doc("file of the validation split");
  s.text("test").path().doc("file of the test split");
  s.integer("classes").at_least(1).doc("number of classes; absent: the largest label plus one, or C of [N, C] labels");
  s.number("scale", 1.0)
      .above(0)
      .doc("input = stored * scale in floating point; 1 keeps the element type, 0.00392156862745098 is 1/255");
}

TensorFiles::TensorFiles(const Params& p) {
  for (const Split split : kSplits)
    if (p.has(name_of_split(split))) load(split, std::string(p.text(name_of_split(split))), p);
  if (info_.files.empty())
    throw std::invalid_argument("no file is named; expected at least one of the parameters train, validation, test");
  const Field& label = info_.fields[1];
  const std::int64_t found = is_floating(label.dtype) ? label.shape[0] : largest_label() + 1;
  info_.classes = p.integer_or("classes", found);
  if (is_floating(label.dtype) && info_.classes != found)
    throw std::invalid_argument("parameter 'classes' is " + std::to_string(info_.classes) + "; expected " +
                                std::to_string(found) + ", the size of the labels in " + info_.files[0]);
  std::size_t file = 0;
  for (const Split split : kSplits)
    if (p.has(name_of_split(split)))
      check_labels(split, info_.files[file++], info_.samples[static_cast<std::size_t>(split)], info_.classes);
}

void TensorFiles::load(Split split, const std::string& path, const Params& p) {
  const DataFile file(path);
  std::vector<SafetensorsEntry> entries = read_safetensors_header(file);
  sort_fields(entries);
  if (entries.size() < 2 || entries[0].name != "input" || entries[1].name != "label") {
    std::string names;
    for (const auto& e : entries) names += (names.empty() ? "'" : ", '") + e.name + "'";
    refuse(path, names.empty() ? "holds no tensors" : "holds " + names, "tensors named 'input' and 'label'",
           "Write the file with these two names.");
  }
  std::vector<Field> fields;
  for (const auto& e : entries) {
    if (e.shape.empty() || e.shape[0] != entries[0].shape[0] || e.shape[0] == 0)
      refuse(path, "tensor '" + e.name + "' has shape " + to_string(e.shape),
             e.name == "input"
                 ? "[N, ...] with N > 0 samples"
                 : std::to_string(entries[0].shape[0]) + " samples like 'input' " + to_string(entries[0].shape),
             "Dimension 0 of every tensor counts the samples.");
    fields.push_back(
        {e.name, e.dtype, Shape(e.shape.begin() + 1, e.shape.end()), e.name == "input" ? p.number("scale") : 1.0});
  }
  const Field& label = fields[1];
  if (label.shape.size() != (is_floating(label.dtype) ? 1u : 0u))
    refuse(path, "tensor 'label' has shape " + to_string(entries[1].shape) + " of " + name_of(label.dtype),
           "class numbers [N] of an integer type, or probabilities [N, C] of a floating-point type",
           "Put other targets into a tensor of another name.");
  if (info_.fields.empty()) info_.fields = fields;
  if (fields.size() != info_.fields.size())
    refuse(path, "has " + std::to_string(fields.size()) + " tensors",
           std::to_string(info_.fields.size()) + " as in " + info_.files[0], "All splits must have the same tensors.");
  std::vector<Column> columns;
  const std::int64_t samples = entries[0].shape[0];
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const Field& known = info_.fields[f];
    if (fields[f].name != known.name || fields[f].shape != known.shape || fields[f].dtype != known.dtype)
      refuse(path, "tensor '" + fields[f].name + "' has samples of " + kind_of(fields[f]),
             "'" + known.name + "' " + kind_of(known) + " as in " + info_.files[0],
             "All splits must have the same tensors.");
    columns.push_back(read_safetensors_tensor(file, entries[f]));
    const std::size_t n = columns.back().memory.size() / width_of(known.dtype);
    const std::size_t bad = first_not_finite(columns.back().data(), n, known.dtype);
    if (bad < n)
      refuse(path,
             "tensor '" + known.name + "' is infinite or not a number in record " +
                 std::to_string(bad / (n / static_cast<std::size_t>(samples))),
             "finite numbers", "Repair or leave out that sample.");
  }
  info_.files.push_back(path);
  set_split(split, samples, std::move(columns));
}

std::int64_t TensorFiles::largest_label() const {
  std::int64_t most = 0;
  for (const Split split : kSplits)
    for (std::int64_t i = 0; i < info_.samples[static_cast<std::size_t>(split)]; ++i)
      most = std::max(most, whole(column(split, 1).data(), info_.fields[1].dtype, static_cast<std::size_t>(i)));
  return most;
}

void TensorFiles::check_labels(Split split, const std::string& path, std::int64_t samples, std::int64_t classes) const {
  if (is_floating(info_.fields[1].dtype)) return;
  for (std::int64_t i = 0; i < samples; ++i) {
    const std::int64_t v = whole(column(split, 1).data(), info_.fields[1].dtype, static_cast<std::size_t>(i));
    if (v < 0 || v >= classes)
      refuse(path, "record " + std::to_string(i) + " has label " + std::to_string(v),
             "0.." + std::to_string(classes - 1), "Repair the label, or set params = { classes = ... }.");
  }
}

}  // namespace kdhost::plugins
