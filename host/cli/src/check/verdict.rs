//! Verdict on a case, with the fix for the handler's author.
//!
//! The host enforces the rules on every answer of a handler. A handler that breaks a rule therefore shows in the error
//! that the peer would have received: the kind of the error says what went wrong, and its text says where.

use super::bench::Observed;
use super::cases::Expectation;
use taskcell::kinds::Kind;
use taskcell::protocol::jsonrpc::code;
use taskcell::protocol::types::RpcError;
use taskcell::text::one_line;

/// Maximum number of characters of an error that are shown.
const MAX_GOT: usize = 500;

/// Verdict on a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// The rule holds. The text describes the response.
    Passed(String),
    /// The rule holds, but the handler returned an error instead of a result. The text describes the response.
    PassedWithError(String),
    /// The rule holds, with a remark.
    Warned(Fault),
    /// The rule does not hold.
    Failed(Fault),
}

/// A fault of the handler.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// Observed response.
    pub(super) got: String,
    /// Fix for the author.
    pub(super) fix: String,
    /// Source of the rule.
    pub(super) see: String,
}

/// Kinds of errors that the host returns in place of a handler, with the fix for the author. `docs/limits.md` lists all
/// kinds.
#[rustfmt::skip]
const HOST_ERRORS: &[(&str, &str)] = &[
    ("trap",           "return an rpc-error where there is no answer, rather than to panic, throw or abort; -v logs all that it printed"),
    ("panic",          "return an rpc-error where there is no answer, rather than to panic, throw or abort; -v logs all that it printed"),
    ("invalid_answer", ""),
    ("json_depth",     "nest the JSON of `_meta`, tool input and the like less deeply"),
    ("answer_size",    "answer with less: cut what comes from the request or from a model"),
    ("memory",         "take less memory: bound what is kept, and free it; or have its operator raise `memory`"),
    ("table",          "take smaller tables"),
    ("stack",          "recurse less deeply: over JSON of strangers, bound the depth"),
    ("handles",        "drop the resources that are not needed any more (streams, pollables, buckets)"),
    ("host_call",      "hand the host less at once"),
    ("cpu_time",       "compute less: what it does grows too fast with the request's size, or does not end"),
    ("wall_time",      "answer sooner: waiting belongs into `background.run`"),
    ("spawn",          "export `background`, and spawn work only while a request is served"),
    ("no_handler",     "export `background`: it is what runs the work that was spawned"),
    ("attempts",       "end the work: the host was lost at it again and again"),
];

impl Verdict {
    pub(super) fn failed(kind: Kind, got: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Failed(Fault { got: got.into(), fix: fix.into(), see: see(kind) })
    }
}

/// Compares a response with the expectation. `reached` says whether the handler answered instead of the host.
pub(super) fn evaluate(kind: Kind, expectation: Expectation, observed: &Observed, reached: bool) -> Verdict {
    let verdict = match (expectation, observed) {
        (_, Observed::Nothing) => Verdict::failed(kind, "no answer", "this is a fault of taskcell: please report it"),
        (_, Observed::Late) => late(kind),
        (Expectation::Refused, Observed::Error(error)) if error.code == code::INVALID_PARAMS && !reached => {
            return Verdict::Passed("refused by the host".to_owned());
        }
        (Expectation::Refused, observed) => {
            let got = format!("{}, {} the handler", describe(observed), if reached { "by" } else { "without" });
            Verdict::failed(kind, got, "this is a fault of taskcell, which has to refuse the request: please report it")
        }
        (_, Observed::Error(error)) => match (host_error(kind, error), expectation) {
            (Some(fault), _) => Verdict::Failed(fault),
            (None, Expectation::Unknown) if error.code != code::INVALID_PARAMS => Verdict::failed(
                kind,
                describe(observed),
                "answer with -32602: nobody has this; the `tasks` import gives that error, so return it unchanged",
            ),
            (None, Expectation::Unknown) => Verdict::Passed(describe(observed)),
            (None, _) => Verdict::PassedWithError(describe(observed)),
        },
        (Expectation::Unknown, Observed::Result(_)) => Verdict::failed(
            kind,
            "a result",
            "answer with the error -32602: nobody has this; the `tasks` import gives that error, so return it unchanged",
        ),
        (_, Observed::Result(_)) => Verdict::Passed(describe(observed)),
    };
    match verdict {
        Verdict::Failed(fault) if expectation == Expectation::AnswerOrWarning && !is_end(observed) => {
            Verdict::Warned(fault)
        }
        verdict => verdict,
    }
}

