//! Subqueries with the outer values as columns of their own.
//!
//! Where a plan refers to columns of an outer row, [`Outer::pushed`] makes of it the plan for all outer rows at once: each of its
//! rows says in further columns, the keys, for which values of the outer columns it is there. [`Push::down`] is the list of what
//! plans are made of; how each part is pushed through stands in `rows`, `groups`, `grouping_sets` and `joins`.

mod grouping_sets;
mod groups;
mod joins;
mod rows;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as PlanResult};
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Operator, Projection, SortExpr, Subquery, binary_expr};
use tidemill_core::Error;

use crate::error::carried;
pub(super) use grouping_sets::rows_over_nothing;
use joins::by_row;

/// The rows that subqueries refer to.
pub(in crate::subqueries) struct Outer<'a> {
    rows: LogicalPlan,
    /// How many relations have been named.
    made: &'a mut usize,
}

/// A subquery for all outer rows at once: its own columns, and after them the keys.
pub(in crate::subqueries) struct Pushed {
    pub(in crate::subqueries) plan: LogicalPlan,
    pub(in crate::subqueries) keys: Vec<Column>,
    /// The outer columns whose values the keys are.
    pub(in crate::subqueries) outer: Vec<Column>,
    /// Whether a key can be NULL and then stands for an outer value that is NULL.
    nulls: bool,
}

impl Pushed {
    /// That the keys, which are called `named` by now, are the values of an outer row.
    pub(in crate::subqueries) fn of_the_row(&self, named: impl IntoIterator<Item = Column>) -> Vec<Expr> {
        let equal = |(outer, key): (&Column, Column)| same(Expr::Column(outer.clone()), Expr::Column(key), self.nulls);
        self.outer.iter().zip(named).map(equal).collect()
    }
}

fn same(a: Expr, b: Expr, nulls: bool) -> Expr {
    binary_expr(a, if nulls { Operator::IsNotDistinctFrom } else { Operator::Eq }, b)
}

impl<'a> Outer<'a> {
    pub(in crate::subqueries) fn new(rows: LogicalPlan, made: &'a mut usize) -> Self {
        Self { rows, made }
    }

    /// A name that nothing else has.
    pub(in crate::subqueries) fn new_name(&mut self, what: &str) -> String {
        *self.made += 1;
        format!("__{what}_{}", self.made)
    }

    /// `plan`, which may refer to the rows, for all of them at once.
    pub(in crate::subqueries) fn pushed(&mut self, plan: &LogicalPlan) -> PlanResult<Pushed> {
        let mut outer: Vec<Column> = vec![];
        each_reference(plan, &mut |column| {
            if self.rows.schema().has_column(column) && !outer.contains(column) {
                outer.push(column.clone());
            }
        })?;
        if outer.is_empty() {
            return Ok(Pushed { plan: plan.clone(), keys: vec![], outer, nulls: false });
        }
        let Keyed { plan, keys, nulls } = Push { outer: self, columns: &outer }.down(plan)?;
        Ok(Pushed { plan, keys, outer, nulls })
    }
}

