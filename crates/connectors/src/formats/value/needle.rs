//! Finds the first of a few bytes, a word at a time: for distances so short that setting up a vector search costs more.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = EACH << 7;

/// `N` bytes to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needle<const N: usize>([u64; N]);

impl<const N: usize> Needle<N> {
    #[inline]
    pub(crate) const fn new(bytes: [u8; N]) -> Self {
        let mut words = [0; N];
        let mut i = 0;
        while i < N {
            words[i] = EACH * bytes[i] as u64;
            i += 1;
        }
        Self(words)
    }

    /// The position of the first of the bytes from `at` on, or the end.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], mut at: usize) -> usize {
        while let Some(word) = bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let mut found = 0;
            for needle in self.0 {
                // The classic test for a zero byte. It may also mark bytes after the first zero byte, never before it.
                let zero = word ^ needle;
                found |= zero.wrapping_sub(EACH) & !zero;
            }
            found &= HIGH;
            if found != 0 {
                return at + (found.trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
        while at < bytes.len() && !self.0.iter().any(|n| *n as u8 == bytes[at]) {
            at += 1;
        }
        at
    }
}
