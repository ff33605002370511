# SPDX-License-Identifier: MIT
# `cpack -G DEB` in the build folder makes two packages: kdhost_<version>_<architecture>.deb with the programs and the
# shipped plugins, and kdhost-dev_<version>_all.deb with the SDK, which needs no program and no LibTorch. LibTorch is no
# package of Debian in a version we take; README.Debian in the package says where the program looks for it.
set(KDHOST_PACKAGE_CONTACT "kdhost <kdhost@localhost.invalid>" CACHE STRING
    "Maintainer of packages made by cpack: Name <address>")
mark_as_advanced(KDHOST_PACKAGE_CONTACT)

configure_file(host/cmake/README.Debian.in "${PROJECT_BINARY_DIR}/generated/README.Debian" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/generated/README.Debian" DESTINATION share/doc/kdhost COMPONENT program)
install(FILES LICENSE DESTINATION share/doc/kdhost RENAME copyright COMPONENT program)
install(FILES LICENSE DESTINATION share/doc/kdhost-dev RENAME copyright COMPONENT sdk)
install(FILES sdk/README.md DESTINATION share/doc/kdhost-dev COMPONENT sdk)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME kdhost)
set(CPACK_PACKAGE_VENDOR kdhost)
set(CPACK_PACKAGE_CONTACT "${KDHOST_PACKAGE_CONTACT}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program sdk)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME kdhost)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
"knowledge distillation engine
Trains a student network from a teacher as an experiment file says, and a
baseline without the teacher beside it. Losses, models, data sets, transforms,
schedulers and metrics are plugins. Needs LibTorch ${LibTorch_VERSION}, which is no
package of Debian: see /usr/share/doc/kdhost/README.Debian.")
set(CPACK_DEBIAN_SDK_PACKAGE_NAME kdhost-dev)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SDK_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_SDK_PACKAGE_RECOMMENDS "kdhost, cmake (>= 3.25), g++")
set(CPACK_COMPONENT_SDK_DESCRIPTION
"headers and build files for plugins of kdhost
The C interface, its C++17 layer, the CMake package with kdhost_add_plugin and
templates. A portable plugin needs neither kdhost nor LibTorch to be built.")

# The runtime of the compiler is asked for as it is here: dpkg-shlibdeps would stop at LibTorch, which no package owns.
find_program(KDHOST_DPKG_QUERY dpkg-query)
mark_as_advanced(KDHOST_DPKG_QUERY)
set(runtime "")
foreach(package libc6 libstdc++6 libgcc-s1)
  set(version "")
  if(KDHOST_DPKG_QUERY)
    execute_process(COMMAND "${KDHOST_DPKG_QUERY}" -W -f "\${Version}" ${package}
                    OUTPUT_VARIABLE version ERROR_QUIET)
  endif()
  if(version MATCHES "^([0-9]+:)?([0-9.]+)")
    list(APPEND runtime "${package} (>= ${CMAKE_MATCH_2})")
  else()
    list(APPEND runtime "${package}")
  endif()
endforeach()
list(JOIN runtime ", " CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS)

# A package must not look for LibTorch where the machine that built it keeps its own.
list(JOIN CMAKE_INSTALL_RPATH ":" KDHOST_BUILT_RPATH)
list(JOIN KDHOST_PACKAGE_RPATH ":" KDHOST_PACKAGED_RPATH)
configure_file(host/cmake/package_rpath.cmake.in "${PROJECT_BINARY_DIR}/generated/package_rpath.cmake" @ONLY)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_BINARY_DIR}/generated/package_rpath.cmake")
include(CPack)
