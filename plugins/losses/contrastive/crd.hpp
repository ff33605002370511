// SPDX-License-Identifier: MIT
//
// kdhost.crd: contrastive representation distillation.            Tian, Krishnan, Isola, ICLR 2020, arXiv 1910.10699
//
//   e = unit L2 of the (adapted) embeddings; banks B_s, B_t [n, dim] hold one embedding a sample of the data set
//   student as anchor: o_ij = exp(e_s,i . B_t[idx_ij] / tau) / Z_s;   teacher as anchor: the same with e_t, B_s, Z_t
//   each side: -(1/N) sum_i [log(o_i0 / (o_i0 + c + 1e-7)) + sum_{j>=1} log(c / (o_ij + c + 1e-7))], c = K / n
//   L = the sum of both
//
// idx_i0 is the positive, idx_i1 .. idx_iK the negatives, samples of other classes.
// On a GPU the drawing waits for the device once a batch: the classes of all samples are in CPU memory.
// State     B_s, B_t, at first uniform in +-1/sqrt(dim/3); after each batch B[i] <- unit L2 of m B[i] + (1-m) e_i for
//           the samples i of the batch, in its order. Z_s, Z_t: set once, from the first batch, to n times the mean of
//           the exponentials, then kept; 0 means not yet.
// mode      "exact": the positive is the sample itself. "relax": any sample of its class.
// adaptor = "auto" trains a linear layer to `dim` on each side. Default = RepDistiller; mdistiller equal.
// Cost      2 n dim numbers of bank, read once a batch. Scores against the whole bank are one matrix product, of which
//           the drawn ones are taken: gathering K + 1 bank rows for each sample would read K dim numbers a sample.
#pragma once
#include <array>

#include "../embedding_pair.hpp"
#include "negatives.hpp"

namespace kdhost::plugins {

struct ContrastiveRepresentation final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.crd")
        .version("1.0.0")
        .summary("contrastive representation distillation: each sample against a bank of others");
    s.source(
        "Tian, Krishnan, Isola, Contrastive Representation Distillation, ICLR 2020, arXiv 1910.10699; default = "
        "RepDistiller");
    s.details(
        "e of unit length, banks B of one embedding a sample. Student as anchor: o_ij = exp(e_s,i . B_t[idx_ij] / "
        "temperature) / Z; -(1/N) sum_i [log(o_i0 / (o_i0 + c + 1e-7)) + sum_j log(c / (o_ij + c + 1e-7))] with c = "
        "negatives / samples; the same with the teacher as anchor; the sum of both. Z is set from the first batch and "
        "kept. After each batch the bank rows of its samples move to the new embeddings by 1 - momentum. Negatives "
        "are drawn from the other classes, from the run's random streams, or come with the batch. mode = \"relax\": "
        "the positive is any sample of the class.\n"
        "Trained: an embedding on each side. State: two banks of samples x dim numbers, and Z of each.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.crd\"\nweight = 0.8\nparams = { negatives = 4096 }\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.number("temperature", 0.07).above(0.0).doc("of the exponentials").schedulable();
    s.integer("negatives", 16384).at_least(1).doc("drawn for each sample");
    s.number("momentum", 0.5).at_least(0.0).below(1.0).doc("share of the old bank row that is kept").schedulable();
    s.choice("mode", {"exact", "relax"}).doc("the positive: the sample itself, or any sample of its class");
    EmbeddingPair::describe(s);
    s.input("batch.index").doc("int64 [N], position of each sample in the data set");
    s.input("batch.contrast_index")
        .doc("int64 [N, 1 + K], positive and negatives of each sample, where the data set brings them")
        .optional();
  }

