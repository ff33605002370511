/* SPDX-License-Identifier: MIT
 *
 * All of kdhost/abi.h as one function, so that tools that compare libraries (abidiff) see every struct of it. Compiled
 * by tests/sdk/abi_diff.cmake with debug information; sdk/abi/abi_1_0.abi is what abidw says of it for ABI 1.0.
 */
#include <kdhost/abi.h>

KDH_EXPORT void kdh_surface(const kdh_plugin* plugin, const kdh_loss* loss, const kdh_model* model,
                            const kdh_scheduler* scheduler, const kdh_dataset* dataset, const kdh_transform* transform,
                            const kdh_metric* metric, const kdh_part* part);

void kdh_surface(const kdh_plugin* plugin, const kdh_loss* loss, const kdh_model* model, const kdh_scheduler* scheduler,
                 const kdh_dataset* dataset, const kdh_transform* transform, const kdh_metric* metric,
                 const kdh_part* part) {
  (void)plugin, (void)loss, (void)model, (void)scheduler, (void)dataset, (void)transform, (void)metric, (void)part;
}
