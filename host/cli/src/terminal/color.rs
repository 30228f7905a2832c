//! Color on a terminal: green for good, red for bad. `NO_COLOR` turns it off [no-color.org].

use std::io::IsTerminal;

/// Meaning of a colored word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Something may be wrong.
    Doubtful,
}

/// Whether output to a stream is colored: it is a terminal that supports color, and the user has not refused.
pub(crate) fn is_on(stream: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Colors the text if `is_on` is set.
pub(crate) fn painted(text: &str, tone: Tone, is_on: bool) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Bad => 31,
        Tone::Doubtful => 33,
    };
    if is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_has_color() {
        assert_eq!(painted("ok", Tone::Good, true), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(painted("ok", Tone::Good, false), "ok");
        assert!(!is_on(&std::fs::File::open("/dev/null").unwrap()));
    }
}
