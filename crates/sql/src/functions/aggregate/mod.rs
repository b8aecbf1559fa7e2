//! Aggregates that DataFusion lacks, or has in another way. [`ALL`] lists them.

mod arg_extreme;
mod mode;
mod moments;
mod ordered_values;
mod percentile_cont;
mod percentile_disc;

use datafusion::logical_expr::AggregateUDF;

use self::arg_extreme::ArgExtreme;
use self::mode::Mode;
use self::moments::{Bias, Moments, Shape};
use self::percentile_cont::{percentile_cont, percentile_cont_descending};
use self::percentile_disc::PercentileDisc;

/// An aggregate, as the reference page has it.
pub struct Aggregate {
    /// How it is called.
    pub usage: &'static str,
    /// What it gives.
    pub about: &'static str,
    make: fn() -> AggregateUDF,
}

/// Every aggregate.
pub static ALL: &[Aggregate] = &[
    Aggregate {
        usage: "ARG_MAX(x, y) or MAX_BY(x, y)",
        about: "The x of the row with the greatest y. Rows where either is NULL do not count; of several such rows it is the least x.",
        make: || AggregateUDF::new_from_impl(ArgExtreme::new(true)),
    },
    Aggregate {
        usage: "ARG_MIN(x, y) or MIN_BY(x, y)",
        about: "The x of the row with the least y. Rows where either is NULL do not count; of several such rows it is the least x.",
        make: || AggregateUDF::new_from_impl(ArgExtreme::new(false)),
    },
    Aggregate {
        usage: "KURTOSIS(x) or KURTOSIS_POP(x)",
        about: "How heavy the tails of all x are beside those of a normal distribution, which has 0. NULL where all x are equal.",
        make: || AggregateUDF::new_from_impl(Moments::new(Shape::Kurtosis, Bias::Population)),
    },
    Aggregate {
        usage: "KURTOSIS_SAMP(x)",
        about: "The same of a sample, without its bias. NULL of fewer than four x.",
        make: || AggregateUDF::new_from_impl(Moments::new(Shape::Kurtosis, Bias::Sample)),
    },
    Aggregate {
        usage: "MODE(x) or MODE() WITHIN GROUP (ORDER BY x)",
        about: "The x that is there most often; of several such it is the first in that order, the least. NULL does not count.",
        make: || AggregateUDF::new_from_impl(Mode::new(false)),
    },
    Aggregate {
        usage: "PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x)",
        about: "The value at the share p of all x in that order, between two of them in proportion; p is a number from 0 to 1. NULL does not count.",
        make: percentile_cont,
    },
    Aggregate {
        usage: "PERCENTILE_DISC(p) WITHIN GROUP (ORDER BY x)",
        about: "The first x, in that order, that a share of at least p of all x has come up to; p is a number from 0 to 1. NULL does not count.",
        make: || AggregateUDF::new_from_impl(PercentileDisc::new(false)),
    },
    Aggregate {
        usage: "SKEWNESS(x) or SKEWNESS_POP(x)",
        about: "How far all x lean to one side: above 0 where the longer tail is that of great x. NULL where all x are equal.",
        make: || AggregateUDF::new_from_impl(Moments::new(Shape::Skewness, Bias::Population)),
    },
    Aggregate {
        usage: "SKEWNESS_SAMP(x)",
        about: "The same of a sample, without its bias. NULL of fewer than three x.",
        make: || AggregateUDF::new_from_impl(Moments::new(Shape::Skewness, Bias::Sample)),
    },
];

/// Aggregates that go by another name too.
pub static OTHER_NAMES: &[(&str, &str)] = &[
    ("EVERY(condition), LOGICAL_AND(condition)", "`BOOL_AND(condition)`"),
    ("ANY(condition), SOME(condition), LOGICAL_OR(condition)", "`BOOL_OR(condition)`"),
    ("COUNTIF(condition), COUNT_IF(condition)", "`COUNT(*) FILTER (WHERE condition)`"),
    ("COLLECT(x), COLLECT_LIST(x)", "`ARRAY_AGG(x)` without NULLs"),
    ("COLLECT_SET(x)", "`ARRAY_AGG(DISTINCT x)` without NULLs"),
];

/// Aggregates that the parser writes for others: with `OVER`, DataFusion takes no `WITHIN GROUP`.
static INTERNAL: &[fn() -> AggregateUDF] = &[
    || AggregateUDF::new_from_impl(Mode::new(true)),
    percentile_cont_descending,
    || AggregateUDF::new_from_impl(PercentileDisc::new(true)),
];

/// Every aggregate, ready to be registered.
pub fn all() -> impl Iterator<Item = AggregateUDF> {
    ALL.iter().map(|aggregate| (aggregate.make)()).chain(INTERNAL.iter().map(|make| make()))
}
