// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes dispatches as MLIR text, with random constants.

#ifndef QDIALECT_UNITTESTS_CODEGEN_DISPATCHTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_DISPATCHTEXT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace qdialect::testing {

inline std::string number(int64_t value) { return std::to_string(value); }

template <class T>
std::string denseText(const std::vector<T> &values) {
  llvm::StringRef bytes(reinterpret_cast<const char *>(values.data()),
                        values.size() * sizeof(T));
  // One element would be read as a splat of that many bytes: the same thing.
  return "dense<\"0x" + llvm::toHex(bytes) + "\">";
}

inline std::string shapeText(llvm::ArrayRef<int64_t> shape,
                             llvm::StringRef element) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element.str() + ">";
}

/// Random constants of one dispatch.
struct RandomConstants {
  std::mt19937 &random;

  std::string codes(int64_t count, int low = -127, int high = 127) {
    std::uniform_int_distribution<int> pick(low, high);
    std::vector<int8_t> values(count);
    for (int8_t &value : values)
      value = static_cast<int8_t>(pick(random));
    return denseText(values);
  }
  std::string words(int64_t count, int magnitude) {
    std::uniform_int_distribution<int> pick(-magnitude, magnitude);
    std::vector<int32_t> values(count);
    for (int32_t &value : values)
      value = pick(random);
    return denseText(values);
  }
  /// In numbers, which codes of any width can be read from.
  std::string matrix(int64_t rows, int64_t columns, int low, int high) {
    std::uniform_int_distribution<int> pick(low, high);
    std::string text = "dense<[";
    for (int64_t r = 0; r < rows; ++r) {
      text += r ? ", [" : "[";
      for (int64_t c = 0; c < columns; ++c)
        text += (c ? ", " : "") + std::to_string(pick(random));
      text += "]";
    }
    return text + "]>";
  }
  std::string floats(int64_t count, float low, float high) {
    std::uniform_real_distribution<float> pick(low, high);
    std::vector<float> values(count);
    for (float &value : values)
      value = pick(random);
    return denseText(values);
  }
};

/// func.func @main around one dispatch. The body's arguments are %x0, %x1, ...
inline std::string mainText(llvm::ArrayRef<std::string> inputs,
                            const std::string &output,
                            const std::string &body) {
  std::string outer, inner, types, names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string n = std::to_string(i), comma = i ? ", " : "";
    outer += comma + "%a" + n + ": " + inputs[i];
    inner += comma + "%x" + n + ": " + inputs[i];
    names += comma + "%a" + n;
    types += comma + inputs[i];
  }
  std::string ins = inputs.empty() ? "" : "ins(" + names + " : " + types + ") ";
  std::string head = inputs.empty() ? "" : "^bb0(" + inner + "):\n";
  return "func.func @main(" + outer + ") -> " + output +
         " {\n  %r = qd.dispatch " + ins + "-> (" + output + ") {\n" + head +
         body + "  }\n  return %r : " + output + "\n}\n";
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_DISPATCHTEXT_H
