// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The protobuf side of the exporter.

#include "Export/ModelWriter.h"

#include "ElementTypes.h"
#include "QDialect/Numerics/Packing.h"
#include "onnx.pb.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace qdialect::onnx_export {
namespace {

// Blocks, 4- and 16-bit codes came with opset 21.
constexpr int64_t leastOpset = 21;
// Readers map external data by pages; small constants are cheaper in the
// message.
constexpr size_t leastExternalBytes = 1024, externalAlignment = 4096;

/// The first opset with the data type, where that is not `leastOpset`.
int64_t opsetOf(int dataType) {
  switch (dataType) {
  case onnx::TensorProto::FLOAT4E2M1:
    return 23;
  case onnx::TensorProto::FLOAT8E8M0:
    return 24;
  case onnx::TensorProto::UINT2:
  case onnx::TensorProto::INT2:
    return 25;
  default:
    return leastOpset;
  }
}

/// The oldest format version of an opset.
int64_t formatOf(int64_t opset) {
  return opset == 21 ? 10 : opset == 23 ? 11 : opset == 24 ? 12 : 13;
}

} // namespace

bool hasDataType(mlir::Type element) {
  return onnx_import::findElementInfo(element) != nullptr;
}

ModelWriter::ModelWriter()
    : proto(std::make_unique<onnx::ModelProto>()), opset(leastOpset) {
  proto->set_producer_name("QDialect");
  proto->mutable_graph()->set_name("main");
}
ModelWriter::~ModelWriter() = default;

std::string ModelWriter::uniqueName(StringRef wish) {
  std::string name = wish.str();
  for (unsigned number = 1; !claim(name); ++number)
    name = (wish + "_" + Twine(number)).str();
  return name;
}

int64_t ModelWriter::dataType(mlir::Type element) {
  const onnx_import::ElementInfo *info = onnx_import::findElementInfo(element);
  assert(info && "the caller asked hasDataType");
  opset = std::max(opset, opsetOf(info->onnxType));
  return info->onnxType;
}

void ModelWriter::describe(onnx::ValueInfoProto &info, StringRef name,
                           mlir::Type element, ArrayRef<Dimension> dims) {
  info.set_name(name.str());
  auto *tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(static_cast<int>(dataType(element)));
  auto *shape = tensor->mutable_shape();
  for (const Dimension &dim : dims) {
    auto *written = shape->add_dim();
    if (auto *size = std::get_if<int64_t>(&dim))
      written->set_dim_value(*size);
    else
      written->set_dim_param(std::get<std::string>(dim));
  }
}

void ModelWriter::addInput(StringRef name, mlir::Type element,
                           ArrayRef<Dimension> dims) {
  describe(*proto->mutable_graph()->add_input(), name, element, dims);
}

void ModelWriter::addOutput(StringRef name, mlir::Type element,
                            ArrayRef<Dimension> dims) {
  describe(*proto->mutable_graph()->add_output(), name, element, dims);
}

std::string ModelWriter::addConstant(StringRef wish, mlir::Type element,
                                     HostTensor data) {
  onnx::TensorProto *tensor = proto->mutable_graph()->add_initializer();
  tensor->set_name(uniqueName(wish));
  tensor->set_data_type(static_cast<int>(dataType(element)));
  for (int64_t size : data.shape())
    tensor->add_dims(size);
  unsigned bits = onnx_import::findElementInfo(element)->bits;
  constants.push_back({bits, std::move(data), tensor});
  return tensor->name();
}

void ModelWriter::addNode(StringRef op, ArrayRef<std::string> inputs,
                          ArrayRef<std::string> outputs,
                          ArrayRef<NodeAttribute> attributes) {
  onnx::NodeProto *node = proto->mutable_graph()->add_node();
  node->set_op_type(op.str());
  node->set_name(outputs[0]);
  for (const std::string &input : inputs)
    node->add_input(input);
  for (const std::string &output : outputs)
    node->add_output(output);
  for (const NodeAttribute &attribute : attributes) {
    onnx::AttributeProto *written = node->add_attribute();
    written->set_name(attribute.name.str());
    if (auto *number = std::get_if<int64_t>(&attribute.value)) {
      written->set_type(onnx::AttributeProto::INT);
      written->set_i(*number);
    } else if (auto *number = std::get_if<float>(&attribute.value)) {
      written->set_type(onnx::AttributeProto::FLOAT);
      written->set_f(*number);
    } else if (auto *text = std::get_if<std::string>(&attribute.value)) {
      written->set_type(onnx::AttributeProto::STRING);
      written->set_s(*text);
    } else {
      written->set_type(onnx::AttributeProto::INTS);
      for (int64_t number : std::get<SmallVector<int64_t>>(attribute.value))
        written->add_ints(number);
    }
  }
}

/// The elements as ONNX has them in raw data.
static std::string rawBytes(const HostTensor &data, unsigned bits) {
  if (bits >= 8)
    return std::string(data.bytes(), data.sizeInBytes());
  std::string packed(packedSize(data.size(), bits), '\0');
  packCodes(data.data<uint8_t>(), data.size(), bits,
            reinterpret_cast<uint8_t *>(packed.data()));
  return packed;
}

Error ModelWriter::writeExternal(StringRef path) {
  std::string file = sys::path::filename(path).str();
  return writeToOutput(path, [&](raw_ostream &os) -> Error {
    for (Constant &constant : constants) {
      if (constant.data.sizeInBytes() < leastExternalBytes)
        continue;
      os.write_zeros(offsetToAlignment(os.tell(), Align(externalAlignment)));
      uint64_t offset = os.tell();
      if (constant.bits >= 8)
        os.write(constant.data.bytes(), constant.data.sizeInBytes());
      else
        os << rawBytes(constant.data, constant.bits);
      constant.proto->set_data_location(onnx::TensorProto::EXTERNAL);
      auto entry = [&](const char *key, std::string value) {
        auto *written = constant.proto->add_external_data();
        written->set_key(key);
        written->set_value(std::move(value));
      };
      entry("location", file);
      entry("offset", std::to_string(offset));
      entry("length", std::to_string(os.tell() - offset));
    }
    return Error::success();
  });
}

Error ModelWriter::write(StringRef path, uint64_t inlineLimit) {
  auto *opsetId = proto->add_opset_import();
  opsetId->set_domain("");
  opsetId->set_version(opset);
  proto->set_ir_version(formatOf(opset));
  uint64_t total = 0;
  for (const Constant &constant : constants)
    total += constant.data.sizeInBytes();
  if (total > inlineLimit) {
    if (path == "-")
      return createStringError(
          formatv("{0} bytes of constants need a file beside the model, but it "
                  "is written to standard output",
                  total));
    if (Error error = writeExternal((path + ".data").str()))
      return error;
  }
  for (Constant &constant : constants)
    if (constant.proto->data_location() != onnx::TensorProto::EXTERNAL)
      constant.proto->set_raw_data(rawBytes(constant.data, constant.bits));
  std::string message;
  if (!proto->SerializeToString(&message))
    return createStringError("the model exceeds 2 GiB without its constants");
  return writeToOutput(path, [&](raw_ostream &os) -> Error {
    os << message;
    return Error::success();
  });
}

} // namespace qdialect::onnx_export
