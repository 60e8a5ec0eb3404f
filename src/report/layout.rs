//! Lines of a bounded width: wrapping, hanging indents, tables, colour.
//!
//! Everything that is painted goes through [`visible`], so that nothing from a stranger can steer a terminal.

use std::io;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::visible::visible;
use super::{Colour, Style};

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Text.
    Plain,
    /// A heading or what must be seen first.
    Strong,
    /// A label, or what may be passed over.
    Faint,
    /// What is forbidden.
    Forbidden,
    /// What could not be decided or seen.
    Doubt,
    /// What is permitted.
    Good,
}

impl Ink {
    fn style(self) -> anstyle::Style {
        use anstyle::AnsiColor::{Green, Red, Yellow};
        let plain = anstyle::Style::new();
        match self {
            Self::Plain => plain,
            Self::Strong => plain.bold(),
            Self::Faint => plain.dimmed(),
            Self::Forbidden => plain.bold().fg_color(Some(Red.into())),
            Self::Doubt => plain.fg_color(Some(Yellow.into())),
            Self::Good => plain.fg_color(Some(Green.into())),
        }
    }
}

/// How many columns lie between two columns of a table: one of padding, and the one that the line under the header needs.
const GAP: usize = 2;

/// How wide the labels of facts are, with the space after them.
const LABEL: usize = 11;

/// Paints lines that are never wider than the style says.
pub(super) struct Painter<'w> {
    out: io::BufWriter<&'w mut dyn io::Write>,
    /// How many columns a line may have.
    pub(super) width: usize,
    colour: Colour,
}

impl<'w> Painter<'w> {
    pub(super) fn new(out: &'w mut dyn io::Write, style: Style) -> Self {
        let width = style.width.clamp(*Style::WIDTHS.start(), *Style::WIDTHS.end());
        Self { out: io::BufWriter::new(out), width, colour: style.colour }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        io::Write::flush(&mut self.out)
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.put("\n")
    }

    /// A heading of a section, with what it is about.
    pub(super) fn heading(&mut self, title: &str, about: &str) -> io::Result<()> {
        self.blank()?;
        self.ink(Ink::Strong, title)?;
        if !about.is_empty() {
            self.put("  ")?;
            self.ink(Ink::Faint, &cut(&visible(about), self.width.saturating_sub(title.width() + 2)))?;
        }
        self.put("\n")?;
        self.ink(Ink::Faint, &"─".repeat(self.width))?;
        self.put("\n")
    }

    /// A paragraph, `indent` columns in.
    pub(super) fn paragraph(&mut self, indent: usize, ink: Ink, text: &str) -> io::Result<()> {
        self.hanging(indent, indent, "", Ink::Plain, ink, text)
    }

    /// A mark such as `1` or `-`, and a paragraph that hangs beside it.
    pub(super) fn item(&mut self, indent: usize, mark: &str, ink: Ink, text: &str) -> io::Result<()> {
        self.hanging(indent, indent + mark.width() + 1, mark, Ink::Plain, ink, text)
    }

