#include "cmd/fairlead/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::cmd {
namespace {

const char* ColourCode(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kGood:
      return "\033[32m";
    case Style::kWarning:
      return "\033[33m";
    case Style::kBad:
      return "\033[1;31m";
    case Style::kDim:
      return "\033[2m";
    case Style::kBold:
      return "\033[1m";
  }
  return "";
}

std::string Printable(const std::string& text) {
  std::string printable = text;
  for (char& c : printable) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return printable;
}

}  // namespace

std::string Styled(const std::string& text, Style style, bool colour) {
  const std::string printable = Printable(text);
  if (!colour || style == Style::kPlain || printable.empty()) return printable;
  return absl::StrCat(ColourCode(style), printable, "\033[0m");
}

std::string Table::ToText(bool colour) const {
  std::vector<std::vector<Cell>> rows;
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, Style::kDim});
  rows.push_back(std::move(titles));
  rows.insert(rows.end(), rows_.begin(), rows_.end());

  std::vector<size_t> widths(columns_.size(), 0);
  for (std::vector<Cell>& row : rows) {
    row.resize(columns_.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].text.size());
  }
  std::string text;
  for (const std::vector<Cell>& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].text.size(), ' ');
      const bool right = columns_[i].align == Column::Align::kRight;
      const std::string cell = Styled(row[i].text, row[i].style, colour);
      absl::StrAppend(&line, i == 0 ? "" : "  ", right ? padding : "", cell, right ? "" : padding);
    }
    const size_t end = line.find_last_not_of(' ');
    absl::StrAppend(&text, line.substr(0, end == std::string::npos ? 0 : end + 1), "\n");
  }
  return text;
}

bool StdoutIsTerminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool StdoutTakesColour() {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  const char* terminal = std::getenv("TERM");
  return StdoutIsTerminal() && (no_colour == nullptr || *no_colour == '\0') &&
         terminal != nullptr && absl::string_view(terminal) != "dumb";
}

}  // namespace fairlead::cmd
