// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names, types and shapes of arguments (InputSpecs.h).

#include "QDialect/Interpreter/InputSpecs.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"

using namespace mlir;

llvm::Expected<std::vector<qdialect::InputSpec>>
qdialect::inputSpecs(func::FuncOp function) {
  std::vector<InputSpec> specs;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    InputSpec &spec = specs.emplace_back();
    auto name = function.getArgAttrOfType<StringAttr>(i, qd::kNameAttr);
    spec.name = name ? name.str() : "arg" + std::to_string(i);
    auto shaped = dyn_cast<ShapedType>(type);
    std::optional<DType> element =
        hostType(shaped ? shaped.getElementType() : type);
    if (!element)
      return llvm::createStringError("input '" + spec.name +
                                     "' has a type without host form");
    spec.type = *element;
    if (shaped)
      for (int64_t size : shaped.getShape())
        spec.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  }
  return specs;
}
