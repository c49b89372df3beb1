// What a kube-apiserver 1.36 sent, byte for byte (testdata/README.md).
#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace jobrun {

// A file of tests/wire/testdata.
inline std::string ReadRecorded(const std::string& name) {
  std::ifstream file(JOBRUN_WIRE_TESTDATA "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::vector<std::string> RecordedLines(const std::string& name) {
  std::istringstream text(ReadRecorded(name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace jobrun
