//! Languages of handlers: the examples, and the projects that `taskcell new` writes.

mod canned;
mod everything;
mod examples;
mod new_go;
mod new_scripts;
mod policy_sampler;
