//! Tables as kubectl prints them: no borders, three spaces between columns.

use super::Paint;
use crate::telemetry::visible;

/// What stands in a cell that has no value.
pub(in crate::cli) const NONE: &str = "<none>";

/// What a cell says of its object, as a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// It heals by itself, or may.
    Doubtful,
    /// A person must act.
    Bad,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a colour.
    pub(in crate::cli) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A text of another writer as one word, so that each line has a word for each column.
pub(in crate::cli) fn one_word(text: &str) -> String {
    visible(text).replace(char::is_whitespace, "_")
}

/// Lines of cells below the names of the columns.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without lines.
    pub(in crate::cli) fn new(heads: impl Into<Vec<&'static str>>) -> Self {
        Self {
            heads: heads.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a line, with a cell for each column.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The text. What is not there stands as `<none>`, so that each line has a word for each column.
    pub(in crate::cli) fn render(&self, has_heads: bool, indent: &str, paint: Paint) -> String {
        self.render_on(&mut Vec::new(), has_heads, indent, paint)
    }

    /// The same for lines below others, as kubectl shows changes: a column is as wide as before, or wider from here on.
    pub(in crate::cli) fn render_on(
        &self,
        widths: &mut Vec<usize>,
        has_heads: bool,
        indent: &str,
        paint: Paint,
    ) -> String {
        let heads = self.heads.iter().copied().map(Cell::from).collect();
        let heads: Vec<Cell> = heads;
        let shown = has_heads.then_some(&heads).into_iter().chain(&self.rows);
        let shown: Vec<&Vec<Cell>> = shown.collect();
        widths.resize(self.heads.len(), 0);
        for row in &shown {
            for (width, cell) in widths.iter_mut().zip(row.iter()) {
                *width = (*width).max(word(cell).chars().count());
            }
        }
        let mut text = String::new();
        for row in shown {
            text.push_str(indent);
            for (column, cell) in row.iter().enumerate() {
                let word = word(cell);
                text.push_str(&paint.tone(word, cell.tone));
                if column + 1 < row.len() {
                    let rest = widths[column] - word.chars().count() + 3;
                    text.extend(std::iter::repeat_n(' ', rest));
                }
            }
            text.push('\n');
        }
        text
    }
}

/// What a cell shows.
fn word(cell: &Cell) -> &str {
    if cell.text.is_empty() {
        NONE
    } else {
        &cell.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["NAME", "READY", "AGE"]);
        table.row([
            "llm-serving".into(),
            Cell::toned("True", Tone::Good),
            "12d".into(),
        ]);
        table.row(["é".into(), Cell::toned("", Tone::Bad), "9m".into()]);
        table
    }

    #[test]
    fn a_text_of_somebody_else_is_one_word() {
        assert_eq!(one_word("My key\u{a0}\u{1b}[2J"), "My_key_\\u001b[2J");
    }

    #[test]
    fn columns_stand_below_their_heads_and_an_empty_cell_is_a_word() {
        let text = table().render(true, "", Paint::default());
        let expected =
            "NAME          READY    AGE\nllm-serving   True     12d\né             <none>   9m\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_heads_a_column_is_as_wide_as_its_words() {
        let text = table().render(false, "  ", Paint { is_on: false });
        assert_eq!(
            text,
            "  llm-serving   True     12d\n  é             <none>   9m\n"
        );
    }

    #[test]
    fn a_line_that_comes_later_stands_below_the_others() {
        let mut widths = Vec::new();
        table().render_on(&mut widths, true, "", Paint::default());
        let mut later = |name: &str| {
            let mut later = Table::new(["NAME", "READY", "AGE"]);
            later.row([name.into(), "True".into(), "1s".into()]);
            later.render_on(&mut widths, false, "", Paint::default())
        };
        assert_eq!(later("short"), "short         True     1s\n");
        assert_eq!(later("embedding-keys"), "embedding-keys   True     1s\n");
        assert_eq!(later("short"), "short            True     1s\n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let text = table().render(true, "", Paint { is_on: true });
        assert!(text.contains("\u{1b}[32mTrue\u{1b}[0m     12d"), "{text:?}");
        assert!(text.contains("\u{1b}[31m<none>\u{1b}[0m   9m"), "{text:?}");
    }
}
