// SPDX-License-Identifier: MIT
//
// The half of the models plugin whose networks have batch norm; models_plugin.cpp names them.
#include "cifar_resnet.hpp"
#include "vgg.hpp"
#include "wide_resnet.hpp"

template const kdh_component& kdhost::detail::component<kdhost::plugins::CifarResnet>();
template const kdh_component& kdhost::detail::component<kdhost::plugins::Vgg>();
template const kdh_component& kdhost::detail::component<kdhost::plugins::WideResnet>();
