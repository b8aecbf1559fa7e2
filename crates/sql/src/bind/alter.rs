//! `ALTER TABLE` and `ALTER VIEW`: the statement that made the table, changed, makes it anew.
//!
//! Queries that run already go on as they began; views are planned anew whenever they are read.

use std::sync::Arc;

use sqlparser::ast;
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result};

use super::{Connect, create_table, like, view};
use crate::catalog::names::find_one;
use crate::catalog::{Catalog, Entry, Table, View};
use crate::parser::source::Source;
use crate::parser::types::quoted;
use crate::parser::walk::any_expression;
use crate::parser::{Alter, Change, ColumnDef, ColumnDefKind, CreateTable, CreateView, Name, Position, Statement};

/// Does what the statement says; what there is to say about it.
pub(crate) async fn alter(
    catalog: &Catalog,
    alter: &Alter,
    statement: &Statement,
    connect: &dyn Connect,
) -> Result<String> {
    let name = &alter.name;
    match catalog.entry(&name.value) {
        Err(_) if alter.if_exists => Ok(format!("there is no {} '{name}'", if alter.view { "view" } else { "table" })),
        Err(e) => Err(e.at(name.span)),
        Ok(Entry::View(found)) if alter.view => of_view(catalog, &found, alter, statement),
        Ok(Entry::Table(found)) if !alter.view => of_table(catalog, &found, alter, connect).await,
        Ok(Entry::View(found)) => {
            let e = Error::statement(format!("'{}' is a view, not a table", found.name));
            Err(e.with_hint("Write ALTER VIEW.").at(name.span))
        }
        Ok(Entry::Table(found)) => {
            let e = Error::statement(format!("'{}' is a table, not a view", found.name));
            Err(e.with_hint("Write ALTER TABLE.").at(name.span))
        }
    }
}

fn of_view(catalog: &Catalog, found: &View, alter: &Alter, statement: &Statement) -> Result<String> {
    match &alter.change {
        Change::Rename(new) => {
            free(catalog, new)?;
            let ddl = under_another_name(&found.ddl, &new.value)?;
            let renamed = View { name: new.value.clone(), ddl, ..found.clone() };
            catalog.remove(&found.name);
            catalog.add(new.value.clone(), Entry::View(Arc::new(renamed)))?;
            Ok(format!("view '{}' is now '{new}'", found.name))
        }
        Change::Query(query, text) => {
            let name = Name { value: found.name.clone(), span: alter.name.span };
            let create = CreateView {
                name,
                columns: vec![],
                query: query.as_ref().clone(),
                if_not_exists: false,
                or_replace: true,
            };
            let text = format!("CREATE VIEW {} AS {text}", quoted(&found.name));
            view::create(catalog, &create, &Statement { text, ..statement.clone() })?;
            Ok(format!("view '{}' altered", found.name))
        }
        _ => Err(Error::internal("a change of a table").at(alter.name.span)),
    }
}

/// A `CREATE VIEW` with another name in it.
fn under_another_name(ddl: &str, name: &str) -> Result<String> {
    let source = Source::new(ddl)?;
    let word = |i: usize, word: &str| matches!(source.tokens.get(i).map(|t| &t.token), Some(Token::Word(w)) if w.value.eq_ignore_ascii_case(word));
    let view = (0..source.tokens.len())
        .find(|i| word(*i, "VIEW"))
        .ok_or_else(|| Error::internal("a view without its statement"))?;
    let mut behind = if word(view + 1, "IF") { view + 5 } else { view + 2 };
    while source.tokens.get(behind).is_some_and(|t| t.token == Token::Period) {
        behind += 2;
    }
    Ok(format!("CREATE VIEW {} {}", quoted(name), source.text_of(behind..source.tokens.len())))
}

