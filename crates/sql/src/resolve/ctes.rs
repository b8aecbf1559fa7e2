//! The names of common table expressions.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, ObjectNamePart, Query, Visitor, VisitorMut};

use crate::catalog::Catalog;
use crate::catalog::names::{Found, find};
use crate::parser::walk::{walk, walk_mut};

/// Writes the names of common table expressions as they were declared, where they differ only in case and no table is meant.
pub(crate) fn settle_ctes(query: &mut Query, catalog: &Catalog) {
    struct Declared(HashSet<String>);
    impl Visitor for Declared {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let ctes = query.with.iter().flat_map(|w| &w.cte_tables);
            self.0.extend(ctes.map(|cte| cte.alias.name.value.clone()));
            ControlFlow::Continue(())
        }
    }
    struct Settle<'a>(&'a HashSet<String>, &'a Catalog);
    impl VisitorMut for Settle<'_> {
        type Break = ();
        fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
            if let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice()
                && !self.1.has(&ident.value)
                && let Found::One(found) = find(&ident.value, self.0.iter().map(String::as_str))
            {
                ident.value = found.to_string();
            }
            ControlFlow::Continue(())
        }
    }
    let mut declared = Declared(HashSet::new());
    let _ = walk(query, &mut declared);
    if !declared.0.is_empty() {
        let _ = walk_mut(query, &mut Settle(&declared.0, catalog));
    }
}
