//! Handlers: what answers the requests of a server.
//!
//! A handler is a component, or a closure of the application. A component is checked and pre-linked when it is loaded,
//! so that a call looks nothing up and checks no type. Which session asks, and what becomes of the answer, is not known
//! here.
//!
//! | file | knows |
//! |---|---|
//! | `exports` | the types of the exports, and the call that relies on their having been checked |
//! | `store` | the store of a cell: its limits, and which of them ended a guest |
//! | `linker` | the host functions that a component is linked to |
//! | `component` | a loaded component: [`Handler`] |
//! | `instance_pool` | cells that go on to the next request of a session |
//! | `call` | one call of an export in a cell |
//! | `native` | closures of the application: [`NativeHandler`] |
//! | `set` | which handler takes which kind: [`Handlers`] |
//! | `change` | what a replacement of handlers changed |
//! | `registry` | a set that can be replaced while sessions use it: [`HandlerRegistry`] |
//! | `declare` | the capabilities of handlers beside those of an application |

mod call;
mod change;
mod component;
mod declare;
mod exports;
mod instance_pool;
mod linker;
mod native;
mod registry;
mod set;
mod store;

pub(crate) use call::call;
pub use change::{Change, ComponentChange};
pub use component::Handler;
pub use declare::merge as merge_capabilities;
pub(crate) use exports::{
    Answer, AugmentedElicitation, AugmentedSampling, Background, CancelTask, Elicitation, Export, GetTask,
    GetTaskResult, KindExport, ListTasks, Roots, Sampling,
};
pub(crate) use instance_pool::InstancePool;
pub use native::{NativeContext, NativeHandler};
pub use registry::HandlerRegistry;
pub(crate) use registry::{ActiveHandlers, HandlersObserver};
pub(crate) use set::KindHandler;
pub use set::{Features, Handlers, Responder};
