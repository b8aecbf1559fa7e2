//! Aggregates of the query around a subquery: `GROUP BY dept HAVING EXISTS (SELECT 1 FROM b WHERE b.amount < MIN(e.salary))`.
//!
//! An aggregate belongs to the query whose columns it reads, in HAVING and in the SELECT list. DataFusion takes it for one of the
//! subquery, so that it is written as what it means there: the aggregate over the rows of the group, as a subquery of its own. That is
//! done where one table is grouped by columns, or is one group for the aggregate's sake, and the aggregate names the table.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor,
    VisitorMut,
};

use super::finish::select_all;
use super::having::{self, is_known_aggregate};
use super::walk::walk_mut;

/// The name of the table whose rows are aggregated.
const GROUP: &str = "__group";

/// Rewrites the SELECT list and the HAVING of a SELECT.
pub(super) fn rewrite(select: &mut Select) {
    let ([from], GroupByExpr::Expressions(groups, modifiers)) = (select.from.as_slice(), &select.group_by) else {
        return;
    };
    let Some(table) = name_of(&from.relation).filter(|_| from.joins.is_empty() && modifiers.is_empty()) else { return };
    let Some(keys) = groups.iter().map(|g| key(g, &table)).collect::<Option<Vec<_>>>() else { return };
    let mut relation = from.relation.clone();
    let alias = match &mut relation {
        TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias,
        _ => return,
    };
    let columns = alias.take().map(|a| a.columns).unwrap_or_default();
    *alias = Some(TableAlias { explicit: true, name: Ident::new(GROUP), columns, at: None });
    let mut rows = select_all(vec![]);
    if let SetExpr::Select(of) = rows.body.as_mut() {
        of.from = vec![sqlparser::ast::TableWithJoins { relation, joins: vec![] }];
        let mut condition = select.selection.clone();
        let _ = walk_mut(&mut condition, &mut Rename { table: &table });
        let column = |of: &str, key: &Ident| Box::new(Expr::CompoundIdentifier(vec![Ident::new(of), key.clone()]));
        let same = keys.iter().map(|key| Expr::IsNotDistinctFrom(column(GROUP, key), column(&table.value, key)));
        let all = condition.map(|c| Expr::Nested(Box::new(c))).into_iter().chain(same);
        let both =
            |left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) };
        of.selection = all.reduce(both);
    }
    let mut outer = Outer { table: &table, rows: &rows, hidden: vec![], found: false };
    // It never breaks.
    let _ = walk_mut(&mut select.projection, &mut outer);
    let _ = walk_mut(&mut select.having, &mut outer);
    if outer.found && keys.is_empty() {
        having::one_group(select);
    }
}

fn name_of(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), args: None, .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// The column that is grouped by.
fn key(group: &Expr, table: &Ident) -> Option<Ident> {
    match group {
        Expr::Identifier(name) => Some(name.clone()),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [of, name] if of.value == table.value => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Gives the columns of a table its name within the aggregated rows.
struct Rename<'a> {
    table: &'a Ident,
}

impl VisitorMut for Rename<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && parts[0].value == self.table.value
        {
            parts[0].value = GROUP.into();
        }
        ControlFlow::Continue(())
    }
}

/// Puts subqueries in the place of aggregates of the outer table.
struct Outer<'a> {
    table: &'a Ident,
    /// The rows of the group.
    rows: &'a Query,
    /// For each subquery around: whether it has a table of that name itself.
    hidden: Vec<bool>,
    /// Whether there was such an aggregate.
    found: bool,
}

impl Outer<'_> {
    /// Whether all columns that the aggregate reads are those of the outer table.
    fn is_outer(&self, function: &Function) -> bool {
        struct Reads<'a> {
            table: &'a Ident,
            outer: bool,
            others: bool,
        }
        impl VisitorMut for Reads<'_> {
            type Break = ();
            fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                match expr {
                    Expr::CompoundIdentifier(parts) if parts[0].value == self.table.value => self.outer = true,
                    Expr::CompoundIdentifier(_) | Expr::Identifier(_) => self.others = true,
                    _ => {}
                }
                ControlFlow::Continue(())
            }
        }
        let mut reads = Reads { table: self.table, outer: false, others: false };
        let _ = walk_mut(&mut function.clone(), &mut reads);
        reads.outer && !reads.others
    }
}

impl VisitorMut for Outer<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let own = match query.body.as_ref() {
            SetExpr::Select(select) => {
                let factors = select
                    .from
                    .iter()
                    .flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation)));
                factors.filter_map(name_of).any(|name| name.value == self.table.value)
            }
            _ => true,
        };
        self.hidden.push(own);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.hidden.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && !self.hidden.is_empty()
            && !self.hidden.iter().any(|hidden| *hidden)
            && is_known_aggregate(function)
            && self.is_outer(function)
        {
            let mut aggregate = expr.clone();
            let _ = walk_mut(&mut aggregate, &mut Rename { table: self.table });
            let mut query = self.rows.clone();
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
            }
            *expr = Expr::Subquery(Box::new(query));
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}
