//! Color on a terminal: green for what is good, red for what is not. `NO_COLOR` turns it off [no-color.org].

use std::io::IsTerminal;

/// What a word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Something may be wrong.
    Doubtful,
}

/// Whether a stream is shown in color: a terminal that can, whose user did not say no.
pub(super) fn is_on(stream: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The text in its color, where there is color.
pub(super) fn painted(text: &str, tone: Tone, is_on: bool) -> String {
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
