//! Handlers whose answers are absurd: each field of each kind's result and error, with each absurd value that its type
//! has room for.
//!
//! A component holds a good answer in its memory, and a table of changes to it. Each change sets one field; the length
//! of a request's `_meta` selects the change. The values stand in tables, one per type.

use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use taskcell::Session;
use wit_parser::abi::AbiVariant;
use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

use super::ask;
use crate::compose::{component_of, protocol_with};
use crate::conversation::{prompt, request};

/// An export, a method, and the parameters of a request that the good answer answers.
type Row = (&'static str, &'static str, fn() -> Value);

/// Rows of all kinds.
const KINDS: &[Row] = &[
    ("sampling", "sampling/createMessage", || prompt("x")),
    ("augmented-sampling", "sampling/createMessage", || with_task(prompt("x"))),
    ("elicitation", "elicitation/create", form),
    ("augmented-elicitation", "elicitation/create", || with_task(form())),
    ("roots", "roots/list", || json!({})),
    ("get-task", "tasks/get", || json!({ "taskId": "file:///0" })),
    ("get-task-result", "tasks/result", || json!({ "taskId": "file:///0" })),
    ("list-tasks", "tasks/list", || json!({})),
    ("cancel-task", "tasks/cancel", || json!({ "taskId": "file:///0" })),
];

/// Outcome that a change must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// A trap: the bytes are not a value of the type.
    Trap,
    /// A refusal: the value has no JSON form.
    Refusal,
    /// An answer, or a refusal where the value breaks a rule of MCP.
    Either,
}

use Leads::{Either, Refusal, Trap};

const NUMBERS: &[(f64, Leads)] = &[
    (f64::NAN, Refusal),
    (f64::INFINITY, Refusal),
    (f64::NEG_INFINITY, Refusal),
    (-1.0, Either),
    (-0.0, Either),
    (9_007_199_254_740_993.0, Either),
    (1e308, Either),
    (5e-324, Either),
];
const TEXTS: &[(&[u8], Leads)] = &[
    (b"", Either),
    (b"\0\x1b[31m\r\n\x7f", Either),
    ("\u{2028}\u{202e}\u{fffe}\u{10ffff}".as_bytes(), Either),
    (b"\\ud800", Either),
    (b"\xff", Trap),
    // Half of a surrogate pair.
    (b"\xed\xa0\x80", Trap),
];
const JSONS: &[(&[u8], Leads)] = &[
    (b"", Refusal),
    (b"{", Refusal),
    (b"{} {}", Refusal),
    (b"{\"a\":NaN}", Refusal),
    (b"{\"a\":\"\\ud800\"}", Refusal),
    (b"\0", Refusal),
    (b"{\"a\":1,\"a\":2}", Either),
    (b"{\"a\":1e999}", Refusal),
    (b"[1]", Either),
    (b"null", Either),
    (b"\xff", Trap),
];
/// Nesting levels of JSON that is too deep.
const DEEP: usize = 1_000_000;
/// Length of the `_meta` that selects the first change; each longer one selects the next.
const FIRST: usize = 20_000;

fn with_task(mut params: Value) -> Value {
    if let Value::Object(params) = &mut params {
        params.insert("task".to_owned(), json!({}));
    }
    params
}

/// A form with the fields that [`Answer`] answers.
fn form() -> Value {
    let properties = json!({
        "file:///0": { "type": "string" },
        "file:///1": { "type": "number" },
        "file:///2": { "type": "boolean" },
        "file:///3": { "type": "array", "items": { "type": "string", "enum": ["file:///3", "file:///0"] } },
    });
    json!({ "message": "m", "requestedSchema": { "type": "object", "properties": properties } })
}

/// A change of an answer: eight bytes at an address.
#[derive(Debug)]
pub struct Change {
    /// Index of the changed answer; the address and the new bytes follow.
    base: usize,
    at: usize,
    bytes: [u8; 8],
    /// Outcome of the change; `None` for the unchanged answer.
    leads: Option<Leads>,
    /// Description: the field and its new value.
    what: String,
}

