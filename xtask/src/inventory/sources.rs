//! The workspace's own sources, through their syntax trees.

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use serde::Serialize;
use syn::visit::{self, Visit};

use crate::step::File;

/// A thread-local.
#[derive(Serialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreadLocal {
    /// `file:line`.
    pub at: String,
    /// Name of the static.
    pub name: String,
    /// Its type.
    pub r#type: String,
    /// `yes`, `no`, or `unknown`: whether dropping the type runs code.
    pub destructor: &'static str,
    /// What keeps its access and its destructor safe: the `Mechanism:` line of its doc, or of the comment of its type.
    pub mechanism: String,
}

/// A call that takes a lock of the table.
#[derive(Serialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockSite {
    /// `file:line`.
    pub at: String,
    /// The function it stands in.
    pub function: String,
    /// The lock, as written.
    pub lock: String,
    /// The token it is taken with, as written.
    pub token: String,
}

/// Both lists of all crates' shipped sources, sorted.
pub fn read(files: &[File]) -> Result<(Vec<ThreadLocal>, Vec<LockSite>)> {
    let (mut locals, mut sites) = (Vec::new(), Vec::new());
    for file in files {
        let shipped = file.path.starts_with("crates/") && file.path.contains("/src/") && file.path.ends_with(".rs");
        if !shipped || file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
            continue;
        }
        let tree = syn::parse_file(&file.text).with_context(|| file.path.clone())?;
        let mut reader = Reader {
            file,
            function: Vec::new(),
            locals: &mut locals,
            sites: &mut sites,
            types: types_with_drop(&tree),
        };
        reader.visit_file(&tree);
    }
    locals.sort();
    sites.sort();
    Ok((locals, sites))
}

struct Reader<'a> {
    file: &'a File,
    function: Vec<String>,
    locals: &'a mut Vec<ThreadLocal>,
    sites: &'a mut Vec<LockSite>,
    types: Vec<String>,
}

impl Reader<'_> {
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file.path)
    }

    fn within(&mut self, name: String, f: impl FnOnce(&mut Self)) {
        self.function.push(name);
        f(self);
        self.function.pop();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(item.sig.ident.to_string(), |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = readable(item.self_ty.to_token_stream());
        let name = name.split('<').next().unwrap_or_default().to_owned();
        self.within(name, |reader| visit::visit_item_impl(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(item.sig.ident.to_string(), |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let method = call.method.to_string();
        let takes = matches!(method.as_str(), "lock" | "try_lock" | "lock_against_the_table") && call.args.len() == 1;
        if takes && let Some(lock) = call.args.first() {
            self.sites.push(LockSite {
                at: self.at(call.method.span().start().line),
                function: self.function.join("::"),
                lock: readable(lock.to_token_stream()),
                token: readable(call.receiver.to_token_stream()),
            });
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if name == "thread_state" || name == concat!("thread_", "local") {
            self.locals.extend(locals(call, self.file, &self.types));
        }
    }
}

/// The statics that a thread-local macro declares: `#[doc = ".."] vis static NAME: Type = init`, any number of them.
fn locals(call: &syn::Macro, file: &File, types: &[String]) -> Vec<ThreadLocal> {
    let tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut doc = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            doc.push_str(&doc_text(group.stream()));
        }
        let TokenTree::Ident(word) = token else { continue };
        let (true, Some(TokenTree::Ident(name))) = (word == "static", tokens.get(at + 1)) else { continue };
        let is_end = |t: &&TokenTree| !matches!(t, TokenTree::Punct(p) if p.as_char() == '=');
        let r#type = readable(tokens.iter().skip(at + 3).take_while(is_end).cloned().collect());
        let mechanism = doc.split_once("Mechanism:").map_or(doc.trim(), |(_, text)| text.trim()).to_owned();
        found.push(ThreadLocal {
            at: format!("{}:{}", file.path, name.span().start().line),
            name: name.to_string(),
            destructor: destructor(&r#type, types),
            r#type,
            mechanism,
        });
        doc.clear();
    }
    found
}

fn doc_text(attribute: TokenStream) -> String {
    let mut tokens = attribute.into_iter();
    match (tokens.next(), tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(doc)), Some(_), Some(TokenTree::Literal(text))) if doc == "doc" => {
            format!("{} ", text.to_string().trim_matches('"').trim())
        }
        _ => String::new(),
    }
}

/// What the written type says: cells of plain words have no destructor, lists and types of this file that have `Drop`, or hold what
/// has, do.
fn destructor(r#type: &str, types: &[String]) -> &'static str {
    const PLAIN: [&str; 14] = [
        "Cell", "RefCell", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "bool", "Option", "Duration",
        "Instant",
    ];
    const OWNING: [&str; 7] = ["Vec", "Box", "Arc", "Rc", "String", "HashMap", "VecDeque"];
    let words: Vec<&str> =
        r#type.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    if words.iter().any(|word| OWNING.contains(word) || types.iter().any(|t| t == word)) {
        "yes"
    } else if words.iter().all(|word| PLAIN.contains(word) || types.contains(&format!("!{word}"))) {
        "no"
    } else {
        "unknown"
    }
}

