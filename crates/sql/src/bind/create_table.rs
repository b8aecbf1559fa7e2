//! `CREATE TABLE`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as PlanResult};
use datafusion::logical_expr::{Expr, ExprSchemable};
use tidemill_core::table::{MetadataColumn, TableSpec};
use tidemill_core::{EpochClock, Error, OptionValues, Result};

use super::{Connect, Connected, ddl, like, options};
use crate::catalog::names::find_one;
use crate::catalog::{Catalog, Column, ColumnKind, EventTimeColumn, Table};
use crate::error::planning;
use crate::parser::types::{type_name, type_of_text};
use crate::parser::{ColumnDef, ColumnDefKind, CreateTable, Insert, Name, WatermarkDef};
use crate::session::Planner;

/// Makes the table that a statement describes.
pub(crate) async fn bind(catalog: &Catalog, create: &CreateTable, connect: &dyn Connect) -> Result<Table> {
    let create = like::expanded(catalog, create)?;
    let defs = create.columns.clone().unwrap_or_default();
    for (i, def) in defs.iter().enumerate() {
        if defs[..i].iter().any(|d| d.name.value == def.name.value) {
            return Err(Error::statement(format!("there are two columns called '{}'", def.name)).at(def.name.span));
        }
    }
    let key = create.primary_key.as_deref().unwrap_or_default();
    let declared = physical(&defs, key);
    // Computed and metadata columns may be declared beside physical ones that are to be found.
    let spec = TableSpec {
        name: create.name.value.clone(),
        schema: (!declared.is_empty()).then(|| Arc::new(Schema::new(declared))),
        metadata: metadata(&defs),
        partition_by: create.partitioned_by.iter().map(|c| c.value.clone()).collect(),
        primary_key: key.iter().map(|c| c.value.clone()).collect(),
        options: OptionValues::from_pairs(create.options.iter().map(|(k, v)| (k.value.clone(), v.clone()))),
    };
    let mut spec = spec;
    let own = options::take(&mut spec.options).map_err(|e| at_option(e, &create))?;
    let connected = connect.connect(spec.clone()).await.map_err(|e| at_option(e, &create))?;
    let found = spec.schema.is_none();
    spec.schema = Some(Arc::clone(&connected.schema));
    let columns = columns(catalog, &defs, found, &connected)?;
    let named = |name: &Name| {
        let known = columns.iter().map(|c| c.field.name().as_str());
        let found = find_one("column", &name.value, known).map_err(|e| e.at(name.span))?;
        let place = columns.iter().position(|c| c.field.name() == found);
        place.ok_or_else(|| Error::internal("a column that was just found"))
    };
    let primary_key = key.iter().map(&named).collect::<Result<Vec<_>>>()?;
    spec.primary_key = primary_key.iter().map(|i| columns[*i].field.name().clone()).collect();
    spec.partition_by = create
        .partitioned_by
        .iter()
        .map(|c| named(c).map(|i| columns[i].field.name().clone()))
        .collect::<Result<_>>()?;
    let event_time = match &create.watermark {
        None => None,
        Some(watermark) => {
            let column = named(&watermark.column)?;
            Some(event_time(catalog, watermark, column, &columns)?)
        }
    };
    let mut table = Table {
        name: create.name.value.clone(),
        columns,
        event_time,
        primary_key,
        spec,
        source: connected.source,
        sink: connected.sink,
        idle_timeout: own.idle_timeout,
        on_error: own.on_error,
        ddl: String::new(),
    };
    let written: Vec<_> = create.options.iter().map(|(k, v)| (k.value.clone(), v.clone())).collect();
    table.ddl = ddl::create_table(&table, &written);
    Ok(table)
}

