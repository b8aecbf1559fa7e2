//! `EXCEPT ALL` and `INTERSECT ALL`, which DataFusion answers as if rows were not counted, `MINUS`, which is `EXCEPT`, and `TABLE t`,
//! which is `SELECT * FROM t`.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, SetExpr, SetOperator, SetQuantifier, Spanned, TableFactor,
    TableFunctionArgs, TableWithJoins,
};

use super::finish::{select_all, table_factor};

/// The function in FROM that stands for `EXCEPT ALL`, of two queries.
pub const EXCEPT_ALL: &str = "__except_all";
/// The function in FROM that stands for `INTERSECT ALL`, of two queries.
pub const INTERSECT_ALL: &str = "__intersect_all";

/// Rewrites the set operations of a query.
pub(super) fn rewrite(body: &mut SetExpr) {
    if let SetExpr::Table(table) = body {
        let names = [table.schema_name.take(), table.table_name.take()].into_iter().flatten().map(Ident::new);
        let relation = table_factor(ObjectName::from(names.collect::<Vec<_>>()), vec![]);
        *body = *select_all(vec![TableWithJoins { relation, joins: vec![] }]).body;
    }
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return };
    rewrite(left);
    rewrite(right);
    if *op == SetOperator::Minus {
        *op = SetOperator::Except;
    }
    let name = match (*op, *set_quantifier) {
        (SetOperator::Except, SetQuantifier::All) => EXCEPT_ALL,
        (SetOperator::Intersect, SetQuantifier::All) => INTERSECT_ALL,
        _ => return,
    };
    let span = body.span();
    let SetExpr::SetOperation { left, right, .. } = body else { return };
    let argument = |side: &SetExpr| {
        let query = match side {
            SetExpr::Query(query) => query.as_ref().clone(),
            other => {
                let mut query = select_all(vec![]);
                *query.body = other.clone();
                query
            }
        };
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(Box::new(query))))
    };
    let arguments = vec![argument(left), argument(right)];
    let mut relation = table_factor(ObjectName::from(vec![Ident::with_span(span, name)]), vec![]);
    if let TableFactor::Table { args, .. } = &mut relation {
        *args = Some(TableFunctionArgs { args: arguments, settings: None });
    }
    *body = *select_all(vec![TableWithJoins { relation, joins: vec![] }]).body;
}