/// Names of the structs of a file that own something (`Drop`, or a field that owns); with `!` before it, those of plain cells.
fn types_with_drop(tree: &syn::File) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for item in &tree.items {
        if let syn::Item::Impl(implementation) = item
            && let Some((_, path, _)) = &implementation.trait_
            && path.is_ident("Drop")
        {
            types.push(readable(implementation.self_ty.to_token_stream()));
        }
    }
    // Until nothing new is found: a struct may hold a struct further down.
    loop {
        let before = types.len();
        for item in &tree.items {
            let syn::Item::Struct(item) = item else { continue };
            let name = item.ident.to_string();
            if types.contains(&name) || types.contains(&format!("!{name}")) {
                continue;
            }
            let fields: Vec<&str> = item.fields.iter().map(|field| destructor(&element(&field.ty), &types)).collect();
            if fields.contains(&"yes") {
                types.push(name);
            } else if fields.iter().all(|field| *field == "no") {
                types.push(format!("!{name}"));
            }
        }
        if types.len() == before {
            return types;
        }
    }
}

/// A type as written; of an array its element, since the length is a word too.
fn element(r#type: &syn::Type) -> String {
    match r#type {
        syn::Type::Array(array) => element(&array.elem),
        other => readable(other.to_token_stream()),
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && readable(attribute.meta.to_token_stream()).contains("test")
    })
}

/// Tokens as people write them.
fn readable(tokens: TokenStream) -> String {
    let mut text = tokens.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (wide, narrow) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        (" . ", "."),
        (" ,", ","),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("<& ", "<&"),
        (" [", "["),
        (" ]", "]"),
        (" ;", ";"),
        ("< ", "<"),
        (" <", "<"),
    ] {
        text = text.replace(wide, narrow);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Vec<ThreadLocal>, Vec<LockSite>) {
        read(&[File { path: "crates/a/src/b.rs".to_owned(), text: text.to_owned() }]).expect("it is Rust")
    }

    #[test]
    fn a_thread_local_is_listed_with_type_destructor_and_mechanism() {
        let text = "struct Lists { all: Vec<u8> }\nmillstream_sync::thread_state! {\n    /// Mechanism: asked politely\n    \
                    static OURS: RefCell<Lists> = RefCell::new(Lists { all: Vec::new() })\n}\n";
        let (locals, _) = of(text);
        assert_eq!(locals.len(), 1);
        assert_eq!((locals[0].at.as_str(), locals[0].name.as_str()), ("crates/a/src/b.rs:4", "OURS"));
        assert_eq!((locals[0].r#type.as_str(), locals[0].destructor), ("RefCell<Lists>", "yes"));
        assert_eq!(locals[0].mechanism, "asked politely");
    }

    #[test]
    fn a_cell_of_a_word_has_no_destructor() {
        let (locals, _) = of("thread_state! { static SEAT: Cell<(u64, usize)> = Cell::new((0, 0)) }");
        assert_eq!(locals[0].destructor, "no");
    }

    #[test]
    fn a_lock_site_is_listed_with_its_function() {
        let (_, sites) = of("impl Pool { fn take(&self) { enter(|held| { held.lock(&self.heap); }) } }");
        let site = &sites[0];
        assert_eq!(
            (site.function.as_str(), site.lock.as_str(), site.token.as_str()),
            ("Pool::take", "&self.heap", "held")
        );
    }

    #[test]
    fn tests_are_not_listed() {
        assert!(of("#[cfg(test)] mod tests { fn a() { held.lock(&x); } }").1.is_empty());
    }
}
