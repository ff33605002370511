// SPDX-License-Identifier: MIT
// Age and memory of the process, as summary.json tells them.
#include "base/process_usage.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

TEST_CASE("the start of a process is field 22, whatever its program is called") {
  CHECK(kdhost::start_ticks("7 (kdhost) R 1 7 7 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 1224015 3133440 380\n") ==
        1224015);
  CHECK(kdhost::start_ticks("7 (a) b) R) R 1 7 7 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 42 3133440 380\n") == 42);
  CHECK(kdhost::start_ticks("7 (kdhost) R 1 7 7") == -1);
  CHECK(kdhost::start_ticks("") == -1);
}

TEST_CASE("the age of the process grows by the time that passes") {
  const double before = kdhost::process_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const double passed = kdhost::process_seconds() - before;
  CHECK(before > 0.0);
  CHECK(before < 100.0);
  CHECK(passed >= 0.06);
  CHECK(passed < 1.0);
}

TEST_CASE("peak memory keeps what was held and freed") {
  const double before = kdhost::peak_memory_mib();
  {
    std::vector<char> held(std::size_t{64} << 20, 'x');  // written to, so it is resident
    CHECK(held[held.size() / 2] == 'x');
  }
  const double peak = kdhost::peak_memory_mib();
  CHECK(before > 0.5);
  CHECK(peak - before >= 48.0);
  CHECK(peak - before < 96.0);
}
