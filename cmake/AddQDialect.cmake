# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The thin layer over add_library/add_executable that every target goes through.
# One set of compile options for all, or clang refuses to share the precompiled
# header: never add -O, -march, -f[no-]exceptions or -std to one target alone.

add_library(qdialect_base_options INTERFACE)
target_compile_options(qdialect_base_options INTERFACE
  -fPIC -Wall -Wextra -Wno-unused-parameter -Werror=return-type
  -ffp-contract=off) # contraction would change bits; fma is always explicit
if(QDIALECT_ENABLE_ASSERTIONS)
  target_compile_options(qdialect_base_options INTERFACE -UNDEBUG)
endif()
if(QDIALECT_SANITIZE)
  target_compile_options(qdialect_base_options INTERFACE
    -fsanitize=${QDIALECT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    # Compiled models carry no types of functions in front of their code.
    -fno-sanitize=vptr,function)
  target_link_options(qdialect_base_options INTERFACE -fsanitize=${QDIALECT_SANITIZE})
endif()
target_link_options(qdialect_base_options INTERFACE -fuse-ld=lld)

add_library(qdialect_options INTERFACE)
target_link_libraries(qdialect_options INTERFACE qdialect_base_options)
if(QDIALECT_ENABLE_ASSERTIONS AND NOT LLVM_ENABLE_ASSERTIONS)
  target_compile_options(qdialect_options INTERFACE
    "SHELL:-include ${PROJECT_SOURCE_DIR}/cmake/ReleaseStatistics.h")
endif()
target_compile_options(qdialect_options INTERFACE
  "SHELL:-Xclang -fno-pch-timestamp" -fno-exceptions)

if(QDIALECT_PCH)
  add_library(QDialectPCH STATIC "${PROJECT_SOURCE_DIR}/cmake/pch.cpp")
  target_link_libraries(QDialectPCH PUBLIC qdialect_options)
  target_precompile_headers(QDialectPCH PRIVATE "${PROJECT_SOURCE_DIR}/cmake/pch.h")
endif()

# Seeded faults (scripts/mutate): only the sources that mention QDIALECT_MUTATE see
# its number, so that a mutant rebuilds a few files and not the tree.
function(qdialect_seed_faults)
  foreach(source ${ARGN})
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" OUTPUT_VARIABLE path)
    if(EXISTS "${path}")
      file(STRINGS "${path}" mentions REGEX "QDIALECT_MUTATE" LIMIT_COUNT 1)
      if(mentions)
        set_property(SOURCE "${source}" APPEND PROPERTY
          COMPILE_DEFINITIONS QDIALECT_MUTATE=${QDIALECT_MUTATE})
      endif()
    endif()
  endforeach()
endfunction()

# A library of plain C++ (no MLIR, no precompiled header).
#   add_qdialect_plain_library(<name> SOURCES ... [LINK ...])
function(add_qdialect_plain_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  qdialect_seed_faults(${ARG_SOURCES})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC $<BUILD_INTERFACE:qdialect_base_options> ${ARG_LINK})
  target_compile_options(${name} PRIVATE -fno-exceptions)
  qdialect_install_library(${name})
endfunction()

# A library over MLIR; DEPENDS names the tablegen targets whose headers it sees.
#   add_qdialect_library(<name> SOURCES ... [DEPENDS ...] [LINK ...])
function(add_qdialect_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  qdialect_seed_faults(${ARG_SOURCES})
  add_library(${name} STATIC ${ARG_SOURCES})
  qdialect_use_mlir(${name} "${ARG_DEPENDS}")
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  qdialect_install_library(${name})
endfunction()

#   add_qdialect_tool(<name> SOURCES ... [DEPENDS ...] [LINK ...])
function(add_qdialect_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  qdialect_use_mlir(${name} "${ARG_DEPENDS}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
  set_target_properties(${name} PROPERTIES EXPORT_COMPILE_COMMANDS ON)
  install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

# A GoogleTest executable; PLAIN leaves MLIR and the precompiled header out.
#   add_qdialect_unittest(<name> [PLAIN] SOURCES ... [DEPENDS ...] [LINK ...])
function(add_qdialect_unittest name)
  cmake_parse_arguments(ARG "PLAIN" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(ARG_PLAIN)
    target_link_libraries(${name} PRIVATE qdialect_base_options ${ARG_LINK})
  else()
    qdialect_use_mlir(${name} "${ARG_DEPENDS}")
    target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
  endif()
  target_link_libraries(${name} PRIVATE GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/unittests")
  add_test(NAME ${name} COMMAND ${name})
  set_property(GLOBAL APPEND PROPERTY QDIALECT_UNITTESTS ${name})
endfunction()

# What lies in lib/ goes into the package that find_package(QDialect) reads. Our
# compile options are our own: who links an installed library does not inherit them.
function(qdialect_install_library name)
  set(library_folder "${PROJECT_SOURCE_DIR}/lib")
  cmake_path(IS_PREFIX library_folder "${CMAKE_CURRENT_SOURCE_DIR}" isPublic)
  if(NOT isPublic)
    return()
  endif()
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS ${name} EXPORT QDialectTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endfunction()

function(qdialect_use_mlir name depends)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:qdialect_options>)
  if(QDIALECT_PCH)
    target_precompile_headers(${name} REUSE_FROM QDialectPCH)
  endif()
  if(depends)
    add_dependencies(${name} ${depends})
  endif()
endfunction()

# Adds each of the named subfolders that has a CMakeLists.txt.
function(qdialect_add_subfolders)
  foreach(folder ${ARGN})
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
      add_subdirectory(${folder})
    endif()
  endforeach()
endfunction()

# Writes every FOLDER/*.yaml into OUTPUT (in the binary folder) as a line
# {"name", R"(text)"}, for an array of structs that includes it.
function(qdialect_embed_yaml folder output)
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*.yaml")
  set(embedded "")
  foreach(file ${files})
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" text)
    string(APPEND embedded "{\"${name}\", R\"qd_text(${text})qd_text\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/${output}" CONTENT "@embedded@" @ONLY)
endfunction()
