//! What of facts and fleet gets into a value, and whether a command line has it quoted.

use super::super::Unquoted;
use super::super::tree::{argument, children, extent};
use super::Visit;
use minijinja::machinery::ast::{self, CallArg, CallType, Expr};

/// Filters whose result can hold nothing that a shell would read as more than a word.
const HARMLESS: [&str; 8] = [
    "sh", "length", "count", "int", "float", "bool", "abs", "round",
];

impl Visit {
    /// Whether text from facts or fleet may be in the value.
    pub fn is_tainted(&self, expr: &Expr<'_>) -> bool {
        match expr {
            Expr::Var(var) => match self.locals.get(var.id) {
                Some(tainted) => *tainted,
                None => match var.id {
                    "facts" | "fleet" => true,
                    "item" => self.item_tainted,
                    _ => false,
                },
            },
            Expr::Const(_) | Expr::Test(_) | Expr::Compare(_) => false,
            Expr::BinOp(node) if is_comparison(&node.op) => false,
            Expr::Filter(node) if HARMLESS[1..].contains(&node.name) => false,
            Expr::Call(call) => {
                let object = match call.identify_call() {
                    CallType::Method(object, _) | CallType::Object(object) => {
                        self.is_tainted(object)
                    }
                    _ => false,
                };
                object || call.args.iter().any(|arg| self.is_tainted(argument(arg)))
            }
            Expr::Filter(node) => {
                node.expr.iter().any(|e| self.is_tainted(e))
                    || node.args.iter().any(|arg| self.is_tainted(argument(arg)))
            }
            other => children(other).into_iter().any(|e| self.is_tainted(e)),
        }
    }

    /// Whether what an expression puts into a command line is safe there: nothing from facts or
    /// fleet, or quoted last of all.
    pub(super) fn is_quoted(&self, expr: &Expr<'_>) -> bool {
        match expr {
            Expr::Filter(node) if HARMLESS.contains(&node.name) => true,
            Expr::IfExpr(node) => {
                self.is_quoted(&node.true_expr) && node.false_expr.iter().all(|e| self.is_quoted(e))
            }
            Expr::BinOp(node) if matches!(node.op, ast::BinOpKind::Concat) => {
                self.is_quoted(&node.left) && self.is_quoted(&node.right)
            }
            Expr::Call(call) if self.is_macro(call) => true,
            other => !self.is_tainted(other),
        }
    }

    /// A macro of the same template: what it puts out is judged where it stands.
    fn is_macro(&self, call: &ast::Call<'_>) -> bool {
        matches!(call.identify_call(), CallType::Function(name) if self.locals.contains_key(name))
    }
}

/// What is to be done about an expression that is not quoted.
pub(super) fn unquoted(expr: &Expr<'_>) -> Unquoted {
    let span = extent(expr);
    if let Some(list) = each_quoted(expr) {
        return Unquoted {
            span,
            inner: extent(list),
            open: is_open(list),
            list: true,
        };
    }
    let last = match expr {
        Expr::BinOp(node) => Some(&node.right),
        Expr::IfExpr(node) => node.false_expr.as_ref(),
        _ => None,
    };
    let misplaced = match last {
        Some(Expr::Filter(filter)) if filter.name == "sh" => filter.expr.as_ref(),
        _ => None,
    };
    let end = misplaced.map_or(span.end, |operand| extent(operand).end);
    Unquoted {
        inner: span.start..end,
        span,
        open: is_open(expr),
        list: false,
    }
}

/// The list in `list | map('sh') | …`.
fn each_quoted<'t, 'a>(expr: &'t Expr<'a>) -> Option<&'t Expr<'a>> {
    let Expr::Filter(node) = expr else {
        return None;
    };
    let sh = |arg: &CallArg<'_>| {
        argument(arg)
            .as_const()
            .is_some_and(|name| name.as_str() == Some("sh"))
    };
    match node.name {
        "map" if node.args.first().is_some_and(sh) => node.expr.as_ref(),
        _ => each_quoted(node.expr.as_ref()?),
    }
}

/// Whether a filter behind an expression would take but the end of it.
fn is_open(expr: &Expr<'_>) -> bool {
    matches!(
        expr,
        Expr::BinOp(_) | Expr::Compare(_) | Expr::IfExpr(_) | Expr::UnaryOp(_) | Expr::Test(_)
    )
}

fn is_comparison(op: &ast::BinOpKind) -> bool {
    use ast::BinOpKind::{Eq, Gt, Gte, In, Lt, Lte, Ne};
    matches!(op, Eq | Ne | Lt | Lte | Gt | Gte | In)
}
