// SPDX-License-Identifier: MIT
// kdhost.cifar10 and kdhost.cifar100 on small files made here.
#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;

namespace {

FileBytes record10(char label, unsigned start) { return FileBytes(1, label) + ramp(3072, start); }
FileBytes record100(char coarse, char fine, unsigned start) { return FileBytes{coarse, fine} + ramp(3072, start); }

}  // namespace

TEST_CASE("CIFAR-10 with only a test file has only a test split") {
  const Folder f;
  f.write("cifar-10-batches-bin/test_batch.bin", record10(3, 0) + record10(9, 17));
  const OpenData d("kdhost.cifar10", {}, {{"data_places", std::vector<std::string>{f.path()}}});
  CHECK(d.info().samples[KDH_SPLIT_TRAIN] == 0);
  CHECK(d.info().samples[KDH_SPLIT_TEST] == 2);
  CHECK(d.info().classes == 10);
  CHECK(d.class_name(3) == "cat");
  CHECK(d.shape(0) == std::vector<int64_t>{3, 32, 32});
  CHECK(d.field(0).dtype == KDH_DTYPE_U8);
  CHECK(d.field(0).scale == 1.0 / 255.0);
  const auto [x, y] = d.fetch<uint8_t, int64_t>(KDH_SPLIT_TEST, {1});
  CHECK(y == std::vector<int64_t>{9});
  CHECK(x[0] == 17);
  CHECK(x[3071] == (3071 + 17) % 251);
}

TEST_CASE("CIFAR-10 joins its five training files in order, and refuses fewer") {
  const Folder f;
  f.write("test_batch.bin", record10(0, 0));
  for (int i = 1; i <= 5; ++i) {
    FileBytes b;
    for (int k = 0; k < 300; ++k) b += record10(static_cast<char>(i), static_cast<unsigned>(i + k));
    f.write("data_batch_" + std::to_string(i) + ".bin", b);
  }
  const OpenData d("kdhost.cifar10", {{"root", f.path()}});
  CHECK(d.info().samples[KDH_SPLIT_TRAIN] == 1500);
  const auto [x, y] = d.fetch<uint8_t, int64_t>(KDH_SPLIT_TRAIN, {0, 299, 300, 1499});
  CHECK(y == std::vector<int64_t>{1, 1, 2, 5});
  CHECK(x[3072] == (1 + 299) % 251);
  CHECK(x[3 * 3072] == (5 + 299) % 251);
  fs::remove(f / "data_batch_3.bin");
  CHECK(data_refusal("kdhost.cifar10", {{"root", f.path()}}) ==
        (f / "data_batch_3.bin") + ": is missing, while " + (f / "data_batch_1.bin") +
            " is there; expected all five training files or none.\n  Fetch the missing file.");
}

TEST_CASE("CIFAR-100 has fine and coarse labels and the names that lie beside") {
  const Folder f;
  f.write("train.bin", record100(19, 99, 0) + record100(4, 5, 1) + record100(0, 7, 2));
  f.write("test.bin", record100(1, 2, 3));
  FileBytes names;
  for (int i = 0; i < 100; ++i) names += "class" + std::to_string(i) + "\r\n";
  f.write("fine_label_names.txt", names);
  const OpenData fine("kdhost.cifar100", {{"root", f.path()}});
  CHECK(fine.info().classes == 100);
  CHECK(fine.all<int64_t>(KDH_SPLIT_TRAIN, 1) == std::vector<int64_t>{99, 5, 7});
  CHECK(fine.class_name(99) == "class99");
  const OpenData coarse("kdhost.cifar100", {{"root", f.path()}, {"label", std::string("coarse")}});
  CHECK(coarse.info().classes == 20);
  CHECK(coarse.all<int64_t>(KDH_SPLIT_TRAIN, 1) == std::vector<int64_t>{19, 4, 0});
  CHECK(coarse.info().class_names == nullptr);
  CHECK(coarse.all<uint8_t>(KDH_SPLIT_TEST, 0)[0] == 3);
}

TEST_CASE("damaged CIFAR files are refused") {
  const Folder f;
  const std::string file = f.write("test_batch.bin", record10(3, 0) + record10(12, 0));
  const Settings settings = {{"root", f.path()}};
  CHECK(data_refusal("kdhost.cifar10", settings) == file +
                                                        ": record 1 has label 12; expected 0..9.\n  The file is "
                                                        "damaged, or of another CIFAR version: fetch it again.");
  const std::string whole =
      "; expected whole records of 3073 bytes, at least one.\n  The file is damaged or incomplete, or of another CIFAR "
      "version: "
      "fetch it again.";
  f.write("test_batch.bin", record10(3, 0) + "x");
  CHECK(data_refusal("kdhost.cifar10", settings) == file + ": has 3074 bytes, which is 1 records and 1 bytes" + whole);
  f.write("test_batch.bin", "");
  CHECK(data_refusal("kdhost.cifar10", settings) == file + ": has 0 bytes, which is 0 records and 0 bytes" + whole);
  f.write("test.bin", record100(20, 7, 0));
  CHECK(data_refusal("kdhost.cifar100", {{"root", f.path()}, {"label", std::string("coarse")}}) ==
        (f / "test.bin") +
            ": record 0 has label 20; expected 0..19.\n  The file is damaged, or of another CIFAR version: fetch it "
            "again.");
}

TEST_CASE("missing CIFAR data are refused with the places tried") {
  const Folder f;
  CHECK(data_refusal("kdhost.cifar100", {}, {{"data_places", std::vector<std::string>{f.path()}}}) ==
        "data set 'cifar100' was not found. Expected test.bin (or each with .gz) in one of:\n    " +
            (f / "cifar-100-binary") +
            "\n  Unpack cifar-100-binary.tar.gz (the binary version) in one of these places, or name its folder with "
            "params = { "
            "root = \"...\" }.");
}
