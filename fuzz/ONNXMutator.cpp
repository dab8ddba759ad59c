// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// libFuzzer's mutator for ONNX models. The importer's own message classes are
// of protobuf's lite runtime and know no fields by name, so the messages here
// are made from onnx.proto at run time.

#include "MessageMutator.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <memory>

static std::unique_ptr<google::protobuf::Message> makeModel() {
  static google::protobuf::DescriptorPool pool;
  static google::protobuf::DynamicMessageFactory factory(&pool);
  static const google::protobuf::Descriptor *type = nullptr;
  if (!type) {
    google::protobuf::FileDescriptorSet files;
    std::ifstream stream(QDIALECT_ONNX_DESCRIPTORS, std::ios::binary);
    if (!files.ParseFromIstream(&stream))
      std::abort();
    for (const google::protobuf::FileDescriptorProto &file : files.file())
      type = pool.BuildFile(file)->FindMessageTypeByName("ModelProto");
  }
  return std::unique_ptr<google::protobuf::Message>(
      factory.GetPrototype(type)->New());
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

static void mutateText(std::string &text) {
  size_t size = text.size();
  text.resize(size + 8);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(text.data()), size,
                               text.size()));
}

/// Every fourth time the bytes themselves, else a field of the model.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  std::mt19937 random(seed);
  std::unique_ptr<google::protobuf::Message> model = makeModel();
  if (random() % 4 == 0 || !model->ParseFromArray(data, size))
    return LLVMFuzzerMutate(data, size, maxSize);
  for (unsigned changes = 1 + random() % 3; changes; --changes)
    qdialect::mutateMessage(*model, random, mutateText);
  std::string changed;
  if (!model->SerializeToString(&changed) || changed.size() > maxSize)
    return LLVMFuzzerMutate(data, size, maxSize);
  memcpy(data, changed.data(), changed.size());
  return changed.size();
}
