// The project's own text files, as the tidy tests see them.
#pragma once

#include <string>
#include <vector>

namespace fairlead::tidy {

struct SourceFile {
  std::string path;                // from the root: "pkg/net/endpoint.h"
  std::vector<std::string> lines;  // as written
  std::vector<std::string> code;   // the same lines with comments and literals blanked (C++ only)

  bool is_header() const;
  bool is_cpp() const;  // header, .cc or BPF
  bool is_bpf() const;  // .bpf.c or .bpf.h: C for the kernel's machine
};

struct Include {
  std::string target;  // pkg/net/endpoint.h or sys/socket.h
  bool quoted = false;
  size_t line = 0;  // from 1
};

// C++ files below pkg, cmd and tests.
const std::vector<SourceFile>& CppFiles();
// Those and scripts, build files, manifests and documents.
const std::vector<SourceFile>& TextFiles();

// The room of a file: "net", "dataplane/snat", "cmd"; "" when it is in none (tests).
std::string RoomOf(const SourceFile& file);

std::vector<Include> IncludesOf(const SourceFile& file);

// Replaces comments, string and character literals by blanks; lines keep their number and length.
std::vector<std::string> BlankCommentsAndLiterals(const std::vector<std::string>& lines);

// "path:12": a place that an editor can jump to.
std::string Place(const SourceFile& file, size_t line);

}  // namespace fairlead::tidy
