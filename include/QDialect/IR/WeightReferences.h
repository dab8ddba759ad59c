// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights that stay in the file they came from. A printed module names them by
// file, offset, size and hash instead of spelling their bytes:
//
//   {-#
//     dialect_resources: {
//       qd: { conv1.w: "/models/net.onnx@1264+9408#xxh3:8f0e..." }
//     }
//   #-}
//
// Whoever parses that text with the qd dialect loaded maps the file and shares
// its bytes; a file that is gone, shorter or different is an error that names
// the key. Bytecode carries the bytes themselves.

#ifndef QDIALECT_IR_WEIGHTREFERENCES_H
#define QDIALECT_IR_WEIGHTREFERENCES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <mutex>

namespace llvm {
class MemoryBuffer;
class raw_ostream;
} // namespace llvm

namespace qdialect::qd {

/// Where the bytes of a `dense_resource` lie.
struct WeightReference {
  std::string file;
  uint64_t offset = 0, size = 0;
  uint64_t hash = 0; ///< xxh3_64 of the bytes

  /// `file@offset+size#xxh3:<16 hex digits>`.
  std::string str() const;
  static std::optional<WeightReference> parse(llvm::StringRef text);
};

/// The references of one context, by resource key. Keys are unique in a context
/// and their bytes never change, so a reference stays true once it is.
class WeightReferences : public mlir::OpAsmDialectInterface {
public:
  using OpAsmDialectInterface::OpAsmDialectInterface;

  static const WeightReferences &of(mlir::MLIRContext *context);

  void add(llvm::StringRef key, WeightReference reference) const;
  std::optional<WeightReference> find(llvm::StringRef key) const;

  mlir::FailureOr<mlir::AsmDialectResourceHandle>
  declareResource(llvm::StringRef key) const override;
  std::string
  getResourceKey(const mlir::AsmDialectResourceHandle &handle) const override;
  mlir::LogicalResult
  parseResource(mlir::AsmParsedResourceEntry &entry) const override;
  void buildResources(
      mlir::Operation *op,
      const llvm::SetVector<mlir::AsmDialectResourceHandle> &referenced,
      mlir::AsmResourceBuilder &builder) const override;

private:
  friend void printWithReferences(mlir::ModuleOp, llvm::raw_ostream &);
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>>
  map(const std::string &file) const;

  // An interface is shared and const; its state is not.
  mutable std::mutex mutex;
  mutable llvm::StringMap<WeightReference> references;
  mutable llvm::StringMap<std::weak_ptr<llvm::MemoryBuffer>> files;
  /// Whether the printing under way names files (printWithReferences).
  mutable bool printing = false;
};

/// The hash that references carry.
uint64_t hashWeights(llvm::StringRef bytes);

/// Resources of fewer bytes than this are spelled out in text.
constexpr uint64_t kSmallestReference = 1024;

/// The keys of the large resources that `module` uses and that have no
/// reference, in order of appearance.
std::vector<mlir::DenseResourceElementsAttr>
largeResourcesWithoutReference(mlir::ModuleOp module);

/// Prints `module` as text with its large resources named instead of spelled.
/// Each must have a reference: see largeResourcesWithoutReference.
void printWithReferences(mlir::ModuleOp module, llvm::raw_ostream &os);

} // namespace qdialect::qd

#endif // QDIALECT_IR_WEIGHTREFERENCES_H
