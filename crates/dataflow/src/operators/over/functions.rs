//! The functions of an `OVER`, over rows that are partitioned and sorted already.
//!
//! What they read (arguments, order, filters) is computed once for all rows, column by column: the *work columns*. A
//! partition is then a slice of these. Keeps nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use datafusion_physical_expr::window::WindowExpr;
use datafusion_physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion_physical_plan::windows::create_window_expr;
use tidemill_core::{Error, Result};
use tidemill_plan::op::{Expr, OverOp};

use crate::expression::{conform, data_error, evaluate};

/// All functions of one operator.
#[derive(Debug, Clone)]
pub struct Functions {
    /// The work columns over the input; those of `ORDER BY` come first.
    columns: Vec<Expr>,
    work: SchemaRef,
    exprs: Vec<Arc<dyn WindowExpr>>,
    /// The columns of the results.
    results: SchemaRef,
}

impl Functions {
    /// Of `op` over rows of `input`; the results are the last columns of `output`.
    pub fn try_new(op: &OverOp, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let mut work = Work { input, columns: vec![], fields: vec![] };
        let order: Vec<PhysicalSortExpr> = op
            .order_by
            .iter()
            .map(|o| Ok(PhysicalSortExpr { expr: work.add(&o.expr)?, options: o.options }))
            .collect::<Result<_>>()?;
        let mut parts = vec![];
        for function in &op.functions {
            let args = function.args.iter().map(|a| work.place(a)).collect::<Result<Vec<_>>>()?;
            let filter = function.filter.as_ref().map(|f| work.place(f)).transpose()?;
            parts.push((function, args, filter));
        }
        let schema = Arc::new(Schema::new(work.fields));
        let exprs = parts.into_iter().map(|(function, args, filter)| {
            create_window_expr(
                &function.function,
                function.name.clone(),
                &args,
                &[],
                &order,
                Arc::clone(&function.frame),
                Arc::clone(&schema),
                function.ignore_nulls,
                function.distinct,
                filter,
            )
            .map_err(data_error)
        });
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        let results: Vec<FieldRef> = output.fields()[input.fields().len()..].to_vec();
        if results.len() != exprs.len() {
            return Err(Error::internal(format!("{} functions for {} columns", exprs.len(), results.len())));
        }
        Ok(Self { columns: work.columns, work: schema, exprs, results: Arc::new(Schema::new(results)) })
    }

    /// The work columns of `rows`.
    pub fn work(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|c| evaluate(c, rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.work), columns, &options)?)
    }

    /// The schema of the work columns.
    pub fn work_schema(&self) -> &SchemaRef {
        &self.work
    }

    /// The functions over the work columns.
    pub fn exprs(&self) -> &[Arc<dyn WindowExpr>] {
        &self.exprs
    }

    /// The values for rows that stand side by side by partition, and sorted in it. `ends` are the ends of the partitions.
    pub fn values(&self, work: &RecordBatch, ends: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut all = vec![];
        for (expr, field) in self.exprs.iter().zip(self.results.fields()) {
            let mut parts = Vec::with_capacity(ends.len());
            let mut start = 0;
            for end in ends {
                if *end > start {
                    parts.push(expr.evaluate(&work.slice(start, end - start)).map_err(data_error)?);
                }
                start = *end;
            }
            all.push(match &parts[..] {
                [] => new_empty_array(field.data_type()),
                [one] => Arc::clone(one),
                parts => concat(&parts.iter().map(|p| p.as_ref() as &dyn Array).collect::<Vec<_>>())?,
            });
        }
        let (_, columns, _) = conform(&self.results, all, work.num_rows())?.into_parts();
        Ok(columns)
    }

    /// Values that were computed elsewhere, with the types that the output has.
    pub fn conform(&self, values: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
        let (_, columns, _) = conform(&self.results, values, rows)?.into_parts();
        Ok(columns)
    }
}

/// The work columns so far.
struct Work<'a> {
    input: &'a SchemaRef,
    columns: Vec<Expr>,
    fields: Vec<FieldRef>,
}

impl Work<'_> {
    /// `expr` as a work column. What reads no column stays as it is: some functions want to see a literal.
    fn place(&mut self, expr: &Expr) -> Result<Expr> {
        if collect_columns(expr).is_empty() { Ok(Arc::clone(expr)) } else { self.add(expr) }
    }

    fn add(&mut self, expr: &Expr) -> Result<Expr> {
        let index = match self.columns.iter().position(|c| c == expr) {
            Some(index) => index,
            None => {
                let field = expr.return_field(self.input).map_err(data_error)?;
                self.fields.push(Arc::new(field.as_ref().clone().with_name(expr.to_string())));
                self.columns.push(Arc::clone(expr));
                self.columns.len() - 1
            }
        };
        Ok(Arc::new(Column::new(self.fields[index].name(), index)) as Arc<dyn PhysicalExpr>)
    }
}
