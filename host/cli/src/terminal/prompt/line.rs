//! Question that is answered with a line of text.

use crossterm::event::{KeyCode, KeyEvent};

use super::draw::{Frame, Look};
use super::{Accept, Prompt, Reply, is_control, typed};
use crate::terminal::wrap::Size;
use taskcell::text;

/// Characters allowed in an entry.
const MAX_ENTRY: usize = 16_384;

/// A line being entered.
pub(crate) struct Line<'a> {
    /// Printable text of the question.
    pub(crate) prompt: String,
    /// Printable lines of help.
    pub(crate) help: Vec<String>,
    /// Printable answer for Enter on an empty entry.
    pub(crate) offered: Option<String>,
    /// Check whether an entry is an answer; the error says why not.
    pub(crate) read: Accept<'a, str>,
    entry: Vec<char>,
    at: usize,
    note: Option<String>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        prompt: String,
        help: Vec<String>,
        offered: Option<String>,
        read: impl Fn(&str) -> Result<(), String> + 'a,
    ) -> Self {
        Self { prompt, help, offered, read: Box::new(read), entry: Vec::new(), at: 0, note: None }
    }

    fn insert(&mut self, text: impl Iterator<Item = char>) {
        // A line break or tab would move the cursor. Other control characters are never intended.
        let text = text.map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).filter(|c| !c.is_control());
        for c in text {
            if self.entry.len() >= MAX_ENTRY {
                self.note = Some(format!("no more than {MAX_ENTRY} characters can be entered"));
                return;
            }
            self.entry.insert(self.at.min(self.entry.len()), c);
            self.at = self.at.saturating_add(1);
        }
    }

    /// Removes the characters from `from` to the cursor.
    fn rub_out(&mut self, from: usize) {
        self.entry.drain(from.min(self.at)..self.at);
        self.at = from.min(self.at);
    }

    /// Start of the word before the cursor.
    fn word(&self) -> usize {
        let before: Vec<_> = self.entry.iter().take(self.at).copied().collect();
        let end = before.iter().rposition(|c| *c != ' ').map_or(0, |last| last.saturating_add(1));
        before.iter().take(end).rposition(|c| *c == ' ').map_or(0, |blank| blank.saturating_add(1))
    }

    /// Turns the offered answer into the entry, as if it had been typed.
    fn take_offered(&mut self) {
        if let (true, Some(offered)) = (self.entry.is_empty(), &self.offered) {
            self.entry = offered.chars().collect();
            self.at = self.entry.len();
        }
    }

    fn enter(&mut self) -> Reply<String> {
        let entry = match &self.offered {
            Some(offered) if self.entry.is_empty() => offered.clone(),
            _ => self.entry.iter().collect(),
        };
        match (self.read)(&entry) {
            Ok(()) => Reply::Answer(entry),
            Err(why) => {
                self.note = Some(why);
                Reply::GoesOn
            }
        }
    }
}

