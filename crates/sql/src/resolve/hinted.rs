//! Tables with a hint behind their name: `t /*+ OPTIONS('key' = 'value') */`.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use sqlparser::ast::{Ident, ObjectName, Query, Spanned, TableAlias, TableFactor, VisitorMut};
use tidemill_core::{Error, Result};

use super::Provider;
use crate::parser::finish::hinted_options;
use crate::parser::source::place;
use crate::parser::walk::walk_mut;
use crate::session::Planner;

impl Planner {
    /// Opens the tables with a hint behind their name, each with its own options, and names them in the query.
    pub(crate) fn open_hinted(&self, query: &mut Query) -> Result<()> {
        match walk_mut(query, &mut OpenHinted(self)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(e) => Err(e),
        }
    }
}

struct OpenHinted<'a>(&'a Planner);

impl VisitorMut for OpenHinted<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, with_hints, .. } = factor else { return ControlFlow::Continue(()) };
        if with_hints.is_empty() {
            return ControlFlow::Continue(());
        }
        let options = hinted_options(&std::mem::take(with_hints));
        match self.open(name, &options) {
            Ok((table, opened)) => {
                alias.get_or_insert_with(|| TableAlias {
                    explicit: true,
                    name: Ident::new(table),
                    columns: vec![],
                    at: None,
                });
                *name = ObjectName::from(vec![Ident::with_quote_and_span('`', name.span(), opened)]);
                ControlFlow::Continue(())
            }
            Err(e) => ControlFlow::Break(e.at(place(name.span()))),
        }
    }
}

impl OpenHinted<'_> {
    /// Opens the table with these options; its name, and the name under which it was opened.
    fn open(&self, name: &ObjectName, options: &[(String, String)]) -> Result<(String, String)> {
        let parts = name.0.iter().filter_map(|p| p.as_ident()).map(|i| i.value.as_str()).collect::<Vec<_>>();
        let table = self.0.catalog.table(&parts.join("."))?;
        let opened = format!("{} /*+ {options:?} */", table.name);
        let relation = Provider { planner: self.0 }.table(&table.with_options(options)?)?;
        let mut relations = self.0.relations.lock().unwrap_or_else(PoisonError::into_inner);
        relations.insert(opened.clone(), Arc::new(relation));
        Ok((table.name.clone(), opened))
    }
}
