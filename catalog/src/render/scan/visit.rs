//! One walk over a template's syntax tree.

mod taint;

use super::tree::{argument, bodies, children, extent, path_of};
use super::{Constant, Include, Use, Uses, range};
use minijinja::machinery::ast::{self, CallArg, CallType, Expr, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Variables that minijinja brings, and those of loops and macros.
const BUILT_IN: [&str; 8] = [
    "range",
    "dict",
    "namespace",
    "loop",
    "caller",
    "self",
    "super",
    "varargs",
];

/// What there always is, so that nobody need ask for it.
const OURS: [&str; 4] = ["params", "facts", "fleet", "member"];

/// What there is of the two that have no keys of their own.
const FLEET: &[&str] = &["fleet.members", "fleet.peers"];
const MEMBER: &[&str] = &["member.id", "member.joining"];

pub struct Visit {
    uses: Uses,
    item_tainted: bool,
    /// Names that the template sets anywhere, and whether a value of facts or fleet gets into them.
    /// One scope for all: at worst `sh` is asked for where it is not needed.
    locals: BTreeMap<String, bool>,
    /// Names of which the template asks whether they are there.
    asked: BTreeSet<String>,
}

impl Visit {
    pub fn new(item_tainted: bool) -> Self {
        Self {
            uses: Uses::default(),
            item_tainted,
            locals: BTreeMap::new(),
            asked: BTreeSet::new(),
        }
    }

    /// In a file that others include, with names that they bring along.
    pub fn within(known: &BTreeSet<String>) -> Self {
        let mut visit = Self::new(false);
        visit.locals = known.iter().map(|name| (name.clone(), false)).collect();
        visit
    }

    /// What was found. Rendering finds whoever reads a name that is not there in spite of having asked.
    pub fn finish(self) -> Uses {
        let (mut uses, asked) = (self.uses, self.asked);
        uses.variables.retain(|used| !asked.contains(&used.name));
        if asked.contains("item") {
            uses.item.clear();
        }
        uses.sets = self.locals.into_keys().chain(asked).collect();
        uses
    }

    /// Learns which names the template sets, until nothing more becomes tainted.
    pub fn learn(&mut self, tree: &Stmt<'_>) {
        loop {
            let before = self.locals.clone();
            self.assigned(tree);
            if self.locals == before {
                return;
            }
        }
    }

    fn set(&mut self, target: &Expr<'_>, tainted: bool) {
        match target {
            Expr::Var(var) => {
                let known = self.locals.entry(var.id.to_owned()).or_default();
                *known |= tainted;
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.set(item, tainted)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.set(item, tainted)),
            Expr::GetAttr(attr) => self.set(&attr.expr, tainted),
            _ => {}
        }
    }

    fn assigned(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::ForLoop(node) => {
                let tainted = self.is_tainted(&node.iter);
                self.set(&node.target, tainted);
            }
            Stmt::Set(node) => {
                let tainted = self.is_tainted(&node.expr);
                self.set(&node.target, tainted);
            }
            Stmt::SetBlock(node) => self.set(&node.target, false),
            Stmt::WithBlock(node) => {
                for (target, value) in &node.assignments {
                    let tainted = self.is_tainted(value);
                    self.set(target, tainted);
                }
            }
            Stmt::Macro(node) => {
                self.locals.insert(node.name.to_owned(), false);
                node.args.iter().for_each(|arg| self.set(arg, true));
            }
            Stmt::CallBlock(node) => {
                node.macro_decl
                    .args
                    .iter()
                    .for_each(|arg| self.set(arg, true));
            }
            Stmt::Import(node) => self.set(&node.name, false),
            Stmt::FromImport(node) => {
                for (name, alias) in &node.names {
                    self.set(alias.as_ref().unwrap_or(name), false);
                }
            }
            _ => {}
        }
        for body in bodies(statement) {
            body.iter().for_each(|child| self.assigned(child));
        }
    }

    pub fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::EmitExpr(node) => {
                self.expression(&node.expr);
                if !self.is_quoted(&node.expr) {
                    self.uses.unquoted.push(taint::unquoted(&node.expr));
                }
            }
            Stmt::ForLoop(node) => {
                self.expression(&node.iter);
                node.filter_expr.iter().for_each(|e| self.expression(e));
            }
            Stmt::IfCond(node) => self.expression(&node.expr),
            Stmt::WithBlock(node) => node
                .assignments
                .iter()
                .for_each(|(_, e)| self.expression(e)),
            Stmt::Set(node) => self.expression(&node.expr),
            Stmt::SetBlock(node) => node.filter.iter().for_each(|e| self.expression(e)),
            Stmt::FilterBlock(node) => self.expression(&node.filter),
            Stmt::AutoEscape(node) => self.expression(&node.enabled),
            Stmt::Import(node) => self.include(&node.expr, false, false),
            Stmt::FromImport(node) => self.include(&node.expr, false, false),
            Stmt::Extends(node) => self.include(&node.name, false, true),
            Stmt::Include(node) => self.include(&node.name, node.ignore_missing, false),
            Stmt::Macro(node) => node.defaults.iter().for_each(|e| self.expression(e)),
            Stmt::CallBlock(node) => self.call(&node.call),
            Stmt::Do(node) => self.call(&node.call),
            Stmt::Template(_) | Stmt::EmitRaw(_) | Stmt::Block(_) => {}
        }
        for body in bodies(statement) {
            body.iter().for_each(|child| self.statement(child));
        }
    }

    fn include(&mut self, written: &Expr<'_>, may_miss: bool, extends: bool) {
        let names = names(written).filter(|names| !extends || names.len() == 1);
        if names.is_none() {
            self.expression(written);
        }
        self.uses.includes.push(Include {
            names,
            may_miss,
            extends,
            span: range(written.span()),
        });
    }

    pub fn expression(&mut self, expr: &Expr<'_>) {
        self.uses.extents.push(extent(expr));
        if let Some((root, path)) = path_of(expr) {
            let mut inner = expr;
            while let Expr::GetAttr(_) | Expr::GetItem(_) = inner
                && let Some(object) = children(inner).into_iter().next()
            {
                self.uses.extents.push(extent(object));
                inner = object;
            }
            return self.variable(root, &path, expr);
        }
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::Filter(node) => {
                self.uses.filters.push(Use {
                    name: node.name.to_owned(),
                    span: range(expr.span()),
                });
                let or_else = ["default", "d"].contains(&node.name);
                let asked = node.expr.as_ref().filter(|e| or_else && plain(e).is_some());
                if asked.is_none() {
                    node.expr.iter().for_each(|e| self.expression(e));
                }
                self.arguments(&node.args);
            }
            Expr::Test(node) => {
                self.uses.tests.push(Use {
                    name: node.name.to_owned(),
                    span: range(expr.span()),
                });
                match plain(&node.expr) {
                    Some(name) if ["defined", "undefined"].contains(&node.name) => {
                        self.asked.insert(name.to_owned());
                    }
                    _ => self.expression(&node.expr),
                }
                self.arguments(&node.args);
            }
            other => children(other).into_iter().for_each(|e| self.expression(e)),
        }
    }

    fn call(&mut self, call: &ast::Spanned<ast::Call<'_>>) {
        match call.identify_call() {
            CallType::Method(Expr::Var(var), method) if var.id == "fleet" => {
                self.fleet_call(method, call);
            }
            CallType::Method(object, _) => self.expression(object),
            CallType::Function(name) => {
                if let [arg] = call.args.as_slice() {
                    let path = path_of(argument(arg));
                    let path = path.map(|(root, path)| [&[root], &*path].concat().join("."));
                    self.uses.called.entry(name.to_owned()).or_insert(path);
                }
                self.name(name, range(call.expr.span()));
            }
            CallType::Object(object) => self.expression(object),
            CallType::Block(_) => {}
        }
        self.arguments(&call.args);
    }

    fn fleet_call(&mut self, method: &str, call: &ast::Spanned<ast::Call<'_>>) {
        let span = extent(&call.expr).start..range(call.span()).end;
        match method {
            "members" => {
                let constant = match call.args.as_slice() {
                    [CallArg::Pos(role)] => role.as_const(),
                    _ => None,
                };
                let name = constant.and_then(|role| role.as_str().map(str::to_owned));
                self.uses.members.push(Constant { name, span });
            }
            "peers" => self.uses.peers.push(span),
            other => self.uses.unknown.push((
                Use {
                    name: format!("fleet.{other}"),
                    span,
                },
                FLEET,
            )),
        }
    }

    fn arguments(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            self.expression(argument(arg));
        }
    }

    fn variable(&mut self, root: &str, path: &[&str], expr: &Expr<'_>) {
        let span = extent(expr);
        let named = |name: String| Use {
            name,
            span: span.clone(),
        };
        let whole = || [&[root], path].concat().join(".");
        match root {
            _ if self.locals.contains_key(root) => {}
            "params" => match path.first() {
                Some(name) => self.uses.params.push(named((*name).to_owned())),
                None => self.uses.all_params = true,
            },
            "facts" => self.uses.facts.push(named(path.join("."))),
            "fleet" => self.uses.unknown.push((named(whole()), FLEET)),
            "member" if matches!(path, ["id" | "joining"]) => self.uses.member.push(span),
            "member" => self.uses.unknown.push((named(whole()), MEMBER)),
            "item" => self.uses.item.push(span),
            _ => self.name(root, span.start..span.start + root.len()),
        }
    }

    fn name(&mut self, name: &str, span: std::ops::Range<usize>) {
        if !self.locals.contains_key(name) && !BUILT_IN.contains(&name) {
            self.uses.variables.push(Use {
                name: name.to_owned(),
                span,
            });
        }
    }
}

/// The name of a variable that stands alone and may not be there.
fn plain<'a>(expr: &Expr<'a>) -> Option<&'a str> {
    match expr {
        Expr::Var(var) => Some(var.id).filter(|name| !OURS.contains(name)),
        _ => None,
    }
}

/// The file that a constant names, or the files of which the first that is there counts.
fn names(written: &Expr<'_>) -> Option<Vec<String>> {
    let constant = written.as_const()?;
    let name = |value: &minijinja::Value| value.as_str().map(str::to_owned);
    match name(&constant) {
        Some(one) => Some(vec![one]),
        None => constant
            .try_iter()
            .ok()?
            .map(|value| name(&value))
            .collect(),
    }
}
