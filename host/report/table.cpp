// SPDX-License-Identifier: MIT
// The rows of the closing table and the sentences below it.
#include "report/table.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "report/summary.hpp"
#include "report/text_table.hpp"

namespace kdhost {
namespace {

std::string teacher_label(const TeacherResult& teacher) {
  return teacher.name == "teacher" ? "teacher " + teacher.label
                                   : "teacher " + teacher.name + " (" + teacher.label + ")";
}

// "88.13": a teacher is one model, so it has no spread.
std::string single(const std::string& metric, const Evaluation& numbers) {
  const auto value = numbers.find(metric);
  return value ? metric_text(metric, *value) : kNothing;
}

// How the student's speed compares with the slowest teacher's; empty where it is not worth a word.
std::string speed_words(const RunResult& result) {
  double slowest = 0.0;
  for (const TeacherResult& teacher : result.teachers) slowest = std::max(slowest, teacher.latency_ms);
  if (result.student_latency_ms <= 0.0 || slowest < 1.1 * result.student_latency_ms) return "";
  const double times = slowest / result.student_latency_ms;
  return "   (" + fixed(times, times < 10.0 ? 1 : 0) + "x faster than the " +
         (result.teachers.size() > 1 ? "slowest teacher)" : "teacher)");
}

// Whether distillation helped, in words; empty where the table says it: an interval above zero.
std::string verdict(const Gain& gain) {
  if (!gain.interval) {
    return std::string(gain.mean > 0.0 ? "" : "Distillation did not help in this run. ") +
           "One seed cannot tell a gain from chance: give several, seeds = [1, 2, 3].";
  }
  if (gain.interval->low > 0.0) return "";
  if (gain.interval->high < 0.0) return "Distillation did not help here, it harmed: the whole interval is below zero.";
  return "Distillation did not help measurably here: the interval includes zero.";
}

class ClosingTable {
 public:
  explicit ClosingTable(const RunResult& result) : result_(result), summary_(summarize(result)) {}

  std::string text() const {
    std::string text = result_.title.empty() ? "" : printable(result_.title) + "\n\n";
    text += with_gain(rows(), summary_);
    if (summary_.gain) {
      if (const std::string words = verdict(*summary_.gain); !words.empty()) text += "\n" + words + "\n";
    }
    if (!result_.notes.empty()) text += "\n";
    for (const std::string& note : result_.notes) text += "noticed: " + printable(note, 2000) + "\n";
    return text + last_epoch() + "\nfolder: " + printable(result_.folder, 4096) + "\n";
  }

 private:
  Cells rows() const {
    const std::string& metric = result_.metric;
    const bool nll = metric != "nll" && shows(&ArmSummary::nll);
    const bool agreement = metric != "agreement" && shows(&ArmSummary::agreement);
    Cells rows;
    const auto row = [&](const std::string& label, const std::string& value, const std::string& loss,
                         const std::string& agrees, const std::string& size, const std::string& latency) {
      rows.push_back({label, value});
      if (nll) rows.back().push_back(loss);
      if (agreement) rows.back().push_back(agrees);
      rows.back().push_back(size);
      rows.back().push_back(latency);
    };
    row("", (summary_.on_test ? "test " : "validation ") + heading_of(metric), "NLL", "agreement", "parameters",
        "latency (batch 1)");
    for (const TeacherResult& teacher : result_.teachers) {
      // A teacher is judged on the test split only.
      const Evaluation numbers = summary_.on_test ? teacher.test : Evaluation();
      row(printable(teacher_label(teacher)), single(metric, numbers), single("nll", numbers), kNothing,
          count_text(teacher.parameters), latency_text(teacher.latency_ms));
    }
    const auto arm = [&](const std::string& label, const ArmSummary& a, const std::string& after) {
      const std::string agrees = a.agreement ? metric_text("agreement", a.agreement->mean) + " %" : kNothing;
      row(label, spread_text(metric, a.metric), a.nll ? metric_text("nll", a.nll->mean) : kNothing, agrees,
          count_text(result_.student_parameters), latency_text(result_.student_latency_ms) + after);
    };
    if (summary_.alone) arm("student alone", *summary_.alone, "");
    if (summary_.distilled) arm(distilled_label(), *summary_.distilled, speed_words(result_));
    return rows;
  }

  // The numbers after the last epoch, where the table shows those of the best one.
  std::string last_epoch() const {
    if (!result_.has_validation) return "";
    const RunSummary last = summarize(result_, LegWeights::last);
    Cells rows;
    if (last.alone) rows.push_back({"student alone", spread_text(result_.metric, last.alone->metric)});
    if (last.distilled) rows.push_back({distilled_label(), spread_text(result_.metric, last.distilled->metric)});
    return "\nThe numbers above are those of the best epoch by validation. After the last epoch:\n" +
           with_gain(std::move(rows), last);
  }

  // The gain's line is longer than the column it begins in, so it is put below the aligned rows.
  std::string with_gain(Cells rows, const RunSummary& summary) const {
    if (!summary.gain) return aligned(rows);
    rows.push_back({"gain from distillation"});
    std::size_t column = 0;
    for (const auto& row : rows) column = std::max(column, width(row.front()));
    std::string text = aligned(rows);
    text.pop_back();
    return text + std::string(column - width(rows.back().front()) + 3, ' ') + gain_text(result_.metric, summary.gain) +
           "\n";
  }

  // A file without a teacher trains its student plainly.
  std::string distilled_label() const {
    return !summary_.alone && result_.teachers.empty() ? "student" : "student distilled";
  }

  bool shows(std::optional<Spread> ArmSummary::*number) const {
    return (summary_.alone && (*summary_.alone).*number) || (summary_.distilled && (*summary_.distilled).*number);
  }

  const RunResult& result_;
  RunSummary summary_;
};

}  // namespace

std::string closing_table(const RunResult& result) { return ClosingTable(result).text(); }

}  // namespace kdhost
