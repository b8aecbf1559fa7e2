//! `CREATE TABLE .. LIKE`: what a new table takes from another.

use tidemill_core::{Error, Result};

use crate::catalog::{Catalog, Table};
use crate::parser::statement::{LikePart, LikeRule};
use crate::parser::{ColumnDef, ColumnDefKind, CreateTable, LikeClause, StatementKind, parse};

/// The statement with what its `LIKE` brings in.
pub(crate) fn expanded(catalog: &Catalog, create: &CreateTable) -> Result<CreateTable> {
    let Some(like) = &create.like else { return Ok(create.clone()) };
    let table = catalog.table(&like.table.value).map_err(|e| e.at(like.table.span))?;
    let base = definition(&table).map_err(|e| e.at(like.table.span))?;
    let mut own = create.clone();
    own.like = None;
    columns(&mut own, &base, like)?;
    if let Some(watermark) = base.watermark {
        match (rule(like, LikePart::Watermarks), &own.watermark) {
            (LikeRule::Excluding, _) | (LikeRule::Overwriting, Some(_)) => {}
            (LikeRule::Including, Some(_)) => return Err(clash(like, "a WATERMARK", "OVERWRITING WATERMARKS")),
            (_, None) => own.watermark = Some(watermark),
        }
    }
    if let Some(key) = base.primary_key {
        match (rule(like, LikePart::Constraints), &own.primary_key) {
            (LikeRule::Excluding, _) => {}
            (_, Some(_)) => return Err(clash(like, "a PRIMARY KEY", "EXCLUDING CONSTRAINTS")),
            (_, None) => own.primary_key = Some(key),
        }
    }
    if !base.partitioned_by.is_empty() && rule(like, LikePart::Partitions) != LikeRule::Excluding {
        match own.partitioned_by.is_empty() {
            true => own.partitioned_by = base.partitioned_by,
            false => return Err(clash(like, "PARTITIONED BY", "EXCLUDING PARTITIONS")),
        }
    }
    let options = rule(like, LikePart::Options);
    if options != LikeRule::Excluding {
        for (key, value) in base.options {
            match own.options.iter().any(|(k, _)| k.value == key.value) {
                false => own.options.push((key, value)),
                true if options == LikeRule::Including && said(like, LikePart::Options) => {
                    return Err(clash(like, &format!("the option '{key}'"), "OVERWRITING OPTIONS"));
                }
                true => {}
            }
        }
    }
    own.comment = own.comment.or(base.comment);
    Ok(own)
}

/// The columns of the other table, then the own ones.
fn columns(own: &mut CreateTable, base: &CreateTable, like: &LikeClause) -> Result<()> {
    let mut all: Vec<ColumnDef> = vec![];
    let mut new = own.columns.take().unwrap_or_default();
    for column in base.columns.iter().flatten() {
        let part = match column.kind {
            ColumnDefKind::Physical { .. } => None,
            ColumnDefKind::Metadata { .. } => Some((LikePart::Metadata, "OVERWRITING METADATA")),
            ColumnDefKind::Computed { .. } => Some((LikePart::Generated, "OVERWRITING GENERATED")),
        };
        let rule = part.map_or(LikeRule::Including, |(part, _)| rule(like, part));
        if rule == LikeRule::Excluding {
            continue;
        }
        match new.iter().position(|c| c.name.value == column.name.value) {
            None => all.push(column.clone()),
            Some(i) if rule == LikeRule::Overwriting => all.push(new.remove(i)),
            Some(i) => {
                let remedy = part.map_or("another name", |(_, remedy)| remedy);
                return Err(clash(like, &format!("column '{}'", column.name), remedy).at(new[i].name.span));
            }
        }
    }
    all.append(&mut new);
    own.columns = (!all.is_empty()).then_some(all);
    Ok(())
}

fn clash(like: &LikeClause, what: &str, remedy: &str) -> Error {
    Error::statement(format!("{what} is in '{}' and in the new table", like.table))
        .with_hint(format!("Write {remedy}."))
        .at(like.table.span)
}

/// What to do with a part: what is said of it, else what is said of all, else Flink's default.
fn rule(like: &LikeClause, part: LikePart) -> LikeRule {
    let of = |part| like.rules.iter().rev().find(|(_, p)| *p == part).map(|(rule, _)| *rule);
    of(part).or_else(|| of(LikePart::All)).unwrap_or(match part {
        // These the new table may have of its own without saying so.
        LikePart::Options => LikeRule::Overwriting,
        _ => LikeRule::Including,
    })
}

fn said(like: &LikeClause, part: LikePart) -> bool {
    like.rules.iter().any(|(_, p)| *p == part)
}

/// The statement that made a table, as it would be written now.
pub(super) fn definition(table: &Table) -> Result<CreateTable> {
    let statements = parse(&table.ddl).unwrap_or_default();
    match statements.into_iter().next().map(|s| s.kind) {
        Some(StatementKind::CreateTable(create)) => Ok(*create),
        _ => Err(Error::unsupported(format!("LIKE '{}', which no CREATE TABLE made", table.name))),
    }
}
