// SPDX-License-Identifier: MIT
// The nearest name: slips are found, strangers are not.
#include "base/nearest.hpp"

#include <catch2/catch.hpp>

using namespace kdhost;

TEST_CASE("the distance counts inserts, deletes, replacements and swaps", "[base]") {
  CHECK(edit_distance("batch", "batch") == 0);
  CHECK(edit_distance("bach", "batch") == 1);
  CHECK(edit_distance("abtch", "batch") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("Weight-Decay", "weight_decay") == 0);
}

TEST_CASE("a slip of the hand finds the name that was meant", "[base]") {
  const std::vector<std::string> keys = {"use", "params", "batch", "validation", "temperature"};
  CHECK(nearest("temprature", keys) == "temperature");
  CHECK(nearest("param", keys) == "params");
  CHECK(nearest("ues", keys) == "use");
  CHECK(nearest("BATCH", keys) == "batch");
  CHECK(nearest("tau", keys).empty());
  CHECK(nearest("", keys).empty());
  CHECK(nearest(std::string(5000, 'x'), keys).empty());
}

TEST_CASE("the last part of an id finds the id", "[base]") {
  CHECK(nearest("kd", {"kdhost.at", "kdhost.kd"}) == "kdhost.kd");
  CHECK(nearest("kdhost.kdd", {"kdhost.at", "kdhost.kd"}) == "kdhost.kd");
  CHECK(did_you_mean("kd", {"kdhost.kd"}) == "Did you mean 'kdhost.kd'?");
  CHECK(did_you_mean("zzz", {"kdhost.kd"}).empty());
}
