// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Printing and parsing of references; see the header. The builtin dialect owns
// the resources: a reference fills the blob of the builtin key of its name.

#include "QDialect/IR/WeightReferences.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SaveAndRestore.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace qdialect::qd;
using BlobEntry = DialectResourceBlobManager::BlobEntry;

std::string WeightReference::str() const {
  return llvm::formatv("{0}@{1}+{2}#xxh3:{3}", file, offset, size,
                       llvm::utohexstr(hash, /*LowerCase=*/true, /*Width=*/16));
}

std::optional<WeightReference> WeightReference::parse(StringRef text) {
  WeightReference result;
  // The file's own name may contain any of the separators.
  auto [place, hash] = text.rsplit("#xxh3:");
  auto [file, range] = place.rsplit('@');
  auto [offset, size] = range.split('+');
  if (file.empty() || hash.getAsInteger(16, result.hash) ||
      offset.getAsInteger(10, result.offset) ||
      size.getAsInteger(10, result.size))
    return std::nullopt;
  result.file = file.str();
  return result;
}

uint64_t qdialect::qd::hashWeights(StringRef bytes) {
  return llvm::xxh3_64bits(bytes);
}

static DialectResourceBlobManager &blobManager(MLIRContext *context) {
  return DenseResourceElementsHandle::getManagerInterface(context)
      .getBlobManager();
}

const WeightReferences &WeightReferences::of(MLIRContext *context) {
  return *context->getOrLoadDialect<QDDialect>()
              ->getRegisteredInterface<WeightReferences>();
}

void WeightReferences::add(StringRef key, WeightReference reference) const {
  std::lock_guard lock(mutex);
  references.insert_or_assign(key, std::move(reference));
}

std::optional<WeightReference> WeightReferences::find(StringRef key) const {
  std::lock_guard lock(mutex);
  auto known = references.find(key);
  if (known == references.end())
    return std::nullopt;
  return known->second;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

/// The builtin resource that the text being parsed calls `key`. The context
/// may know the name from another module; the builtin dialect then declared
/// `key_1`, `key_2`, ... and the one still without bytes is meant.
FailureOr<AsmDialectResourceHandle>
WeightReferences::declareResource(StringRef key) const {
  DialectResourceBlobManager &manager = blobManager(getContext());
  BlobEntry *entry = manager.lookup(key);
  for (unsigned i = 1; entry && entry->getBlob(); ++i)
    entry = manager.lookup((key + "_" + Twine(i)).str());
  if (!entry)
    return failure();
  return AsmDialectResourceHandle(entry, TypeID::get<BlobEntry>(),
                                  getDialect());
}

std::string
WeightReferences::getResourceKey(const AsmDialectResourceHandle &handle) const {
  return static_cast<BlobEntry *>(handle.getResource())->getKey().str();
}

llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>>
WeightReferences::map(const std::string &file) const {
  std::lock_guard lock(mutex);
  std::weak_ptr<llvm::MemoryBuffer> &known = files[file];
  if (auto buffer = known.lock())
    return buffer;
  auto opened = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!opened)
    return llvm::createStringError(opened.getError(),
                                   "cannot read weights from '" + file +
                                       "': " + opened.getError().message());
  std::shared_ptr<llvm::MemoryBuffer> buffer = std::move(*opened);
  known = buffer;
  return buffer;
}

LogicalResult
WeightReferences::parseResource(AsmParsedResourceEntry &entry) const {
  FailureOr<std::string> text = entry.parseAsString();
  if (failed(text))
    return failure();
  std::string key = entry.getKey().str();
  auto error = [&] { return entry.emitError() << "weights '" << key << "': "; };
  std::optional<WeightReference> reference = WeightReference::parse(*text);
  if (!reference)
    return error() << "expected file@offset+size#xxh3:hash, found '" << *text
                   << "'";
  auto buffer = map(reference->file);
  if (!buffer)
    return error() << llvm::toString(buffer.takeError());
  size_t available = (*buffer)->getBufferSize();
  if (reference->offset > available ||
      reference->size > available - reference->offset)
    return error() << "'" << reference->file << "' has " << available
                   << " bytes, but " << reference->size << " at offset "
                   << reference->offset << " were expected";
  ArrayRef<char> bytes((*buffer)->getBufferStart() + reference->offset,
                       reference->size);
  if (uint64_t found = hashWeights({bytes.data(), bytes.size()});
      found != reference->hash)
    return error() << "'" << reference->file << "' has changed: hash "
                   << llvm::utohexstr(found, /*LowerCase=*/true, 16)
                   << ", expected "
                   << llvm::utohexstr(reference->hash, /*LowerCase=*/true, 16);
  // The alignment that typed readers need; files align only some tensors.
  constexpr uint64_t kAlignment = 16;
  if (llvm::isAddrAligned(llvm::Align(kAlignment), bytes.data()))
    blobManager(getContext())
        .update(key, AsmResourceBlob(
                         bytes, kAlignment,
                         [keep = *buffer](void *, size_t, size_t) {},
                         /*dataIsMutable=*/false));
  else
    blobManager(getContext())
        .update(key, HeapAsmResourceBlob::allocateAndCopyWithAlign(
                         bytes, kAlignment, /*dataIsMutable=*/false));
  add(key, std::move(*reference));
  return success();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// The large resources that `op` uses, in order of appearance.
static llvm::SetVector<DenseResourceElementsAttr>
largeResources(Operation *op) {
  llvm::SetVector<DenseResourceElementsAttr> found;
  AttrTypeWalker walker;
  walker.addWalk([&](DenseResourceElementsAttr attribute) {
    AsmResourceBlob *blob = attribute.getRawHandle().getBlob();
    if (blob && blob->getData().size() >= kSmallestReference)
      found.insert(attribute);
  });
  op->walk([&](Operation *nested) {
    walker.walk(nested->getAttrDictionary());
    if (Attribute properties = nested->getPropertiesAsAttribute())
      walker.walk(properties);
  });
  return found;
}

void WeightReferences::buildResources(
    Operation *op, const llvm::SetVector<AsmDialectResourceHandle> &,
    AsmResourceBuilder &builder) const {
  if (!printing)
    return;
  llvm::StringSet<> done;
  for (DenseResourceElementsAttr attribute : largeResources(op)) {
    StringRef key = attribute.getRawHandle().getKey();
    if (!done.insert(key).second)
      continue;
    if (std::optional<WeightReference> reference = find(key))
      builder.buildString(key, reference->str());
  }
}

std::vector<DenseResourceElementsAttr>
qdialect::qd::largeResourcesWithoutReference(ModuleOp module) {
  const WeightReferences &known = WeightReferences::of(module.getContext());
  std::vector<DenseResourceElementsAttr> result;
  for (DenseResourceElementsAttr attribute : largeResources(module))
    if (!known.find(attribute.getRawHandle().getKey()))
      result.push_back(attribute);
  return result;
}

void qdialect::qd::printWithReferences(ModuleOp module, llvm::raw_ostream &os) {
  const WeightReferences &known = WeightReferences::of(module.getContext());
  llvm::SaveAndRestore<bool> guard(known.printing, true);
  OpPrintingFlags flags;
  // The limit counts characters: quotes, "0x" and two digits a byte, four bytes
  // of an alignment in front.
  flags.elideLargeResourceString(2 * kSmallestReference + 10);
  module.print(os, flags);
}
