//! Drawing of a question, in place, row by row.

use std::io::{self, Write, stderr};

use crossterm::cursor::{MoveDown, MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{Clear, ClearType};
use unicode_width::UnicodeWidthStr;

use crate::terminal::wrap::{self, Size};

/// Style of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    /// The person's current position.
    Strong,
    /// Text that is not part of the entry: help, or an offered answer.
    Faint,
}

/// Pieces of text in one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row(pub(crate) Vec<(Look, String)>);

impl Row {
    pub(super) fn new(look: Look, text: impl Into<String>) -> Self {
        Self(vec![(look, text.into())])
    }

    fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).fold(0, usize::saturating_add)
    }
}

/// Picture of a question: rows that fit the terminal, and the row and column of the cursor.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(super) rows: Vec<Row>,
    pub(super) cursor: (usize, usize),
}

impl Frame {
    /// Creates a frame from a wrapped line of the program and `entry` after it, with the cursor before the character
    /// `at` of the entry. All text must be printable.
    pub(super) fn new(line: &str, look: Look, entry: &str, at: usize, size: Size) -> Self {
        let mut rows: Vec<Row> =
            wrap::rows(line, size.columns).into_iter().map(|row| Row::new(Look::Plain, row)).collect();
        let bar = wrap::bar(size.columns);
        let mut used = rows.last().map_or(0, |row| row.0.iter().map(|(_, text)| wrap::width(text)).sum());
        let mut piece = String::new();
        let mut cursor = None;
        if let (true, Some(Row(pieces))) = (used < size.columns, rows.last_mut()) {
            pieces.push((Look::Plain, " ".to_owned()));
            used = used.saturating_add(1);
        }
        // A cursor after the last character also needs a cell.
        for (place, c) in entry.chars().map(Some).chain([None]).enumerate() {
            let cells = c.map_or(1, wrap::cells);
            if used.saturating_add(cells) > size.columns {
                if let Some(Row(pieces)) = rows.last_mut() {
                    pieces.push((look, std::mem::take(&mut piece)));
                }
                rows.push(Row::new(Look::Plain, bar));
                used = wrap::width(bar);
            }
            if place == at {
                let before = rows.last().map_or(0, Row::columns);
                cursor = Some((rows.len().saturating_sub(1), before.saturating_add(piece.width())));
            }
            piece.extend(c);
            used = used.saturating_add(cells);
        }
        if let Some(Row(pieces)) = rows.last_mut() {
            pieces.push((look, piece));
        }
        let cursor = cursor.unwrap_or_else(|| (rows.len().saturating_sub(1), rows.last().map_or(0, Row::columns)));
        let mut frame = Self { rows, cursor };
        frame.keep_cursor(size.rows.saturating_div(2).max(1));
        frame
    }

    /// Adds a line of foreign text, each of its rows behind a bar.
    pub(super) fn add(&mut self, look: Look, line: &str, size: Size) {
        let bar = wrap::bar(size.columns);
        let rows = wrap::wrap(line, size.columns.saturating_sub(wrap::width(bar)));
        self.rows.extend(rows.into_iter().map(|row| Row::new(look, format!("{bar}{row}"))));
    }

    /// Drops rows until `most` are left; rows above the cursor go before the cursor's own.
    fn keep_cursor(&mut self, most: usize) {
        let over = self.cursor.0.saturating_add(1).saturating_sub(most);
        self.rows.drain(..over);
        self.cursor.0 = self.cursor.0.saturating_sub(over);
        self.rows.truncate(most);
    }

    /// Cuts the frame to the height of the terminal: rows that have scrolled away cannot be redrawn.
    fn fitted(mut self, size: Size) -> Self {
        self.keep_cursor(size.rows.saturating_sub(1).max(1));
        self
    }
}

/// The part of a question that is on the screen.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    frame: Frame,
    size: Option<Size>,
}

impl Drawn {
    /// Draws the difference between the screen and a frame.
    pub(super) fn draw(&mut self, frame: Frame, size: Size) -> io::Result<()> {
        let frame = frame.fitted(size);
        let mut out = Vec::new();
        let same = if self.size == Some(size) {
            self.frame.rows.iter().zip(&frame.rows).take_while(|(old, new)| old == new).count()
        } else {
            self.rewind(&mut out, size)?;
            0
        };
        let is_new = same < self.frame.rows.len().max(frame.rows.len()) || self.size != Some(size);
        if !is_new && self.frame.cursor == frame.cursor {
            return Ok(());
        }
        if self.size == Some(size) {
            up(&mut out, self.frame.cursor.0)?;
            // The first row to redraw must be on the screen: the cursor cannot move beyond what was drawn.
            let last = self.frame.rows.len().min(frame.rows.len()).saturating_sub(1);
            let kept = same.min(last);
            down(&mut out, kept)?;
            queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
            write(&mut out, frame.rows.get(kept..).unwrap_or_default())?;
        } else {
            write(&mut out, &frame.rows)?;
        }
        up(&mut out, frame.rows.len().saturating_sub(1).saturating_sub(frame.cursor.0))?;
        queue!(out, MoveToColumn(u16::try_from(frame.cursor.1).unwrap_or(u16::MAX)))?;
        stderr().write_all(&out)?;
        *self = Self { frame, size: Some(size) };
        Ok(())
    }

    /// Removes the question from the screen.
    pub(super) fn erase(&mut self, size: Size) -> io::Result<()> {
        let mut out = Vec::new();
        self.rewind(&mut out, size)?;
        *self = Self::default();
        stderr().write_all(&out)
    }

    /// Moves to the first row and clears everything below. A terminal that became narrower has wrapped the rows drawn
    /// for the wider one.
    fn rewind(&self, out: &mut Vec<u8>, size: Size) -> io::Result<()> {
        if self.size.is_none() {
            return Ok(());
        }
        let (row, column) = self.frame.cursor;
        let wrapped = |columns: usize| columns.div_ceil(size.columns.max(1)).max(1);
        let above = self.frame.rows.iter().take(row).map(|row| wrapped(row.columns())).fold(0, usize::saturating_add);
        up(out, above.saturating_add(column.checked_div(size.columns).unwrap_or(0)))?;
        queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))
    }
}

fn up(out: &mut Vec<u8>, rows: usize) -> io::Result<()> {
    match u16::try_from(rows).unwrap_or(u16::MAX) {
        0 => Ok(()),
        rows => queue!(out, MoveUp(rows)),
    }
}

fn down(out: &mut Vec<u8>, rows: usize) -> io::Result<()> {
    match u16::try_from(rows).unwrap_or(u16::MAX) {
        0 => Ok(()),
        rows => queue!(out, MoveDown(rows)),
    }
}

fn write(out: &mut Vec<u8>, rows: &[Row]) -> io::Result<()> {
    for (place, Row(pieces)) in rows.iter().enumerate() {
        if place > 0 {
            out.write_all(b"\r\n")?;
        }
        for (look, text) in pieces {
            match look {
                Look::Plain => queue!(out, Print(text))?,
                Look::Strong => {
                    queue!(out, SetAttribute(Attribute::Bold), Print(text), SetAttribute(Attribute::Reset))?;
                }
                Look::Faint => {
                    queue!(out, SetAttribute(Attribute::Dim), Print(text), SetAttribute(Attribute::Reset))?;
                }
            }
        }
    }
    Ok(())
}
