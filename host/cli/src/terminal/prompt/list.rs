//! Question that is answered by choosing one or several items of a list.

use crossterm::event::{KeyCode, KeyEvent};

use super::draw::{Frame, Look, Row};
use super::{Accept, Prompt, Reply, is_control, typed};
use crate::terminal::wrap::{self, Size};
use taskcell::text;

/// Characters allowed in a filter; no label is longer.
const MAX_FILTER: usize = 100;
/// Choices shown at once, if there is room.
const AT_ONCE: usize = 10;

/// A list to choose from.
pub(crate) struct List<'a> {
    /// Printable text of the question.
    prompt: String,
    /// Printable lines of help.
    help: Vec<String>,
    /// Printable labels of the choices.
    labels: Vec<String>,
    /// Marks of the choices, if several can be chosen.
    marked: Option<Vec<bool>>,
    /// Whether typed text filters the choices.
    filters: bool,
    /// Check whether a selection is an answer; the error says why not.
    accept: Accept<'a, [usize]>,
    filter: String,
    /// Position of the current choice among those that pass the filter.
    at: usize,
    note: Option<String>,
}

impl<'a> List<'a> {
    /// Creates a list of a few words, without a filter.
    pub(crate) fn words(prompt: String, words: &[&str]) -> Self {
        let labels = words.iter().map(|word| (*word).to_owned()).collect();
        let mut list = Self::one(prompt, Vec::new(), labels, 0, |_| Ok(()));
        list.filters = false;
        list
    }

    /// Creates a list to choose one label of, starting at position `at`.
    pub(crate) fn one(
        prompt: String,
        help: Vec<String>,
        labels: Vec<String>,
        at: usize,
        accept: impl Fn(&[usize]) -> Result<(), String> + 'a,
    ) -> Self {
        let accept = Box::new(accept);
        Self { prompt, help, labels, marked: None, filters: true, accept, filter: String::new(), at, note: None }
    }

    /// Creates a list to choose any labels of, with those at the positions `marked` marked at the start.
    pub(crate) fn any(
        prompt: String,
        help: Vec<String>,
        labels: Vec<String>,
        marked: &[usize],
        accept: impl Fn(&[usize]) -> Result<(), String> + 'a,
    ) -> Self {
        let marked = (0..labels.len()).map(|place| marked.contains(&place)).collect();
        Self { marked: Some(marked), ..Self::one(prompt, help, labels, 0, accept) }
    }

    /// Positions of the choices that pass the filter.
    fn matches(&self) -> Vec<usize> {
        let filter = self.filter.to_lowercase();
        let is_left = |(_, label): &(usize, &String)| label.to_lowercase().contains(&filter);
        self.labels.iter().enumerate().filter(is_left).map(|(place, _)| place).collect()
    }

    /// Moves by `by` choices among those that pass the filter, wrapping around.
    fn step(&mut self, by: isize) {
        let count = self.matches().len();
        if count == 0 {
            self.show_all();
            return;
        }
        let by = by.rem_euclid(isize::try_from(count).unwrap_or(1)).unsigned_abs();
        self.at = self.at.saturating_add(by).checked_rem(count).unwrap_or(0);
    }

    fn filter_by(&mut self, c: char) {
        if self.filters && self.filter.chars().count() < MAX_FILTER {
            self.filter.push(c);
            self.at = 0;
        }
    }

    fn show_all(&mut self) {
        self.filter.clear();
        self.at = 0;
    }

    /// Toggles the mark of the current choice.
    fn mark(&mut self) {
        let at = self.matches().get(self.at).copied();
        if let Some(mark) = at.and_then(|at| self.marked.as_mut()?.get_mut(at)) {
            *mark = !*mark;
        }
    }

