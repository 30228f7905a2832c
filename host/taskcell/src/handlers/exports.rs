//! The types of the exports, one row each, and the call that relies on their having been checked.
//!
//! `bindgen!` would check an export's type at every instantiation, which is a tenth of a request. Here it is
//! checked once, when the component is loaded, by the same code in wasmtime.

use wasmtime::component::{ComponentNamedList, ComponentType, Func, Instance, Lift, Lower, TypedFunc};

use crate::grants::CellState;
use crate::kinds::{BACKGROUND, KINDS, Kind};
use crate::protocol::types::{
    CreateMessageRequest, CreateMessageResult, CreateTaskResult, ElicitRequest, ElicitResult, ListRootsResult,
    ListTasksResult, RequestContext, RpcError, Task, TaskInput, TaskMetadata, TaskOutput, TaskResult,
};

/// Return value of a handler's function: its result, or the error that goes out word for word.
pub(crate) type Answer<T> = Result<T, RpcError>;

/// An exported interface of the handler protocol and the type of its one function.
pub(crate) trait Export: 'static {
    /// The interface, without package and version.
    const INTERFACE: &'static str;
    /// The export's row in [`EXPORTS`].
    const ROW: usize;
    /// The function's parameters.
    type Params<'a>: ComponentNamedList + Lower + Copy + Send + Sync;
    /// The function's result.
    type Output: ComponentType + Lift + Send + Sync + 'static;
}

/// An export that requests of a kind reach.
pub(crate) trait KindExport: Export {
    /// The kind.
    const KIND: Kind;
}

/// Checks the type of a function that an instance exports.
pub(super) type Check = fn(&Func, &wasmtime::Store<CellState>) -> wasmtime::Result<()>;

pub(super) fn check<E: Export>(func: &Func, store: &wasmtime::Store<CellState>) -> wasmtime::Result<()> {
    func.typed::<E::Params<'static>, (Answer<E::Output>,)>(store).map(drop)
}

/// Calls an export of an instance of a component whose exports were checked.
pub(super) async fn call_checked<E: Export>(
    store: &mut wasmtime::Store<CellState>,
    instance: &Instance,
    index: wasmtime::component::ComponentExportIndex,
    params: E::Params<'_>,
) -> wasmtime::Result<Answer<E::Output>> {
    let func = instance
        .get_func(&mut *store, index)
        .ok_or_else(|| wasmtime::format_err!("the export is gone from the instance"))?;
    // SAFETY: `new_unchecked` asks that the function have this type. `index` was taken from this component by
    // `Exports::find`, and `Exports::check` called `check::<E>` on it when the component was loaded. An export's
    // type belongs to the component, so it is the same in every instance.
    #[expect(unsafe_code, reason = "checking the type again costs a tenth of a request; the proof stands above")]
    let typed: TypedFunc<E::Params<'_>, (Answer<E::Output>,)> = unsafe { TypedFunc::new_unchecked(func) };
    let (answer,) = typed.call_async(store, params).await?;
    Ok(answer)
}

macro_rules! export {
    ($(#[$doc:meta])* $name:ident = $interface:expr, $row:expr, ($($param:ty),*) -> $output:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Export for $name {
            const INTERFACE: &'static str = $interface;
            const ROW: usize = $row;
            type Params<'a> = (&'a RequestContext, $(&'a $param,)*);
            type Output = $output;
        }
    };
}

macro_rules! exports {
    ($($(#[$doc:meta])* $name:ident: ($($param:ty),*) -> $output:ty;)+) => {
        $(
            export!($(#[$doc])* $name = Kind::$name.info().export, Kind::$name as usize, ($($param),*) -> $output);

            impl KindExport for $name {
                const KIND: Kind = Kind::$name;
            }
        )+

        /// Every export with its interface, its function's name and the check of its type: the kinds in their order,
        /// and `background`.
        pub(super) const EXPORTS: &[(&str, &str, Check)] =
            &[$(($name::INTERFACE, "handle", check::<$name>),)+ (BACKGROUND, "run", check::<Background>)];
    };
}

exports! {
    /// `get-task`.
    GetTask: (String) -> TaskResult;
    /// `get-task-result`.
    GetTaskResult: (String) -> TaskOutput;
    /// `list-tasks`.
    ListTasks: (Option<String>) -> ListTasksResult;
    /// `cancel-task`.
    CancelTask: (String) -> TaskResult;
    /// `augmented-sampling`.
    AugmentedSampling: (TaskMetadata, CreateMessageRequest) -> CreateTaskResult;
    /// `augmented-elicitation`.
    AugmentedElicitation: (TaskMetadata, ElicitRequest) -> CreateTaskResult;
    /// `sampling`.
    Sampling: (CreateMessageRequest) -> CreateMessageResult;
    /// `elicitation`.
    Elicitation: (ElicitRequest) -> ElicitResult;
    /// `roots`.
    Roots: () -> ListRootsResult;
}

export! {
    /// `background`, which no request reaches.
    Background = BACKGROUND, KINDS.len(), (Task, TaskInput) -> TaskOutput
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_has_the_row_of_its_kind() {
        let interfaces: Vec<_> = EXPORTS.iter().map(|(interface, ..)| *interface).collect();
        let kinds = KINDS.iter().map(|row| row.export);
        assert_eq!(interfaces, kinds.chain([BACKGROUND]).collect::<Vec<_>>());
    }
}
