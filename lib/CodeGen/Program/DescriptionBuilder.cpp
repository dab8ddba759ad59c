// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The structs mirror runtime/include/qdialect/model.h field by field.

#include "DescriptionBuilder.h"

using namespace llvm;
using namespace qdialect;

Constant *DescriptionBuilder::tensors(ArrayRef<ProgramTensor> list,
                                      const SymbolicSizes &sizes) {
  SmallVector<Constant *> records;
  for (const ProgramTensor &tensor : list) {
    SmallVector<Constant *> dims, names;
    for (int64_t dim : tensor.shape)
      dims.push_back(i64(dim));
    bool dynamic = SymbolicSizes::anySymbolic(tensor.sizes);
    for (int64_t size : tensor.sizes)
      if (dynamic)
        names.push_back(SymbolicSizes::isSymbolic(size)
                            ? string(sizes.print(size))
                            : ConstantPointerNull::get(pointer));
    records.push_back(
        record({string(tensor.name), i32(static_cast<uint32_t>(tensor.type)),
                i32(tensor.shape.size()), array(dims),
                i64(dynamic ? 0 : tensor.bytes), array(names),
                tensor.codes.empty() ? ConstantPointerNull::get(pointer)
                                     : string(tensor.codes)}));
  }
  return array(records);
}

Constant *DescriptionBuilder::strings(ArrayRef<std::string> list) {
  SmallVector<Constant *> pointers;
  for (const std::string &text : list)
    pointers.push_back(string(text));
  return array(pointers);
}
