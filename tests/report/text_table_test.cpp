// SPDX-License-Identifier: MIT
#include "report/text_table.hpp"

#include <catch2/catch.hpp>

using namespace kdhost;

TEST_CASE("plain tables are aligned by characters, not bytes, and lines end without spaces") {
  CHECK(aligned({{"a", "b", "c"}, {"1 ± 2", "x"}, {"–", "", "y"}}) ==
        "a       b   c\n"
        "1 ± 2   x\n"
        "–           y\n");
}

TEST_CASE("a line break in a cell does not break the table") {
  CHECK(aligned({{"a\nb", "c"}}) == "a b   c\n");
  CHECK(markdown({{"a\nb", "c"}}) == "| a b | c |\n|---|---|\n");
}

TEST_CASE("Markdown tables have a rule below the header and escape the bar") {
  CHECK(markdown({{"run", "x"}, {"a|b", "1"}, {"c"}}) ==
        "| run | x |\n"
        "|---|---|\n"
        "| a\\|b | 1 |\n"
        "| c |  |\n");
}

TEST_CASE("CSV quotes what holds a comma, a quote or a line break") {
  CHECK(csv({{"a", "b"}, {"x, y", "say \"hi\""}, {"two\nlines"}}) ==
        "a,b\n"
        "\"x, y\",\"say \"\"hi\"\"\"\n"
        "\"two\nlines\",\n");
}
