//! Handler that calls every function a cell can import, with garbage: numbers that are no address, handle or case, and
//! real handles of other types.

use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, Model, ModelContext, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};
use taskcell::{Grants, Session};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, TypeDefKind};

use super::ask;
use crate::compose::{component_of, protocol_with};
use crate::conversation::request;
use crate::provision::repository;

/// Packages of WASI, each after those that it uses.
const WASI: &[&str] = &["io", "clocks", "random", "filesystem", "sockets", "cli"];
/// Further interfaces that a handler may import.
const GRANTED: &[&str] = &[
    "taskcell:handlers/tasks@0.1.0",
    "taskcell:handlers/progress@0.1.0",
    "taskcell:handlers/model@0.1.0",
    "taskcell:handlers/user@0.1.0",
    "wasi:config/store@0.2.0-rc.1",
];
/// Arguments of the calls: the first number, and all others. Small numbers are handles; see [`HANDLES`].
#[rustfmt::skip]
const GARBAGE: &[(i64, i64)] = &[
    (0, 0), (-1, -1), (0x7fff_ffff, 0x7fff_ffff), (0x1_fff8, 0x1_fff8), (i64::MIN, i64::MAX),
    (1, -1), (2, -1), (3, -1), (4, -1), (5, -1), (1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (8, 2048), (2048, 8),
];
/// Functions that a cell calls first, so that it has handles to misuse: input and output streams, a pollable, a network
/// and a socket.
#[rustfmt::skip]
const HANDLES: &[(&str, &str)] = &[
    ("get-stdin", ""), ("get-stdout", ""), ("subscribe-duration", "(i64.const 1)"), ("instance-network", ""),
    ("create-tcp-socket", "(i32.const 0) (i32.const 1024)"),
];
/// Length of the `_meta` that selects the first call; each longer one selects the next.
const FIRST: usize = 20_000;
/// Error kinds allowed for a call that traps or runs too long.
const ENDS: &[&str] = &["trap", "memory", "handles", "host_call", "wall_time", "cpu_time", "rate_limit"];

/// Builds the component, and describes each of its calls.
///
/// # Errors
/// When the definitions of the imports cannot be read.
pub fn component() -> Result<(Vec<u8>, Vec<String>)> {
    let read = |name: &&str| {
        fs::read_to_string(repository().join("tests/guests/hostile/raw/wasi").join(format!("{name}.wit")))
    };
    let packages = WASI.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let resolve = protocol_with(&packages)?;
    // `wasi:cli/run` is an export of programs.
    let is_imported = |name: &&String| !name.starts_with("wasi:cli/run@");
    let of_wasi = |name: &String| packages.iter().any(|text| text.contains(&package_of(name)));
    let names: Vec<_> = resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id)).collect();
    let granted = names.iter().filter(|name| GRANTED.contains(&name.as_str()));
    let imports: Vec<_> =
        names.iter().filter(|name| of_wasi(name)).filter(is_imported).chain(granted).map(String::as_str).collect();
    ensure!(imports.len() > 30, "only {imports:?} were found");
    let (module, calls) = module(&resolve, &imports)?;
    Ok((component_of(&module, &packages, &["roots"], &imports)?, calls))
}

/// Returns the package of an interface as its definition spells it.
fn package_of(interface: &str) -> String {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    format!("package {}@{version};", name.split('/').next().unwrap_or_default())
}