/// Builds a component of this kind, and lists the changes that it makes.
///
/// # Errors
/// When the kind does not exist.
pub fn component(export: &str) -> Result<(Vec<u8>, Vec<Change>)> {
    let resolve = protocol_with(&[])?;
    let interface = format!("taskcell:handlers/{export}@0.1.0");
    let mut interfaces = resolve.interfaces.iter();
    let (_, found) =
        interfaces.find(|(id, _)| resolve.id_of(*id).as_ref() == Some(&interface)).context("no such kind")?;
    let function = found.functions.get("handle").context("no `handle`")?;
    let result = function.result.context("no result")?;
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve)?;
    let mut answer =
        Answer { resolve: &resolve, sizes, memory: vec![0; 4 << 10], changes: Vec::new(), base: 0, deep: None };
    for (good, ty) in answer.cases_of(&result)?.into_iter().enumerate() {
        let cases = ty.map_or(Ok(1), |ty| answer.cases(&ty))?;
        for case in 0..cases {
            answer.base = answer.allocate(answer.size(&result), answer.align(&result));
            answer.changes.push(Change {
                base: answer.base,
                at: 0,
                bytes: [0; 8],
                leads: None,
                what: format!("case {case}"),
            });
            answer.write(&result, answer.base, good + case * 2, 0, export)?;
        }
    }
    let (memory, mut changes) = (answer.memory, answer.changes);
    // Bytes beside a change keep their values; for the unchanged answer nothing is overwritten.
    for change in changes.iter_mut().filter(|change| change.leads.is_none()) {
        change.bytes = eight(&memory, change.at)?;
    }
    let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
    let params: String = signature.params.iter().map(|ty| format!("{} ", super::imports::wat(*ty))).collect();
    let module = module(&interface, &params, memory, &changes)?;
    Ok((component_of(&module, &[], &[export], &[])?, changes))
}

fn eight(memory: &[u8], at: usize) -> Result<[u8; 8]> {
    Ok(memory.get(at..at + 8).context("out of memory")?.try_into()?)
}

fn module(interface: &str, params: &str, mut memory: Vec<u8>, changes: &[Change]) -> Result<String> {
    let rows = memory.len().next_multiple_of(16);
    memory.resize(rows, 0);
    for change in changes {
        memory.extend(u32::try_from(change.base)?.to_le_bytes());
        memory.extend(u32::try_from(change.at)?.to_le_bytes());
        memory.extend(change.bytes);
    }
    let mut data = String::new();
    for byte in &memory {
        write!(data, "\\{byte:02x}")?;
    }
    let (free, last) = (memory.len() + 16, FIRST + changes.len());
    let pages = (free >> 16) + 4;
    Ok(format!(
        r#"(module
            (memory (export "memory") {pages})
            (data (i32.const 0) "{data}")
            (global $free (mut i32) (i32.const {free}))
            (global $row (mut i32) (i32.const {rows}))
            (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (if (i32.and (i32.ge_u (local.get $size) (i32.const {FIRST})) (i32.lt_u (local.get $size) (i32.const {last})))
                    (then (global.set $row
                        (i32.add (i32.const {rows}) (i32.mul (i32.const 16) (i32.sub (local.get $size) (i32.const {FIRST})))))))
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func (export "{interface}#handle") (param {params}) (result i32)
                (i64.store (i32.load offset=4 (global.get $row)) (i64.load offset=8 (global.get $row)))
                (i32.load (global.get $row))))"#
    ))
}

/// A good answer under construction in memory, with the changes to it.
struct Answer<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    memory: Vec<u8>,
    changes: Vec<Change>,
    base: usize,
    deep: Option<usize>,
}

