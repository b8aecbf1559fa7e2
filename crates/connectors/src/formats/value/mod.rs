//! Values as text: one room a family of types, each both ways. Knows nothing of fields, records or formats.

pub(crate) mod decimal;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod needle;
pub(crate) mod time;

use arrow::datatypes::ArrowPrimitiveType;

/// How the values of one SQL type are written.
///
/// `None` means that the text is not a value of the type: wrong form, or out of its range.
pub(crate) trait Scalar: Send + 'static {
    /// The Arrow type of the column.
    type Arrow: ArrowPrimitiveType;

    /// The value of a whole text: a CSV field, a JSON string. No white space is around it.
    fn text(&self, text: &[u8]) -> Option<Native<Self>>;

    /// The value of a JSON number, whose form is right.
    fn number(&self, _token: &[u8]) -> Option<Native<Self>> {
        None
    }

    /// The value of the number at `pos` and the position after it, where that is quick to tell; `None` sends the
    /// caller the long way, through [`number`](Self::number) or [`text`](Self::text). `text` goes on after the number.
    #[inline]
    fn quick(&self, _text: &[u8], _pos: usize) -> Option<(Native<Self>, usize)> {
        None
    }
}

/// The Rust type of a [`Scalar`]'s values.
pub(crate) type Native<S> = <<S as Scalar>::Arrow as ArrowPrimitiveType>::Native;
