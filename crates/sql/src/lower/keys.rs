//! The keys of a `GROUP BY`, and the sets of `GROUPING SETS`, `CUBE` and `ROLLUP`.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, Operator, binary_expr, cast, lit};

use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, WindowRef, bare_column};

/// What rows are grouped by.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// The distinct key expressions: the first columns of the aggregation.
    pub(super) exprs: Vec<Expr>,
    /// For each set, which of the keys are NULL in it. Empty where there are no sets.
    pub(super) sets: Vec<Vec<bool>>,
    /// The fields of the keys in the output.
    pub(super) fields: Vec<FieldRef>,
    /// The field of the grouping id, where there are sets.
    pub(super) grouping_id: Option<FieldRef>,
}

impl Keys {
    pub(super) fn of(aggregate: &Aggregate) -> Lower<Self> {
        let exprs: Vec<Expr> = grouping_set_to_exprlist(&aggregate.group_expr)?.into_iter().cloned().collect();
        let sets: Vec<Vec<&Expr>> = match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().map(|s| s.iter().collect()).collect(),
            [Expr::GroupingSet(GroupingSet::Rollup(all))] => {
                (0..=all.len()).rev().map(|n| all[..n].iter().collect()).collect()
            }
            [Expr::GroupingSet(GroupingSet::Cube(all))] => (0..1usize << all.len())
                .map(|mask| all.iter().enumerate().filter(|(i, _)| mask & (1 << i) == 0).map(|(_, e)| e).collect())
                .collect(),
            _ => vec![],
        };
        let sets = sets.iter().map(|set| exprs.iter().map(|e| !set.contains(&e)).collect()).collect::<Vec<_>>();
        let fields = aggregate.schema.fields();
        let grouping_id = (!sets.is_empty()).then(|| fields[exprs.len()].clone());
        Ok(Self { fields: fields[..exprs.len()].to_vec(), exprs, sets, grouping_id })
    }

    /// The columns of the aggregation that stand before the aggregates.
    pub(super) fn width(&self) -> usize {
        self.exprs.len() + usize::from(self.grouping_id.is_some())
    }

    /// Which keys are bounds of which windows: those that stand in every set.
    pub(super) fn bounds(&self, input: &Relation, schema: &DFSchema) -> Vec<(usize, Bound, WindowRef)> {
        let in_all_sets = |k: usize| self.sets.iter().all(|set| !set[k]);
        let bound = |(k, e): (usize, &Expr)| match &input.slot(schema, bare_column(e)?)?.origin {
            Origin::Window(bound, window) if in_all_sets(k) => Some((k, *bound, window.clone())),
            _ => None,
        };
        self.exprs.iter().enumerate().filter_map(bound).collect()
    }

    /// Without the keys in `out`, which stand in every set.
    pub(super) fn without(&self, out: &[usize]) -> Self {
        let keep = |k: &usize| !out.contains(k);
        let all = 0..self.exprs.len();
        Self {
            exprs: all.clone().filter(keep).map(|k| self.exprs[k].clone()).collect(),
            fields: all.clone().filter(keep).map(|k| self.fields[k].clone()).collect(),
            sets: self.sets.iter().map(|set| all.clone().filter(keep).map(|k| set[k]).collect()).collect(),
            grouping_id: self.grouping_id.clone(),
        }
    }

    /// The grouping id of all keys from that of the keys without `out`, or nothing where they are equal.
    ///
    /// The id has a bit for each key, the last key's the lowest, and above them the number of equal sets before. A key that
    /// stands in every set has a 0 there; leaving it out moves the bits.
    pub(super) fn grouping_id_of(&self, id: &Expr, out: &[usize]) -> Option<Expr> {
        let field = self.grouping_id.as_ref()?;
        let left: Vec<usize> = (0..self.exprs.len()).filter(|k| !out.contains(k)).collect();
        let equal_sets = self.sets.iter().enumerate().any(|(i, s)| self.sets[..i].contains(s));
        let moved = left.iter().rev().enumerate().any(|(bit, k)| bit != self.exprs.len() - 1 - k);
        let ordinal_moves = equal_sets && left.len() != self.exprs.len();
        if !(moved || ordinal_moves) {
            return None;
        }
        let number = |n: u64| lit(ScalarValue::UInt64(Some(n)));
        let wide = cast(id.clone(), datafusion::arrow::datatypes::DataType::UInt64);
        let part = |mask: u64, from: usize, to: usize| {
            let bits = binary_expr(wide.clone(), Operator::BitwiseShiftRight, number(from as u64));
            let bits = binary_expr(bits, Operator::BitwiseAnd, number(mask));
            binary_expr(bits, Operator::BitwiseShiftLeft, number(to as u64))
        };
        let ordinal = part(u64::MAX, left.len(), self.exprs.len());
        let whole = left.iter().rev().enumerate().fold(ordinal, |sum, (bit, k)| {
            binary_expr(sum, Operator::BitwiseOr, part(1, bit, self.exprs.len() - 1 - k))
        });
        Some(cast(whole, field.data_type().clone()))
    }
}
