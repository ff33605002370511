// SPDX-License-Identifier: MIT
// kdhost.tensors: good safetensors files, and hostile ones with the full text of each refusal.
#include <cmath>

#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;

namespace {

const std::string kMend = ".\n  The file is damaged, or not a safetensors file: write it again.";

// input F64 [2, 3], label I64 [2], extra U8 [2, 2]
FileBytes good_file(double first = 0.5, int64_t second_label = 1) {
  return safetensors(
      R"({"__metadata__":{"origin":"a \"test\""},"label":{"dtype":"I64","shape":[2],"data_offsets":[48,64]},)"
      R"("extra":{"dtype":"U8","shape":[2,2],"data_offsets":[64,68]},)"
      R"("input":{"dtype":"F64","shape":[2,3],"data_offsets":[0,48]}}  )",
      bytes_of<double>({first, 1, 2, 3, 4, 5}) + bytes_of<int64_t>({0, second_label}) +
          bytes_of<uint8_t>({9, 8, 7, 6}));
}

std::string refusal(const Folder& f, const FileBytes& bytes, const Settings& more = {}) {
  Settings settings = {{"train", f.write("x.safetensors", bytes)}};
  settings.insert(settings.end(), more.begin(), more.end());
  return data_refusal("kdhost.tensors", settings);
}

std::string header_refusal(const Folder& f, const std::string& header, const FileBytes& data = {}) {
  return refusal(f, safetensors(header, data));
}

}  // namespace

TEST_CASE("tensors keep their element types, and other names become fields") {
  const Folder f;
  f.write("train.safetensors", good_file());
  f.write("test.safetensors", good_file(7.5));
  const OpenData d("kdhost.tensors", {{"train", f / "train.safetensors"}, {"test", f / "test.safetensors"}});
  REQUIRE(d.info().n_fields == 3);
  CHECK(d.name(0) == "input");
  CHECK(d.name(1) == "label");
  CHECK(d.name(2) == "extra");
  CHECK(d.field(0).dtype == KDH_DTYPE_F64);
  CHECK(d.field(0).scale == 1.0);
  CHECK(d.shape(0) == std::vector<int64_t>{3});
  CHECK(d.info().classes == 2);
  CHECK(d.info().samples[KDH_SPLIT_TRAIN] == 2);
  CHECK(d.info().samples[KDH_SPLIT_VALIDATION] == 0);
  CHECK(d.all<double>(KDH_SPLIT_TEST, 0) == std::vector<double>{7.5, 1, 2, 3, 4, 5});
  CHECK(d.all<int64_t>(KDH_SPLIT_TRAIN, 1) == std::vector<int64_t>{0, 1});
  CHECK(d.all<uint8_t>(KDH_SPLIT_TRAIN, 2) == std::vector<uint8_t>{9, 8, 7, 6});
}

TEST_CASE("labels may be probabilities, whose width is the number of classes") {
  const Folder f;
  const std::string file =
      f.write("p.safetensors", safetensors(R"({"input":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                                           R"("label":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}})",
                                           bytes_of<float>({1, 2, 0.5f, 0.25f, 0.25f, 0, 0, 1})));
  const OpenData d("kdhost.tensors", {{"train", file}});
  CHECK(d.info().classes == 3);
  CHECK(d.shape(1) == std::vector<int64_t>{3});
}

TEST_CASE("no file at all, and classes that contradict the labels, are refused") {
  CHECK_THROWS_WITH(OpenData("kdhost.tensors", {}),
                    "no file is named; expected at least one of the parameters train, validation, test");
  const Folder f;
  CHECK(refusal(f, good_file(0.5, 5), {{"classes", 3.0}}) ==
        (f / "x.safetensors") +
            ": record 1 has label 5; expected 0..2.\n  Repair the label, or set params = { classes = ... }.");
  CHECK(refusal(f, good_file(0.5, -1)) ==
        (f / "x.safetensors") +
            ": record 1 has label -1; expected 0..0.\n  Repair the label, or set params = { classes = ... }.");
  CHECK(data_refusal("kdhost.tensors", {{"train", f / "absent"}}) ==
        (f / "absent") +
            ": cannot be opened (No such file or directory); expected a readable file.\n  Check the path.");
}