/// Shows every reference to an outer query in `plan` to `see`.
fn each_reference(plan: &LogicalPlan, see: &mut dyn FnMut(&Column)) -> PlanResult<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, column) = e {
                    see(column);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// A plan with its keys, whose columns come after its own.
struct Keyed {
    pub(super) plan: LogicalPlan,
    pub(super) keys: Vec<Column>,
    pub(super) nulls: bool,
}

/// Pushes the values of `columns` down into a plan.
struct Push<'p, 'a> {
    pub(super) outer: &'p mut Outer<'a>,
    pub(super) columns: &'p [Column],
}

impl Push<'_, '_> {
    pub(super) fn refers(&self, plan: &LogicalPlan) -> PlanResult<bool> {
        let mut refers = false;
        each_reference(plan, &mut |column| refers |= self.columns.contains(column))?;
        Ok(refers)
    }

    /// `plan` for each of the outer values.
    pub(super) fn down(&mut self, plan: &LogicalPlan) -> PlanResult<Keyed> {
        if !self.refers(plan)? {
            let Keyed { plan: values, keys, nulls } = self.values()?;
            let plan = match plan {
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => values,
                _ => LogicalPlanBuilder::from(plan.clone()).cross_join(values)?.build()?,
            };
            return Ok(Keyed { plan, keys, nulls });
        }
        let keyed = match plan {
            LogicalPlan::Filter(filter) => self.filter(filter)?,
            LogicalPlan::Projection(projection) => self.projection(projection)?,
            LogicalPlan::SubqueryAlias(alias) => {
                let Keyed { plan, keys, nulls } = self.down(&alias.input)?;
                let columns = alias.input.schema().columns().into_iter().zip(alias.schema.fields());
                let qualifier = Some(alias.alias.clone());
                let named = columns.map(|(c, f)| Expr::Column(c).alias_qualified(qualifier.clone(), f.name()));
                let all = named.chain(columns_of(&keys)).collect::<Vec<_>>();
                Keyed { plan: LogicalPlanBuilder::from(plan).project(all)?.build()?, keys, nulls }
            }
            LogicalPlan::Subquery(Subquery { subquery, .. }) => self.down(subquery)?,
            LogicalPlan::Aggregate(aggregate) => match rows_over_nothing(aggregate) {
                0 => self.groups(aggregate)?,
                1 => self.one_row(aggregate)?,
                _ => return Err(refused(plan)),
            },
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Keyed { plan, keys, nulls } = self.down(input)?;
                Keyed { plan: LogicalPlanBuilder::from(plan).distinct()?.build()?, keys, nulls }
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => self.distinct_on(distinct)?,
            // Rows of a subquery have no order, but for those that a LIMIT keeps.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.down(&sort.input)?,
            LogicalPlan::Limit(limit) => self.limit(limit, &limit.input)?,
            LogicalPlan::Window(window) => self.window(window)?,
            LogicalPlan::Union(union) => self.union(union)?,
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::Unnest(unnest) => {
                let Keyed { plan, keys, nulls } = self.down(&unnest.input)?;
                let (columns, options) = (unnest.exec_columns.clone(), unnest.options.clone());
                let plan = LogicalPlanBuilder::from(plan).unnest_columns_with_options(columns, options)?.build()?;
                Keyed { plan, keys, nulls }
            }
            LogicalPlan::Values(values) => self.down(&by_row(values)?)?,
            LogicalPlan::Extension(extension) => self.extension(extension)?,
            other => return Err(refused(other)),
        };
        keys_last(keyed, plan)
    }

    /// The outer values, each once.
    pub(super) fn values(&mut self) -> PlanResult<Keyed> {
        let name = self.outer.new_name("outer");
        let columns = self.columns.iter().cloned().enumerate();
        let named = columns.map(|(i, c)| Expr::Column(c).alias(key_name(&name, i))).collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(self.outer.rows.clone()).project(named)?.distinct()?;
        let plan = plan.alias(name.as_str())?.build()?;
        let nulls = plan.schema().fields().iter().any(|f| f.is_nullable());
        Ok(Keyed { keys: plan.schema().columns(), plan, nulls })
    }

    /// `expr` with the keys in the place of the outer columns, under the name that it had.
    pub(super) fn own(&self, expr: Expr, keys: &[Column]) -> PlanResult<Expr> {
        let (qualifier, name) = expr.qualified_name();
        let own = self.own_unnamed(expr, keys)?;
        Ok(match own.qualified_name() == (qualifier.clone(), name.clone()) {
            true => own,
            false => own.alias_qualified(qualifier, name),
        })
    }

    pub(super) fn own_unnamed(&self, expr: Expr, keys: &[Column]) -> PlanResult<Expr> {
        let own = expr.transform(|e| {
            Ok(match &e {
                Expr::OuterReferenceColumn(_, column) => match self.columns.iter().position(|c| c == column) {
                    Some(i) => Transformed::yes(Expr::Column(keys[i].clone())),
                    None => Transformed::no(e),
                },
                _ => Transformed::no(e),
            })
        })?;
        Ok(own.data)
    }

    pub(super) fn own_all(&self, exprs: &[Expr], keys: &[Column]) -> PlanResult<Vec<Expr>> {
        exprs.iter().cloned().map(|e| self.own(e, keys)).collect()
    }

    pub(super) fn projection(&mut self, projection: &Projection) -> PlanResult<Keyed> {
        let Keyed { plan, keys, nulls } = self.down(&projection.input)?;
        let mut exprs = self.own_all(&projection.expr, &keys)?;
        exprs.extend(columns_of(&keys));
        Ok(Keyed { plan: LogicalPlanBuilder::from(plan).project(exprs)?.build()?, keys, nulls })
    }

    pub(super) fn own_order(&self, order: &[SortExpr], keys: &[Column]) -> PlanResult<Vec<SortExpr>> {
        order.iter().map(|s| Ok(SortExpr { expr: self.own_unnamed(s.expr.clone(), keys)?, ..s.clone() })).collect()
    }
}

/// The name of a key, which is not the name of any other column.
pub(in crate::subqueries) fn key_name(relation: &str, i: usize) -> String {
    format!("{relation}_key_{i}")
}

fn columns_of(columns: &[Column]) -> impl Iterator<Item = Expr> + '_ {
    columns.iter().cloned().map(Expr::Column)
}

/// The columns of `of`, and then the keys.
fn keys_last(keyed: Keyed, of: &LogicalPlan) -> PlanResult<Keyed> {
    let wanted: Vec<Column> = of.schema().columns().into_iter().chain(keyed.keys.iter().cloned()).collect();
    if keyed.plan.schema().columns() == wanted {
        return Ok(keyed);
    }
    let plan = LogicalPlanBuilder::from(keyed.plan).project(columns_of(&wanted))?.build()?;
    Ok(Keyed { plan, ..keyed })
}

fn refused(plan: &LogicalPlan) -> datafusion::error::DataFusionError {
    let what = plan.display().to_string();
    let what = what.split(':').next().unwrap_or_default().trim().to_string();
    carried(
        Error::unsupported(format!(
            "a subquery that refers to the query around it from within {what} is not supported"
        ))
        .with_hint("Join the tables instead, or refer to the outer columns in its WHERE."),
    )
}
