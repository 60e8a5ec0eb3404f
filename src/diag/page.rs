//! A page on each code: why it is said, an example that is wrong and one that is right, and how to mend it.
//!
//! The texts are in `pages.md`, a section for each code. Tests judge the examples, so that a page cannot say what the
//! program does not do.

use std::fmt::Write as _;

use super::Code;

/// The texts.
const PAGES: &str = include_str!("pages.md");

impl Code {
    /// The code of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The page on it, in Markdown without its heading; empty where there is none, which a test forbids. Fenced examples are
    /// marked `wrong` or `right`.
    pub fn page(self) -> &'static str {
        let mut sections = PAGES.split("## ").skip(1);
        let section = sections.find_map(|section| section.strip_prefix(self.name())?.strip_prefix('\n'));
        section.unwrap_or("").trim_end()
    }
}

/// The page on a code as it is printed: what, why, the examples, and how to mend it.
pub fn render_page(code: Code) -> String {
    let mut out = format!("{code}\n\n{}\n\n", code.sentence());
    let mut inside = false;
    for line in code.page().lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(fence) => {
                inside = true;
                let title = if fence.ends_with("wrong") {
                    "Wrong:\n\n"
                } else if fence.ends_with("right") {
                    "Right:\n\n"
                } else {
                    ""
                };
                out.push_str(title);
            }
            None if inside && line.is_empty() => out.push('\n'),
            None if inside => {
                // Writing to a string does not fail.
                let _ = writeln!(out, "    {line}");
            }
            None => {
                folded(line, &mut out);
            }
        }
    }
    out
}

/// Writes a paragraph, folded at 100 characters.
fn folded(line: &str, out: &mut String) {
    const WIDTH: usize = 100;
    let mut width = 0;
    for word in line.split(' ') {
        let long = word.chars().count();
        if width > 0 && width + 1 + long > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
    }
    out.push('\n');
}
