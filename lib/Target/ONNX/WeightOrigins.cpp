// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header. Hashing reads the weights once more, at about 10 GB/s.

#include "WeightOrigins.h"

#include "ModelFile.h"
#include "QDialect/IR/WeightReferences.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include <unordered_map>

using namespace mlir;

namespace qdialect::onnx_import {

void referenceWeights(ModuleOp module, const ModelFile &file) {
  std::vector<DenseResourceElementsAttr> resources =
      qd::largeResourcesWithoutReference(module);
  if (resources.empty())
    return;
  std::vector<FileRange> ranges = file.weightRanges();
  std::unordered_map<uint64_t, const FileRange *> byHash;
  for (const FileRange &range : ranges)
    if (range.bytes.size() >= qd::kSmallestReference)
      byHash.try_emplace(qd::hashWeights(range.bytes), &range);
  const qd::WeightReferences &known =
      qd::WeightReferences::of(module.getContext());
  for (DenseResourceElementsAttr resource : resources) {
    DenseResourceElementsHandle handle = resource.getRawHandle();
    ArrayRef<char> data = handle.getBlob()->getData();
    llvm::StringRef bytes(data.data(), data.size());
    uint64_t hash = qd::hashWeights(bytes);
    auto found = byHash.find(hash);
    if (found == byHash.end() || found->second->bytes != bytes)
      continue;
    const FileRange &range = *found->second;
    llvm::SmallString<128> path(range.file);
    if (llvm::sys::fs::make_absolute(path))
      continue; // no working directory: nothing to find the file by
    known.add(handle.getKey(),
              {path.str().str(), range.offset, range.bytes.size(), hash});
  }
}

} // namespace qdialect::onnx_import
