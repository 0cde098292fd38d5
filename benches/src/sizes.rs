//! What the bytes of a component are: its sections, and its code by where it comes from.
//!
//! Code is told apart by the names of its functions. What the compiler has inlined counts for the function that it is in, and a
//! generic function counts for the crate that wrote it, not for the one that uses it.

use std::collections::BTreeMap;
use std::ops::Range;

use rustc_demangle::demangle;
use wasmparser::{Encoding, KnownCustom, Name, Parser, Payload};

/// The bytes of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// By the kind of section. Together they are the whole file but for some bytes at the head of each section.
    pub sections: Vec<Part>,
    /// The code by crate, that of the guest itself and of the standard library by module.
    pub origins: Vec<Part>,
    /// Generic functions, and others with several copies.
    pub copied: Vec<Part>,
    /// The largest functions.
    pub functions: Vec<Part>,
}

/// A part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// How many functions, or sections.
    pub count: usize,
    /// How many bytes they have together.
    pub bytes: usize,
}

impl Sizes {
    /// Reads a component. Without names in it, only the sections can be told apart.
    ///
    /// # Errors
    /// It is not WebAssembly.
    pub fn read(component: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut sections = Parts::default();
        let mut names = BTreeMap::new();
        let (mut imported, mut bodies) = (0, Vec::new());
        let main = main_module(component)?;
        let mut inside = Vec::new(); // the module or component that is being read is the last
        let mut next_is_main = false;
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            let in_main = matches!(inside.last(), Some((Encoding::Module, true)));
            match &payload {
                Payload::Version { encoding, .. } => inside.push((*encoding, std::mem::take(&mut next_is_main))),
                Payload::End(_) => drop(inside.pop()),
                Payload::ModuleSection { unchecked_range, .. } => next_is_main = *unchecked_range == main,
                Payload::ImportSection(imports) if in_main => {
                    let imports = imports.clone().into_imports().collect::<Result<Vec<_>, _>>()?;
                    imported =
                        imports.iter().filter(|import| matches!(import.ty, wasmparser::TypeRef::Func(_))).count();
                }
                Payload::CodeSectionEntry(body) if in_main => bodies.push(length(&body.range())),
                Payload::CustomSection(custom) if in_main => {
                    if let KnownCustom::Name(subsections) = custom.as_known() {
                        for subsection in subsections {
                            if let Name::Function(functions) = subsection? {
                                for function in functions {
                                    let function = function?;
                                    names.insert(function.index as usize, function.name.to_owned());
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
            if let Some((_, range)) = payload.as_section()
                && !matches!(payload, Payload::ModuleSection { .. } | Payload::ComponentSection { .. })
            {
                let encoding = inside.last().map_or(Encoding::Component, |(encoding, _)| *encoding);
                sections.add(kind(&payload, encoding, in_main).to_owned(), length(&range));
            }
        }
        let (mut origins, mut copied, mut functions) = (Parts::default(), Parts::default(), Parts::default());
        for (index, bytes) in bodies.into_iter().enumerate() {
            let Some(name) = names.get(&(imported + index)) else { continue };
            let readable = format!("{:#}", demangle(name));
            origins.add(origin(&readable), bytes);
            copied.add(readable.clone(), bytes);
            functions.add(format!("{readable}\n{index}"), bytes);
        }
        let functions = functions.largest_first().into_iter().map(|part| {
            let name = part.name.lines().next().unwrap_or_default().to_owned();
            Part { name, ..part }
        });
        Ok(Self {
            sections: sections.largest_first(),
            origins: origins.largest_first(),
            copied: copied.largest_first().into_iter().filter(|part| part.count > 1).collect(),
            functions: functions.collect(),
        })
    }
}

/// Where the largest module of a component is: the guest's own. The others join it to its imports.
fn main_module(component: &[u8]) -> Result<Range<u64>, wasmparser::BinaryReaderError> {
    let mut largest = 0..0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::ModuleSection { unchecked_range, .. } = payload?
            && length(&unchecked_range) > length(&largest)
        {
            largest = unchecked_range;
        }
    }
    Ok(largest)
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).expect("a file that is in memory")
}

fn kind(payload: &Payload<'_>, encoding: Encoding, in_main: bool) -> &'static str {
    match (encoding, payload) {
        (_, Payload::CustomSection(_)) => "names and other sections that do nothing",
        (Encoding::Module, _) if !in_main => "small modules that join the guest to its imports",
        (Encoding::Module, Payload::CodeSectionStart { .. }) => "code",
        (Encoding::Module, Payload::DataSection(_)) => "constant data of the code",
        (Encoding::Module, _) => "tables of the module: types, imports, exports",
        (
            Encoding::Component,
            Payload::ComponentTypeSection(_) | Payload::ComponentImportSection(_) | Payload::ComponentExportSection(_),
        ) => "types, imports and exports of the component: the contract and WASI",
        (Encoding::Component, _) => "wiring of the component",
    }
}

/// The crate of a function, or the module where it is the guest's own or the standard library's; what is exported is a kind of
/// its own.
fn origin(name: &str) -> String {
    if name.starts_with("cabi_post_") {
        return "giving back what a result was made of (`cabi_post_…`)".to_owned();
    }
    if name.contains('#') {
        return "exports: conversion of arguments and results, and what was inlined".to_owned();
    }
    let mut segments = path(name).split("::").filter(|segment| !segment.is_empty());
    match (segments.next().unwrap_or("the rest"), segments.next()) {
        ("cloudflare_access", Some(module)) => format!("`cloudflare_access::{module}`"),
        (library @ ("core" | "alloc" | "std"), Some(module)) => format!("`{library}::{module}`"),
        ("__rustc", _) => "`std::alloc`".to_owned(),
        (name, Some(_)) => format!("`{name}`"),
        (_, None) => "the rest".to_owned(),
    }
}

/// The crate that a function belongs to, by its readable name.
pub(crate) fn krate(name: &str) -> Option<&str> {
    path(name).split_once("::").map(|(krate, _)| krate)
}

/// The path in the name of a function: `<A as B>::c` belongs to A, or to B where A is a parameter or a type of the language.
fn path(name: &str) -> &str {
    name.split([' ', '<', '>', '&', '(', ')', '[', ']', ',', '*']).find(|path| path.contains("::")).unwrap_or(name)
}

#[derive(Default)]
struct Parts(BTreeMap<String, (usize, usize)>);

impl Parts {
    fn add(&mut self, name: String, bytes: usize) {
        let part = self.0.entry(name).or_default();
        *part = (part.0 + 1, part.1 + bytes);
    }

    fn largest_first(self) -> Vec<Part> {
        let mut parts: Vec<_> = self.0.into_iter().map(|(name, (count, bytes))| Part { name, count, bytes }).collect();
        parts.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.name.cmp(&other.name)));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn code_belongs_to_the_crate_that_wrote_it_and_its_module_where_that_says_more() {
        for (name, of) in [
            ("cloudflare_access::settings::Settings::resolve", "`cloudflare_access::settings`"),
            (
                "<cloudflare_access::wasi_host::WasiHost as cloudflare_access::host::Host>::now",
                "`cloudflare_access::wasi_host`",
            ),
            (
                "<&mut serde_json::de::Deserializer<R> as serde_core::de::Deserializer>::deserialize_struct",
                "`serde_json`",
            ),
            ("<T as core::convert::TryInto<U>>::try_into", "`core::convert`"),
            ("<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", "`alloc::vec`"),
            ("memcpy", "the rest"),
        ] {
            assert_eq!(origin(name), of, "{name}");
        }
        assert!(origin("cloudflare:access/service-tokens@0.1.0#get").starts_with("exports"));
    }
}
