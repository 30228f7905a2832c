//! Table of the request kinds.
//!
//! Only this table lists the kinds. Discovery of exports, routing, the default answers, the capabilities and `taskcell
//! inspect` all read it. So a kind cannot be declared without being served, or served without being declared.

use serde_json::{Map, Value};

use super::jsonrpc::code;
use super::types::RpcError;

/// A kind of request that a handler may take: one exported interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// `tasks/get`.
    GetTask,
    /// `tasks/result`.
    GetTaskResult,
    /// `tasks/list`.
    ListTasks,
    /// `tasks/cancel`.
    CancelTask,
    /// `sampling/createMessage` as a task.
    AugmentedSampling,
    /// `elicitation/create` as a task.
    AugmentedElicitation,
    /// `sampling/createMessage`.
    Sampling,
    /// `elicitation/create`.
    Elicitation,
    /// `roots/list`.
    Roots,
}

/// Row of the table.
#[derive(Debug)]
#[non_exhaustive]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// The exported WIT interface, without package and version.
    pub export: &'static str,
    /// The JSON-RPC method.
    pub method: &'static str,
    /// Whether the request carries `params.task`.
    pub augmented: bool,
    /// Code and message of the answer when no handler exports the kind: the reference's default handlers.
    pub default: (i32, &'static str),
    /// The client capabilities that exporting it declares, each as a path of keys.
    pub capabilities: &'static [&'static [&'static str]],
}

/// The exported WIT interface that does the work of tasks, without package and version. The interface is no kind: no
/// request asks for it.
pub const BACKGROUND: &str = "background";

const NOT_FOUND: i32 = code::METHOD_NOT_FOUND;
const REFUSED: i32 = code::INVALID_REQUEST;

/// All kinds, in the order of [`Kind`].
#[rustfmt::skip]
pub const KINDS: [KindInfo; 9] = [
    KindInfo { kind: Kind::GetTask,              export: "get-task",              method: "tasks/get",              augmented: false, default: (NOT_FOUND, "tasks/get not supported"),                  capabilities: &[] },
    KindInfo { kind: Kind::GetTaskResult,        export: "get-task-result",       method: "tasks/result",           augmented: false, default: (NOT_FOUND, "tasks/result not supported"),               capabilities: &[] },
    KindInfo { kind: Kind::ListTasks,            export: "list-tasks",            method: "tasks/list",             augmented: false, default: (NOT_FOUND, "tasks/list not supported"),                 capabilities: &[&["tasks", "list"]] },
    KindInfo { kind: Kind::CancelTask,           export: "cancel-task",           method: "tasks/cancel",           augmented: false, default: (NOT_FOUND, "tasks/cancel not supported"),               capabilities: &[&["tasks", "cancel"]] },
    KindInfo { kind: Kind::AugmentedSampling,    export: "augmented-sampling",    method: "sampling/createMessage", augmented: true,  default: (REFUSED, "Task-augmented sampling not supported"),      capabilities: &[&["tasks", "requests", "sampling", "createMessage"]] },
    KindInfo { kind: Kind::AugmentedElicitation, export: "augmented-elicitation", method: "elicitation/create",     augmented: true,  default: (REFUSED, "Task-augmented elicitation not supported"),   capabilities: &[&["tasks", "requests", "elicitation", "create"]] },
    KindInfo { kind: Kind::Sampling,             export: "sampling",              method: "sampling/createMessage", augmented: false, default: (REFUSED, "Sampling not supported"),                     capabilities: &[&["sampling"]] },
    KindInfo { kind: Kind::Elicitation,          export: "elicitation",           method: "elicitation/create",     augmented: false, default: (REFUSED, "Elicitation not supported"),                  capabilities: &[&["elicitation", "form"], &["elicitation", "url"]] },
    KindInfo { kind: Kind::Roots,                export: "roots",                 method: "roots/list",             augmented: false, default: (REFUSED, "List roots not supported"),                   capabilities: &[&["roots"]] },
];

impl Kind {
    /// Returns the kind's row.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the table has a row for each case, in order; a test checks it")]
    pub const fn info(self) -> &'static KindInfo {
        &KINDS[self as usize]
    }

    /// Returns the kind of a request, or none when no kind has the method.
    #[must_use]
    pub fn of(method: &str, augmented: bool) -> Option<Self> {
        let rows = || KINDS.iter().filter(|row| row.method == method);
        // A stray `task` on a request that knows no augmentation is ignored [basic/utilities/tasks].
        rows().find(|row| row.augmented == augmented).or_else(|| rows().next()).map(|row| row.kind)
    }

    /// Returns the kind of an exported interface, by its name without package and version.
    #[must_use]
    pub fn of_export(export: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.export == export).map(|row| row.kind)
    }

    /// Whether a request of this kind creates a task or concerns one.
    #[must_use]
    pub fn is_of_tasks(self) -> bool {
        self.info().augmented || self.info().method.starts_with("tasks/")
    }

    /// Returns the kind that answers the same request without a task, or none when there is no such kind.
    #[must_use]
    pub fn plain(self) -> Option<Self> {
        let row = self.info();
        if row.augmented { Self::of(row.method, false) } else { None }
    }

    /// Returns the answer when no handler exports the kind.
    #[must_use]
    pub fn default_answer(self) -> RpcError {
        let (code, message) = self.info().default;
        RpcError::new(code, message)
    }
}

/// Returns the client capabilities of the kinds that handlers export. MCP: `ClientCapabilities`.
///
/// An object without members says that nothing is supported. `tasks` and `tasks.requests` are present only with
/// members.
#[must_use]
pub fn capabilities(kinds: impl IntoIterator<Item = Kind>) -> Value {
    let mut root = Map::new();
    for path in kinds.into_iter().flat_map(|kind| kind.info().capabilities) {
        let mut object = &mut root;
        for key in *path {
            let member = object.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = member else { break };
            object = inner;
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_kind() {
        for (index, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind as usize, index);
        }
    }

    #[test]
    fn a_stray_task_is_ignored_where_no_augmentation_exists() {
        assert_eq!(Kind::of("tasks/get", true), Some(Kind::GetTask));
        assert_eq!(Kind::of("roots/list", true), Some(Kind::Roots));
        assert_eq!(Kind::of("sampling/createMessage", true), Some(Kind::AugmentedSampling));
        assert_eq!(Kind::of("tools/call", false), None);
    }
}
