// SPDX-License-Identifier: MIT
// kdhost.mnist, kdhost.fashion_mnist and kdhost.idx: good files, and every way in which files can be wrong with its
// full text.
#include <fcntl.h>
#include <sys/stat.h>

#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;

namespace {

constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";

FileBytes images(uint32_t n, unsigned start = 0) { return idx(8, {n, 28, 28}, ramp(n * 784, start)); }
FileBytes labels(const FileBytes& values) { return idx(8, {static_cast<uint32_t>(values.size())}, values); }

// Two test images and three training images.
void write_digits(const Folder& f) {
  f.write(kTrainImages, images(3, 5));
  f.write(kTrainLabels, labels({0, 9, 4}));
  f.write(kTestImages, images(2));
  f.write(kTestLabels, labels({7, 1}));
}

Settings root(const Folder& f) { return {{"root", f.path()}}; }
std::string mnist_refusal(const Folder& f) { return data_refusal("kdhost.mnist", root(f)); }

}  // namespace

TEST_CASE("MNIST files give byte images scaled to one, and labels") {
  const Folder f;
  write_digits(f);
  const OpenData d("kdhost.mnist", root(f));
  CHECK(d.info().samples[KDH_SPLIT_TRAIN] == 3);
  CHECK(d.info().samples[KDH_SPLIT_VALIDATION] == 0);
  CHECK(d.info().samples[KDH_SPLIT_TEST] == 2);
  CHECK(d.info().classes == 10);
  REQUIRE(d.info().n_fields == 2);
  CHECK(d.name(0) == "input");
  CHECK(d.shape(0) == std::vector<int64_t>{1, 28, 28});
  CHECK(d.field(0).dtype == KDH_DTYPE_U8);
  CHECK(d.field(0).scale == 1.0 / 255.0);
  CHECK(d.name(1) == "label");
  CHECK(d.shape(1).empty());
  CHECK(d.field(1).dtype == KDH_DTYPE_I64);
  CHECK(d.field(1).scale == 1.0);
  CHECK(d.all<int64_t>(KDH_SPLIT_TRAIN, 1) == std::vector<int64_t>{0, 9, 4});
  CHECK(d.all<uint8_t>(KDH_SPLIT_TEST, 0)[784] == 784 % 251);
  const auto [x, y] = d.fetch<uint8_t, int64_t>(KDH_SPLIT_TRAIN, {2, 0, 2});
  CHECK(y == std::vector<int64_t>{4, 0, 4});
  CHECK(x[0] == (2 * 784 + 5) % 251);
  CHECK(x[784] == 5);
  CHECK(x[2 * 784] == x[0]);
  CHECK(d.files() == std::vector<std::string>{f / kTrainImages, f / kTrainLabels, f / kTestImages, f / kTestLabels});
}

TEST_CASE("gzipped files are the same data as plain ones") {
  const Folder plain, packed;
  write_digits(plain);
  for (const char* name : {kTrainImages, kTrainLabels, kTestImages, kTestLabels})
    packed.write(std::string(name) + ".gz", gzipped(packed, read_file(plain / name)));
  const OpenData a("kdhost.fashion_mnist", root(plain)), b("kdhost.fashion_mnist", root(packed));
  for (const uint32_t split : {KDH_SPLIT_TRAIN, KDH_SPLIT_TEST}) {
    CHECK(a.all<uint8_t>(split, 0) == b.all<uint8_t>(split, 0));
    CHECK(a.all<int64_t>(split, 1) == b.all<int64_t>(split, 1));
  }
  CHECK(b.class_name(9) == "Ankle boot");
  CHECK(b.files()[0] == packed / (std::string(kTrainImages) + ".gz"));
}

TEST_CASE("data are found by folder name in the first place that has them") {
  const Folder places;
  for (const char* name : {kTestImages, kTestLabels})
    for (const char* folder : {"b/fashion-mnist/", "c/fashion-mnist/", "c/mnist/"})
      places.write(std::string(folder) + name, name == std::string(kTestImages) ? images(1) : labels({3}));
  const Settings facts = {{"data_places", std::vector<std::string>{places / "a", places / "b", places / "c"}}};
  CHECK(OpenData("kdhost.fashion_mnist", {}, facts).files()[0] == places / "b/fashion-mnist/t10k-images-idx3-ubyte");
  CHECK(OpenData("kdhost.mnist", {}, facts).files()[0] == places / "c/mnist/t10k-images-idx3-ubyte");
  CHECK(OpenData("kdhost.mnist", {}, facts).info().samples[KDH_SPLIT_TRAIN] == 0);
  // A root may be the folder above.
  CHECK(OpenData("kdhost.mnist", {{"root", places / "c"}}).info().samples[KDH_SPLIT_TEST] == 1);
}