impl Answer<'_> {
    fn size(&self, ty: &Type) -> usize {
        self.sizes.size(ty).size_wasm32()
    }

    fn align(&self, ty: &Type) -> usize {
        self.sizes.align(ty).align_wasm32()
    }

    fn allocate(&mut self, size: usize, align: usize) -> usize {
        let at = self.memory.len().next_multiple_of(align);
        // A change covers eight bytes.
        self.memory.resize(at + size.max(8), 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        self.memory.get_mut(at..at + bytes.len()).context("out of memory")?.copy_from_slice(bytes);
        Ok(())
    }

    fn change(&mut self, at: usize, bytes: &[u8], leads: Leads, what: String) -> Result<()> {
        if at + 8 > self.memory.len() {
            self.memory.resize(at + 8, 0);
        }
        let mut all = eight(&self.memory, at)?;
        all.get_mut(..bytes.len()).context("too long")?.copy_from_slice(bytes);
        self.changes.push(Change { base: self.base, at, bytes: all, leads: Some(leads), what });
        Ok(())
    }

    /// Places bytes in memory and returns their address and length.
    fn text(&mut self, bytes: &[u8]) -> Result<[u8; 8]> {
        let at = self.allocate(bytes.len(), 1);
        self.put(at, bytes)?;
        pair(at, bytes.len())
    }

    fn kind(&self, ty: &Type) -> Result<Option<(&TypeDefKind, bool)>> {
        let Type::Id(id) = ty else { return Ok(None) };
        let found = self.resolve.types.get(*id).context("no such type")?;
        Ok(Some((&found.kind, found.name.as_deref() == Some("json"))))
    }

    /// Returns the types of the cases of a variant, an option or a result.
    fn cases_of(&self, ty: &Type) -> Result<Vec<Option<Type>>> {
        Ok(match self.kind(ty)? {
            Some((TypeDefKind::Variant(variant), _)) => variant.cases.iter().map(|case| case.ty).collect(),
            Some((TypeDefKind::Result(result), _)) => vec![result.ok, result.err],
            Some((TypeDefKind::Type(ty), _)) => return self.cases_of(ty),
            _ => Vec::new(),
        })
    }

    /// Counts the ways to build a value so that each case occurs in one of them.
    fn cases(&self, ty: &Type) -> Result<usize> {
        let most =
            |types: Vec<Type>| types.iter().try_fold(1, |most, ty| Ok::<_, anyhow::Error>(self.cases(ty)?.max(most)));
        match self.kind(ty)? {
            Some((TypeDefKind::Record(record), _)) => most(record.fields.iter().map(|field| field.ty).collect()),
            Some((TypeDefKind::Variant(variant), _)) => {
                let types = variant.cases.iter().filter_map(|case| case.ty).collect();
                Ok(variant.cases.len() * most(types)?)
            }
            Some((TypeDefKind::Option(ty) | TypeDefKind::Type(ty), is_json)) if !is_json => self.cases(ty),
            _ => Ok(1),
        }
    }

    /// Writes a good value in the way `case`, and records the changes to it. Lists hold one value per case; `index` is
    /// the element's index.
    fn write(&mut self, ty: &Type, at: usize, case: usize, index: usize, what: &str) -> Result<()> {
        let kind = self.kind(ty)?.map(|(kind, is_json)| (kind.clone(), is_json));
        match (ty, kind) {
            (_, Some((_, true))) => self.write_json(at, what),
            (Type::String, _) => self.write_text(at, index, what),
            (Type::F64, _) => {
                for (value, leads) in NUMBERS {
                    self.change(at, &value.to_le_bytes(), *leads, format!("{what} = {value}"))?;
                }
                self.put(at, &0.5f64.to_le_bytes())
            }
            (Type::U32 | Type::S32, _) => {
                for value in [0, u32::MAX, 1 << 31] {
                    self.change(at, &value.to_le_bytes(), Either, format!("{what} = {value}"))?;
                }
                self.put(at, &1u32.to_le_bytes())
            }
            (Type::Bool, _) => self.change(at, &[0xff], Either, format!("{what} = 255")),
            (_, Some((TypeDefKind::Type(ty), _))) => self.write(&ty, at, case, index, what),
            (_, Some((TypeDefKind::Enum(_), _))) => self.change(at, &[0xff], Trap, format!("{what} = case 255")),
            (_, Some((TypeDefKind::Record(record), _))) => {
                let types: Vec<_> = record.fields.iter().map(|field| field.ty).collect();
                let offsets = self.sizes.field_offsets(&types);
                let offsets: Vec<_> = offsets.iter().map(|(offset, _)| offset.size_wasm32()).collect();
                for (field, offset) in record.fields.iter().zip(offsets) {
                    self.write(&field.ty, at + offset, case, index, &format!("{what}.{}", field.name))?;
                }
                Ok(())
            }
            (_, Some((TypeDefKind::Option(inner), _))) => {
                self.put(at, &[1])?;
                self.change(at, &[2], Trap, format!("{what} = case 2"))?;
                let types = [None, Some(&inner)];
                let offset = self.sizes.payload_offset(wit_parser::Int::U8, types).size_wasm32();
                self.write(&inner, at + offset, case, index, what)
            }
            (_, Some((TypeDefKind::List(inner), _))) => {
                let (count, size) = (self.cases(&inner)?, self.size(&inner));
                let start = self.allocate(count * size, self.align(&inner));
                for element in 0..count {
                    self.write(&inner, start + element * size, element, element, &format!("{what}[{element}]"))?;
                }
                self.put(at, &pair(start, count)?)?;
                self.change(at, &pair(start, 0x7fff_ffff)?, Trap, format!("{what} = two thousand million"))?;
                self.change(at, &pair(0xffff_fff0, 1)?, Trap, format!("{what} = out of memory"))?;
                self.change(at, &pair(start, 0)?, Either, format!("{what} = nothing"))
            }
            (_, Some((TypeDefKind::Variant(_) | TypeDefKind::Result(_), _))) => {
                let cases = self.cases_of(ty)?;
                let chosen = case % cases.len();
                self.put(at, &[u8::try_from(chosen)?])?;
                self.change(at, &[0xff], Trap, format!("{what} = case 255"))?;
                let offset = self.sizes.payload_offset(wit_parser::Int::U8, cases.iter().map(Option::as_ref));
                let offset = offset.size_wasm32();
                match cases.get(chosen) {
                    Some(Some(inner)) => {
                        self.write(inner, at + offset, case / cases.len(), index, &format!("{what}({chosen})"))
                    }
                    _ => Ok(()),
                }
            }
            (_, kind) => bail!("{what}: no absurd values are known for {ty:?}, {kind:?}"),
        }
    }

    fn write_text(&mut self, at: usize, index: usize, what: &str) -> Result<()> {
        let good = self.text(format!("file:///{index}").as_bytes())?;
        self.put(at, &good)?;
        for (bytes, leads) in TEXTS {
            let text = self.text(bytes)?;
            self.change(at, &text, *leads, format!("{what} = {}", bytes.escape_ascii()))?;
        }
        self.change(at, &pair(0, 0x7fff_ffff)?, Trap, format!("{what} = two thousand million bytes"))
    }

    fn write_json(&mut self, at: usize, what: &str) -> Result<()> {
        let good = self.text(b"{}")?;
        self.put(at, &good)?;
        for (bytes, leads) in JSONS {
            let text = self.text(bytes)?;
            self.change(at, &text, *leads, format!("{what} = {}", bytes.escape_ascii()))?;
        }
        let deep = match self.deep {
            Some(deep) => deep,
            None => self.allocate(DEEP, 1),
        };
        self.deep = Some(deep);
        self.put(deep, &vec![b'['; DEEP])?;
        self.change(at, &pair(deep, DEEP)?, Refusal, format!("{what} = a million levels"))
    }
}