  ContrastiveRepresentation(const Params& p, const Ports& ports, Builder& b)
      : embed_(p, ports, b),
        negatives_(p.integer("negatives")),
        samples_(ports.facts().integer_or("samples", 0)),
        contrast_(ports.facts(), samples_, p.text("mode") == "relax") {
    if (samples_ < 2)
      throw std::invalid_argument("the data set has " + std::to_string(samples_) +
                                  " training samples, expected at least two: the bank holds one embedding a sample "
                                  "(kdhost loss: give state.bank_student and state.bank_teacher)");
    const std::int64_t taps = ports.count("student.features");
    if (taps != 1 || ports.count("teacher.features") != 1)
      throw std::invalid_argument(
          "'student.features' has " + std::to_string(taps) + " taps and 'teacher.features' has " +
          std::to_string(ports.count("teacher.features")) + ", expected one embedding on each side");
    const std::int64_t dim = embed_.adapted() ? embed_.dim() : EmbeddingPair::width(ports, tap_name("student", 0));
    const double bound = 1.0 / std::sqrt(static_cast<double>(dim) / 3.0);
    student_ = {b.buffer("bank_student", {samples_, dim}, Init::uniform(-bound, bound)),
                b.buffer("z_student", {}, Init::zeros())};
    teacher_ = {b.buffer("bank_teacher", {samples_, dim}, Init::uniform(-bound, bound)),
                b.buffer("z_teacher", {}, Init::zeros())};
  }

  Tensor compute(const Call& c) override {
    const std::vector<TapPair> taps = tap_pairs(c);
    const auto [s, t] = embed_(c, taps.front());
    const Tensor e_s = normalize(s), e_t = normalize(t);
    const std::vector<std::int64_t> batch = indices(c, e_s.size(0));
    const Tensor drawn = contrast_index(c, batch, e_s);
    const Tensor by_student = side(c, e_s, teacher_.bank, student_.scale, drawn);
    const Tensor by_teacher = side(c, e_t, student_.bank, teacher_.scale, drawn);
    c.report("student_anchor", by_student);
    c.report("teacher_anchor", by_teacher);
    if (c.training()) {
      const NoGrad off;
      const double momentum = c.number("momentum");
      renew(c, student_.bank, batch, e_s, momentum);
      renew(c, teacher_.bank, batch, e_t, momentum);
    }
    return by_student + by_teacher;
  }

 private:
  struct State {
    Slot bank, scale;
  };

  std::string range_text() const { return "expected 0 to " + std::to_string(samples_ - 1) + ", a row of the bank"; }