    fn enter(&mut self) -> Reply<Vec<usize>> {
        let matches = self.matches();
        if matches.is_empty() && !self.filter.is_empty() {
            self.note = Some(self.no_match());
            self.show_all();
            return Reply::GoesOn;
        }
        let chosen = match &self.marked {
            Some(marked) => marked.iter().enumerate().filter(|(_, mark)| **mark).map(|(place, _)| place).collect(),
            None => matches.get(self.at).copied().into_iter().collect::<Vec<_>>(),
        };
        if self.marked.is_none() && chosen.is_empty() {
            return Reply::GoesOn;
        }
        match (self.accept)(&chosen) {
            Ok(()) => Reply::Answer(chosen),
            Err(why) => {
                self.note = Some(why);
                Reply::GoesOn
            }
        }
    }

    fn no_match(&self) -> String {
        format!("no match for \"{}\"", text::lines(&self.filter))
    }

    /// Rows of the choice at a position.
    fn choice(&self, place: usize, is_at: bool, size: Size) -> Vec<Row> {
        let label = self.labels.get(place).map_or("", String::as_str);
        let mark = match self.marked.as_ref().and_then(|marked| marked.get(place)) {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        };
        let line = format!("{}{mark}{label}", if is_at { "> " } else { "  " });
        let look = if is_at { Look::Strong } else { Look::Plain };
        wrap::rows(&line, size.columns).into_iter().map(|row| Row::new(look, row)).collect()
    }

    /// Rows of the choices around the current one, as many as fit.
    fn choices(&self, room: usize, size: Size) -> Vec<Row> {
        let matches = self.matches();
        let at = self.at.min(matches.len().saturating_sub(1));
        let rows_of =
            |place: usize| matches.get(place).map(|choice| self.choice(*choice, place == at, size)).unwrap_or_default();
        let mut rows = rows_of(at);
        let (mut first, mut next) = (at, at.saturating_add(1));
        // Add one choice below, one above, and so on, while they fit.
        loop {
            let shown = next.saturating_sub(first);
            let below = if next < matches.len() { rows_of(next) } else { Vec::new() };
            let fits_below = !below.is_empty() && rows.len().saturating_add(below.len()) <= room && shown < AT_ONCE;
            if fits_below {
                rows.extend(below);
                next = next.saturating_add(1);
            }
            let shown = next.saturating_sub(first);
            let above = first.checked_sub(1).map(rows_of).unwrap_or_default();
            let fits_above = !above.is_empty() && rows.len().saturating_add(above.len()) <= room && shown < AT_ONCE;
            if fits_above {
                rows.splice(0..0, above);
                first = first.saturating_sub(1);
            }
            if !fits_below && !fits_above {
                break;
            }
        }
        let hidden = matches.len().saturating_sub(next.saturating_sub(first));
        if hidden > 0 {
            rows.push(Row::new(Look::Faint, format!("  ({hidden} more)")));
        }
        rows
    }

    fn keys(&self) -> &'static str {
        match (&self.marked, self.filters) {
            (Some(_), _) => "↑↓ to move, Space to mark, type to filter, Enter to go on, Esc to cancel",
            (None, true) => "↑↓ to move, type to filter, Enter to choose, Esc to cancel",
            (None, false) => "↑↓ to move, Enter to choose, Esc to cancel",
        }
    }
}