/// Returns the fault of an error that the host returned in place of the handler, or none for the handler's own error.
pub(super) fn host_error(kind: Kind, error: &RpcError) -> Option<Fault> {
    let word = host_kind(error)?;
    let (_, fix) = HOST_ERRORS.iter().find(|(kind, _)| *kind == word)?;
    let (fix, see) = match kind.plain() {
        _ if !fix.is_empty() => (*fix, see(kind)),
        // The outcome of a task follows the rules of the plain request.
        Some(plain) => (rule(kind), format!("{}, {}", see(plain), see(kind))),
        None => (rule(kind), see(kind)),
    };
    Some(Fault { got: describe_error(error), fix: fix.to_owned(), see })
}

fn host_kind(error: &RpcError) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Data {
        kind: String,
    }
    let data = error.data.as_deref().filter(|_| error.code == code::INTERNAL_ERROR)?;
    serde_json::from_str::<Data>(data).ok().map(|data| data.kind)
}

/// Whether the handler ended in a way that nothing excuses: with a trap, at a limit, or without an answer.
fn is_end(observed: &Observed) -> bool {
    match observed {
        Observed::Error(error) => host_kind(error).is_some_and(|kind| kind != "invalid_answer"),
        Observed::Result(_) => false,
        Observed::Nothing | Observed::Late => true,
    }
}

/// Returns the fault of a sampling answer with several pieces to a request without tools. Many servers do not accept
/// such an answer. [client/sampling, Creating Messages]
pub(super) fn several_pieces(kind: Kind, pieces: usize) -> Option<Fault> {
    (pieces > 1).then(|| Fault {
        got: format!("an answer of {pieces} pieces of content to a request without tools"),
        fix: "answer with one piece of content, texts joined: the SDKs for Python and TypeScript refuse more where the request \
              had no `tools`"
            .to_owned(),
        see: format!("docs/handlers.md, {}", see(kind)),
    })
}

/// Returns the verdict on a missing response.
pub(super) fn late(kind: Kind) -> Verdict {
    let fix = "answer sooner: waiting belongs into `background.run`; --timeout allows more time";
    Verdict::failed(kind, "nothing in time", fix)
}

/// Describes a response in a word or two.
pub(super) fn describe(observed: &Observed) -> String {
    match observed {
        Observed::Result(_) => "result".to_owned(),
        Observed::Error(error) => describe_error(error),
        Observed::Nothing => "nothing".to_owned(),
        Observed::Late => "nothing in time".to_owned(),
    }
}

pub(super) fn describe_error(error: &RpcError) -> String {
    format!("error {} {}", error.code, one_line(&error.message, MAX_GOT))
}

/// Returns the rule for the answers of a kind, for the author of an invalid answer.
fn rule(kind: Kind) -> &'static str {
    match kind.plain().unwrap_or(kind) {
        Kind::Sampling => {
            "give what is a CreateMessageResult: `_meta` and tool input are the text of a JSON object, numbers are finite"
        }
        Kind::Elicitation => {
            "answer each field as its schema says (type, bounds, choices), leave out what is not required, or decline; `_meta` is the text of a JSON object"
        }
        Kind::Roots => {
            "name each root by a `file://` URI with a path, percent-encoded and without `..`; `_meta` is the text of a JSON object"
        }
        Kind::ListTasks => "give the tasks as `tasks.list` gave them",
        _ => "give the task as the `tasks` import gave it, and no other",
    }
}

/// Returns the source of the rules of a kind.
pub(super) fn see(kind: Kind) -> String {
    const SPECIFICATION: &str = "https://modelcontextprotocol.io/specification/2025-11-25";
    let page = match kind {
        Kind::Sampling => "client/sampling",
        Kind::Elicitation => "client/elicitation",
        Kind::Roots => "client/roots",
        _ => "basic/utilities/tasks",
    };
    format!("{SPECIFICATION}/{page}, wit/{}.wit", kind.info().export)
}
