// Table: rows of text in aligned columns, with colour where the terminal takes it.
#pragma once

#include <string>
#include <vector>

namespace fairlead::cmd {

enum class Style { kPlain, kGood, kWarning, kBad, kDim, kBold };

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

class Table {
 public:
  struct Column {
    std::string title;
    enum class Align { kLeft, kRight } align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns (missing ones are empty).
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }

  // Two blanks between columns, nothing after the last one's text.
  std::string ToText(bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// `text` in the style's colour (ECMA-48 SGR), or as it is. Control characters in it are replaced,
// so that no name can steer the terminal.
std::string Styled(const std::string& text, Style style, bool colour);

// Whether stdout is a terminal; whether it takes colour (NO_COLOR, TERM=dumb).
bool StdoutIsTerminal();
bool StdoutTakesColour();

}  // namespace fairlead::cmd
