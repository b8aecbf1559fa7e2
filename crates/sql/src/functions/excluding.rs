//! Aggregates and `FIRST_VALUE`, `LAST_VALUE`, `NTH_VALUE` over frames that leave rows out: `EXCLUDE CURRENT ROW | GROUP | TIES`, and frames
//! that end before they begin.
//!
//! A function that DataFusion computes over a frame without a gap is computed here over what is left of it, anew for each row.
//! [`Excluded`] travels in the function's name, which the [parser](crate::parser) writes and the planner asks for.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DynComparator, make_comparator};
use datafusion::arrow::compute::{SortOptions, filter};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{AggregateUDF, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Column, Literal};
use tidemill_plan::over::{OF_NO_ROWS, WITHOUT};

const PREFIX: &str = "__excluding";

/// What a frame leaves out, and how the function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Excluded {
    /// `EXCLUDE`.
    pub left: Option<Left>,
    /// Whether the frame ends before it begins, and then whether it is one of `RANGE`: in that, rows without a value in `ORDER BY` still
    /// have their peers.
    pub empty: Option<bool>,
    /// How many arguments the function has.
    pub args: usize,
    /// Whether behind them there is the condition of a `FILTER`.
    pub filtered: bool,
    /// `DISTINCT`.
    pub distinct: bool,
}

/// What `EXCLUDE` leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Left {
    /// The row itself.
    CurrentRow,
    /// It and all rows that are equal to it by `ORDER BY`.
    Group,
    /// All rows that are equal to it, without itself.
    Ties,
}

impl Left {
    const ALL: [Self; 3] = [Self::CurrentRow, Self::Group, Self::Ties];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentRow => "row",
            Self::Group => "group",
            Self::Ties => "ties",
        }
    }

    /// Of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.name() == name)
    }
}

/// The name under which the planner finds `function` so called.
pub fn name_of(excluded: &Excluded, function: &str) -> String {
    let Excluded { left, empty, args, filtered, distinct } = excluded;
    let left = left.map_or("none", Left::name);
    let empty = empty.map_or("no", |range| if range { "range" } else { "rows" });
    format!("{PREFIX}:{left}:{empty}:{args}:{filtered}:{distinct}:{function}")
}

/// Whether a name is one of [`name_of`].
pub fn is_excluding(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The function of a name of [`name_of`]. `aggregate` finds an aggregate by its name.
pub fn function(name: &str, aggregate: impl Fn(&str) -> Option<Arc<AggregateUDF>>) -> Option<Arc<WindowUDF>> {
    let parts: Vec<&str> = name.strip_prefix(PREFIX)?.splitn(7, ':').collect();
    let [_, left, empty, args, filtered, distinct, function] = parts[..] else { return None };
    let excluded = Excluded {
        left: Left::of(left),
        empty: match empty {
            "range" => Some(true),
            "rows" => Some(false),
            _ => None,
        },
        args: args.parse().ok()?,
        filtered: filtered == "true",
        distinct: distinct == "true",
    };
    let what = match function {
        "first_value" => What::First,
        "last_value" => What::Last,
        "nth_value" => What::Nth,
        other => What::Aggregate(aggregate(other)?),
    };
    let without = match (excluded.left, excluded.empty) {
        (_, Some(_)) => OF_NO_ROWS.to_string(),
        (left, None) => format!("{WITHOUT}{}", left.map_or("", Left::name)),
    };
    let name = format!("{function}{without}");
    let signature = Signature::user_defined(Volatility::Immutable);
    Some(Arc::new(WindowUDF::from(Excluding { name, excluded, what, signature })))
}

/// What is computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Aggregate(Arc<AggregateUDF>),
    First,
    Last,
    Nth,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluding {
    name: String,
    excluded: Excluded,
    what: What,
    signature: Signature,
}

impl WindowUDFImpl for Excluding {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (own, filter) = types.split_at(self.excluded.args.min(types.len()));
        let own = match &self.what {
            What::Aggregate(udaf) => {
                let fields: Vec<FieldRef> = own.iter().map(|t| Arc::new(Field::new("a", t.clone(), true))).collect();
                fields_with_udf(&fields, udaf.as_ref())?.iter().map(|f| f.data_type().clone()).collect()
            }
            What::Nth if own.len() == 2 => vec![own[0].clone(), DataType::Int64],
            What::First | What::Last if own.len() == 1 => own.to_vec(),
            _ => return plan_err!("{} with {} arguments", self.name, own.len()),
        };
        Ok(own.into_iter().chain(filter.iter().map(|_| DataType::Boolean)).collect())
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let own = &args.input_fields()[..self.excluded.args];
        let field = match &self.what {
            What::Aggregate(udaf) => udaf.return_field(own)?,
            _ => Arc::new(own[0].as_ref().clone().with_nullable(true)),
        };
        Ok(Arc::new(field.as_ref().clone().with_name(args.name())))
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let own = self.excluded.args;
        let value = match &self.what {
            What::First => Value::Nth { n: 1, ignore_nulls: args.ignore_nulls() },
            What::Last => Value::Nth { n: -1, ignore_nulls: args.ignore_nulls() },
            What::Nth => {
                let n = args.input_exprs()[1].downcast_ref::<Literal>().map(|l| l.value().cast_to(&DataType::Int64));
                let Some(Ok(ScalarValue::Int64(Some(n)))) = n else {
                    return plan_err!("the second argument of NTH_VALUE is a whole number");
                };
                Value::Nth { n, ignore_nulls: args.ignore_nulls() }
            }
            What::Aggregate(udaf) => {
                let fields = args.input_fields()[..own].iter().enumerate();
                let fields = fields.map(|(i, f)| f.as_ref().clone().with_name(format!("a{i}")));
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                let exprs = args.input_exprs()[..own].iter().enumerate().map(|(i, e)| match e.is::<Literal>() {
                    // Some functions want to see a literal.
                    true => Arc::clone(e),
                    false => Arc::new(Column::new(&format!("a{i}"), i)) as Arc<dyn PhysicalExpr>,
                });
                let aggregate = AggregateExprBuilder::new(Arc::clone(udaf), exprs.collect()).schema(schema);
                let aggregate = aggregate.alias(&self.name).with_distinct(self.excluded.distinct);
                Value::Aggregate(Box::new(aggregate.with_ignore_nulls(args.ignore_nulls()).build()?))
            }
        };
        Ok(Box::new(Evaluator {
            excluded: self.excluded,
            inputs: args.input_exprs().len(),
            value,
            peers: Peers::default(),
            row: 0,
        }))
    }
}