/// The columns of `CREATE TABLE .. AS SELECT`: those of the query.
pub(crate) fn columns_of(catalog: &Catalog, rows: &Insert) -> Result<Vec<ColumnDef>> {
    let plan = Planner::new(catalog, EpochClock::default())?.plan(&rows.query)?;
    let column = |field: &FieldRef| {
        let data_type = type_of_text(&type_name(field.data_type())).ok_or_else(|| {
            Error::statement(format!(
                "column '{}' of the query is {}, which no table can have",
                field.name(),
                type_name(field.data_type())
            ))
            .with_hint("Cast it to the type that it is to have.")
            .at(rows.span)
        })?;
        let name = Name { value: field.name().clone(), span: rows.span };
        let kind = ColumnDefKind::Physical { data_type, nullable: field.is_nullable() };
        Ok(ColumnDef { name, kind, comment: None })
    };
    plan.schema().fields().iter().map(column).collect()
}

/// An error about an option, at the option that it names.
fn at_option(error: Error, create: &CreateTable) -> Error {
    let speaks_of = |text: &str| error.message().contains(&format!("'{text}'"));
    let named = create.options.iter().find(|(k, _)| speaks_of(&k.value));
    let named = named.or_else(|| create.options.iter().find(|(k, v)| k.value == "connector" && speaks_of(v)));
    error.at(named.map_or(create.name.span, |(k, _)| k.span))
}

fn physical(defs: &[ColumnDef], key: &[Name]) -> Vec<Field> {
    let field = |def: &ColumnDef| match &def.kind {
        ColumnDefKind::Physical { data_type, nullable } => {
            // A key is never NULL.
            let in_key = key.iter().any(|k| k.value == def.name.value);
            Some(Field::new(&def.name.value, data_type.clone(), *nullable && !in_key))
        }
        _ => None,
    };
    defs.iter().filter_map(field).collect()
}

fn metadata(defs: &[ColumnDef]) -> Vec<MetadataColumn> {
    let column = |def: &ColumnDef| match &def.kind {
        ColumnDefKind::Metadata { key, .. } => Some(MetadataColumn {
            name: def.name.value.clone(),
            key: key.clone().unwrap_or_else(|| def.name.value.clone()),
        }),
        _ => None,
    };
    defs.iter().filter_map(column).collect()
}

/// All columns in the order of the statement; those that the connector found come first.
fn columns(catalog: &Catalog, defs: &[ColumnDef], found: bool, connected: &Connected) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = vec![];
    if found {
        for field in connected.schema.fields() {
            if let Some(def) = defs.iter().find(|d| d.name.value == *field.name()) {
                let message = format!("column '{}' is also one of those that were found in the data", def.name);
                return Err(Error::statement(message).with_hint("Give it another name.").at(def.name.span));
            }
            columns.push(Column { field: Arc::clone(field), kind: ColumnKind::Physical, comment: None });
        }
    }
    let mut physical = connected.schema.fields().iter();
    for def in defs {
        let column = match &def.kind {
            ColumnDefKind::Physical { .. } => {
                let field =
                    physical.next().ok_or_else(|| Error::internal("the connector dropped a declared column"))?;
                Column { field: Arc::clone(field), kind: ColumnKind::Physical, comment: def.comment.clone() }
            }
            ColumnDefKind::Metadata { data_type, nullable, key, is_virtual } => {
                let key = key.clone().unwrap_or_else(|| def.name.value.clone());
                let known = connected.metadata.iter().map(|f| f.name().as_str());
                if !known.clone().any(|k| k == key) {
                    let message = format!("the connector has no metadata '{key}'");
                    return Err(Error::statement(message).with_nearest(&key, known).at(def.name.span));
                }
                Column {
                    field: Arc::new(Field::new(&def.name.value, data_type.clone(), *nullable)),
                    kind: ColumnKind::Metadata { key, is_virtual: *is_virtual },
                    comment: def.comment.clone(),
                }
            }
            // Planned below, when all that they can refer to is known.
            ColumnDefKind::Computed { text, .. } => Column {
                field: Arc::new(Field::new(&def.name.value, DataType::Null, true)),
                kind: ColumnKind::Computed { expr: Box::new(Expr::default()), text: text.clone() },
                comment: def.comment.clone(),
            },
        };
        columns.push(column);
    }
    computed(catalog, defs, &mut columns)?;
    Ok(columns)
}

