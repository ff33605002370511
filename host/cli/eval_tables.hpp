// SPDX-License-Identifier: MIT
// What `kdhost eval` prints: one row a model, and below it which class was taken for which, where a metric counts that.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/text_table.hpp"
#include "train/results.hpp"

namespace kdhost {

/// One evaluated model.
struct Judged {
  std::string label;             ///< first cell of its row
  nlohmann::ordered_json facts;  ///< what JSON says beside the numbers
  Evaluation numbers;
};

/// A column for each metric, its own value; further numbers of a metric are for JSON and class_tables.
Cells metric_table(const std::vector<Judged>& judged);

/// Of each metric that gives numbers called label_I.predicted_J: a titled table of each model, with the samples of each
/// class and how many of them are wrong. Empty where there is none.
std::string class_tables(const std::vector<Judged>& judged);

}  // namespace kdhost