TEST_CASE("missing data are refused with the places tried and how to get them") {
  const Folder f;
  const Settings facts = {{"data_places", std::vector<std::string>{f / "a", f / "b"}}};
  CHECK(data_refusal("kdhost.fashion_mnist", {}, facts) ==
        "data set 'fashion_mnist' was not found. Expected t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (or each with "
        ".gz) in one "
        "of:\n    " +
            (f / "a/fashion-mnist") + "\n    " + (f / "a/fashion_mnist") + "\n    " + (f / "a/FashionMNIST/raw") +
            "\n    " + (f / "b/fashion-mnist") + "\n    " + (f / "b/fashion_mnist") + "\n    " +
            (f / "b/FashionMNIST/raw") +
            "\n  On Debian: apt-get install dataset-fashion-mnist. Elsewhere put the four IDX files there, plain or "
            "gzipped, or name "
            "their folder with params = { root = \"...\" }.");
  CHECK(
      mnist_refusal(f) ==
      "data set 'mnist' was not found. Expected t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (or each with .gz) in "
      "one of:\n"
      "    " +
          f.path() + "\n    " + (f / "mnist") + "\n    " + (f / "MNIST/raw") +
          "\n  Put the four IDX files there, plain or gzipped, or name their folder with params = { root = \"...\" }.");
}

TEST_CASE("one training file without the other is refused") {
  const Folder f;
  write_digits(f);
  fs::remove(f / kTrainLabels);
  CHECK(mnist_refusal(f) == (f / kTrainLabels) + ": is missing, while " + (f / kTrainImages) +
                                " is there; expected both training files or none.\n  Fetch the missing file.");
}

TEST_CASE("a wrong magic number is refused") {
  const Folder f;
  write_digits(f);
  const std::string file = f.write(kTestImages, labels({7, 1}));
  CHECK(mnist_refusal(f) ==
        file +
            ": starts with 0x00000801; expected 0x00000803 (IDX, images).\n  Name the file that holds the "
            "images, or fetch it again.");
  f.write(kTestImages, "<!DOCTYPE html>");
  CHECK(mnist_refusal(f) ==
        file +
            ": starts with 0x3c21444f; expected 0x00000803 (IDX, images).\n  Name the file that holds the "
            "images, or fetch it again.");
  f.write(kTestImages, gzipped(f, images(2)));
  CHECK(mnist_refusal(f) ==
        file +
            ": starts with 0x1f8b0808; expected 0x00000803 (IDX, images).\n  The file is gzipped: let its "
            "name end with .gz.");
}

TEST_CASE("a plain file that is cut or too long is refused") {
  const Folder f;
  write_digits(f);
  const std::string file = f / kTestImages, again = ".\n  The file is damaged or incomplete: fetch it again.";
  const FileBytes good = images(2);
  f.write(kTestImages, good.substr(0, 1000));
  CHECK(mnist_refusal(f) ==
        file + ": has 1000 bytes; expected 1584 bytes, as its header says ([2, 28, 28] of uint8)" + again);
  f.write(kTestImages, good + "x");
  CHECK(mnist_refusal(f) ==
        file + ": has 1585 bytes; expected 1584 bytes, as its header says ([2, 28, 28] of uint8)" + again);
  f.write(kTestImages, "");
  CHECK(mnist_refusal(f) == file + ": ends after 0 bytes; expected an IDX header of at least 8 bytes" + again);
  f.write(kTestImages, good.substr(0, 9));
  CHECK(mnist_refusal(f) == file + ": ends at byte 9, inside its header; expected 16 bytes of header" + again);
  for (std::size_t n = 0; n < good.size(); n += 7) {
    f.write(kTestImages, good.substr(0, n));
    CHECK(mnist_refusal(f) != "nothing was refused");
  }
}

