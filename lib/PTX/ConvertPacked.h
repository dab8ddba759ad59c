// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt's packed and minifloat forms; decoded as part of cvt.

#ifndef QDIALECT_LIB_PTX_CONVERTPACKED_H
#define QDIALECT_LIB_PTX_CONVERTPACKED_H

namespace qdialect::ptx {

class Decoder;
void decodeConvertPacked(Decoder &d);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_CONVERTPACKED_H
