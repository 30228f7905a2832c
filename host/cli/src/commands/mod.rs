//! Commands of the program, one file each.

pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod demo_server;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod keyvalue;
pub(crate) mod listen;
pub(crate) mod new;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod task_view;
pub(crate) mod tasks;
pub(crate) mod tool;
