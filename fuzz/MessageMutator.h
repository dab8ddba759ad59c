// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Changes a protobuf message where flipped bytes would only break its framing:
// numbers become extreme, names change places, entries double or vanish.

#ifndef QDIALECT_FUZZ_MESSAGEMUTATOR_H
#define QDIALECT_FUZZ_MESSAGEMUTATOR_H

#include <google/protobuf/message.h>
#include <random>

namespace qdialect {

/// Changes one field somewhere in `message`. `mutateText` is given every string
/// or bytes value that shall change by bytes.
void mutateMessage(google::protobuf::Message &message, std::mt19937 &random,
                   void (*mutateText)(std::string &));

} // namespace qdialect

#endif // QDIALECT_FUZZ_MESSAGEMUTATOR_H
