// SPDX-License-Identifier: MIT
// kdhost.trec on small files made here.
#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;

namespace {

using Numbers = std::vector<int64_t>;

struct Questions {
  Folder folder;
  Questions(const FileBytes& train, const FileBytes& test) {
    folder.write("trec/TREC.train.all", train);
    folder.write("trec/TREC.test.all", test);
  }
  Settings settings(double length, double vocabulary) const {
    return {{"root", folder.path()}, {"length", length}, {"vocabulary", vocabulary}};
  }
};

}  // namespace

TEST_CASE("TREC questions are numbers of words behind a start, padded, with a mask") {
  // the 3 times, is and what twice (in this order of the alphabet), the others once.
  const Questions q("0 What is the Sun\n5 what IS\n\n4 the the x y\n", "3 Who is the Queen\r\n");
  const OpenData d("kdhost.trec", q.settings(5, 100));
  CHECK(d.info().classes == 6);
  CHECK(d.class_name(4) == "location");
  CHECK(d.info().samples[KDH_SPLIT_TRAIN] == 3);
  CHECK(d.info().samples[KDH_SPLIT_TEST] == 1);
  REQUIRE(d.info().n_fields == 3);
  CHECK(d.name(0) == "input");
  CHECK(d.name(2) == "mask");
  CHECK(d.shape(0) == Numbers{5});
  CHECK(d.field(0).dtype == KDH_DTYPE_I64);
  CHECK(d.files() == std::vector<std::string>{q.folder / "trec/TREC.train.all", q.folder / "trec/TREC.test.all"});
  // 3 the, 4 is, 5 what, then sun, x, y.
  CHECK(d.all<int64_t>(KDH_SPLIT_TRAIN, 0) == Numbers{1, 5, 4, 3, 6, 1, 5, 4, 0, 0, 1, 3, 3, 7, 8});
  CHECK(d.all<int64_t>(KDH_SPLIT_TRAIN, 1) == Numbers{0, 5, 4});
  CHECK(d.all<int64_t>(KDH_SPLIT_TRAIN, 2) == Numbers{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1});
  // "who" and "queen" are in no training question; the end of the line is no word.
  CHECK(d.all<int64_t>(KDH_SPLIT_TEST, 0) == Numbers{1, 2, 4, 3, 2});
  CHECK(d.all<int64_t>(KDH_SPLIT_TEST, 1) == Numbers{3});
}

TEST_CASE("TREC questions longer than the length are cut, and words beyond the vocabulary are unknown") {
  const Questions q("0 a a a b b c\n", "1 c b a\n");
  const OpenData cut("kdhost.trec", q.settings(3, 100));
  CHECK(cut.all<int64_t>(KDH_SPLIT_TRAIN, 0) == Numbers{1, 3, 3});
  CHECK(cut.all<int64_t>(KDH_SPLIT_TRAIN, 2) == Numbers{1, 1, 1});
  const OpenData few("kdhost.trec", q.settings(5, 5));
  CHECK(few.all<int64_t>(KDH_SPLIT_TEST, 0) == Numbers{1, 2, 4, 3, 0});
}

TEST_CASE("TREC refuses what is no class number with words, and files without a question") {
  const auto refusal = [](const FileBytes& train) {
    const Questions q(train, "0 a\n");
    const std::string text = data_refusal("kdhost.trec", q.settings(4, 10));
    return text.substr(std::min(text.size(), q.folder.path().size()));
  };
  const std::string file = "/trec/TREC.train.all: ";
  const std::string mend =
      "; expected a class number 0..5 and at least one word.\n  The file is damaged, or in another format of the same "
      "questions: fetch the one with numbered classes.";
  CHECK(refusal("0 a\n6 b\n") == file + "line 2 starts with '6' and has 1 words" + mend);
  CHECK(refusal("DESC:manner How did\n") == file + "line 1 starts with 'DESC:manner' and has 2 words" + mend);
  CHECK(refusal("\n3\n") == file + "line 2 starts with '3' and has 0 words" + mend);
  CHECK(refusal("\n \n") ==
        file +
            "holds no question; expected one a line.\n  The file is damaged or incomplete: fetch it "
            "again.");
}

TEST_CASE("TREC that is nowhere is refused with the places that were searched") {
  CHECK(data_refusal("kdhost.trec", {}, {{"data_places", std::vector<std::string>{"/nowhere"}}}) ==
        "data set 'trec' was not found. Expected TREC.train.all, TREC.test.all (or each with .gz) in one of:\n"
        "    /nowhere/trec\n"
        "  Put the two files in a folder trec in one of these places, or name their folder with params = { root = "
        "\"...\" }.");
}