impl Prompt for List<'_> {
    type Answer = Vec<usize>;

    fn frame(&self, size: Size) -> Frame {
        let end = self.filter.chars().count();
        let mut frame = Frame::new(&self.prompt, Look::Plain, &text::lines(&self.filter), end, size);
        let mut below = Frame::default();
        if let Some(note) = &self.note {
            below.add(Look::Strong, note, size);
        }
        for help in self.help.iter().map(String::as_str).chain([self.keys()]) {
            below.add(Look::Faint, help, size);
        }
        // Choices take precedence over help when there is no room for both.
        let room = size.rows.saturating_sub(frame.rows.len()).saturating_sub(2);
        let room = room.saturating_sub(below.rows.len().min(room.saturating_div(2))).max(1);
        if self.matches().is_empty() && !self.filter.is_empty() {
            let what = format!("{}; Backspace changes it, Enter shows all", self.no_match());
            frame.add(Look::Strong, &what, size);
        } else {
            frame.rows.extend(self.choices(room, size));
        }
        frame.rows.extend(below.rows);
        frame
    }

    fn key(&mut self, key: KeyEvent) -> Reply<Vec<usize>> {
        self.note = None;
        match key.code {
            KeyCode::Enter => return self.enter(),
            KeyCode::Esc if self.filter.is_empty() => return Reply::Cancel,
            KeyCode::Esc => self.show_all(),
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.matches().len().saturating_sub(1),
            KeyCode::Backspace => {
                self.filter.pop();
                self.at = 0;
            }
            _ if is_control(key, 'u') => self.show_all(),
            _ => match typed(key) {
                Some(' ') if self.marked.is_some() => self.mark(),
                Some(c) => self.filter_by(c),
                None => {}
            },
        }
        Reply::GoesOn
    }

    fn paste(&mut self, text: &str) {
        text.chars().filter(|c| !c.is_control()).for_each(|c| self.filter_by(c));
    }

    fn answered(&self, answer: &Vec<usize>) -> String {
        let labels = answer.iter().filter_map(|place| self.labels.get(*place)).map(String::as_str);
        format!("{} {}", self.prompt, labels.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(list: &mut List<'_>, code: KeyCode) -> Option<Vec<usize>> {
        use crossterm::event::KeyModifiers;

        match list.key(KeyEvent::new(code, KeyModifiers::NONE)) {
            Reply::Answer(answer) => Some(answer),
            Reply::GoesOn => None,
            Reply::Cancel => panic!("cancelled"),
        }
    }

    fn shown(list: &List<'_>, size: Size) -> Vec<String> {
        let row = |row: &Row| row.0.iter().map(|(_, text)| text.as_str()).collect();
        list.frame(size).rows.iter().map(row).collect()
    }

    #[test]
    fn a_long_list_fits() {
        let labels: Vec<_> = (0..1_000).map(|place| format!("choice {place} of many that are long")).collect();
        for (columns, rows) in [(12, 6), (40, 12), (200, 50)] {
            let size = Size { columns, rows };
            let mut list = List::one("q".to_owned(), Vec::new(), labels.clone(), 500, |_| Ok(()));
            for code in [KeyCode::Down, KeyCode::End, KeyCode::Down, KeyCode::Up, KeyCode::Home] {
                press(&mut list, code);
                let drawn = shown(&list, size);
                assert!(drawn.iter().filter(|row| row.contains("choice")).count() <= AT_ONCE, "{drawn:#?}");
                assert!(drawn.iter().any(|row| row.starts_with("> choice")), "{drawn:#?}");
                assert!(drawn.iter().all(|row| wrap::width(row) <= columns), "{drawn:#?}");
            }
            list.paste(&"x".repeat(1_000));
            assert_eq!(list.filter.len(), MAX_FILTER);
            assert!(shown(&list, size).iter().any(|row| row.contains("no match")));
        }
    }

    /// A filter without a match reports that and is cleared, and nothing is chosen.
    #[test]
    fn no_match_chooses_nothing() {
        let labels = ["Yes", "No"].map(str::to_owned).to_vec();
        for clears in [KeyCode::Enter, KeyCode::Esc, KeyCode::Down, KeyCode::Up] {
            let mut list = List::one("q".to_owned(), Vec::new(), labels.clone(), 1, |_| Ok(()));
            "maybe".chars().for_each(|c| assert!(press(&mut list, KeyCode::Char(c)).is_none()));
            assert!(press(&mut list, clears).is_none());
            assert_eq!((list.filter.as_str(), list.matches().len()), ("", 2));
            assert!(press(&mut list, KeyCode::Char('n')).is_none());
            assert_eq!(press(&mut list, KeyCode::Enter), Some(vec![1]));
        }
        let mut any = List::any("q".to_owned(), Vec::new(), labels, &[1], |chosen| {
            if chosen.len() == 2 { Ok(()) } else { Err("two".to_owned()) }
        });
        assert_eq!(press(&mut any, KeyCode::Enter), None);
        press(&mut any, KeyCode::Char(' '));
        assert_eq!(press(&mut any, KeyCode::Enter), Some(vec![0, 1]));
    }
}