TEST_CASE("a gzipped file that is cut, damaged, too long or no gzip is refused") {
  const Folder f;
  write_digits(f);
  fs::remove(f / kTestImages);
  const std::string name = std::string(kTestImages) + ".gz", file = f / name;
  const std::string says = "; expected 1584 bytes, as its header says ([2, 28, 28] of uint8)";
  const std::string again = ".\n  The file is damaged or incomplete: fetch it again.";
  const FileBytes good = gzipped(f, images(2));
  const std::string all_but_9 = std::to_string(good.size() - 9);
  f.write(name, good.substr(0, good.size() - 9));
  CHECK(mnist_refusal(f).find(file + ": the gzip stream breaks off after " + all_but_9 + " bytes (") == 0);
  FileBytes changed = good;
  changed[good.size() - 6] = static_cast<char>(changed[good.size() - 6] ^ 1);
  f.write(name, changed);
  CHECK(mnist_refusal(f) == file + ": the gzip stream is damaged near byte " + std::to_string(good.size()) +
                                " (a checksum that differs from the one recorded)" + says + again);
  f.write(name, gzipped(f, images(2) + "more"));
  CHECK(mnist_refusal(f) == file + ": unpacks to more than 1584 bytes" + says + again);
  f.write(name, gzipped(f, images(2).substr(0, 1583)));
  CHECK(mnist_refusal(f) == file + ": unpacks to 1583 bytes" + says + again);
  f.write(name, images(2));
  CHECK(mnist_refusal(f) == file +
                                ": starts with 0x0000; expected 0x1f8b (gzip).\n  If the file is not compressed, take "
                                ".gz off its name; else fetch it "
                                "again.");
  f.write(name, "");
  CHECK(mnist_refusal(f) == file +
                                ": has 0 bytes; expected 0x1f8b (gzip).\n  If the file is not compressed, take .gz off "
                                "its name; else fetch it again.");
  for (std::size_t n = 0; n < good.size(); n += 7) {
    f.write(name, good.substr(0, n));
    CHECK(mnist_refusal(f) != "nothing was refused");
  }
}

