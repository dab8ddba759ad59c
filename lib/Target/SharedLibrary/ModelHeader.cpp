// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Only the names of the entry points depend on the model; the types are the
// same for all and guarded by the ABI version.

#include "ModelHeader.h"
#include "ObjectCode.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace qdialect;

static void replaceAll(std::string &text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
}

/// A name that may stand in a C comment.
static std::string commentText(StringRef name) {
  std::string text = name.str();
  replaceAll(text, "*/", "* /");
  for (char &c : text)
    if (!isPrint(c))
      c = '?';
  return text;
}

static void listTensors(raw_ostream &out, StringRef title,
                        ArrayRef<ProgramTensor> tensors) {
  for (auto [index, tensor] : enumerate(tensors))
    out << " * " << title << "[" << index << "]  " << commentText(tensor.name)
        << "  " << describe(tensor.type, tensor.shape) << "  " << tensor.bytes
        << " bytes\n";
}

std::string qdialect::modelHeader(const Program &program, StringRef prefix,
                                  StringRef modelName) {
  std::string text;
  raw_string_ostream out(text);
  out << "/* The C interface of the model '" << commentText(modelName)
      << "', made by QDialect.\n *\n";
  listTensors(out, "inputs ", program.inputs);
  listTensors(out, "outputs", program.outputs);
  out << " */\n";
  std::string body = modelHeaderText().str();
  replaceAll(body, "qd_model_", (prefix + "_").str());
  replaceAll(body, "QD_MODEL_H", prefix.upper() + "_H");
  return text + body;
}

Error qdialect::checkPrefix(StringRef prefix) {
  bool valid = !prefix.empty() && !isDigit(prefix.front()) &&
               all_of(prefix, [](char c) { return isAlnum(c) || c == '_'; });
  // The runtime's own symbols live in the same library.
  if (valid && !prefix.starts_with("qd_rt"))
    return Error::success();
  return createStringError("symbol prefix '" + prefix +
                           "' is not a C identifier or begins with qd_rt");
}
