//! Where a source can be broken, and how: operators, literals, conditions, whole functions, and calls whose result is not used.

use std::ops::Range;

use anyhow::Context;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ImplItem, Item, Lit, ReturnType, Stmt, Type};

/// A place, and what is written around it. The source of the place stays where it is.
#[derive(Debug)]
pub struct Mutant {
    /// The function that the place is in.
    pub function: String,
    /// What is changed to what.
    pub change: String,
    place: Range<usize>,
    /// `$` is the number of the mutant.
    before: String,
    after: &'static str,
}

/// Finds the places of a source, outside of its tests.
pub fn mutants_of(source: &str) -> anyhow::Result<Vec<Mutant>> {
    let file = syn::parse_file(source).context("the source")?;
    let mut finder = Finder { source, function: String::new(), mutants: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.mutants)
}

/// The source with the mutants in it, each an index, a number and the place; and where each is afterwards.
pub fn written(source: &str, mutants: &[(usize, u32, &Mutant)]) -> (String, Vec<(usize, Range<usize>)>) {
    // What is inserted, by its position; at the same one the end of a place comes before the start of another, the outer start before the
    // inner, and the inner end before the outer.
    let mut insertions = Vec::new();
    for (order, (index, number, mutant)) in mutants.iter().enumerate() {
        let (start, end, length) = (mutant.place.start, mutant.place.end, mutant.place.len());
        let order = isize::try_from(order).unwrap_or(isize::MAX);
        let length = isize::try_from(length).unwrap_or(isize::MAX);
        insertions.push((start, 1, -length, order, *index, mutant.before.replace('$', &number.to_string())));
        insertions.push((end, 0, length, -order, *index, mutant.after.to_owned()));
    }
    insertions.sort();
    let (mut text, mut at) = (String::with_capacity(source.len() * 2), 0);
    let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
    for (position, is_start, _, _, index, inserted) in insertions {
        text.push_str(&source[at..position]);
        at = position;
        let begins = text.len();
        text.push_str(&inserted);
        match ranges.iter_mut().find(|(of, _)| *of == index) {
            Some((_, range)) => range.end = text.len(),
            None if is_start == 1 => ranges.push((index, begins..text.len())),
            None => {}
        }
    }
    text.push_str(&source[at..]);
    (text, ranges)
}

struct Finder<'a> {
    source: &'a str,
    function: String,
    mutants: Vec<Mutant>,
}

impl Finder<'_> {
    fn text(&self, spanned: &impl Spanned) -> &str {
        &self.source[spanned.span().byte_range()]
    }

    fn add(&mut self, place: Range<usize>, change: String, before: String, after: &'static str) {
        let change = change.split_whitespace().collect::<Vec<_>>().join(" ");
        self.mutants.push(Mutant { function: self.function.clone(), change, place, before, after });
    }

    /// A place with another expression in its stead.
    fn replace(&mut self, place: &impl Spanned, by: &str) {
        let range = place.span().byte_range();
        let change = format!("{} => {by}", &self.source[range.clone()]);
        self.add(range, change, format!("(if crate::mutant($) {{ {by} }} else {{ "), " })");
    }

    fn function(&mut self, name: &str, output: &ReturnType, block: &syn::Block) {
        let value = match output {
            ReturnType::Default => Some(String::new()),
            ReturnType::Type(_, ty) => value_of(&self.text(ty).to_owned(), ty),
        };
        let outer = std::mem::replace(&mut self.function, name.to_owned());
        if let Some(value) = value.filter(|_| !block.stmts.is_empty()) {
            let start = block.span().byte_range().start + 1;
            let change = format!("the body => {}", if value.is_empty() { "nothing" } else { &value });
            self.add(start..start, change, format!(" if crate::mutant($) {{ return {value}; }} "), "");
        }
        visit::visit_block(self, block);
        self.function = outer;
    }

    fn condition(&mut self, condition: &Expr) {
        if has_let(condition) || matches!(condition, Expr::Binary(_) | Expr::Unary(_) | Expr::Lit(_)) {
            return;
        }
        let negated = format!("!({})", self.text(condition));
        self.replace(condition, &negated);
    }
}

/// A value of a type that says as little as possible.
fn value_of(text: &str, ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    Some(
        match path.path.segments.last()?.ident.to_string().as_str() {
            "bool" => "false",
            "Option" => "None",
            "String" => "String::new()",
            "Vec" => "Vec::new()",
            "Result" if text.starts_with("Result<(), ") => "Ok(())",
            _ => return None,
        }
        .to_owned(),
    )
}

fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

fn is_of_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || matches!(&attribute.meta, syn::Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

fn is_shown_only(item: &syn::ItemImpl) -> bool {
    let name = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
    name.is_some_and(|name| name.ident == "Debug")
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_of_tests(&module.attrs) => {}
            Item::Fn(function) if is_of_tests(&function.attrs) || function.sig.constness.is_some() => {}
            Item::Fn(function) => {
                self.function(&function.sig.ident.to_string(), &function.sig.output, &function.block);
            }
            Item::Impl(item) if is_of_tests(&item.attrs) || is_shown_only(item) => {}
            Item::Impl(_) | Item::Mod(_) | Item::Trait(_) => visit::visit_item(self, item),
            _ => {}
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if let ImplItem::Fn(function) = item
            && function.sig.constness.is_none()
            && !is_of_tests(&function.attrs)
        {
            self.function(&function.sig.ident.to_string(), &function.sig.output, &function.block);
        }
    }

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(Expr::MethodCall(_) | Expr::Call(_), Some(_)) = statement {
            let change = format!("{} => nothing", self.text(statement));
            self.add(statement.span().byte_range(), change, "if !crate::mutant($) { ".to_owned(), " }");
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_if(&mut self, expression: &'ast syn::ExprIf) {
        self.condition(&expression.cond);
        visit::visit_expr_if(self, expression);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let other = match binary.op {
            BinOp::Eq(_) => Some("!="),
            BinOp::Ne(_) => Some("=="),
            BinOp::Lt(_) => Some("<="),
            BinOp::Le(_) => Some("<"),
            BinOp::Gt(_) => Some(">="),
            BinOp::Ge(_) => Some(">"),
            BinOp::And(_) => Some("||"),
            BinOp::Or(_) => Some("&&"),
            _ => None,
        };
        if let Some(other) = other
            && !has_let(&Expr::Binary(binary.clone()))
        {
            let by = format!("({}) {other} ({})", self.text(&binary.left), self.text(&binary.right));
            self.replace(binary, &by);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        if matches!(unary.op, syn::UnOp::Not(_)) {
            let by = self.text(&unary.expr).to_owned();
            self.replace(unary, &by);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_lit(&mut self, literal: &'ast syn::ExprLit) {
        match &literal.lit {
            Lit::Bool(value) => self.replace(literal, if value.value { "false" } else { "true" }),
            Lit::Int(value) => self.replace(literal, &format!("{value} + 1")),
            _ => {}
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let other = match call.method.to_string().as_str() {
            "min" => "max",
            "max" => "min",
            "all" => "any",
            "any" => "all",
            "is_some" => "is_none",
            "is_none" => "is_some",
            _ => "",
        };
        if !other.is_empty() {
            let arguments = call.args.iter().map(|argument| self.text(argument)).collect::<Vec<_>>().join(", ");
            let by = format!("{}.{other}({arguments})", self.text(&call.receiver));
            self.replace(call, &by);
        }
        visit::visit_expr_method_call(self, call);
    }
}
