//! The shape of minijinja's syntax trees: what lies in what, and where.

use super::range;
use minijinja::machinery::ast::{CallArg, Expr, Stmt};

/// From where an expression begins, not only from its last operator, to its end.
pub fn extent(expr: &Expr<'_>) -> std::ops::Range<usize> {
    let own = range(expr.span());
    let first = match expr {
        Expr::Filter(node) => node.expr.as_ref(),
        Expr::Test(node) => Some(&node.expr),
        Expr::Call(node) => Some(&node.expr),
        Expr::IfExpr(node) => Some(&node.true_expr),
        Expr::UnaryOp(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => None,
        other => children(other).into_iter().next(),
    };
    first.map_or(own.start, |first| extent(first).start)..own.end
}

pub fn argument<'t, 'a>(arg: &'t CallArg<'a>) -> &'t Expr<'a> {
    match arg {
        CallArg::Pos(e) | CallArg::Kwarg(_, e) | CallArg::PosSplat(e) | CallArg::KwargSplat(e) => e,
    }
}

/// The variable and the constant attributes of `a.b["c"]`.
pub fn path_of<'t, 'a>(expr: &'t Expr<'a>) -> Option<(&'a str, Vec<&'t str>)> {
    match expr {
        Expr::Var(var) => Some((var.id, Vec::new())),
        Expr::GetAttr(node) => {
            let (root, mut path) = path_of(&node.expr)?;
            path.push(node.name);
            Some((root, path))
        }
        Expr::GetItem(node) => {
            let (root, mut path) = path_of(&node.expr)?;
            let Expr::Const(key) = &node.subscript_expr else {
                return None;
            };
            path.push(key.value.as_str()?);
            Some((root, path))
        }
        _ => None,
    }
}

pub fn children<'t, 'a>(expr: &'t Expr<'a>) -> Vec<&'t Expr<'a>> {
    match expr {
        Expr::Var(_) | Expr::Const(_) | Expr::Filter(_) | Expr::Test(_) | Expr::Call(_) => vec![],
        Expr::Slice(node) => {
            let ends = [&node.start, &node.stop, &node.step];
            std::iter::once(&node.expr)
                .chain(ends.into_iter().flatten())
                .collect()
        }
        Expr::UnaryOp(node) => vec![&node.expr],
        Expr::BinOp(node) => vec![&node.left, &node.right],
        Expr::Compare(node) => {
            let ops = node.ops.iter().map(|op| &op.expr);
            std::iter::once(&node.expr).chain(ops).collect()
        }
        Expr::IfExpr(node) => [&node.test_expr, &node.true_expr]
            .into_iter()
            .chain(&node.false_expr)
            .collect(),
        Expr::GetAttr(node) => vec![&node.expr],
        Expr::GetItem(node) => vec![&node.expr, &node.subscript_expr],
        Expr::List(node) => node.items.iter().collect(),
        Expr::Tuple(node) => node.items.iter().collect(),
        Expr::Map(node) => node.keys.iter().chain(&node.values).collect(),
    }
}

pub fn bodies<'t, 'a>(statement: &'t Stmt<'a>) -> Vec<&'t [Stmt<'a>]> {
    match statement {
        Stmt::Template(node) => vec![&node.children],
        Stmt::ForLoop(node) => vec![&node.body, &node.else_body],
        Stmt::IfCond(node) => vec![&node.true_body, &node.false_body],
        Stmt::WithBlock(node) => vec![&node.body],
        Stmt::SetBlock(node) => vec![&node.body],
        Stmt::AutoEscape(node) => vec![&node.body],
        Stmt::FilterBlock(node) => vec![&node.body],
        Stmt::Block(node) => vec![&node.body],
        Stmt::Macro(node) => vec![&node.body],
        Stmt::CallBlock(node) => vec![&node.macro_decl.body],
        _ => vec![],
    }
}
