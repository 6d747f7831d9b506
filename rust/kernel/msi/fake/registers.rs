// SPDX-License-Identifier: GPL-2.0

//! Registers which are memory.

use crate::{
    device::{
        Bound,
        Device, //
    },
    io::{
        MmioRaw,
        Region, //
    },
    msi::Mapping,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Memory in the place of registers, for a table of [`Mmio`](crate::msi::Mmio).
///
/// # Examples
///
/// ```
/// # #![cfg(any(not(CONFIG_INDIRECT_IOMEM), CONFIG_INDIRECT_IOMEM_FALLBACK))]
/// use kernel::msi::fake::Registers;
///
/// let registers = Registers::new(16, 0xff)?;
/// assert_eq!(registers.read(12), 0xff);
///
/// registers.fill(0);
/// assert_eq!(registers.read(12), 0);
/// # Ok::<(), Error>(())
/// ```
pub struct Registers(KVec<Atomic<u32>>);

impl Registers {
    /// Creates registers of 32 bits, `bytes` in all, which contain `value`.
    pub fn new(bytes: usize, value: u32) -> Result<Self> {
        let len = bytes / size_of::<u32>();
        let mut registers = KVec::with_capacity(len, GFP_KERNEL)?;

        for _ in 0..len {
            registers.push(Atomic::new(value.to_le()), GFP_KERNEL)?;
        }
        Ok(Self(registers))
    }

    /// Sets all registers to `value`.
    pub fn fill(&self, value: u32) {
        for register in &self.0 {
            register.store(value.to_le(), Relaxed);
        }
    }

    /// Returns the register at this offset in bytes, all ones if there is none.
    pub fn read(&self, offset: usize) -> u32 {
        self.0
            .get(offset / size_of::<u32>())
            .map_or(!0, |register| u32::from_le(register.load(Relaxed)))
    }
}

// SAFETY:
// - The region is the memory of the vector's elements, which are initialized. They are atomics and
//   any value of theirs is fine, so nothing goes wrong if they are written behind their back. Where
//   this is compiled, MMIO is accessed like memory.
// - The vector is private and not changed, so its memory stays where it is until `self` is dropped.
// - `self` borrows nothing.
unsafe impl Mapping for Registers {
    fn region(&self, _dev: &Device<Bound>) -> Result<MmioRaw<Region>> {
        MmioRaw::new_region(
            self.0.as_ptr().expose_provenance(),
            self.0.len() * size_of::<u32>(),
        )
    }
}
