//! `SKEWNESS(x)` and `KURTOSIS(x)`: the shape of a distribution, by the third and the fourth power of the distances to its mean.
//!
//! Five numbers are kept, and those of two parts put together as Pébay does, without the cancellation that sums of powers have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// What is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Skewness,
    Kurtosis,
}

/// Whether the values are all there are, or a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Bias {
    Population,
    Sample,
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Moments {
    shape: Shape,
    bias: Bias,
    aliases: Vec<String>,
    signature: Signature,
}

impl Moments {
    pub(super) fn new(shape: Shape, bias: Bias) -> Self {
        let aliases = match (shape, bias) {
            (Shape::Skewness, Bias::Population) => vec!["skewness_pop".into()],
            (Shape::Kurtosis, Bias::Population) => vec!["kurtosis_pop".into()],
            _ => vec![],
        };
        Self { shape, bias, aliases, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Moments {
    fn name(&self) -> &str {
        match (self.shape, self.bias) {
            (Shape::Skewness, Bias::Population) => "skewness",
            (Shape::Skewness, Bias::Sample) => "skewness_samp",
            (Shape::Kurtosis, Bias::Population) => "kurtosis",
            (Shape::Kurtosis, Bias::Sample) => "kurtosis_samp",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [t] if t.is_numeric() || t.is_null() => Ok(vec![DataType::Float64]),
            _ => plan_err!("{} takes one number", self.name().to_uppercase()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |part: &str| Arc::new(Field::new(format_state_name(args.name, part), DataType::Float64, true));
        Ok(["n", "mean", "m2", "m3", "m4"].map(field).to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{} takes no DISTINCT", self.name().to_uppercase());
        }
        Ok(Box::new(Powers { shape: self.shape, bias: self.bias, sums: Sums::default() }))
    }
}

/// Of some values: how many, their mean, and the sums of the powers of their distances to it.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Sums {
    fn of(value: f64) -> Self {
        Self { n: 1.0, mean: value, ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        if other.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = other;
            return;
        }
        let (a, b) = (*self, other);
        let n = a.n + b.n;
        let delta = b.mean - a.mean;
        let (d2, d3, d4) = (delta.powi(2), delta.powi(3), delta.powi(4));
        self.n = n;
        self.mean = a.mean + delta * b.n / n;
        self.m2 = a.m2 + b.m2 + d2 * a.n * b.n / n;
        self.m3 = a.m3 + b.m3 + d3 * a.n * b.n * (a.n - b.n) / n.powi(2) + 3.0 * delta * (a.n * b.m2 - b.n * a.m2) / n;
        self.m4 = a.m4
            + b.m4
            + d4 * a.n * b.n * (a.n.powi(2) - a.n * b.n + b.n.powi(2)) / n.powi(3)
            + 6.0 * d2 * (a.n.powi(2) * b.m2 + b.n.powi(2) * a.m2) / n.powi(2)
            + 4.0 * delta * (a.n * b.m3 - b.n * a.m3) / n;
    }

    fn shape(&self, shape: Shape, bias: Bias) -> Option<f64> {
        let n = self.n;
        let least = match (shape, bias) {
            (_, Bias::Population) => 1.0,
            (Shape::Skewness, Bias::Sample) => 3.0,
            (Shape::Kurtosis, Bias::Sample) => 4.0,
        };
        if n < least || self.m2 == 0.0 {
            return None;
        }
        Some(match shape {
            Shape::Skewness => {
                let population = n.sqrt() * self.m3 / self.m2.powf(1.5);
                match bias {
                    Bias::Population => population,
                    Bias::Sample => population * (n * (n - 1.0)).sqrt() / (n - 2.0),
                }
            }
            Shape::Kurtosis => {
                let population = n * self.m4 / self.m2.powi(2) - 3.0;
                match bias {
                    Bias::Population => population,
                    Bias::Sample => (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * population + 6.0),
                }
            }
        })
    }
}

#[derive(Debug)]
struct Powers {
    shape: Shape,
    bias: Bias,
    sums: Sums,
}

impl Accumulator for Powers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = cast(&values[0], &DataType::Float64)?;
        values.as_primitive::<Float64Type>().iter().flatten().for_each(|v| self.sums.add(Sums::of(v)));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let parts: Vec<_> = states.iter().map(|s| s.as_primitive::<Float64Type>()).collect();
        let [n, mean, m2, m3, m4] = parts.as_slice() else { return plan_err!("a partial state of other parts") };
        for row in (0..n.len()).filter(|row| n.is_valid(*row)) {
            let [n, mean, m2, m3, m4] = [n, mean, m2, m3, m4].map(|part| part.value(row));
            self.sums.add(Sums { n, mean, m2, m3, m4 });
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Sums { n, mean, m2, m3, m4 } = self.sums;
        Ok([n, mean, m2, m3, m4].map(|part| ScalarValue::Float64(Some(part))).to_vec())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.sums.shape(self.shape, self.bias)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Sums {
        let mut sums = Sums::default();
        values.iter().for_each(|v| sums.add(Sums::of(*v)));
        sums
    }

    fn shapes(sums: Sums) -> [Option<f64>; 4] {
        let of = |shape, bias| sums.shape(shape, bias).map(|v| (v * 1e9).round() / 1e9);
        [
            of(Shape::Skewness, Bias::Population),
            of(Shape::Skewness, Bias::Sample),
            of(Shape::Kurtosis, Bias::Population),
            of(Shape::Kurtosis, Bias::Sample),
        ]
    }

    #[test]
    fn the_shape_of_a_few_numbers() {
        // As DuckDB has them.
        let all = [Some(0.957549163), Some(1.6585238), Some(-0.851270957), Some(2.615467820)];
        assert_eq!(shapes(of(&[1.0, 1.0, 2.0, 5.0])), all);
        assert_eq!(shapes(of(&[2.0, 2.0])), [None; 4]);
        assert_eq!(shapes(of(&[])), [None; 4]);
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let mut parts = of(&values[..3]);
        parts.add(of(&values[3..]));
        assert_eq!(shapes(parts), shapes(of(&values)));
    }
}