fn module(resolve: &Resolve, imports: &[&str]) -> Result<(String, Vec<String>)> {
    let (mut declared, mut handles, mut attacks, mut names) = (String::new(), String::new(), String::new(), Vec::new());
    for (id, interface) in &resolve.interfaces {
        let Some(name) = resolve.id_of(id).filter(|name| imports.contains(&name.as_str())) else { continue };
        let functions = interface.functions.values().map(|function| {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            (function.name.clone(), signature.params, signature.results)
        });
        let is_resource = |ty: &&wit_parser::TypeId| {
            matches!(resolve.types.get(**ty).map(|ty| &ty.kind), Some(TypeDefKind::Resource))
        };
        let resources = interface.types.iter().filter(|(_, ty)| is_resource(ty));
        let drops = resources.map(|(name, _)| (format!("[resource-drop]{name}"), vec![WasmType::I32], Vec::new()));
        for (function, params, results) in functions.chain(drops) {
            let types = |types: &[WasmType]| types.iter().map(|ty| wat(*ty)).collect::<Vec<_>>().join(" ");
            let call = format!("$f{}", names.len());
            writeln!(
                declared,
                "(import \"{name}\" \"{function}\" (func {call} (param {}) (result {})))",
                types(&params),
                types(&results)
            )?;
            let drop = if results.is_empty() { "" } else { "drop" };
            if let Some((at, (_, arguments))) = HANDLES.iter().enumerate().find(|(_, (name, _))| *name == function) {
                writeln!(
                    handles,
                    "(if (i32.eq (local.get $step) (i32.const {at})) (then (call {call} {arguments}) {drop}))"
                )?;
            }
            for (first, others) in GARBAGE {
                let argument = |(at, ty): (usize, &WasmType)| {
                    let number = if at == 0 { first } else { others };
                    constant(*ty, *number)
                };
                let arguments: Vec<_> = params.iter().enumerate().map(argument).collect();
                let arguments = arguments.join(" ");
                let number = FIRST + names.len();
                writeln!(
                    attacks,
                    "(if (i32.eq (global.get $chosen) (i32.const {number})) (then (call {call} {arguments}) {drop}))"
                )?;
                names.push(format!("{name} {function} {arguments}"));
            }
        }
    }
    let last = FIRST + names.len();
    let steps = HANDLES.len();
    let module = format!(
        r#"(module
            {declared}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (global $chosen (mut i32) (i32.const 0))
            (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (if (i32.and (i32.ge_u (local.get $size) (i32.const {FIRST})) (i32.lt_u (local.get $size) (i32.const {last})))
                    (then (if (i32.eqz (global.get $chosen)) (then (global.set $chosen (local.get $size))))))
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func $handles (local $step i32)
                (loop $next
                    {handles}
                    (local.set $step (i32.add (local.get $step) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $step) (i32.const {steps})))))
            (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32)
                (if (global.get $chosen) (then (call $handles)))
                {attacks}
                (memory.fill (i32.const 3072) (i32.const 0) (i32.const 64))
                (i32.const 3072)))"#
    );
    Ok((module.replace("(param )", "").replace("(result )", ""), names))
}

/// Name of a type in WebAssembly text.
pub(super) fn wat(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    }
}

/// Formats a number as a constant of a type; small types take its lowest bits.
fn constant(ty: WasmType, number: i64) -> String {
    match wat(ty) {
        "i64" => format!("(i64.const {number})"),
        "i32" => format!("(i32.const {})", number as i32),
        float if number < 0 => format!("({float}.const nan)"),
        float => format!("({float}.const {number})"),
    }
}

/// All grants; the model and the user refuse.
#[must_use]
pub fn grants() -> Grants {
    let mut grants = Grants::default();
    (grants.tasks, grants.progress) = (true, true);
    grants.config = Some([("a".to_owned(), "b".to_owned())].into_iter().collect());
    grants.model = Some(Arc::new(Nobody));
    grants.user = Some(Arc::new(Nobody));
    grants
}

struct Nobody;

fn refused() -> RpcError {
    RpcError { code: -1, message: "nobody is there".to_owned(), data: None }
}

#[async_trait]
impl Model for Nobody {
    async fn create_message(&self, _: &ModelContext, _: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        Err(refused())
    }
}

#[async_trait]
impl User for Nobody {
    async fn elicit(&self, _: &Implementation, _: ElicitRequest) -> Result<ElicitResult, RpcError> {
        Err(refused())
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(refused())
    }
}

/// Makes all calls, each in its own cell, and checks that each succeeds or ends in an error that names the reason.
///
/// # Errors
/// When a call ends otherwise.
pub async fn attack(session: &Session, calls: &[String]) -> Result<()> {
    let mut well = 0;
    for (number, call) in calls.iter().enumerate() {
        let answer = ask(session, &asks_for(number)).await.with_context(|| call.clone())?;
        let kind = answer.pointer("/error/data/kind").and_then(Value::as_str);
        ensure!(answer.get("result").is_some() || kind.is_some_and(|kind| ENDS.contains(&kind)), "{call}: {answer}");
        well += usize::from(kind.is_none());
    }
    ensure!(well > 0 && well < calls.len(), "{well} of {} calls end well", calls.len());
    Ok(())
}

fn asks_for(number: usize) -> Value {
    let empty = json!({ "x": "" }).to_string().len();
    let meta = json!({ "x": "x".repeat(FIRST + number - empty) });
    request(1, "roots/list", &json!({ "_meta": meta }))
}
