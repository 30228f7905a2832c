//! TypeScript declarations of the WIT packages: `guest-examples/taskcell.d.ts`.
//!
//! The values follow `componentize-qjs`: a missing value arrives as `null` and may be left out, 64-bit integers are
//! numbers, and an error is thrown. Other generators follow another engine, with `undefined` for missing values and
//! BigInts for 64-bit integers; code checked against their declarations is wrong here.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    TypeOwner,
};

const HEAD: &str = "// The interfaces of the handler protocol and of what handlers may import, as componentize-qjs gives them to JavaScript.
// Made from the WIT files: do not edit.

";

/// Declares a module for each interface of the packages in `wit`.
///
/// # Errors
/// When the WIT is invalid, or has a type that cannot be declared.
pub fn declarations(wit: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit)?;
    let mut modules = Vec::new();
    for (id, interface) in &resolve.interfaces {
        let name = resolve.id_of(id).context("an interface has a name")?;
        let body = Module { resolve: &resolve, id, imports: BTreeSet::new() }.body(interface);
        modules.push((name.clone(), body.with_context(|| format!("in {name}"))?));
    }
    modules.sort();
    let modules = modules.iter().map(|(name, body)| format!("declare module \"{name}\" {{\n{body}}}\n"));
    Ok(HEAD.to_owned() + &modules.collect::<Vec<_>>().join("\n"))
}

struct Module<'a> {
    resolve: &'a Resolve,
    id: InterfaceId,
    /// Types used from other modules, as lines of the source.
    imports: BTreeSet<String>,
}

impl<'a> Module<'a> {
    fn body(mut self, interface: &Interface) -> Result<String> {
        let mut body = String::new();
        for (name, id) in &interface.types {
            let ty = self.definition(*id)?;
            let declared = self.declared(name, *id, ty, interface)?;
            if !declared.is_empty() {
                body += &comment(&ty.docs, 1);
                writeln!(body, "  export {declared}")?;
            }
        }
        for function in interface.functions.values().filter(|function| function.kind == FunctionKind::Freestanding) {
            body += &comment(&function.docs, 1);
            writeln!(body, "  export function {}{};", camel(&function.name), self.signature(function, 0)?)?;
        }
        Ok(self.imports.iter().map(|line| format!("  {line}\n")).collect::<String>() + &body)
    }