/// Plans the computed columns, each over the columns that are decoded and the computed ones before it.
fn computed(catalog: &Catalog, defs: &[ColumnDef], columns: &mut [Column]) -> Result<()> {
    let planner = Planner::new(catalog, EpochClock::default())?;
    let mut known: Vec<FieldRef> = decoded(columns).map(|c| Arc::clone(&c.field)).collect();
    for def in defs {
        let ColumnDefKind::Computed { expr, text } = &def.kind else { continue };
        let schema = schema_of(&known)?;
        let place = columns.iter().position(|c| c.field.name() == &def.name.value);
        let place = place.ok_or_else(|| Error::internal("a column that was just declared"))?;
        let planned = planner.expression(expr, &schema).map_err(|e| e.at(def.name.span))?;
        let field = planned.to_field(&schema).map_err(planning)?.1;
        let field = Arc::new(Field::new(&def.name.value, field.data_type().clone(), field.is_nullable()));
        let planned = put_in(planned, columns, None).map_err(planning)?;
        known.push(Arc::clone(&field));
        columns[place].field = field;
        columns[place].kind = ColumnKind::Computed { expr: Box::new(planned), text: text.clone() };
    }
    Ok(())
}

fn event_time(catalog: &Catalog, def: &WatermarkDef, column: usize, columns: &[Column]) -> Result<EventTimeColumn> {
    let time = &columns[column].field;
    if !matches!(time.data_type(), DataType::Timestamp(..)) {
        let message = format!(
            "WATERMARK FOR needs a TIMESTAMP or TIMESTAMP_LTZ column, and '{}' is {}",
            time.name(),
            type_name(time.data_type())
        );
        let hint = "Declare a computed column, ts AS TO_TIMESTAMP_LTZ(ms, 3) or TO_TIMESTAMP(text), and use that.";
        return Err(Error::statement(message).with_hint(hint).at(def.column.span));
    }
    let schema = schema_of(&columns.iter().map(|c| Arc::clone(&c.field)).collect::<Vec<_>>())?;
    let planner = Planner::new(catalog, EpochClock::default())?;
    let watermark = planner.expression(&def.expr, &schema).map_err(|e| e.at(def.column.span))?;
    let data_type = watermark.get_type(&schema).map_err(planning)?;
    if !matches!(data_type, DataType::Timestamp(..)) {
        let message = format!("the watermark has to be a time, and '{}' is {}", def.text, type_name(&data_type));
        return Err(Error::statement(message)
            .with_hint(format!("Write {0} - INTERVAL '5' SECOND.", time.name()))
            .at(def.column.span));
    }
    let watermark = put_in(watermark, columns, Some(time.name())).map_err(planning)?;
    Ok(EventTimeColumn { column, watermark, text: def.text.clone() })
}

/// The columns that the source decodes.
fn decoded(columns: &[Column]) -> impl Iterator<Item = &Column> {
    columns.iter().filter(|c| !matches!(c.kind, ColumnKind::Computed { .. }))
}

fn schema_of(fields: &[FieldRef]) -> Result<DFSchema> {
    DFSchema::try_from(Schema::new(fields.to_vec())).map_err(planning)
}

/// Puts the expressions of computed columns in the place of their names, but for the column `except`.
fn put_in(expr: Expr, columns: &[Column], except: Option<&str>) -> PlanResult<Expr> {
    let put = expr.transform(|e| {
        let Expr::Column(c) = &e else { return Ok(Transformed::no(e)) };
        let computed = columns.iter().find_map(|column| match &column.kind {
            ColumnKind::Computed { expr, .. } if *column.field.name() == c.name => Some(expr.as_ref().clone()),
            _ => None,
        });
        Ok(match computed {
            Some(expr) if except != Some(c.name.as_str()) => Transformed::yes(expr),
            // Unqualified, and without the place in a text that is not at hand where it is used.
            _ => Transformed::yes(Expr::Column(datafusion::common::Column::new_unqualified(&c.name))),
        })
    })?;
    Ok(put.data)
}