TEST_CASE("a header that announces more than the file can hold takes no memory") {
  const Folder f;
  write_digits(f);
  const std::string again = ".\n  The file is damaged or incomplete: fetch it again.";
  const std::string file = f.write(kTestImages, idx(8, {4'000'000'000u, 28, 28}, ramp(100)));
  CHECK(mnist_refusal(f) ==
        file + ": has 116 bytes; expected 3136000000016 bytes, as its header says ([4000000000, 28, 28] of uint8)" +
            again);
  f.write(kTestImages, idx(8, {4'000'000'000u, 4'000'000'000u, 4'000'000'000u}, ramp(100)));
  CHECK(mnist_refusal(f) ==
        file + ": its header announces a shape of [4000000000, 4000000000] and more; expected less than 2^48 bytes" +
            again);
  f.write(kTestImages, idx(8, {0, 28, 28}, ""));
  CHECK(mnist_refusal(f) ==
        file + ": dimension 0 is 0; expected at least one sample with at least one element" + again);
  fs::remove(file);
  const FileBytes bomb = gzipped(f, idx(8, {4'000'000'000u, 28, 28}, ramp(100)));
  f.write(std::string(kTestImages) + ".gz", bomb);
  CHECK(mnist_refusal(f) ==
        file + ".gz: has " + std::to_string(bomb.size()) +
            " bytes, which can never unpack to so much; expected 3136000000016 bytes, as its header says "
            "([4000000000, 28, 28] of uint8)" +
            again);
}

TEST_CASE("a label out of range is refused with its record") {
  const Folder f;
  write_digits(f);
  const std::string file = f.write(kTestLabels, labels({7, 10}));
  CHECK(mnist_refusal(f) == file +
                                ": record 1 has label 10; expected 0..9.\n  Check that the file belongs to this data "
                                "set, or fetch it again.");
}

TEST_CASE("images of another size, and labels of another count, are refused") {
  const Folder f;
  write_digits(f);
  f.write(kTestLabels, labels({7, 1, 2}));
  CHECK(mnist_refusal(f) == (f / kTestLabels) + ": has 3 labels; expected 2, one for each sample of " +
                                (f / kTestImages) +
                                ".\n  Both files must come from the same split of the same data set.");
  f.write(kTestImages, idx(8, {2, 32, 28}, ramp(2 * 32 * 28)));
  CHECK(mnist_refusal(f) == (f / kTestImages) +
                                ": has images of 32 x 28 pixels; expected 28 x 28.\n  For images of another size use "
                                "the data set kdhost.idx.");
}

TEST_CASE("a folder, a pipe, a circle of links and a file without permission are refused, none of them waited for") {
  const Folder f;
  write_digits(f);
  const std::string file = f / kTestImages;
  fs::remove(file);
  fs::create_directory(file);
  CHECK(mnist_refusal(f) == file + ": is a folder; expected a regular file.\n  Name the file itself.");
  fs::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(mnist_refusal(f) == file + ": is a pipe or device; expected a regular file.\n  Name the file itself.");
  fs::remove(file);
  f.write(kTestImages, images(2));
  if (::geteuid() == 0) return;  // root may read everything
  fs::permissions(file, fs::perms::none);
  CHECK(mnist_refusal(f) ==
        file +
            ": cannot be opened (Permission denied); expected a readable file.\n  Give yourself the right to "
            "read it (chmod u+r).");
}

TEST_CASE("kdhost.idx reads any names, shapes and element types, in the order of bytes of the file") {
  const Folder f;
  f.write("x", idx(0x0d, {2, 3}, FileBytes("\x3f\x80\0\0\x40\0\0\0\xbf\0\0\0\0\0\0\0\0\0\0\0\x3f\xc0\0\0", 24)));
  f.write("y", idx(0x0c, {2}, FileBytes("\0\0\0\x04\0\0\0\x01", 8)));
  const Settings settings = {{"root", f.path()},
                             {"train_input", std::string()},
                             {"train_label", std::string()},
                             {"test_input", std::string("x")},
                             {"test_label", std::string("y")}};
  const OpenData d("kdhost.idx", settings);
  CHECK(d.info().classes == 5);
  CHECK(d.shape(0) == std::vector<int64_t>{3});
  CHECK(d.field(0).dtype == KDH_DTYPE_F32);
  CHECK(d.field(0).scale == 1.0);
  CHECK(d.all<float>(KDH_SPLIT_TEST, 0) == std::vector<float>{1.0f, 2.0f, -0.5f, 0.0f, 0.0f, 1.5f});
  CHECK(d.all<int64_t>(KDH_SPLIT_TEST, 1) == std::vector<int64_t>{4, 1});
}

TEST_CASE("kdhost.idx gives [H, W] images a channel, has a validation split, and checks its classes") {
  const Folder f;
  f.write("train-images-idx3-ubyte", idx(8, {2, 5, 4}, ramp(40)));
  f.write("train-labels-idx1-ubyte", labels({1, 3}));
  f.write("vx", idx(8, {1, 5, 4}, ramp(20)));
  f.write("vy", labels({2}));
  Settings settings = {{"root", f.path()},
                       {"validation_input", std::string("vx")},
                       {"validation_label", std::string("vy")},
                       {"test_input", std::string()},
                       {"test_label", std::string()}};
  const OpenData d("kdhost.idx", settings);
  CHECK(d.shape(0) == std::vector<int64_t>{1, 5, 4});
  CHECK(d.info().classes == 4);
  CHECK(d.info().samples[KDH_SPLIT_VALIDATION] == 1);
  settings.emplace_back("classes", 3.0);
  CHECK(data_refusal("kdhost.idx", settings) ==
        (f / "train-labels-idx1-ubyte") +
            ": record 1 has label 3; expected 0..2.\n  Check that the file belongs to "
            "this data set, or fetch it again.");
  f.write("vx", idx(8, {1, 4, 5}, ramp(20)));
  settings.pop_back();
  CHECK(data_refusal("kdhost.idx", settings) ==
        (f / "vx") + ": has samples of [1, 4, 5] uint8; expected [1, 5, 4] uint8 as in " +
            (f / "train-images-idx3-ubyte") + ".\n  All splits must hold the same kind of sample.");
  f.write("vx", idx(8, {1, 5, 4}, ramp(20)));
  f.write("vy", idx(0x0d, {1}, FileBytes(4, '\0')));
  CHECK(data_refusal("kdhost.idx", settings) ==
        (f / "vy") +
            ": holds labels of float32; expected whole numbers (uint8, int8, int16, "
            "int32).\n  Name the file that holds class numbers.");
}