  std::vector<std::int64_t> indices(const Call& c, std::int64_t rows) const {
    const Tensor given = c["batch.index"];
    if (given.dtype() != Dtype::i64 || given.dim() != 1 || given.size(0) != rows)
      throw std::invalid_argument("'batch.index' holds " + std::string(name_of(given.dtype())) + " " +
                                  to_string(given.shape()) + ", expected int64 [" + std::to_string(rows) +
                                  "], one position for each sample");
    const Tensor on_cpu = to_cpu(given).contiguous();
    const std::int64_t* p = on_cpu.data<std::int64_t>();
    std::vector<std::int64_t> list(p, p + rows);
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list[i] < 0 || list[i] >= samples_)
        throw std::invalid_argument("'batch.index' has " + std::to_string(list[i]) + " at position " +
                                    std::to_string(i) + ", " + range_text());
    return list;
  }

  /// On the device of `like`.
  Tensor contrast_index(const Call& c, const std::vector<std::int64_t>& batch, const Tensor& like) {
    if (c.has("batch.contrast_index")) return given_index(c["batch.contrast_index"], like.size(0));
    if (!contrast_.knows_classes())
      warn_("the classes of the samples are not known: negatives may be of a sample's own class");
    // From the CPU's generator, which the host seeds as it does the device's: the same negatives on every device.
    const Tensor key = randint(0, std::int64_t{1} << 62, {1}, Generator{});
    return contrast_.draw(batch, negatives_, Stream(static_cast<std::uint64_t>(key.data<std::int64_t>()[0])), like);
  }

  Tensor given_index(const Tensor& index, std::int64_t rows) const {
    if (index.dtype() != Dtype::i64 || index.dim() != 2 || index.size(0) != rows || index.size(1) < 2)
      throw std::invalid_argument("'batch.contrast_index' holds " + std::string(name_of(index.dtype())) + " " +
                                  to_string(index.shape()) + ", expected int64 [" + std::to_string(rows) +
                                  ", 1 + negatives]");
    if (!index.on_cpu()) return index;
    const Tensor whole = index.contiguous();
    const std::int64_t* p = whole.data<std::int64_t>();
    for (std::int64_t i = 0; i < whole.numel(); ++i)
      if (p[i] < 0 || p[i] >= samples_)
        throw std::invalid_argument("'batch.contrast_index' has " + std::to_string(p[i]) + " at position [" +
                                    std::to_string(i / whole.size(1)) + ", " + std::to_string(i % whole.size(1)) +
                                    "], " + range_text());
    return index;
  }

  /// One side's part: anchors against the other side's bank.
  Tensor side(const Call& c, const Tensor& anchors, Slot bank, Slot scale, const Tensor& index) const {
    const Tensor scores = matmul(anchors, c.part(bank).to(anchors.dtype()).t()) / c.number("temperature");
    const Tensor raised = scores.gather(1, index).exp();
    Tensor z;
    {
      const NoGrad off;
      const Tensor kept = c.part(scale).to(anchors.dtype());
      z = where(gt(kept, 0.0), kept, raised.detach().mean() * static_cast<double>(samples_));
      if (c.training()) c.write(scale, z.to(c.part(scale).dtype()));
    }
    const std::int64_t k = index.size(1) - 1;
    const double noise = static_cast<double>(k) / static_cast<double>(samples_);
    const Tensor o = raised / z;
    const Tensor positive = o.narrow(1, 0, 1), negative = o.narrow(1, 1, k);
    const Tensor sum =
        log(positive / (positive + (noise + 1e-7))).sum() + log(noise / (negative + (noise + 1e-7))).sum();
    return sum / -static_cast<double>(index.size(0));
  }

  /// Row by row in the order of the batch, so that a sample that is there twice moves twice.
  void renew(const Call& c, Slot slot, const std::vector<std::int64_t>& batch, const Tensor& e, double momentum) const {
    const Tensor bank = c.part(slot), now = e.detach().to(bank.dtype());
    if (fits_rows(bank)) {
      const Tensor next = bank.clone(), rows = now.contiguous();
      bank.dtype() == Dtype::f32 ? renew_rows<float>(next, batch, rows, momentum)
                                 : renew_rows<double>(next, batch, rows, momentum);
      c.write(slot, next);
      return;
    }
    // Elsewhere at once: a batch of the host holds no sample twice.
    const Tensor index = Tensor::of(batch, {static_cast<std::int64_t>(batch.size())}, bank);
    c.write(slot,
            index_copy(bank, 0, index, normalize(bank.index_select(0, index) * momentum + now * (1.0 - momentum))));
  }

  static bool fits_rows(const Tensor& x) {
    return x.on_cpu() && x.is_contiguous() && (x.dtype() == Dtype::f32 || x.dtype() == Dtype::f64);
  }

  template <class T>
  static void renew_rows(const Tensor& bank, const std::vector<std::int64_t>& batch, const Tensor& now,
                         double momentum) {
    const std::int64_t dim = bank.size(1);
    T* all = bank.mutable_data<T>();
    const T* fresh = now.data<T>();
    for (std::size_t i = 0; i < batch.size(); ++i, fresh += dim) {
      T* row = all + batch[i] * dim;
      double square = 0;
      for (std::int64_t d = 0; d < dim; ++d) {
        row[d] =
            static_cast<T>(momentum * static_cast<double>(row[d]) + (1.0 - momentum) * static_cast<double>(fresh[d]));
        square += static_cast<double>(row[d]) * static_cast<double>(row[d]);
      }
      const double norm = std::max(std::sqrt(square), 1e-12);
      for (std::int64_t d = 0; d < dim; ++d) row[d] = static_cast<T>(static_cast<double>(row[d]) / norm);
    }
  }

  EmbeddingPair embed_;
  std::int64_t negatives_, samples_;
  ContrastSamples contrast_;
  State student_, teacher_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
