//! What `INSERT`, `DELETE` and `UPDATE` do: the changes, worked out by DataFusion over the rows that are there.

use arrow::array::{Array, Int64Array};
use arrow::row::{RowConverter, SortField};
use sqlparser::ast::{AssignmentTarget, FromTable, Statement, TableFactor, TableWithJoins};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use tidemill::core::Delta;
use tidemill::{Session, batch};

use super::Failure;
use super::tables::{Tables, weighted};

/// A table and what a statement does to it; `None` where the statement is none of those that change rows.
pub async fn changes(session: &Session, tables: &Tables, text: &str) -> Result<Option<(String, Delta)>, Failure> {
    let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    match word.as_str() {
        "INSERT" => insert(session, tables, text).await.map(Some),
        "DELETE" | "UPDATE" => {
            let parsed = Parser::parse_sql(&GenericDialect, text).map_err(|e| Failure(e.to_string()))?;
            match parsed.into_iter().next() {
                Some(Statement::Delete(delete)) => {
                    let from = match &delete.from {
                        FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from) => from,
                    };
                    let name = table_name(from.first())?;
                    let which = delete.selection.map(|s| format!(" WHERE {s}")).unwrap_or_default();
                    let gone = format!("SELECT {} FROM {name}{which}", columns(tables, &name)?);
                    let gone = weighted(batch::answer(session, &gone).await?, -1);
                    let (schema, _) = tables.describe(&name)?;
                    Ok(Some((name, conforming(&schema, gone)?)))
                }
                Some(Statement::Update(update)) => {
                    let name = table_name(Some(&update.table))?;
                    let which = update.selection.map(|s| format!(" WHERE {s}")).unwrap_or_default();
                    let (schema, _) = tables.describe(&name)?;
                    let mut values: Vec<String> = schema.fields().iter().map(|f| format!("`{}`", f.name())).collect();
                    for assignment in &update.assignments {
                        let AssignmentTarget::ColumnName(column) = &assignment.target else {
                            return Err(Failure("UPDATE sets one column at a time".into()));
                        };
                        let column = column.to_string();
                        let place = schema.index_of(column.trim_matches('`'))?;
                        values[place] = format!("({})", assignment.value);
                    }
                    let old = format!("SELECT {} FROM {name}{which}", columns(tables, &name)?);
                    let new = format!("INSERT INTO {name} SELECT {} FROM {name}{which}", values.join(", "));
                    let old = weighted(batch::answer(session, &old).await?, -1);
                    let new = weighted(batch::answer(session, &new).await?, 1);
                    Ok(Some((name, Delta::concat(&schema, &[conforming(&schema, old)?, conforming(&schema, new)?])?)))
                }
                _ => Err(Failure(format!("not a statement of these files: {text}"))),
            }
        }
        _ => Ok(None),
    }
}

/// The rows of an `INSERT`; where the table has a key, rows of the same key go.
async fn insert(session: &Session, tables: &Tables, text: &str) -> Result<(String, Delta), Failure> {
    let name = text.split_whitespace().nth(2).unwrap_or_default();
    let name = name.split('(').next().unwrap_or_default().trim_matches('`').to_string();
    let (schema, key) = tables.describe(&name)?;
    let new = conforming(&schema, Delta::insert(batch::answer(session, text).await?))?;
    if key.is_empty() {
        return Ok((name, new));
    }
    let there = format!("SELECT {} FROM {name}", columns(tables, &name)?);
    let there = conforming(&schema, weighted(batch::answer(session, &there).await?, -1))?;
    let fields = key.iter().map(|k| SortField::new(schema.field(*k).data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let keys = |delta: &Delta| -> Result<_, Failure> {
        let columns: Vec<_> = key.iter().map(|k| delta.batch.column(*k).clone()).collect();
        Ok(converter.convert_columns(&columns)?)
    };
    let (old_keys, new_keys) = (keys(&there)?, keys(&new)?);
    let replaced = there.filter(&old_keys.iter().map(|old| Some(new_keys.iter().any(|n| n == old))).collect())?;
    // Of several rows of one key in one statement, the last one stays.
    let last = |i: usize| !new_keys.iter().skip(i + 1).any(|later| later == new_keys.row(i));
    let stays = new.filter(&(0..new.num_rows()).map(|i| Some(last(i))).collect())?;
    let weights = Int64Array::from(vec![1; stays.num_rows()]);
    Ok((name, Delta::concat(&schema, &[replaced, Delta { weights: Some(weights), ..stays }])?))
}

/// The physical columns of a table, for a `SELECT`.
fn columns(tables: &Tables, name: &str) -> Result<String, Failure> {
    let (schema, _) = tables.describe(name)?;
    Ok(schema.fields().iter().map(|f| format!("`{}`", f.name())).collect::<Vec<_>>().join(", "))
}

/// The same rows, with exactly the fields of the table.
fn conforming(schema: &arrow::datatypes::SchemaRef, delta: Delta) -> Result<Delta, Failure> {
    for (field, column) in schema.fields().iter().zip(delta.batch.columns()) {
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(Failure(format!("column '{}' is never NULL", field.name())));
        }
    }
    let columns = delta.batch.columns().to_vec();
    let batch = arrow::array::RecordBatch::try_new(schema.clone(), columns)?;
    Ok(delta.with_batch(batch))
}

fn table_name(table: Option<&TableWithJoins>) -> Result<String, Failure> {
    match table.map(|t| &t.relation) {
        Some(TableFactor::Table { name, .. }) => Ok(name.to_string()),
        _ => Err(Failure("one table is changed at a time".into())),
    }
}