async fn of_table(catalog: &Catalog, found: &Table, alter: &Alter, connect: &dyn Connect) -> Result<String> {
    let at = alter.name.span;
    let mut create = like::definition(found).map_err(|_| {
        Error::unsupported(format!("table '{}' was registered by the program, and is changed there", found.name)).at(at)
    })?;
    if let Change::Rename(new) = &alter.change {
        free(catalog, new)?;
        create.name.value.clone_from(&new.value);
    } else {
        change(&mut create, &alter.change).map_err(|e| if e.span().is_some() { e } else { e.at(at) })?;
    }
    // The places are those of the statement that made the table, which is not at hand.
    let table = create_table::bind(catalog, &create, connect).await.map_err(|e| {
        let here = Error::new(e.kind(), e.message()).at(at);
        match e.hint() {
            Some(hint) => here.with_hint(hint),
            None => here,
        }
    })?;
    if table.name == found.name {
        catalog.replace(table.name.clone(), Entry::Table(Arc::new(table)));
        return Ok(format!("table '{}' altered", found.name));
    }
    let new = table.name.clone();
    catalog.remove(&found.name);
    catalog.add(new.clone(), Entry::Table(Arc::new(table)))?;
    Ok(format!("table '{}' is now '{new}'", found.name))
}

fn free(catalog: &Catalog, name: &Name) -> Result<()> {
    match catalog.has(&name.value) {
        true => Err(Error::statement(format!("there is a table or view called '{name}' already")).at(name.span)),
        false => Ok(()),
    }
}

fn change(create: &mut CreateTable, change: &Change) -> Result<()> {
    match change {
        Change::Set(options) => {
            for (key, value) in options {
                if key.value == "connector" {
                    return Err(Error::statement("ALTER TABLE cannot change the connector of a table")
                        .with_hint("Write CREATE OR REPLACE TABLE.")
                        .at(key.span));
                }
                match create.options.iter_mut().find(|(k, _)| k.value == key.value) {
                    Some((_, own)) => own.clone_from(value),
                    None => create.options.push((key.clone(), value.clone())),
                }
            }
        }
        Change::Reset(keys) => {
            for key in keys {
                let known = create.options.iter().map(|(k, _)| k.value.as_str());
                if key.value == "connector" || !known.clone().any(|k| k == key.value) {
                    let e = Error::statement(format!("option '{key}' cannot be reset: it is not one that was given"));
                    return Err(e.with_nearest(&key.value, known).at(key.span));
                }
                create.options.retain(|(k, _)| k.value != key.value);
            }
        }
        Change::Add(parts, positions) => add(create, parts, positions)?,
        Change::Modify(parts, positions) => modify(create, parts, positions)?,
        Change::DropColumns(names) => {
            for name in names {
                let place = place_of(create, name)?;
                let own = create.columns.iter().flatten().nth(place).map(|c| c.name.value.clone()).unwrap_or_default();
                not_needed(create, &own, name, true)?;
                create.columns.get_or_insert_default().remove(place);
            }
        }
        Change::DropKey => match create.primary_key.take() {
            Some(_) => {}
            None => return Err(Error::statement("the table has no PRIMARY KEY")),
        },
        Change::DropWatermark => match create.watermark.take() {
            Some(_) => {}
            None => return Err(Error::statement("the table has no WATERMARK")),
        },
        Change::RenameColumn { old, new } => rename(create, old, new)?,
        Change::Rename(_) | Change::Query(..) => return Err(Error::internal("a change that is done elsewhere")),
    }
    Ok(())
}

fn add(create: &mut CreateTable, parts: &CreateTable, positions: &[Position]) -> Result<()> {
    for (column, position) in parts.columns.iter().flatten().zip(positions) {
        if create.columns.iter().flatten().any(|c| c.name.value == column.name.value) {
            return Err(Error::statement(format!("there is a column '{}' already", column.name)).at(column.name.span));
        }
        put(create, column.clone(), position)?;
    }
    if let Some(watermark) = &parts.watermark {
        if create.watermark.is_some() {
            let e = Error::statement("the table has a WATERMARK already").at(watermark.column.span);
            return Err(e.with_hint("Write MODIFY WATERMARK FOR .."));
        }
        create.watermark = Some(watermark.clone());
    }
    if let Some(key) = &parts.primary_key {
        if create.primary_key.is_some() {
            return Err(
                Error::statement("the table has a PRIMARY KEY already").with_hint("Write MODIFY PRIMARY KEY ..")
            );
        }
        create.primary_key = Some(key.clone());
    }
    Ok(())
}

