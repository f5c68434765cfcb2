//! Ascending numbers as the gaps between them: of each gap the high part in ones with a zero behind, then so many low bits.

use smallvec::SmallVec;

/// The first byte is the number of low bits. The last byte is filled up with ones, which end no gap.
pub(super) fn write(ascending: &[u32]) -> SmallVec<[u8; 256]> {
    let low = low_bits(ascending);
    let mut written = SmallVec::new();
    written.push(low);
    let (mut bits, mut held) = (0_u64, 0_u32);
    let mut put = |value: u64, count: u32| {
        bits = bits << count | value;
        held += count;
        while held >= 8 {
            held -= 8;
            written.push((bits >> held) as u8);
        }
    };
    let mut next = 0;
    for number in ascending {
        let gap = u64::from(number - next);
        let mut high = gap >> low;
        while high >= 32 {
            put(u64::from(u32::MAX), 32);
            high -= 32;
        }
        put((1 << (high + 1)) - 2, high as u32 + 1);
        put(gap & ((1 << low) - 1), low.into());
        next = number.saturating_add(1);
    }
    if held > 0 {
        written.push((bits << (8 - held)) as u8 | u8::MAX >> held);
    }
    written
}

/// With which the code is about shortest: the logarithm of the mean gap.
fn low_bits(ascending: &[u32]) -> u8 {
    let span = ascending.last().map_or(0, |last| u64::from(*last) + 1);
    let mean = span.saturating_sub(ascending.len() as u64) / (ascending.len() as u64).max(1);
    mean.checked_ilog2().unwrap_or_default() as u8
}

/// What [`write`] has written, behind its first byte.
pub(super) struct Numbers<'a> {
    low: u32,
    rest: &'a [u8],
    /// From the highest bit down.
    bits: u64,
    held: u32,
    next: u32,
}

impl Numbers<'_> {
    pub(super) fn read(low: u8, gaps: &[u8]) -> Numbers<'_> {
        Numbers { low: low.into(), rest: gaps, bits: 0, held: 0, next: 0 }
    }

    /// As many whole bytes as there is room for: eight are read at once where there are eight.
    fn fill(&mut self) {
        if let Some(eight) = self.rest.first_chunk() {
            let bytes = (64 - self.held) / 8;
            let kept = u64::MAX.checked_shl(64 - bytes * 8).unwrap_or_default();
            self.bits |= (u64::from_be_bytes(*eight) & kept).checked_shr(self.held).unwrap_or_default();
            self.held += bytes * 8;
            self.rest = self.rest.get(bytes as usize..).unwrap_or_default();
            return;
        }
        while let Some((&byte, rest)) = self.rest.split_first().filter(|_| self.held <= 56) {
            self.bits |= u64::from(byte) << (56 - self.held);
            self.held += 8;
            self.rest = rest;
        }
    }

    fn drop(&mut self, count: u32) {
        self.bits = self.bits.checked_shl(count).unwrap_or_default();
        self.held -= count;
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut high = 0;
        loop {
            // Most numbers take less than half of what is held.
            if self.held < 32 {
                self.fill();
            }
            let ones = self.bits.leading_ones().min(self.held);
            high += ones;
            self.drop(ones);
            if self.held > 0 {
                self.drop(1);
                break;
            }
            if self.rest.is_empty() {
                return None;
            }
        }
        if self.held < self.low {
            self.fill();
        }
        if self.held < self.low {
            return None;
        }
        let low = self.bits.checked_shr(64 - self.low).unwrap_or_default() as u32;
        self.drop(self.low);
        let number = self.next.saturating_add(high << self.low | low);
        self.next = number.saturating_add(1);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(written: &[u8]) -> Vec<u32> {
        Numbers::read(written[0], &written[1..]).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(gaps in prop::collection::vec(prop_oneof![0_u32..4, 0_u32..40, 0_u32..70_000], 0..300)) {
            let mut next = 0;
            let numbers: Vec<u32> = gaps.iter().map(|gap| {
                let number = next + gap;
                next = number + 1;
                number
            }).collect();
            prop_assert_eq!(read(&write(&numbers)), numbers);
        }
    }

    #[test]
    fn whole_bytes_are_not_followed_by_another() {
        assert_eq!(write(&[0, 1, 2, 3, 4, 5, 6, 7]).as_slice(), [0, 0]);
        assert_eq!(write(&[0, 1, 2, 3, 4, 5, 6, 7, 8]).as_slice(), [0, 0, 0x7f]);
    }

    #[test]
    fn the_parameter_follows_the_gaps() {
        let every = |step: usize| write(&(0..12_000).step_by(step).map(|n| n as u32).collect::<Vec<_>>())[0];
        assert_eq!((every(1), every(2), every(12), every(100)), (0, 0, 3, 6));
    }
}
