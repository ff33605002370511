// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: activations, convolutions, normalisation, pooling, resizing, sequences.
#include "sdk/operator_rows.hpp"

namespace operator_rows {

void add_network_rows(Rows& rows) {
  add_row(rows, "relu", {N({3, 4})}, [](const auto& x) { return relu(x[0]); });
  add_row(rows, "silu", {N({3, 4})}, [](const auto& x) { return silu(x[0]); });
  add_row(rows, "mish", {N({3, 4})}, [](const auto& x) { return mish(x[0]); });
  add_row(rows, "selu", {N({3, 4})}, [](const auto& x) { return selu(x[0]); });
  add_row(rows, "hardswish", {N({3, 4})}, [](const auto& x) { return hardswish(x[0]); });
  add_row(rows, "hardsigmoid", {N({3, 4})}, [](const auto& x) { return hardsigmoid(x[0]); });
  add_row(rows, "relu method", {N({3, 4})}, [](const auto& x) { return x[0].relu(); });
  add_row(
      rows, "relu_", {N({3, 4})}, [](const auto& x) { return x[0].clone().relu_(); },
      [](const auto& x) { return relu_(clone(x[0])); });
  add_row(rows, "leaky_relu", {N({3, 4})}, [](const auto& x) { return leaky_relu(x[0], 0.1); });
  add_row(rows, "gelu", {N({3, 4})}, [](const auto& x) { return gelu(x[0]); });
  add_row(rows, "gelu by tanh", {N({3, 4})}, [](const auto& x) { return gelu(x[0], "tanh"); });
  add_row(rows, "elu", {N({3, 4})}, [](const auto& x) { return elu(x[0], 0.5); });
  add_row(rows, "celu", {N({3, 4})}, [](const auto& x) { return celu(x[0], 0.5); });
  add_row(rows, "hardtanh", {N({3, 4})}, [](const auto& x) { return hardtanh(x[0], -0.5, 0.7); });
  add_row(rows, "prelu", {N({3, 4}), P({4})}, [](const auto& x) { return prelu(x[0], x[1]); });
  add_row(rows, "glu", {N({3, 4})}, [](const auto& x) { return glu(x[0], 1); });
  add_row(rows, "dropout", {N({9, 9})}, [](const auto& x) { return dropout(x[0], 0.3, true); });
  add_row(rows, "feature_dropout", {N({9, 9, 2, 2})}, [](const auto& x) { return feature_dropout(x[0], 0.3, true); });
  add_row(rows, "linear", {N({3, 4}), N({5, 4}), N({5})}, [](const auto& x) { return linear(x[0], x[1], x[2]); });
  add_row(rows, "conv1d", {N({2, 4, 9}), N({6, 2, 3}), N({6})},
          [](const auto& x) { return conv1d(x[0], x[1], x[2], 2, 1, 1, 2); });
  add_row(
      rows, "conv2d", {N({2, 4, 9, 8}), N({6, 2, 3, 3}), N({6})},
      [](const auto& x) {
        return at::conv2d(x[0], x[1], x[2], {2, 1}, {1, 0}, {1, 2}, 2);
      },
      [](const auto& x) {
        return kdhost::conv2d(x[0], x[1], x[2], {2, 1}, {1, 0}, {1, 2}, 2);
      });
  add_row(
      rows, "conv_transpose2d", {N({2, 4, 5, 6}), N({4, 3, 3, 3}), N({6})},
      [](const auto& x) { return at::conv_transpose2d(x[0], x[1], x[2], 2, 1, 1, 2, 1); },
      [](const auto& x) { return kdhost::conv_transpose2d(x[0], x[1], x[2], 2, 1, 1, 2, 1); });
  add_row(rows, "embedding", {N({7, 3}), I(7, {4, 2})}, [](const auto& x) { return embedding(x[0], x[1]); });
  add_row(
      rows, "batch_norm", {N({5, 4, 2}), P({4}), N({4}), N({4}), P({4})},
      [](const auto& x) {
        return at::batch_norm(x[0], x[1], x[2], x[3].detach().clone(), x[4].detach().clone(), true, 0.2, 1e-4, true);
      },
      [](const auto& x) {
        return kdhost::batch_norm(x[0], x[1], x[2], x[3].detach().clone(), x[4].detach().clone(), true, 0.2, 1e-4);
      });
  add_row(
      rows, "batch_norm in evaluation", {N({5, 4, 2}), P({4}), N({4}), N({4}), P({4})},
      [](const auto& x) {
        return at::batch_norm(x[0], x[1], x[2], x[3].detach(), x[4].detach(), false, 0.1, 1e-5, true);
      },
      [](const auto& x) { return kdhost::batch_norm(x[0], x[1], x[2], x[3].detach(), x[4].detach(), false); });
  add_row(
      rows, "instance_norm", {N({5, 4, 6}), P({4}), N({4})},
      [](const auto& x) { return at::instance_norm(x[0], x[1], x[2], {}, {}, true, 0.1, 1e-5, true); },
      [](const auto& x) { return kdhost::instance_norm(x[0], x[1], x[2], {}, {}, true); });
  add_row(rows, "layer_norm", {N({5, 4, 6}), P({4, 6}), N({4, 6})}, [](const auto& x) {
    return layer_norm(x[0], {4, 6}, x[1], x[2], 1e-4);
  });
  add_row(rows, "group_norm", {N({5, 4, 6}), P({4}), N({4})},
          [](const auto& x) { return group_norm(x[0], 2, x[1], x[2], 1e-4); });
  add_row(
      rows, "normalize", {N({5, 4})},
      [](const auto& x) { return x[0] / at::clamp_min(at::norm(x[0], 2.0, {1}, true), 1e-12); },
      [](const auto& x) { return kdhost::normalize(x[0]); });
  add_row(rows, "max_pool2d", {N({2, 3, 6, 6})}, [](const auto& x) { return max_pool2d(x[0], 3, 2, 1, 1, true); });
  add_row(
      rows, "max_pool2d steps by its kernel", {N({2, 3, 6, 6})},
      [](const auto& x) {
        return at::max_pool2d(x[0], {2, 3});
      },
      [](const auto& x) {
        return kdhost::max_pool2d(x[0], {2, 3});
      });
  add_row(rows, "avg_pool2d", {N({2, 3, 6, 6})}, [](const auto& x) { return avg_pool2d(x[0], 3, 2, 1, true, false); });
  add_row(
      rows, "avg_pool2d steps by its kernel", {N({2, 3, 6, 6})},
      [](const auto& x) {
        return at::avg_pool2d(x[0], {2, 3});
      },
      [](const auto& x) {
        return kdhost::avg_pool2d(x[0], {2, 3});
      });
  add_row(rows, "adaptive_avg_pool1d", {N({2, 3, 6})}, [](const auto& x) { return adaptive_avg_pool1d(x[0], 2); });
  add_row(rows, "adaptive_avg_pool2d", {N({2, 3, 6, 7})}, [](const auto& x) {
    return adaptive_avg_pool2d(x[0], {2, 3});
  });
  add_row(
      rows, "adaptive_max_pool2d", {N({2, 3, 6, 7})},
      [](const auto& x) {
        return std::get<0>(at::adaptive_max_pool2d(x[0], {2, 3}));
      },
      [](const auto& x) {
        return kdhost::adaptive_max_pool2d(x[0], {2, 3});
      });
  add_row(rows, "upsample_nearest2d", {N({2, 3, 4, 5})}, [](const auto& x) {
    return upsample_nearest2d(x[0], {7, 8});
  });
  add_row(rows, "upsample_bilinear2d", {N({2, 3, 4, 5})}, [](const auto& x) {
    return upsample_bilinear2d(x[0], {7, 8}, true);
  });
  add_row(rows, "upsample_bicubic2d", {N({2, 3, 4, 5})}, [](const auto& x) {
    return upsample_bicubic2d(x[0], {7, 8}, false);
  });
  add_row(
      rows, "interpolate", {N({2, 3, 4, 5})},
      [](const auto& x) {
        return at::upsample_nearest2d(x[0], {8, 10});
      },
      [](const auto& x) {
        return kdhost::interpolate(x[0], {8, 10});
      });
  add_row(
      rows, "interpolate between", {N({2, 3, 4, 5})},
      [](const auto& x) {
        return at::upsample_bilinear2d(x[0], {8, 10}, false);
      },
      [](const auto& x) {
        return kdhost::interpolate(x[0], {8, 10}, kdhost::Interpolation::bilinear);
      });
  add_row(
      rows, "interpolate bicubic", {N({2, 3, 4, 5})},
      [](const auto& x) {
        return at::upsample_bicubic2d(x[0], {8, 10}, true);
      },
      [](const auto& x) {
        return kdhost::interpolate(x[0], {8, 10}, kdhost::Interpolation::bicubic, true);
      });
  add_row(
      rows, "grid_sample", {N({2, 3, 4, 5}), U({2, 6, 7, 2})},
      [](const auto& x) { return at::grid_sampler(x[0], x[1], 0, 0, false); },
      [](const auto& x) { return kdhost::grid_sample(x[0], x[1]); });
  add_row(
      rows, "grid_sample nearest", {N({2, 3, 4, 5}), U({2, 6, 7, 2})},
      [](const auto& x) { return at::grid_sampler(x[0], x[1], 1, 0, true); },
      [](const auto& x) { return kdhost::grid_sample(x[0], x[1], kdhost::Interpolation::nearest, true); });
  add_row(
      rows, "affine_grid", {N({2, 2, 3})},
      [](const auto& x) {
        return at::affine_grid_generator(x[0], {2, 3, 4, 5}, false);
      },
      [](const auto& x) {
        return kdhost::affine_grid(x[0], {2, 3, 4, 5});
      });
  add_row(rows, "pad", {N({2, 3, 4})}, [](const auto& x) { return pad(x[0], {1, 2}, "constant", 0.5); });
  add_row(rows, "pad reflected", {N({2, 3, 4})}, [](const auto& x) { return pad(x[0], {1, 2}, "reflect"); });
  add_row(
      rows, "unfold", {N({2, 3, 6, 6})},
      [](const auto& x) {
        return at::im2col(x[0], {3, 2}, {1, 1}, {1, 0}, {2, 1});
      },
      [](const auto& x) {
        return kdhost::unfold(x[0], {3, 2}, 1, {1, 0}, {2, 1});
      });
  add_row(
      rows, "fold", {N({2, 12, 9})},
      [](const auto& x) {
        return at::col2im(x[0], {4, 4}, {2, 2}, {1, 1}, {0, 0}, {1, 1});
      },
      [](const auto& x) { return kdhost::fold(x[0], 4, 2); });
  add_row(rows, "pixel_shuffle", {N({2, 8, 3, 3})}, [](const auto& x) { return pixel_shuffle(x[0], 2); });
  add_row(rows, "pixel_unshuffle", {N({2, 2, 6, 6})}, [](const auto& x) { return pixel_unshuffle(x[0], 3); });
  add_row(
      rows, "lstm", {N({2, 5, 3}), N({1, 2, 4}), N({1, 2, 4}), N({16, 3}), N({16, 4}), N({16}), N({16})},
      [](const auto& x) {
        return at::lstm(x[0], {x[1], x[2]}, {x[3], x[4], x[5], x[6]}, true, 1, 0.0, true, false, true);
      },
      [](const auto& x) {
        return kdhost::lstm(x[0], {x[1], x[2]}, {x[3], x[4], x[5], x[6]}, true, 1, 0.0, true, false, true);
      });
  add_row(
      rows, "gru", {N({2, 5, 3}), N({1, 2, 4}), N({12, 3}), N({12, 4}), N({12}), N({12})},
      [](const auto& x) {
        return at::gru(x[0], x[1], {x[2], x[3], x[4], x[5]}, true, 1, 0.0, true, false, true);
      },
      [](const auto& x) {
        return kdhost::gru(x[0], x[1], {x[2], x[3], x[4], x[5]}, true, 1, 0.0, true, false, true);
      });
  add_row(rows, "scaled_dot_product_attention", {N({2, 3, 5, 4}), N({2, 3, 6, 4}), N({2, 3, 6, 4}), N({5, 6})},
          [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2], x[3], 0.0, false, 0.7); });
}

}  // namespace operator_rows
