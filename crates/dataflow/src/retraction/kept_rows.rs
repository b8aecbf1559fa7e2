//! Functions without a form that follows retractions, such as `MEDIAN`, `ARRAY_AGG` or one that a user has registered: the
//! rows of each group are kept, with weights, and a group that was touched is computed anew by DataFusion's accumulators.
//!
//! The rows of a group have no order of their own once some may be taken back. They are handed to a function in the
//! order of its `ORDER BY`, and otherwise ordered by all of their columns, so that a result is the same however the input was cut.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat, take, take_arrays};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use tidemill_core::Result;

use super::Rows;
use super::layout::{Arguments, RowLayout};
use super::weighted_rows::{Touched, WeightedRows};
use crate::aggregate::Kernel;
use crate::aggregate::kernel::over_sorted;
use crate::expression::data_error;
use crate::operators::keyed_states::LatestRows;

/// So many rows are handed to the accumulators at a time, or one group where that has more.
const CHUNK: usize = 65_536;

/// The rows of all groups, and the functions over them.
pub struct KeptRows {
    kernel: Arc<Kernel>,
    calls: Vec<Call>,
    /// The kernel's arguments and then its filters that are kept.
    args: Vec<usize>,
    filters: Vec<usize>,
    rows: WeightedRows,
    /// By the numbers of `rows`.
    columns: LatestRows,
    schema: SchemaRef,
    order: RowConverter,
    touched: Vec<Touched>,
}

struct Call {
    function: Arc<AggregateFunctionExpr>,
    args: Vec<Place>,
    filter: Option<usize>,
    /// The columns of its `ORDER BY`.
    order: Option<(Vec<usize>, RowConverter)>,
    accumulator: Box<dyn GroupsAccumulator>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Kept(usize),
    Literal(usize),
}

