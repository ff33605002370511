// SPDX-License-Identifier: MIT
//
// The shipped networks. Those with batch norm are compiled in batch_norm_networks.cpp: a change then rebuilds half of
// them.
#include "lenet5.hpp"
#include "mlp.hpp"
#include "transformer.hpp"
#include "tutorial_nets.hpp"

namespace kdhost::plugins {
struct CifarResnet;
struct Vgg;
struct WideResnet;
}  // namespace kdhost::plugins

extern template const kdh_component& kdhost::detail::component<kdhost::plugins::CifarResnet>();
extern template const kdh_component& kdhost::detail::component<kdhost::plugins::Vgg>();
extern template const kdh_component& kdhost::detail::component<kdhost::plugins::WideResnet>();

KDHOST_PLUGIN("kdhost.models", "1.0.0", kdhost::plugins::Mlp, kdhost::plugins::Lenet5, kdhost::plugins::TutorialDeep,
              kdhost::plugins::TutorialLight, kdhost::plugins::CifarResnet, kdhost::plugins::WideResnet,
              kdhost::plugins::Vgg, kdhost::plugins::Transformer)
