// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files for the tests of this folder: written by hand, not by the code under
// test.

#ifndef QDIALECT_UNITTESTS_SUPPORT_FILES_H
#define QDIALECT_UNITTESTS_SUPPORT_FILES_H

#include "llvm/Support/FileSystem.h"
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>
#include <zip.h>

namespace qdialect::test {

/// A folder that goes with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    llvm::sys::fs::createUniqueDirectory("qdialect-test", root);
  }
  ~TemporaryFolder() { llvm::sys::fs::remove_directories(root); }
  std::string path(const std::string &name) const {
    return (root + "/" + name).str();
  }
  bool isEmpty() const {
    std::error_code code;
    return llvm::sys::fs::directory_iterator(root, code) ==
           llvm::sys::fs::directory_iterator();
  }

private:
  llvm::SmallString<128> root;
};

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string readFile(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// A .npy of version 1 with this header and data, checked by nobody.
template <typename T>
std::string npyBytes(const std::string &descr, bool fortran,
                     const std::string &shape, const std::vector<T> &data) {
  std::string dict = "{'descr': '" + descr +
                     "', 'fortran_order': " + (fortran ? "True" : "False") +
                     ", 'shape': " + shape + ", }\n";
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += char(dict.size() & 0xff);
  bytes += char(dict.size() >> 8);
  bytes += dict;
  bytes.append(reinterpret_cast<const char *>(data.data()),
               data.size() * sizeof(T));
  return bytes;
}

inline void
writeZip(const std::string &path, bool compressed,
         const std::vector<std::pair<std::string, std::string>> &entries) {
  zip_t *zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto &[name, bytes] : entries) {
    zip_source_t *source =
        zip_source_buffer(zip, bytes.data(), bytes.size(), 0);
    zip_int64_t index = zip_file_add(zip, name.c_str(), source, 0);
    zip_set_file_compression(zip, index,
                             compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  zip_close(zip);
}

} // namespace qdialect::test

#endif // QDIALECT_UNITTESTS_SUPPORT_FILES_H
