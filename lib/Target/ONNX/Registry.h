// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operators the importer knows, each from the opset in which its meaning
// changed last. An operator's handler serves every opset from its `since` up to
// the next registration of the same name. Domains number their opsets each for
// itself.

#ifndef QDIALECT_LIB_TARGET_ONNX_REGISTRY_H
#define QDIALECT_LIB_TARGET_ONNX_REGISTRY_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/LogicalResult.h"
#include <functional>
#include <map>
#include <string>

namespace qdialect::onnx_import {

class Node;

/// Of the default domain.
constexpr int64_t minOpset = 7;
constexpr int64_t maxOpset = 27;

/// ONNX Runtime's own operators.
constexpr llvm::StringLiteral microsoftDomain = "com.microsoft";

/// The default domain has two names.
inline llvm::StringRef canonicalDomain(llvm::StringRef domain) {
  return domain == "ai.onnx" ? "" : domain;
}

class OpRegistry {
public:
  using Handler = std::function<llvm::LogicalResult(Node &)>;
  struct Entry {
    Handler handler;
    std::string remarks; ///< limits, for the coverage page
    /// The handler computes with sizes through b.sizes only (GraphBuilder.h).
    /// Others never see a tensor with a symbolic size.
    bool isSymbolic = false;

    Entry &symbolic() {
      isSymbolic = true;
      return *this;
    }
  };

  /// Every operator, registered once.
  static const OpRegistry &get();

  using Versions = std::map<int64_t, Entry>;

  /// `since` is the first opset of `domain` the handler serves (1 for
  /// "always").
  Entry &onOp(llvm::StringRef domain, llvm::StringRef name, int64_t since,
              Handler handler, llvm::StringRef remarks = "");
  /// The same in the default domain.
  Entry &onOp(llvm::StringRef name, int64_t since, Handler handler,
              llvm::StringRef remarks = "") {
    return onOp("", name, since, std::move(handler), remarks);
  }

  /// The handler for an operator of a domain; null if unknown.
  const Entry *find(llvm::StringRef domain, llvm::StringRef name,
                    int64_t opset) const;
  /// True if some opset has it.
  bool knows(llvm::StringRef domain, llvm::StringRef name) const;
  /// True if there are operators of it.
  bool knowsDomain(llvm::StringRef domain) const {
    return ops.count(canonicalDomain(domain).str()) != 0;
  }

  /// domain -> name -> since -> entry, sorted.
  const std::map<std::string, std::map<std::string, Versions>> &all() const {
    return ops;
  }

private:
  std::map<std::string, std::map<std::string, Versions>> ops;
};

// One function a family, in Operators/<Family>.cpp.
void registerActivationOps(OpRegistry &registry);
void registerArgumentOps(OpRegistry &registry);
void registerAttentionOps(OpRegistry &registry);
void registerBitwiseOps(OpRegistry &registry);
void registerBlockOps(OpRegistry &registry);
void registerChooseOps(OpRegistry &registry);
void registerConvolutionOps(OpRegistry &registry);
void registerConstantOps(OpRegistry &registry);
void registerControlFlowOps(OpRegistry &registry);
void registerDeformableConvolutionOps(OpRegistry &registry);
void registerElementwiseOps(OpRegistry &registry);
void registerEmbeddingOps(OpRegistry &registry);
void registerFusedMatmulOps(OpRegistry &registry);
void registerEinsumOps(OpRegistry &registry);
void registerFusedOps(OpRegistry &registry);
void registerGatherOps(OpRegistry &registry);
void registerIntegerProductOps(OpRegistry &registry);
void registerGridSampleOps(OpRegistry &registry);
void registerLogicOps(OpRegistry &registry);
void registerMatmulNBitsOps(OpRegistry &registry);
void registerLossOps(OpRegistry &registry);
void registerMatmulOps(OpRegistry &registry);
void registerNonMaxSuppressionOps(OpRegistry &registry);
void registerNormalizationOps(OpRegistry &registry);
void registerPaddingOps(OpRegistry &registry);
void registerIndexingOps(OpRegistry &registry);
void registerInstanceNormalizationOps(OpRegistry &registry);
void registerPoolIndexOps(OpRegistry &registry);
void registerRegionOps(OpRegistry &registry);
void registerScanOps(OpRegistry &registry);
void registerSpectrumOps(OpRegistry &registry);
void registerTensorScatterOps(OpRegistry &registry);
void registerPoolingOps(OpRegistry &registry);
void registerQAttentionOps(OpRegistry &registry);
void registerQLinearOps(OpRegistry &registry);
void registerQuantizeOps(OpRegistry &registry);
void registerRangeOps(OpRegistry &registry);
void registerRecurrentOps(OpRegistry &registry);
void registerReduceOps(OpRegistry &registry);
void registerResizeOps(OpRegistry &registry);
void registerShapeOps(OpRegistry &registry);
void registerSliceOps(OpRegistry &registry);
void registerTransposedConvolutionOps(OpRegistry &registry);
void registerUnaryOps(OpRegistry &registry);
void registerUniqueOps(OpRegistry &registry);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_REGISTRY_H