impl Prompt for Line<'_> {
    type Answer = String;

    fn frame(&self, size: Size) -> Frame {
        let prompt = format!("{}:", self.prompt);
        let entry: String = self.entry.iter().collect();
        let mut frame = match &self.offered {
            Some(offered) if self.entry.is_empty() => Frame::new(&prompt, Look::Faint, offered, 0, size),
            // Each unprintable character has a placeholder, so the number of characters stays the same.
            _ => Frame::new(&prompt, Look::Plain, &text::lines(&entry), self.at, size),
        };
        if let Some(note) = &self.note {
            frame.add(Look::Strong, note, size);
        }
        for help in &self.help {
            frame.add(Look::Faint, help, size);
        }
        if self.entry.is_empty() && self.offered.is_some() {
            frame.add(Look::Faint, "Enter takes what is shown, Tab edits it, Backspace drops it", size);
        }
        frame
    }

    fn key(&mut self, key: KeyEvent) -> Reply<String> {
        self.note = None;
        match key.code {
            KeyCode::Enter => return self.enter(),
            KeyCode::Esc => return Reply::Cancel,
            KeyCode::Backspace | KeyCode::Delete if self.entry.is_empty() => self.offered = None,
            KeyCode::Backspace => self.rub_out(self.at.saturating_sub(1)),
            KeyCode::Delete => {
                if self.at < self.entry.len() {
                    self.entry.remove(self.at);
                }
            }
            KeyCode::Tab => self.take_offered(),
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right if self.entry.is_empty() => self.take_offered(),
            KeyCode::Right => self.at = self.at.saturating_add(1).min(self.entry.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.entry.len(),
            _ if is_control(key, 'a') => self.at = 0,
            _ if is_control(key, 'e') => self.at = self.entry.len(),
            _ if is_control(key, 'u') => self.rub_out(0),
            _ if is_control(key, 'w') => self.rub_out(self.word()),
            _ => self.insert(typed(key).into_iter()),
        }
        Reply::GoesOn
    }

    fn paste(&mut self, text: &str) {
        self.note = None;
        self.insert(text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').chars());
    }

    fn answered(&self, answer: &String) -> String {
        format!("{}: {}", self.prompt, text::one_line(answer, MAX_ENTRY))
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn line(offered: Option<&str>) -> Line<'static> {
        Line::new("q".to_owned(), Vec::new(), offered.map(str::to_owned), |_| Ok(()))
    }

    /// Types keys, and returns the entry and the answer of Enter.
    fn typed_into(line: &mut Line<'_>, keys: &[KeyCode]) -> String {
        for code in keys {
            assert!(matches!(line.key(KeyEvent::new(*code, KeyModifiers::NONE)), Reply::GoesOn));
        }
        match line.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)) {
            Reply::Answer(answer) => answer,
            Reply::GoesOn | Reply::Cancel => panic!("no answer"),
        }
    }

    #[test]
    fn a_line_is_edited() {
        use KeyCode::{Backspace, Char, Delete, End, Home, Left, Right, Tab};

        let table: [(Option<&str>, &[KeyCode], &str); 12] = [
            (None, &[], ""),
            (None, &[Char('a'), Char('b'), Left, Char('c')], "acb"),
            (None, &[Char('a'), Char('b'), Home, Delete, End, Char('c')], "bc"),
            (None, &[Backspace, Delete, Left, Right, Tab, Char('a')], "a"),
            (Some("42"), &[], "42"),
            (Some("42"), &[Char('7')], "7"),
            (Some("42"), &[Tab, Char('7')], "427"),
            (Some("42"), &[Right, Backspace], "4"),
            (Some("42"), &[Backspace], ""),
            (Some("42"), &[Delete, Char('7')], "7"),
            // Typing and deleting text leaves the offered answer.
            (Some("42"), &[Char('7'), Backspace], "42"),
            (Some("42"), &[Char('宽'), Left, Left, Char('a')], "a宽"),
        ];
        for (offered, keys, expected) in table {
            assert_eq!(typed_into(&mut line(offered), keys), expected, "{offered:?} {keys:?}");
        }
        let mut words = line(None);
        words.paste("one two  three ");
        assert!(matches!(words.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL)), Reply::GoesOn));
        assert_eq!(typed_into(&mut words, &[]), "one two  ");
    }

    #[test]
    fn an_entry_is_bounded() {
        let mut line = line(None);
        line.paste(&"x\r\n\u{1b}".repeat(MAX_ENTRY));
        assert_eq!(typed_into(&mut line, &[]).len(), MAX_ENTRY);
    }

    /// A frame fits the terminal, however narrow and low it is.
    #[test]
    fn a_frame_fits() {
        let help = vec!["one two three four".to_owned(); 9];
        for (columns, rows) in [(4, 3), (10, 4), (40, 12), (200, 50)] {
            let mut line = Line::new("[server] Name".to_owned(), help.clone(), Some("宽x".repeat(50)), |_| Ok(()));
            for _ in 0..2 {
                let frame = line.frame(Size { columns, rows });
                assert!(frame.cursor.0 < frame.rows.len() && frame.cursor.1 < columns, "{columns} {rows}");
                let fits = |text: &str| crate::terminal::wrap::width(text) <= columns;
                for row in &frame.rows {
                    assert!(fits(&row.0.iter().map(|(_, text)| text.as_str()).collect::<String>()), "{row:?}");
                }
                line.paste(&"long entry ".repeat(60));
            }
        }
    }
}