    /// A label and what it labels, in two columns. Nothing is painted for an empty text.
    pub(super) fn fact(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.hanging(indent, indent + LABEL, label, Ink::Faint, Ink::Plain, text) }
    }

    fn hanging(&mut self, indent: usize, hang: usize, mark: &str, marked: Ink, ink: Ink, text: &str) -> io::Result<()> {
        for (row, line) in wrap(&visible(text), self.width.saturating_sub(hang)).into_iter().enumerate() {
            let mark = if row == 0 { mark } else { "" };
            self.put(&" ".repeat(indent))?;
            self.ink(marked, mark)?;
            self.put(&" ".repeat(hang.saturating_sub(indent + mark.width())))?;
            self.ink(ink, &line)?;
            self.put("\n")?;
        }
        Ok(())
    }

    /// A table. A row is coloured at its last column alone, by the ink that it comes with.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[(Ink, Vec<String>)]) -> io::Result<()> {
        let rule = LineStyle::none().fill('─').junction('─');
        let mut table = Table::new();
        // The lines of a cell are broken below, where hanging indents are known.
        table
            .load_style(TableStyle::new().header_separator(rule))
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.iter().map(|column| Cell::new(column.title)));
        let rooms = self.rooms(columns, rows);
        for (_, row) in rows {
            table.add_row(row.iter().zip(&rooms).map(|(text, room)| Cell::new(broken(text, *room))));
        }
        for (place, column) in columns.iter().enumerate() {
            let Some(drawn) = table.column_mut(place) else { continue };
            drawn.set_padding((0, u16::from(place + 1 < columns.len())));
            if column.kind == Kind::Number {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut inks = rows.iter().filter_map(|(ink, row)| row.last().map(|word| (*ink, word.as_str())));
        for (place, line) in table.lines().enumerate() {
            let line = line.trim_end();
            if place < 2 {
                self.ink(Ink::Faint, line)?;
            } else if let Some((ink, word)) = inks.clone().next()
                && !word.is_empty()
                && let Some(before) = line.strip_suffix(word)
            {
                inks.next();
                self.put(before)?;
                self.ink(ink, word)?;
            } else {
                self.put(line)?;
            }
            self.put("\n")?;
        }
        Ok(())
    }

    /// How wide each column may be: as wide as what never wraps; the columns of text share what is left.
    fn rooms(&self, columns: &[Column], rows: &[(Ink, Vec<String>)]) -> Vec<usize> {
        let widest = |place: usize, column: &Column| {
            let cells = rows.iter().filter_map(|(_, row)| row.get(place));
            let lines = cells.flat_map(|text| text.split(LINE)).map(|line| visible(line).width());
            lines.chain([column.title.width()]).max().unwrap_or_default()
        };
        let mut rooms: Vec<usize> = columns.iter().enumerate().map(|(place, column)| widest(place, column)).collect();
        let texts = columns.iter().filter(|column| column.kind == Kind::Text).count();
        let mut left = self.width.saturating_sub(GAP * columns.len().saturating_sub(1));
        for (room, _) in rooms.iter().zip(columns).filter(|(_, column)| column.kind != Kind::Text) {
            left = left.saturating_sub(*room);
        }
        for (shared, (room, _)) in
            rooms.iter_mut().zip(columns).filter(|(_, column)| column.kind == Kind::Text).enumerate()
        {
            *room = (*room).min(left / (texts - shared));
            left -= *room;
        }
        rooms
    }

    fn ink(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        if self.colour == Colour::Never || ink == Ink::Plain || text.is_empty() {
            return self.put(text);
        }
        let style = ink.style();
        self.put(&format!("{style}{text}{style:#}"))
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        io::Write::write_all(&mut self.out, text.as_bytes())
    }
}

/// Separates lines in a cell of a table: a control character, so that no visible text has it.
pub(super) const LINE: char = '\u{1e}';

/// A column of a table.
pub(super) struct Column {
    /// Its heading.
    pub(super) title: &'static str,
    /// How it is laid out.
    pub(super) kind: Kind,
}

/// How a column is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Wraps where there is not enough room.
    Text,
    /// Stands to the right and never wraps.
    Number,
    /// Never wraps.
    Word,
}

/// The words of a text in lines of at most `width` columns. A word that is wider than a line is cut, and a number keeps
/// its unit beside it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    const UNITS: [&str; 8] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "%"];
    let width = width.max(1);
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let unit = word.trim_end_matches([',', '.', ';', ':', ')']);
        match words.last_mut() {
            Some(last) if UNITS.contains(&unit) && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words {
        let needed = word.width();
        if used > 0 && used + 1 + needed <= width {
            if let Some(line) = lines.last_mut() {
                line.push(' ');
                line.push_str(&word);
            }
            used += 1 + needed;
            continue;
        }
        if used > 0 {
            lines.push(String::new());
        }
        used = 0;
        for c in word.chars() {
            let wide = UnicodeWidthStr::width(c.encode_utf8(&mut [0; 4]) as &str);
            if used + wide > width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += wide;
        }
    }
    lines
}

/// The lines of a cell, each in as many lines as it needs; what is indented stays indented.
fn broken(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split(LINE) {
        let line = visible(line);
        let indent = line.len() - line.trim_start_matches(' ').len();
        let pieces = wrap(&line, width.saturating_sub(indent));
        lines.extend(pieces.into_iter().map(|piece| format!("{}{piece}", " ".repeat(indent))));
    }
    lines.join("\n")
}

/// A text cut to `width` columns.
fn cut(text: &str, width: usize) -> String {
    let mut lines = wrap(text, width);
    lines.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_keep_to_their_width() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("up to 5.2 kB, then", 10), ["up to", "5.2 kB,", "then"]);
        assert_eq!(wrap("中国电信", 4), ["中国", "电信"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
