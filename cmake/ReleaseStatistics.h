// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Included before everything else where our assertions are on: an installed
// LLVM without assertions has statistics without counters, and its passes
// construct those of ours.

#ifndef QDIALECT_CMAKE_RELEASESTATISTICS_H
#define QDIALECT_CMAKE_RELEASESTATISTICS_H

#define NDEBUG
#include "llvm/ADT/Statistic.h"
#undef NDEBUG
#include <cassert>

#endif // QDIALECT_CMAKE_RELEASESTATISTICS_H