fn pair(at: usize, length: usize) -> Result<[u8; 8]> {
    let (at, length) = (u64::try_from(at)?, u64::try_from(length)?);
    Ok((at | length << 32).to_le_bytes())
}

/// Makes all changes, each in its own cell, and checks their outcomes.
///
/// # Errors
/// When an outcome differs.
pub async fn attack(session: &Session, export: &str, changes: &[Change]) -> Result<()> {
    let (_, method, params) = KINDS.iter().find(|(kind, ..)| *kind == export).context("no such kind")?;
    for (number, change) in changes.iter().enumerate() {
        let mut params = params();
        let empty = json!({ "x": "" }).to_string().len();
        if let Value::Object(params) = &mut params {
            params.insert("_meta".to_owned(), json!({ "x": "x".repeat(FIRST + number - empty) }));
        }
        let answer = ask(session, &request(1, method, &params)).await.with_context(|| change.what.clone())?;
        let kind = match answer.pointer("/error/data/kind").and_then(Value::as_str) {
            Some(kind) => kind,
            None if answer.get("result").is_some() => "result",
            None => "error",
        };
        let refused = ["invalid_answer", "json_depth"].contains(&kind);
        let is_it = match change.leads {
            // In the result, or in the error.
            None => ["result", "error"].contains(&kind),
            Some(Trap) => kind == "trap",
            Some(Refusal) => refused,
            Some(Either) => refused || ["result", "error", "answer_size"].contains(&kind),
        };
        ensure!(is_it, "{}: expected {:?}, got {answer}", change.what, change.leads);
    }
    Ok(())
}