#[derive(Debug)]
enum Value {
    Aggregate(Box<AggregateFunctionExpr>),
    /// From the front, or where it is negative from the back.
    Nth {
        n: i64,
        ignore_nulls: bool,
    },
}

/// Goes over the rows of a partition, one after the other.
#[derive(Debug)]
struct Evaluator {
    excluded: Excluded,
    /// So many columns are arguments; those of `ORDER BY` follow.
    inputs: usize,
    value: Value,
    peers: Peers,
    row: usize,
}

impl PartitionEvaluator for Evaluator {
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let (args, order) = values.split_at(self.inputs);
        let row = self.row;
        self.row += 1;
        let left = self.left(order, row, frame)?;
        match &self.value {
            Value::Aggregate(aggregate) => {
                let mut accumulator = aggregate.create_accumulator()?;
                for part in left {
                    let cut = |a: &ArrayRef| a.slice(part.start, part.len());
                    let mut own: Vec<ArrayRef> = args[..self.excluded.args].iter().map(cut).collect();
                    if self.excluded.filtered {
                        let keep = cut(&args[self.excluded.args]);
                        let keep = keep.as_boolean();
                        own = own.iter().map(|a| Ok(filter(a, keep)?)).collect::<Result<_>>()?;
                    }
                    accumulator.update_batch(&own)?;
                }
                accumulator.evaluate()
            }
            Value::Nth { n, ignore_nulls } => {
                let counts = |i: &usize| {
                    let kept = |f: &ArrayRef| f.as_boolean().is_valid(*i) && f.as_boolean().value(*i);
                    (!ignore_nulls || args[0].is_valid(*i))
                        && (!self.excluded.filtered || kept(&args[self.excluded.args]))
                };
                let mut rows = left.into_iter().flatten().filter(counts);
                let nth = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
                let found = match nth.checked_sub(1) {
                    None => return Err(exec_datafusion_err!("NTH_VALUE counts from 1")),
                    Some(skipped) if *n > 0 => rows.nth(skipped),
                    Some(skipped) => rows.collect::<Vec<_>>().into_iter().rev().nth(skipped),
                };
                match found {
                    Some(found) => ScalarValue::try_from_array(&args[0], found),
                    None => ScalarValue::try_from(args[0].data_type()),
                }
            }
        }
    }
}

impl Evaluator {
    /// The rows of `frame` that are left, for row `row`.
    fn left(&mut self, order: &[ArrayRef], row: usize, frame: &Range<usize>) -> Result<Vec<Range<usize>>> {
        if let Some(range) = self.excluded.empty
            && !(range && order.iter().all(|o| o.is_null(row)))
        {
            return Ok(vec![]);
        }
        let Some(left) = self.excluded.left else { return Ok(vec![frame.clone()]) };
        let none = row..row;
        let gaps = match left {
            Left::CurrentRow => [row..row + 1, none],
            Left::Group => [self.peers.of(order, row, frame)?, none],
            Left::Ties => {
                let peers = self.peers.of(order, row, frame)?;
                [peers.start..row, row + 1..peers.end]
            }
        };
        let (mut parts, mut from) = (vec![], frame.start);
        for gap in gaps.into_iter().filter(|gap| gap.start < gap.end) {
            parts.push(from..gap.start.min(frame.end));
            from = from.max(gap.end);
        }
        parts.push(from..frame.end);
        Ok(parts.into_iter().filter(|p| p.start < p.end).collect())
    }
}

/// Which rows are equal by `ORDER BY`. Rows are asked for one after the other, so that each group of them is looked for once.
#[derive(Default)]
struct Peers {
    /// The columns that are compared, and how.
    order: Vec<(ArrayRef, DynComparator)>,
    /// The group of the row that was asked for last.
    group: Range<usize>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Peers {
    /// The rows around `row` that are equal to it, as far as they are in the frame or between it and the row.
    fn of(&mut self, order: &[ArrayRef], row: usize, frame: &Range<usize>) -> Result<Range<usize>> {
        let (first, last) = (frame.start.min(row), frame.end.max(row + 1));
        let [column, ..] = order else { return Ok(first..last) };
        let known = self.order.len() == order.len()
            && self.order.iter().zip(order).all(|((known, _), column)| Arc::ptr_eq(known, column));
        if !known {
            let compared =
                |column: &ArrayRef| Ok((Arc::clone(column), make_comparator(column, column, SortOptions::default())?));
            self.order = order.iter().map(compared).collect::<Result<_>>()?;
            self.group = 0..0;
        }
        if !self.group.contains(&row) {
            let same = |other: usize| self.order.iter().all(|(_, compare)| compare(row, other).is_eq());
            let (mut start, mut end) = (row, row + 1);
            while start > 0 && same(start - 1) {
                start -= 1;
            }
            while end < column.len() && same(end) {
                end += 1;
            }
            self.group = start..end;
        }
        Ok(self.group.start.max(first)..self.group.end.min(last))
    }
}