    fn definition(&self, id: TypeId) -> Result<&'a TypeDef> {
        self.resolve.types.get(id).context("a type has a definition")
    }

    /// Declares a named type; empty for a type that is imported from another module.
    fn declared(&mut self, name: &str, id: TypeId, ty: &TypeDef, interface: &Interface) -> Result<String> {
        let name = pascal(name);
        Ok(match &ty.kind {
            TypeDefKind::Type(Type::Id(used)) if self.owner(*used)? != self.id => {
                self.name(*used, Some(&name))?;
                String::new()
            }
            TypeDefKind::Record(record) => {
                let mut declared = format!("interface {name} {{\n");
                for field in &record.fields {
                    let (optional, ty) = self.member(&field.ty)?;
                    writeln!(declared, "{}    {}{optional}: {ty};", comment(&field.docs, 2), camel(&field.name))?;
                }
                declared + "  }"
            }
            TypeDefKind::Variant(variant) => {
                let mut declared = format!("type {name} =");
                for case in &variant.cases {
                    let val = match &case.ty {
                        Some(ty) => {
                            let (optional, ty) = self.member(ty)?;
                            format!("; val{optional}: {ty}")
                        }
                        None => String::new(),
                    };
                    write!(declared, "\n{}    | {{ tag: \"{}\"{val} }}", comment(&case.docs, 2), case.name)?;
                }
                declared + ";"
            }
            TypeDefKind::Enum(cases) => {
                let cases =
                    cases.cases.iter().map(|case| format!("\n{}    | \"{}\"", comment(&case.docs, 2), case.name));
                format!("type {name} ={};", cases.collect::<String>())
            }
            TypeDefKind::Resource => self.resource(&name, id, interface)?,
            _ => format!("type {name} = {};", self.kind(&ty.kind)?),
        })
    }

    /// Declares a resource with its functions.
    fn resource(&mut self, name: &str, id: TypeId, interface: &Interface) -> Result<String> {
        let mut declared = format!("class {name} {{\n");
        let mut constructed = false;
        for function in interface.functions.values() {
            let (head, skipped) = match function.kind {
                FunctionKind::Constructor(of) if of == id => ("constructor".to_owned(), 0),
                FunctionKind::Method(of) if of == id => (camel(function.item_name()), 1),
                FunctionKind::Static(of) if of == id => (format!("static {}", camel(function.item_name())), 0),
                _ => continue,
            };
            let signature = self.signature(function, skipped)?;
            let constructor = head == "constructor";
            constructed |= constructor;
            let signature = if constructor {
                signature.split("): ").next().unwrap_or_default().to_owned() + ")"
            } else {
                signature
            };
            writeln!(declared, "{}    {head}{signature};", comment(&function.docs, 2))?;
        }
        if !constructed {
            declared += "    private constructor();\n";
        }
        Ok(declared + "    /** Gives it back before the collector does. */\n    [Symbol.dispose](): void;\n  }")
    }

    /// Declares the parameters of a function without the first `skipped`, and its result. The error of a result is
    /// thrown.
    fn signature(&mut self, function: &Function, skipped: usize) -> Result<String> {
        let mut parameters = Vec::new();
        for parameter in function.params.iter().skip(skipped) {
            // `this` is a keyword there.
            let name = if parameter.name == "this" { "self".to_owned() } else { camel(&parameter.name) };
            parameters.push(format!("{name}: {}", self.ty(&parameter.ty)?));
        }
        let result = match &function.result {
            Some(Type::Id(id)) => match self.definition(*id)?.kind.clone() {
                TypeDefKind::Result(result) => result.ok.as_ref().map(|ok| self.ty(ok)),
                kind => Some(self.kind_or_name(*id, &kind)),
            },
            other => other.as_ref().map(|ty| self.ty(ty)),
        };
        Ok(format!("({}): {}", parameters.join(", "), result.transpose()?.unwrap_or_else(|| "void".to_owned())))
    }

    /// The type of a member, and a question mark if it may be left out.
    fn member(&mut self, ty: &Type) -> Result<(&'static str, String)> {
        let optional = match ty {
            Type::Id(id) => matches!(self.definition(*id)?.kind, TypeDefKind::Option(_)),
            _ => false,
        };
        Ok((if optional { "?" } else { "" }, self.ty(ty)?))
    }

    fn ty(&mut self, ty: &Type) -> Result<String> {
        Ok(match ty {
            Type::Bool => "boolean".to_owned(),
            Type::Char | Type::String => "string".to_owned(),
            Type::Id(id) => {
                let kind = self.definition(*id)?.kind.clone();
                self.kind_or_name(*id, &kind)?
            }
            Type::ErrorContext => bail!("an error context is not declared"),
            _ => "number".to_owned(),
        })
    }

    fn kind_or_name(&mut self, id: TypeId, kind: &TypeDefKind) -> Result<String> {
        if self.definition(id)?.name.is_some() { self.name(id, None) } else { self.kind(kind) }
    }

    fn kind(&mut self, kind: &TypeDefKind) -> Result<String> {
        Ok(match kind {
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => self.name(*id, None)?,
            TypeDefKind::Tuple(tuple) => {
                let types: Result<Vec<_>> = tuple.types.iter().map(|ty| self.ty(ty)).collect();
                format!("[{}]", types?.join(", "))
            }
            TypeDefKind::Option(ty) => format!("{} | null", self.ty(ty)?),
            TypeDefKind::Result(result) => {
                let mut val = |ty: &Option<Type>| ty.as_ref().map_or(Ok("undefined".to_owned()), |ty| self.ty(ty));
                let (ok, err) = (val(&result.ok)?, val(&result.err)?);
                format!("{{ tag: \"ok\"; val: {ok} }} | {{ tag: \"err\"; val: {err} }}")
            }
            TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
            TypeDefKind::List(ty) => format!("Array<{}>", self.ty(ty)?),
            TypeDefKind::Type(ty) => self.ty(ty)?,
            other => bail!("a {} is not declared", other.as_str()),
        })
    }

    fn owner(&self, id: TypeId) -> Result<InterfaceId> {
        match self.definition(id)?.owner {
            TypeOwner::Interface(id) => Ok(id),
            _ => bail!("a type has an interface"),
        }
    }

    /// Name of a type; imports a type of another module.
    fn name(&mut self, id: TypeId, alias: Option<&str>) -> Result<String> {
        let (own, owner) =
            (pascal(self.definition(id)?.name.as_deref().context("a type has a name")?), self.owner(id)?);
        let name = alias.unwrap_or(&own).to_owned();
        if owner != self.id {
            let module = self.resolve.id_of(owner).context("an interface has a name")?;
            let renamed = if name == own { String::new() } else { format!(" as {name}") };
            self.imports.insert(format!("import type {{ {own}{renamed} }} from \"{module}\";"));
        }
        Ok(name)
    }
}

/// A documentation comment with this indentation; empty without documentation.
fn comment(docs: &Docs, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match docs.contents.as_deref().map(str::trim) {
        None | Some("") => String::new(),
        Some(text) if !text.contains('\n') => format!("{indent}/** {text} */\n"),
        Some(text) => {
            let lines = text.lines().map(|line| format!("{indent} * {}", line.trim()).trim_end().to_owned() + "\n");
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}

fn pascal(name: &str) -> String {
    name.split('-')
        .map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>())
        .collect()
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    words.next().unwrap_or_default().to_owned() + &words.map(pascal).collect::<String>()
}
