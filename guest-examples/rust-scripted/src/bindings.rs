//! The handler protocol as Rust, generated from `wit/`, and the component's exports.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated code crosses the component boundary"
)]

wit_bindgen::generate!({
    world: "scripted-handler",
    path: "../../wit",
    generate_all,
    additional_derives: [PartialEq],
});

#[cfg(target_arch = "wasm32")]
export!(Handler);

#[cfg(target_arch = "wasm32")]
use crate::Handler;
