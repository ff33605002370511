// SPDX-License-Identifier: MIT
// The name a user probably meant. Used wherever a name is unknown: keys, component ids, taps, targets, files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kdhost {

/// Number of edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`, ignoring the case of ASCII
/// letters and taking '-' for '_'.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, or "" where none is near: at most one edit for each three letters, and at least
/// one. A candidate that ends with `name` after a point counts as near too: "kd" finds "kdhost.kd".
/// The earlier candidate wins a tie. Names over 256 bytes have no nearest name.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// "Did you mean 'x'?", or "" where nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace kdhost