impl KeptRows {
    /// For these calls of `kernel`.
    pub fn try_new(kernel: &Arc<Kernel>, layout: &RowLayout, calls: &[usize]) -> Result<Self> {
        let (mut args, mut filters) = (vec![], vec![]);
        for call in calls {
            args.extend(kernel.call_args(*call).iter().filter(|a| !kernel.is_literal(**a)));
            filters.extend(kernel.call_filter(*call));
        }
        for list in [&mut args, &mut filters] {
            list.sort_unstable();
            list.dedup();
        }
        let mut types: Vec<_> = args.iter().map(|a| layout.argument_types()[*a].clone()).collect();
        types.resize(args.len() + filters.len(), arrow::datatypes::DataType::Boolean);
        let functions: Vec<_> = kernel.functions().cloned().collect();
        let call = |call: &usize| -> Result<Call> {
            let function = functions[*call].clone();
            let place = |arg: &usize| match args.binary_search(arg) {
                Ok(kept) => Place::Kept(kept),
                Err(_) => Place::Literal(*arg),
            };
            let places: Vec<Place> = kernel.call_args(*call).iter().map(place).collect();
            let orders = function.order_bys();
            let by: Vec<(usize, SortOptions)> = places[places.len() - orders.len()..]
                .iter()
                .zip(orders)
                .filter_map(|(place, order)| match place {
                    Place::Kept(column) => Some((*column, order.options)),
                    Place::Literal(_) => None,
                })
                .collect();
            let fields = by.iter().map(|(c, options)| SortField::new_with_options(types[*c].clone(), *options));
            let order = match by.is_empty() {
                true => None,
                false => Some((by.iter().map(|(c, _)| *c).collect(), RowConverter::new(fields.collect())?)),
            };
            let filter = kernel.call_filter(*call).and_then(|f| filters.binary_search(&f).ok());
            let accumulator = over_sorted(&function)?;
            Ok(Call { accumulator, function, args: places, filter: filter.map(|f| args.len() + f), order })
        };
        let calls = calls.iter().map(call).collect::<Result<_>>()?;
        let fields = types.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            kernel: kernel.clone(),
            calls,
            rows: WeightedRows::try_new(&types)?,
            columns: LatestRows::new(schema.clone()),
            order: RowConverter::new(types.into_iter().map(SortField::new).collect())?,
            schema,
            args,
            filters,
            touched: vec![],
        })
    }

    /// How many distinct rows are kept.
    pub fn live(&self) -> usize {
        self.rows.live()
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.columns.bytes()
    }

    /// Takes in changes; row `i` belongs to group `ids[i]` of `groups`.
    pub fn change(&mut self, rows: &Arguments, ids: &[usize], weights: &[i64], groups: usize) -> Result<()> {
        let mut columns: Vec<ArrayRef> = self.args.iter().map(|a| rows.args[*a].clone()).collect();
        columns.extend(self.filters.iter().map(|f| Arc::new(rows.filters[*f].clone()) as ArrayRef));
        self.rows.change(Rows { args: &columns, ids, weights, groups }, &mut self.touched)?;
        let (mut come, mut picks) = (vec![], vec![]);
        for t in &self.touched {
            match (t.before == 0, t.after == 0) {
                (true, false) => {
                    come.push(t.entry);
                    picks.push(t.row);
                }
                (false, true) => self.columns.remove(t.entry),
                _ => {}
            }
        }
        let columns = take_arrays(&columns, &UInt32Array::from(picks), None)?;
        self.columns.put(&come, batch(&self.schema, columns, come.len())?)?;
        match self.rows.compact()? {
            Some(old) => self.columns.renumber(&old),
            None => Ok(()),
        }
    }

    /// The results of these groups, a column for each call.
    pub fn values(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut parts: Vec<Vec<ArrayRef>> = vec![];
        let mut chunk = Chunk::default();
        for (i, group) in groups.iter().enumerate() {
            let before = chunk.ids.len();
            for (entry, weight) in self.rows.of(*group).filter(|(_, weight)| *weight > 0) {
                chunk.entries.push(entry);
                chunk.ids.push(chunk.groups);
                chunk.weights.push(weight);
            }
            if chunk.ids.len() == before {
                // Accumulators for many groups take it that each has had a row.
                if chunk.groups > 0 {
                    parts.push(self.compute(std::mem::take(&mut chunk))?);
                }
                parts.push(self.over_nothing()?);
                continue;
            }
            chunk.groups += 1;
            if chunk.ids.len() >= CHUNK && i + 1 < groups.len() {
                parts.push(self.compute(std::mem::take(&mut chunk))?);
            }
        }
        if chunk.groups > 0 || parts.is_empty() {
            parts.push(self.compute(chunk)?);
        }
        if let [_] = parts[..] {
            return Ok(parts.swap_remove(0));
        }
        let column = |c: usize| {
            let all: Vec<&dyn Array> = parts.iter().map(|p| p[c].as_ref()).collect();
            Ok(concat(&all)?)
        };
        (0..self.calls.len()).map(column).collect()
    }

    fn compute(&mut self, chunk: Chunk) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.gather(0..self.schema.fields().len(), &chunk.entries)?;
        let order = self.in_order(&columns, &chunk)?;
        let mut results = vec![];
        for call in &mut self.calls {
            let mut own = order.clone();
            if let Some((by, converter)) = &mut call.order {
                let by: Vec<ArrayRef> = by.iter().map(|c| columns[*c].clone()).collect();
                let rows = converter.convert_columns(&by)?;
                // Rows that this order says nothing about stay in the order of all columns.
                own.sort_by_key(|i| (chunk.ids[*i as usize], rows.row(*i as usize)));
            }
            let ids: Vec<usize> = own.iter().map(|i| chunk.ids[*i as usize]).collect();
            let own = UInt32Array::from(own);
            let arg = |place: &Place| match place {
                Place::Kept(column) => Ok(take(&columns[*column], &own, None)?),
                Place::Literal(arg) => self.kernel.literal(*arg, own.len()),
            };
            let args = call.args.iter().map(arg).collect::<Result<Vec<_>>>()?;
            let filter = call.filter.map(|f| take(&columns[f], &own, None)).transpose()?;
            let filter = filter.as_ref().map(|f| f.as_boolean());
            call.accumulator.update_batch(&args, &ids, filter, chunk.groups).map_err(data_error)?;
            results.push(call.accumulator.evaluate(EmitTo::All).map_err(data_error)?);
        }
        Ok(results)
    }

    /// Each row as often as its weight says, by group and then by all columns.
    fn in_order(&mut self, columns: &[ArrayRef], chunk: &Chunk) -> Result<Vec<u32>> {
        let mut order: Vec<u32> = (0..chunk.ids.len() as u32).collect();
        if !columns.is_empty() {
            let rows = self.order.convert_columns(columns)?;
            order.sort_unstable_by_key(|i| (chunk.ids[*i as usize], rows.row(*i as usize)));
        }
        if chunk.weights.iter().all(|w| *w == 1) {
            return Ok(order);
        }
        let times = |i: &u32| std::iter::repeat_n(*i, chunk.weights[*i as usize] as usize);
        Ok(order.iter().flat_map(times).collect())
    }

    /// The results of a group without rows.
    fn over_nothing(&self) -> Result<Vec<ArrayRef>> {
        let one = |call: &Call| {
            let value = call.function.create_accumulator().and_then(|mut a| a.evaluate()).map_err(data_error)?;
            value.to_array().map_err(data_error)
        };
        self.calls.iter().map(one).collect()
    }

    /// Forgets these groups.
    pub fn forget(&mut self, groups: &[usize]) {
        groups.iter().for_each(|g| self.rows.forget(*g, |entry| self.columns.remove(entry)));
    }

    /// Gives groups new numbers: `old[i]`, ascending, becomes group `i`. All others are forgotten.
    pub fn renumber(&mut self, old: &[usize]) -> Result<()> {
        let rows = self.rows.renumber(old)?;
        self.columns.renumber(&rows)
    }
}

/// Rows of some groups, numbered from 0 on.
#[derive(Debug, Default)]
struct Chunk {
    entries: Vec<usize>,
    ids: Vec<usize>,
    weights: Vec<i64>,
    groups: usize,
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    crate::expression::conform(schema, columns, rows)
}
