// SPDX-License-Identifier: MIT
// kdhost schema: prints the JSON Schema of experiment files, from the definitions that check them.
#include "config/schema.hpp"

#include <iostream>

#include "cli/front.hpp"

namespace kdhost {

int print_schema() {
  std::cout << json_schema();
  return 0;
}

}  // namespace kdhost
