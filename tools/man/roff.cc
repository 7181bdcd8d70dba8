#include "tools/man/roff.h"

#include <algorithm>
#include <cctype>

#include "fmt/format.h"

namespace quorate::man {
namespace {

// What roff would take for markup, or change: backslashes, and minus signs, which it would print as
// hyphens that no shell takes.
std::string Escape(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '\\') {
      out += "\\e";
    } else if (byte == '-') {
      out += "\\-";
    } else {
      out += byte;
    }
  }
  return out;
}

// An argument of a macro.
std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char byte : Escape(text)) {
    out += byte;
    if (byte == '"') {
      out += byte;
    }
  }
  return out + "\"";
}

std::string Upper(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    out += static_cast<char>(std::toupper(static_cast<unsigned char>(byte)));
  }
  return out;
}

}  // namespace

RoffPage::RoffPage(std::string_view name, int section, std::string_view version,
                   std::string_view summary) {
  text_ = fmt::format(".TH {} {} \"\" {} Quorate\n.nh\n.ad l\n", Quote(Upper(name)), section,
                      Quote(fmt::format("Quorate {}", version)));
  Section("Name");
  // The form by which apropos and whatis find the page.
  text_ += fmt::format("{} \\- {}\n", Escape(name), Escape(summary));
}

void RoffPage::Section(std::string_view title) {
  text_ += fmt::format(".SH {}\n", Quote(Upper(title)));
  after_title_ = true;
}

void RoffPage::Subsection(std::string_view title) {
  text_ += fmt::format(".SS {}\n", Quote(title));
  after_title_ = true;
}

void RoffPage::Paragraph(std::string_view text) {
  Break();
  Line(text);
}

void RoffPage::Item(std::string_view term, std::string_view text) {
  after_title_ = false;
  text_ += fmt::format(".TP\n\\fB{}\\fR\n", Escape(term));
  Line(text.empty() ? " " : text);
}

void RoffPage::Literal(std::string_view text) {
  Break();
  text_ += ".RS 4\n.nf\n";
  Line(text);
  text_ += ".fi\n.RE\n";
}

void RoffPage::Break() {
  text_ += after_title_ ? "" : ".PP\n";
  after_title_ = false;
}

void RoffPage::Line(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    // A control line begins with one of these; \& is nothing, and takes that away.
    const bool control = !line.empty() && (line[0] == '.' || line[0] == '\'');
    text_ += fmt::format("{}{}\n", control ? "\\&" : "", Escape(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace quorate::man
