//! A common table expression within a query that has one of the same name: `WITH q AS (..) SELECT .. IN (WITH q AS (..) ..)`.
//!
//! DataFusion keeps the names of all of them in one list and refuses the second. Here it gets a name of its own, and what
//! stands for it keeps the old name as its alias.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, TableAlias,
    TableFactor, VisitorMut,
};

use crate::parser::forms::TABLE_ARGUMENT;
use crate::parser::walk::walk_mut;

/// Renames the common table expressions that would hide one of a query around theirs.
pub(crate) fn rename_shadowing(query: &mut Query) {
    let _ = walk_mut(query, &mut Shadowing { around: vec![], made: 0 });
}

struct Shadowing {
    /// The names that each query around declares.
    around: Vec<HashSet<String>>,
    made: usize,
}

impl VisitorMut for Shadowing {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let count = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
        let mut declared = HashSet::new();
        for i in 0..count {
            let Some(cte) = query.with.as_mut().and_then(|with| with.cte_tables.get_mut(i)) else { break };
            let name = cte.alias.name.value.clone();
            // Two of one name in one WITH are left to be refused.
            if !declared.contains(&name) && self.around.iter().any(|names| names.contains(&name)) {
                self.made += 1;
                let new = format!("__{name}_{}", self.made);
                cte.alias.name.value.clone_from(&new);
                rename(query, i, &name, &new);
                declared.insert(new);
            } else {
                declared.insert(name);
            }
        }
        self.around.push(declared);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }
}

/// Renames what stands in `query` for its common table expression number `of`: in those after it, and in the query itself.
fn rename(query: &mut Query, of: usize, old: &str, new: &str) {
    let mut with = query.with.take();
    let mut rename = Rename { old, new, hidden: 0 };
    for cte in with.iter_mut().flat_map(|w| &mut w.cte_tables).skip(of + 1) {
        let _ = walk_mut(&mut cte.query, &mut rename);
    }
    // Without its WITH the query declares nothing that would hide the name.
    let _ = walk_mut(query, &mut rename);
    query.with = with;
}

struct Rename<'a> {
    old: &'a str,
    new: &'a str,
    /// How many of the queries around declare the name again.
    hidden: usize,
}

impl Rename<'_> {
    fn declared(&self, query: &Query) -> Option<usize> {
        query.with.iter().flat_map(|w| &w.cte_tables).position(|cte| cte.alias.name.value == self.old)
    }

    fn ident<'i>(&self, name: &'i mut ObjectName) -> Option<&'i mut Ident> {
        match name.0.as_mut_slice() {
            [ObjectNamePart::Identifier(ident)] if ident.value == self.old => Some(ident),
            _ => None,
        }
    }

    /// The table that a window function is over.
    fn argument(&self, args: &mut [FunctionArg]) {
        let Some(
            FunctionArg::Unnamed(FunctionArgExpr::Expr(first))
            | FunctionArg::Named { arg: FunctionArgExpr::Expr(first), .. },
        ) = args.first_mut()
        else {
            return;
        };
        match first {
            Expr::Identifier(ident) if ident.value == self.old => ident.value = self.new.to_string(),
            Expr::Function(inner) if inner.name.to_string() == TABLE_ARGUMENT => {
                if let FunctionArguments::List(list) = &mut inner.args {
                    self.argument(&mut list.args);
                }
            }
            _ => {}
        }
    }
}

impl VisitorMut for Rename<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(at) = self.declared(query) {
            // Up to the second declaration the name still means the first.
            if self.hidden == 0 {
                let before = query.with.iter_mut().flat_map(|w| &mut w.cte_tables).take(at + 1);
                for cte in before {
                    let _ = walk_mut(&mut cte.query, self);
                }
            }
            self.hidden += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.hidden -= usize::from(self.declared(query).is_some());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if self.hidden > 0 {
            return ControlFlow::Continue(());
        }
        match factor {
            TableFactor::Table { args: Some(args), .. } => self.argument(&mut args.args),
            TableFactor::Function { args, .. } => self.argument(args),
            TableFactor::TableFunction { expr: Expr::Function(call), .. } => {
                if let FunctionArguments::List(list) = &mut call.args {
                    self.argument(&mut list.args);
                }
            }
            TableFactor::Table { name, alias, .. } => {
                if let Some(ident) = self.ident(name) {
                    let old = std::mem::replace(&mut ident.value, self.new.to_string());
                    let called = Ident { value: old, quote_style: Some('`'), span: ident.span };
                    alias.get_or_insert(TableAlias { explicit: true, name: called, columns: vec![], at: None });
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
