// SPDX-License-Identifier: MIT
// The plugin's half of abi_bench: operators called through the SDK, and two losses. Apart from the host's half, because
// the SDK and the host both have a kdhost::Call.
#pragma once

#include <kdhost/abi.h>

namespace abi_bench {

/// From now on the SDK of this program talks to `host`.
void use_host(const kdh_host* host);

/// One operator through the SDK; tensors are borrowed, the result is given.
using SdkCall = kdh_tensor (*)(kdh_tensor a, kdh_tensor b);
kdh_tensor add(kdh_tensor a, kdh_tensor b);
kdh_tensor mul_number(kdh_tensor a, kdh_tensor b);
kdh_tensor matmul(kdh_tensor a, kdh_tensor b);
kdh_tensor sum_rows(kdh_tensor a, kdh_tensor b);
kdh_tensor log_softmax(kdh_tensor a, kdh_tensor b);
kdh_tensor kl_div(kdh_tensor a, kdh_tensor b);

/// A loss that returns a tensor it has: what a call of a component costs by itself.
const kdh_component& empty_loss();
/// The loss of the author's guide: 5 operators.
const kdh_component& soft_kl();

}  // namespace abi_bench