fn modify(create: &mut CreateTable, parts: &CreateTable, positions: &[Position]) -> Result<()> {
    for (column, position) in parts.columns.iter().flatten().zip(positions) {
        let place = place_of(create, &column.name)?;
        let columns = create.columns.get_or_insert_default();
        let name = columns[place].name.clone();
        let column = ColumnDef { name, ..column.clone() };
        match position {
            Position::Unsaid => columns[place] = column,
            _ => {
                columns.remove(place);
                put(create, column, position)?;
            }
        }
    }
    if let Some(watermark) = &parts.watermark {
        create.watermark = Some(watermark.clone());
    }
    if let Some(key) = &parts.primary_key {
        create.primary_key = Some(key.clone());
    }
    Ok(())
}

fn put(create: &mut CreateTable, column: ColumnDef, position: &Position) -> Result<()> {
    let place = match position {
        Position::Unsaid => create.columns.as_ref().map_or(0, Vec::len),
        Position::First => 0,
        Position::After(other) => place_of(create, other)? + 1,
    };
    create.columns.get_or_insert_default().insert(place, column);
    Ok(())
}

fn rename(create: &mut CreateTable, old: &Name, new: &Name) -> Result<()> {
    let place = place_of(create, old)?;
    if create.columns.iter().flatten().any(|c| c.name.value == new.value) {
        return Err(Error::statement(format!("there is a column '{new}' already")).at(new.span));
    }
    let columns = create.columns.get_or_insert_default();
    let own = std::mem::replace(&mut columns[place].name.value, new.value.clone());
    if let ColumnDefKind::Metadata { key, .. } = &mut columns[place].kind {
        // What the connector calls it stays.
        key.get_or_insert(own.clone());
    }
    not_needed(create, &own, old, false)?;
    let watermark = create.watermark.iter_mut().map(|w| &mut w.column);
    let named = create.primary_key.iter_mut().flatten().chain(&mut create.partitioned_by).chain(watermark);
    named.filter(|name| name.value == own).for_each(|name| name.value.clone_from(&new.value));
    Ok(())
}

/// The place of a column.
fn place_of(create: &CreateTable, name: &Name) -> Result<usize> {
    let columns = || create.columns.iter().flatten().map(|c| c.name.value.as_str());
    let found = find_one("column", &name.value, columns()).map_err(|e| e.at(name.span))?;
    columns().position(|c| c == found).ok_or_else(|| Error::internal("a column that was just found"))
}

/// An error if an expression, or (where it is to go) a key, speaks of the column.
fn not_needed(create: &CreateTable, column: &str, at: &Name, goes: bool) -> Result<()> {
    let computed = create.columns.iter().flatten().find_map(|c| match &c.kind {
        ColumnDefKind::Computed { expr, .. } if speaks_of(expr, column) => Some(format!("column '{}'", c.name)),
        _ => None,
    });
    let watermark = create.watermark.as_ref().and_then(|w| {
        let of_column = w.column.value == column && goes;
        (of_column || speaks_of(&w.expr, column)).then(|| "the WATERMARK".to_string())
    });
    let in_list =
        |names: &[Name], what: &str| (goes && names.iter().any(|n| n.value == column)).then(|| what.to_string());
    let key = in_list(create.primary_key.as_deref().unwrap_or_default(), "the PRIMARY KEY");
    let partitions = in_list(&create.partitioned_by, "PARTITIONED BY");
    match computed.or(watermark).or(key).or(partitions) {
        None => Ok(()),
        Some(what) => Err(Error::statement(format!("{what} needs column '{column}'"))
            .with_hint("Change that first, with MODIFY or DROP.")
            .at(at.span)),
    }
}

fn speaks_of(expr: &ast::Expr, column: &str) -> bool {
    any_expression(expr, |e| match e {
        ast::Expr::Identifier(name) => name.value == column,
        ast::Expr::CompoundIdentifier(path) => path.first().is_some_and(|p| p.value == column),
        _ => false,
    })
}
