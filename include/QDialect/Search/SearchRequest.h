// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `--search` asks for, in one string:
//
//   size<=4MB,latency<=2ms,metric=kl
//   size<=0.6x,choices=w4a8/w8a8/w8a16,samples=32
//
//   size<=     bytes of the library: B, KB, MB, GB, KiB, MiB, GiB
//   latency<=  time of a run: us, ms, s
//   bops<=     bit operations: a number, or with K, M, G, T
//              any of them with x: times what the widest choice of each layer
//              spends
//   metric=    kl (default), sqnr, mse or hessian (Search/OutputLoss.h)
//   choices=   precisions of weights and activations (default w4a8/w8a8)
//   samples=   calibration samples that sensitivities are measured on (16)
//   threads=   of the run that latency is measured of (1)
//   probes=    random directions a layer, for hessian (8)

#ifndef QDIALECT_SEARCH_SEARCHREQUEST_H
#define QDIALECT_SEARCH_SEARCHREQUEST_H

#include "QDialect/Search/MixedPrecision.h"
#include "QDialect/Search/OutputLoss.h"

namespace qdialect {

struct SearchRequest {
  struct Limit {
    double value = 0;
    bool isRelative = false; ///< times the widest choices' spending
  };
  std::array<std::optional<Limit>, kNumResources> limits;
  LossMetric metric = LossMetric::KL;
  std::vector<Precision> choices{{4, 8}, {8, 8}}; ///< narrowest first
  int64_t samples = 16;
  int64_t threads = 1;
  int64_t probes = 8;

  /// Errors name the key and what is allowed.
  static llvm::Expected<SearchRequest> parse(llvm::StringRef text);

  Limits absoluteLimits(const CostTable &table) const;
  /// The first resource with a limit; a front is drawn along it.
  Resource mainResource() const;
};

} // namespace qdialect

#endif // QDIALECT_SEARCH_SEARCHREQUEST_H
