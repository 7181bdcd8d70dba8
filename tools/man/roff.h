// Writes manual pages.
#ifndef TOOLS_MAN_ROFF_H_
#define TOOLS_MAN_ROFF_H_

#include <string>
#include <string_view>

namespace quorate::man {

// A page in the man macros of roff, which man, mandoc and groff print. Text may hold any
// characters; nothing of it is taken for markup.
class RoffPage {
 public:
  // `name` "kvctl", `section` 1, `summary` "talks to a Quorate cluster".
  RoffPage(std::string_view name, int section, std::string_view version, std::string_view summary);

  void Section(std::string_view title);
  void Subsection(std::string_view title);
  void Paragraph(std::string_view text);
  // A term and, indented below it, what it means.
  void Item(std::string_view term, std::string_view text);
  // As typed, line by line.
  void Literal(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void Break();
  void Line(std::string_view text);

  std::string text_;
  bool after_title_ = false;  // where a break is there already, and another one is frowned upon
};

}  // namespace quorate::man

#endif  // TOOLS_MAN_ROFF_H_