TEST_CASE("numbers that are not finite are refused with their record") {
  const Folder f;
  const std::string text =
      (f / "x.safetensors") +
      ": tensor 'input' is infinite or not a number in record 0; expected finite numbers.\n  Repair or "
      "leave out that sample.";
  CHECK(refusal(f, good_file(std::nan(""))) == text);
  CHECK(refusal(f, good_file(-INFINITY)) == text);
}

TEST_CASE("splits that differ are refused") {
  const Folder f;
  const std::string train = f.write("a.safetensors", good_file());
  const std::string other =
      f.write("b.safetensors", safetensors(R"({"input":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},)"
                                           R"("label":{"dtype":"I64","shape":[1],"data_offsets":[12,20]},)"
                                           R"("extra":{"dtype":"U8","shape":[1,2],"data_offsets":[20,22]}})",
                                           FileBytes(22, '\0')));
  CHECK(data_refusal("kdhost.tensors", {{"train", train}, {"test", other}}) ==
        other + ": tensor 'input' has samples of [3] float32; expected 'input' [3] float64 as in " + train +
            ".\n  All splits must have the same tensors.");
  const std::string fewer =
      f.write("c.safetensors", safetensors(R"({"input":{"dtype":"F64","shape":[1,3],"data_offsets":[0,24]},)"
                                           R"("label":{"dtype":"I64","shape":[1],"data_offsets":[24,32]}})",
                                           FileBytes(32, '\0')));
  CHECK(data_refusal("kdhost.tensors", {{"train", train}, {"test", fewer}}) ==
        fewer + ": has 2 tensors; expected 3 as in " + train + ".\n  All splits must have the same tensors.");
}

TEST_CASE("tensors without the two names, or with samples that do not pair, are refused") {
  const Folder f;
  const std::string file = f / "x.safetensors";
  CHECK(header_refusal(f, "{}") ==
        file +
            ": holds no tensors; expected tensors named 'input' and 'label'.\n  Write the file with these two names.");
  CHECK(header_refusal(f, R"({"images":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x") ==
        file + ": holds 'images'; expected tensors named 'input' and 'label'.\n  Write the file with these two names.");
  CHECK(header_refusal(f,
                       R"({"input":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},)"
                       R"("label":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
                       "xxxxx") == file +
                                       ": tensor 'label' has shape [3]; expected 2 samples like 'input' [2, 1].\n  "
                                       "Dimension 0 of every tensor counts the "
                                       "samples.");
  CHECK(header_refusal(f,
                       R"({"input":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},)"
                       R"("label":{"dtype":"F32","shape":[2],"data_offsets":[2,10]}})",
                       FileBytes(10, '\0')) ==
        file +
            ": tensor 'label' has shape [2] of float32; expected class numbers [N] of an integer type, or "
            "probabilities [N, C] of "
            "a floating-point type.\n  Put other targets into a tensor of another name.");
}

TEST_CASE("a header that is too long for its file is refused before it is read") {
  const Folder f;
  const std::string file = f / "x.safetensors";
  CHECK(refusal(f, "abc") == file + ": has 3 bytes; expected a safetensors file of at least 10" + kMend);
  CHECK(refusal(f, FileBytes(8, '\xff') + "{}") == file +
                                                       ": announces a header of 18446744073709551615 bytes; expected "
                                                       "at most 2, which is what the file has room for" +
                                                       kMend);
  CHECK(refusal(f, good_file().substr(0, 100)).find(file + ": announces a header of ") == 0);
}

