//! Finds the first of a few bytes, over distances so short that setting up a library's search costs more than it saves.
//!
//! [`Needle::find`] goes sixteen bytes at a time; [`Marks`] looks at sixty-four at once and then hands out position after
//! position, for text that is full of what is looked for.

/// `N` bytes to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needle<const N: usize>([u8; N]);

impl<const N: usize> Needle<N> {
    pub(crate) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The position of the first of the bytes from `at` on, or the end.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], mut at: usize) -> usize {
        while let Some(sixteen) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
            let found = self.mask(sixteen);
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += 16;
        }
        while at < bytes.len() && !self.0.contains(&bytes[at]) {
            at += 1;
        }
        at
    }

    /// A bit for each byte, the first the lowest: whether it is one of those.
    #[inline]
    #[cfg(target_arch = "x86_64")]
    fn mask(&self, sixteen: &[u8; 16]) -> u32 {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128,
        };
        // SAFETY: sixteen bytes are there to load, and every x86-64 processor has these instructions.
        unsafe {
            let bytes = _mm_loadu_si128(sixteen.as_ptr().cast());
            let mut found = _mm_setzero_si128();
            for needle in self.0 {
                found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(needle as i8)));
            }
            _mm_movemask_epi8(found) as u32
        }
    }

    #[inline]
    #[cfg(not(target_arch = "x86_64"))]
    fn mask(&self, sixteen: &[u8; 16]) -> u32 {
        let found = sixteen.map(|b| self.0.contains(&b));
        found.iter().enumerate().fold(0, |mask, (i, found)| mask | u32::from(*found) << i)
    }
}

/// The positions of a few bytes in a text, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Marks<const N: usize> {
    needle: Needle<N>,
    /// The first of the sixty-four bytes that `mask` is about.
    base: usize,
    /// Of those, the ones found and not handed out yet.
    mask: u64,
}

impl<const N: usize> Marks<N> {
    /// Looks for `needle` from `at` on.
    #[inline]
    pub(crate) fn new(needle: Needle<N>, bytes: &[u8], at: usize) -> Self {
        let mut marks = Self { needle, base: at, mask: 0 };
        marks.look(bytes);
        marks
    }

    /// The next position, or the end.
    #[inline]
    pub(crate) fn next(&mut self, bytes: &[u8]) -> usize {
        while self.mask == 0 {
            if self.base + 64 >= bytes.len() {
                return bytes.len();
            }
            self.base += 64;
            self.look(bytes);
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        at
    }

    /// Goes on at `at`.
    pub(crate) fn go_to(&mut self, bytes: &[u8], at: usize) {
        *self = Self::new(self.needle, bytes, at);
    }

    #[inline]
    fn look(&mut self, bytes: &[u8]) {
        self.mask = 0;
        let rest = bytes.get(self.base..).unwrap_or(&[]);
        match rest.first_chunk::<64>() {
            Some(all) => {
                for (i, sixteen) in all.as_chunks::<16>().0.iter().enumerate() {
                    self.mask |= u64::from(self.needle.mask(sixteen)) << (16 * i);
                }
            }
            None => {
                for (i, b) in rest.iter().enumerate() {
                    self.mask |= u64::from(self.needle.0.contains(b)) << i;
                }
            }
        }
    }
}
