// SPDX-License-Identifier: MIT
// kdhost.trec; see trec.hpp. The vocabulary is made from the training file alone, so the test file cannot change it.
#include "trec.hpp"

#include <algorithm>
#include <map>

namespace kdhost::plugins {
namespace {

constexpr std::int64_t kClasses = 6;
constexpr std::int64_t kPadding = 0, kStart = 1, kUnknown = 2, kFirstWord = 3;
constexpr const char* kTrain = "TREC.train.all";
constexpr const char* kTest = "TREC.test.all";

/// Letters of ASCII in lower case; the few other bytes (ISO 8859-1) as they are.
std::string lower(std::string word) {
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

std::string contents(const std::string& path) {
  const DataFile file(path);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size());
  return text;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

void Trec::describe(Spec& s) {
  s.id("kdhost.trec").version("1.0.0").summary("TREC questions: 5,952 sentences, six kinds of answers");
  s.source(
      "Li, Roth, Learning Question Classifiers, COLING 2002; the files of Kim, Convolutional Neural Networks for "
      "Sentence Classification, EMNLP 2014, in numbered classes");
  s.details(
      "Fields: input int64 [length], numbers of words; label int64 []; mask int64 [length], 1 for words and 0 for "
      "padding.\n"
      "0 is padding, 1 stands before each question, 2 is any word beyond the vocabulary; the words of the training "
      "file follow,\n"
      "the most frequent first, in lower case. Longer questions are cut. Files: TREC.train.all (5,452) and "
      "TREC.test.all (500),\n"
      "one question a line: the class number, then its words between spaces.");
  s.recipe(
      "[data]\nuse    = \"kdhost.trec\"\nbatch  = 64\nparams = { length = 32, vocabulary = 4096 }\n"
      "[student]\nuse    = \"kdhost.transformer\"\nparams = { layers = 2, vocabulary = 4096 }\n");
  s.text("root").path().doc("the folder of the files, or the one above it; absent: the run's data places are searched");
  s.integer("length", 32).range(2, 4096).doc("numbers a question, the first of which stands before it");
  s.integer("vocabulary", 4096).range(kFirstWord + 1, 1000000).doc("how many numbers there are, these three included");
}

Trec::Trec(const Params& p, const Facts& facts) : length_(p.integer("length")) {
  const std::string folder = find_data(
      p, facts, "trec", {"trec"}, {kTrain, kTest},
      "Put the two files in a folder trec in one of these places, or name their folder with params = { root = \"...\" "
      "}.");
  info_.classes = kClasses;
  info_.class_names = {"description", "entity", "abbreviation", "human", "location", "number"};
  info_.fields = {
      {"input", Dtype::i64, {length_}, 1.0}, {"label", Dtype::i64, {}, 1.0}, {"mask", Dtype::i64, {length_}, 1.0}};
  info_.files = {folder + "/" + kTrain, folder + "/" + kTest};
  const std::vector<Question> train = read(info_.files[0]), test = read(info_.files[1]);

  std::map<std::string, std::int64_t> count;
  for (const Question& q : train)
    for (const std::string& word : q.words) ++count[word];
  std::vector<std::string> vocabulary;
  for (const auto& entry : count) vocabulary.push_back(entry.first);
  // Equally frequent words stay in alphabetical order, as the map has them.
  std::stable_sort(vocabulary.begin(), vocabulary.end(),
                   [&](const std::string& a, const std::string& b) { return count[a] > count[b]; });
  const auto most = static_cast<std::size_t>(p.integer("vocabulary") - kFirstWord);
  if (vocabulary.size() > most) vocabulary.resize(most);
  add(Split::train, train, vocabulary);
  add(Split::test, test, vocabulary);
}

std::vector<Trec::Question> Trec::read(const std::string& path) {
  const std::string text = contents(path);
  std::vector<Question> questions;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::vector<std::string> words = words_of(text.substr(begin, end - begin));
    begin = end + 1;
    ++line_number;
    if (words.empty()) continue;
    const std::string label = words.front();
    if (label.size() != 1 || label[0] < '0' || label[0] >= '0' + kClasses || words.size() < 2)
      refuse(path,
             "line " + std::to_string(line_number) + " starts with '" + label.substr(0, 40) + "' and has " +
                 std::to_string(words.size() - 1) + " words",
             "a class number 0.." + std::to_string(kClasses - 1) + " and at least one word",
             "The file is damaged, or in another format of the same questions: fetch the one with numbered classes.");
    Question q{label[0] - '0', {}};
    for (std::size_t i = 1; i < words.size(); ++i) q.words.push_back(lower(std::move(words[i])));
    questions.push_back(std::move(q));
  }
  if (questions.empty()) refuse(path, "holds no question", "one a line", kFetchAgain);
  return questions;
}

void Trec::add(Split split, const std::vector<Question>& questions, const std::vector<std::string>& vocabulary) {
  std::map<std::string, std::int64_t> number;
  for (std::size_t i = 0; i < vocabulary.size(); ++i) number[vocabulary[i]] = kFirstWord + static_cast<std::int64_t>(i);
  const auto length = static_cast<std::size_t>(length_);
  const std::size_t row = length * sizeof(std::int64_t);
  Column input{Bytes(questions.size() * row), 0}, label{Bytes(questions.size() * sizeof(std::int64_t)), 0},
      mask{Bytes(questions.size() * row), 0};
  auto* x = reinterpret_cast<std::int64_t*>(input.memory.data());
  auto* y = reinterpret_cast<std::int64_t*>(label.memory.data());
  auto* m = reinterpret_cast<std::int64_t*>(mask.memory.data());
  for (const Question& q : questions) {
    for (std::size_t at = 0; at < length; ++at) {
      const bool is_word = at > 0 && at <= q.words.size();
      std::int64_t value = at == 0 ? kStart : kPadding;
      if (is_word) {
        const auto known = number.find(q.words[at - 1]);
        value = known == number.end() ? kUnknown : known->second;
      }
      *x++ = value;
      *m++ = at == 0 || is_word ? 1 : 0;
    }
    *y++ = q.label;
  }
  std::vector<Column> columns;
  columns.push_back(std::move(input));
  columns.push_back(std::move(label));
  columns.push_back(std::move(mask));
  set_split(split, static_cast<std::int64_t>(questions.size()), std::move(columns));
}

}  // namespace kdhost::plugins
