// SPDX-License-Identifier: MIT
// kdhost.trec: questions in words with the kind of their answer, one a line: the class number, then the words. What the
// sequence losses are shown on, since sentences differ in length.
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct Trec final : ResidentData {
  static void describe(Spec& s);
  Trec(const Params& p, const Facts& facts);

 private:
  struct Question {
    std::int64_t label = 0;
    std::vector<std::string> words{};
  };
  static std::vector<Question> read(const std::string& path);
  void add(Split split, const std::vector<Question>& questions, const std::vector<std::string>& vocabulary);
  std::int64_t length_;
};

}  // namespace kdhost::plugins