TEST_CASE("data that do not fit the header are refused") {
  const Folder f;
  const std::string file = f / "x.safetensors";
  const FileBytes good = good_file();
  CHECK(refusal(f, good + "x") == file + ": has " + std::to_string(good.size() + 1) + " bytes; expected " +
                                      std::to_string(good.size()) +
                                      ", as its header says.\n  The file is damaged or incomplete: fetch it again.");
  CHECK(header_refusal(f, R"({"input":{"dtype":"U8","shape":[4],"data_offsets":[0,5]}})", "xxxxx") ==
        file + ": tensor 'input' has data_offsets 0 to 5; expected 4 bytes for shape [4] of U8" + kMend);
  CHECK(header_refusal(f, R"({"input":{"dtype":"U8","shape":[4],"data_offsets":[5,1]}})", "xxxxx") ==
        file + ": tensor 'input' has data_offsets 5 to 1; expected 4 bytes for shape [4] of U8" + kMend);
  CHECK(header_refusal(f,
                       R"({"input":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                       R"("label":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                       "xxxxxxx") ==
        file + ": tensor 'label' starts at data byte 3; expected 4, where the one before it ends (no gap, no overlap)" +
            kMend);
  CHECK(header_refusal(f,
                       R"({"input":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                       R"("label":{"dtype":"U8","shape":[4],"data_offsets":[6,10]}})",
                       FileBytes(10, 'x')) ==
        file + ": tensor 'label' starts at data byte 6; expected 4, where the one before it ends (no gap, no overlap)" +
            kMend);
  CHECK(header_refusal(f,
                       R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                       "xx") == file + ": has two tensors named 'a'; expected each name once" + kMend);
  CHECK(header_refusal(f, R"({"input":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "x") ==
        file +
            ": tensor 'input' has dtype 'F8_E4M3'; expected one of U8, I8, I16, I32, I64, F16, BF16, F32, F64, BOOL.\n "
            " Store it "
            "with one of these.");
}

TEST_CASE("a header that is no header is refused at its byte") {
  const Folder f;
  const auto found = [&](const std::string& header) {
    const std::string text = header_refusal(f, header), start = (f / "x.safetensors") + ": its header has ";
    CHECK(text.find("; expected the JSON header of a safetensors file" + kMend) != std::string::npos);
    return text.substr(start.size(), text.find(';') - start.size());
  };
  CHECK(found("[]") == "'[' instead of '{' at byte 8");
  CHECK(found("") == "its end at byte 8");
  CHECK(found("{\"a\"") == "its end at byte 12");
  CHECK(found("{\"a") == "a text without an end at byte 11");
  CHECK(found("{} x") == "something after the closing brace at byte 11");
  CHECK(found(R"({"a":{"dtype":"U8","shape":[-1]}})") ==
        "'-' instead of a whole number that is not negative at byte 36");
  CHECK(found(R"({"a":{"dtype":"U8","shape":[99999999999999999999]}})") == "a number that is too large at byte 54");
  CHECK(found(R"({"a":{"dtype":"U8","shape":[4611686018427387900,4611686018427387900],"data_offsets":[0,1]}})") ==
        "a shape that is too large in tensor 'a' at byte 98");
  CHECK(found(R"({"a":{"dtype":"U8","shape":[400000000000000000,4],"data_offsets":[0,1]}})") ==
        "a shape that is too large in tensor 'a' at byte 79");
  CHECK(found(R"({"a":{"dtype":"U8","shape":[1]}})") ==
        "no dtype, shape or two data_offsets for tensor 'a' at byte 39");
  CHECK(found(R"({"a":{"code":"U8"}})") == "an unknown key 'code' in tensor 'a' at byte 21");
  CHECK(found(std::string(100000, '{')) == "'{' instead of '\"' at byte 9");
}

TEST_CASE("a good file cut at any seventh byte, or with any byte changed, is refused or read, never worse") {
  const Folder f;
  const FileBytes good = good_file();
  for (std::size_t n = 0; n < good.size(); n += 7) CHECK(refusal(f, good.substr(0, n)) != "nothing was refused");
  for (std::size_t n = 0; n < good.size(); ++n)
    for (const int flip : {1, 0x20, 0x80}) {
      FileBytes changed = good;
      changed[n] = static_cast<char>(changed[n] ^ flip);
      refusal(f, changed);
    }
}
