//! Marks each `FROM` that joins by the names of columns.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint, JoinOperator, Query, Select,
    SelectItem, Spanned, TableAlias, TableFactor, TableWithJoins, VisitorMut,
};

use crate::parser::finish::select_all;
use crate::parser::forms::TABLE_ARGUMENT;
use crate::parser::walk::walk_mut;
use crate::resolve::Node;

/// How the alias of a marked `FROM` begins; its number follows.
const MARK: &str = "__using_";

/// Puts each `FROM` with `USING` or `NATURAL` into parentheses with a name of its own.
pub(crate) fn mark(query: &mut Query) {
    let _ = walk_mut(query, &mut Marker::default());
}

/// The number of the mark, if it is one.
pub(super) fn number(factor: &TableFactor) -> Option<(usize, &TableWithJoins)> {
    let TableFactor::NestedJoin { table_with_joins, alias: Some(alias) } = factor else { return None };
    Some((alias.name.value.strip_prefix(MARK)?.parse().ok()?, table_with_joins))
}

/// Marks each `FROM` of a `SELECT` that has `*` beside other columns. Whether there was one.
pub(in crate::resolve) fn mark_stars<N: Node>(node: &mut N) -> bool {
    // Numbers that the other marks do not have.
    let mut marker = Marker { stars: true, made: STARS, ..Marker::default() };
    let _ = walk_mut(node, &mut marker);
    marker.made > STARS
}

/// Above every number of the other marks.
const STARS: usize = 1_000_000;

/// Whether a mark stands for `*` beside other columns.
pub(super) fn is_of_stars(number: usize) -> bool {
    number > STARS
}

/// Names the queries and window functions in a `FROM` of several that have no name. Whether there was one.
pub(in crate::resolve) fn name_parts<N: Node>(node: &mut N) -> bool {
    struct Parts(Marker);
    impl VisitorMut for Parts {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            if select.from.len() > 1 || select.from.iter().any(|from| !from.joins.is_empty()) {
                select.from.iter_mut().for_each(|from| self.0.name(from));
            }
            ControlFlow::Continue(())
        }
    }
    let mut parts = Parts(Marker::default());
    let _ = walk_mut(node, &mut parts);
    parts.0.named > 0
}

#[derive(Default)]
struct Marker {
    /// Whether those with `*` are marked, and not those that join by names.
    stars: bool,
    made: usize,
    named: usize,
}

impl VisitorMut for Marker {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        select.from.iter_mut().for_each(named_joins);
        let wanted = match self.stars {
            true => select.projection.len() > 1 && select.projection.iter().any(is_star),
            false => select.from.iter().any(joins_by_name),
        };
        if !wanted {
            return ControlFlow::Continue(());
        }
        let mut all = std::mem::take(&mut select.from).into_iter();
        let Some(mut whole) = all.next() else { return ControlFlow::Continue(()) };
        // A comma is a cross join.
        whole.joins.extend(all.map(|next| Join {
            relation: match next.joins.is_empty() {
                true => next.relation,
                false => TableFactor::NestedJoin { table_with_joins: Box::new(next), alias: None },
            },
            global: false,
            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
        }));
        if !whole.joins.is_empty() {
            self.name(&mut whole);
        }
        self.made += 1;
        let alias = Some(named(Ident::new(format!("{MARK}{}", self.made))));
        let marked = TableFactor::NestedJoin { table_with_joins: Box::new(whole), alias };
        select.from = vec![TableWithJoins { relation: marked, joins: vec![] }];
        ControlFlow::Continue(())
    }
}

/// `*` or `t.*`, which are written out when their columns are known.
pub(super) fn is_star(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

impl Marker {
    /// Names the parts that have no name, since the columns of both sides are told apart by it.
    fn name(&mut self, joined: &mut TableWithJoins) {
        let parts = std::iter::once(&mut joined.relation).chain(joined.joins.iter_mut().map(|j| &mut j.relation));
        for part in parts {
            let span = part.span();
            let alias = match part {
                TableFactor::Derived { alias, .. } => alias,
                TableFactor::TableFunction { expr, alias } => {
                    if alias.is_none() {
                        // As if it were the table that it is over.
                        *alias = table_of(expr).map(named);
                        self.named += usize::from(alias.is_some());
                    }
                    alias
                }
                TableFactor::NestedJoin { table_with_joins, alias: None } => {
                    self.name(table_with_joins);
                    continue;
                }
                _ => continue,
            };
            if alias.is_none() {
                self.named += 1;
                *alias = Some(named(Ident::with_span(span, format!("__part_{}", self.named))));
            }
        }
    }
}

fn named(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: vec![], at: None }
}

/// The table that a window function is over, where it is one with a name.
fn table_of(call: &Expr) -> Option<Ident> {
    let Expr::Function(function) = call else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let (FunctionArg::Unnamed(FunctionArgExpr::Expr(first))
    | FunctionArg::Named { arg: FunctionArgExpr::Expr(first), .. }) = list.args.first()?
    else {
        return None;
    };
    match first {
        Expr::Identifier(name) => Some(name.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().cloned(),
        Expr::Function(inner) if inner.name.to_string() == TABLE_ARGUMENT => table_of(first),
        _ => None,
    }
}

/// `(a JOIN b USING (k)) AS j` as a query of that name.
fn named_joins(joined: &mut TableWithJoins) {
    let parts = std::iter::once(&mut joined.relation).chain(joined.joins.iter_mut().map(|j| &mut j.relation));
    for part in parts {
        let TableFactor::NestedJoin { table_with_joins, alias } = part else { continue };
        named_joins(table_with_joins);
        if alias.is_some() && joins_by_name(table_with_joins) && number(part).is_none() {
            let TableFactor::NestedJoin { table_with_joins, alias } = part else { continue };
            let subquery = Box::new(select_all(vec![table_with_joins.as_ref().clone()]));
            *part = TableFactor::Derived { lateral: false, subquery, alias: alias.take(), sample: None };
        }
    }
}

fn joins_by_name(joined: &TableWithJoins) -> bool {
    let within = |part: &TableFactor| match part {
        TableFactor::NestedJoin { table_with_joins, alias: None } => joins_by_name(table_with_joins),
        _ => false,
    };
    let by_name = |join: &Join| {
        matches!(constraint(&join.join_operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
            || within(&join.relation)
    };
    within(&joined.relation) || joined.joins.iter().any(by_name)
}

/// What says which rows fit.
pub(super) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator::*;
    match operator {
        Join(c) | Inner(c) | Left(c) | LeftOuter(c) | Right(c) | RightOuter(c) | FullOuter(c) | CrossJoin(c)
        | Semi(c) | LeftSemi(c) | RightSemi(c) | Anti(c) | LeftAnti(c) | RightAnti(c) => Some(c),
        _ => None,
    }
}

/// The same, to be written.
pub(super) fn constraint_mut(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    use JoinOperator::*;
    match operator {
        Join(c) | Inner(c) | Left(c) | LeftOuter(c) | Right(c) | RightOuter(c) | FullOuter(c) | CrossJoin(c)
        | Semi(c) | LeftSemi(c) | RightSemi(c) | Anti(c) | LeftAnti(c) | RightAnti(c) => Some(c),
        _ => None,
    }
}
