// SPDX-License-Identifier: GPL-2.0

//! Initial affinities of interrupts.

use crate::{
    bindings,
    cpumask::Cpumask, //
};

/// The CPUs which the interrupt of a new vector is for.
///
/// Corresponds to the C `struct irq_affinity_desc`.
///
/// # Examples
///
/// ```
/// use kernel::{
///     cpu::CpuId,
///     cpumask::CpumaskVar,
///     irq::{
///         Flags,
///         Handler,
///         IrqReturn, //
///     },
///     msi::{
///         fake::{
///             FakeDevice,
///             Recorder, //
///         },
///         Affinity,
///         Request,
///         Table, //
///     },
/// };
///
/// struct Ignore;
///
/// impl Handler for Ignore {
///     fn handle(&self) -> IrqReturn {
///         IrqReturn::Handled
///     }
/// }
///
/// let dev = FakeDevice::new(c"msi_affinity", 8)?;
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
/// mask.set(CpuId::from_u32(0).ok_or(EINVAL)?);
/// let first = Affinity::new(&mask);
///
/// // One vector, and a batch with an affinity for each.
/// let five = table.alloc(Request::at(5).affinity(&first))?;
/// let more = table.alloc_many(Request::any().affinities(&[first.clone(), first]), 2..=2)?;
///
/// let irq = KBox::pin_init(
///     five.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore),
///     GFP_KERNEL,
/// )?;
/// dev.parent().inject(irq.vector().message()?)?;
/// # drop(more);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct Affinity(bindings::irq_affinity_desc);

impl Affinity {
    /// The interrupt begins on one of these CPUs. It may be moved to others.
    #[inline]
    pub fn new(mask: &Cpumask) -> Self {
        let mut desc = bindings::irq_affinity_desc::default();

        // SAFETY: The mask is valid for writing, and `desc` is not used otherwise meanwhile.
        mask.copy(unsafe { Cpumask::from_raw_mut(&mut desc.mask) });

        Self(desc)
    }

    /// Leaves the affinity to the kernel: user space can not change it, and when the last CPU of
    /// the mask goes offline the interrupt is shut down until one comes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpu::CpuId,
    ///     cpumask::CpumaskVar,
    ///     msi::{
    ///         fake::{
    ///             FakeDevice,
    ///             Recorder, //
    ///         },
    ///         Affinity,
    ///         Request,
    ///         Table, //
    ///     },
    /// };
    ///
    /// let dev = FakeDevice::new(c"msi_managed", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    /// mask.set(CpuId::from_u32(0).ok_or(EINVAL)?);
    /// let managed = Affinity::new(&mask).managed();
    ///
    /// let vector = table.alloc(Request::any().affinity(&managed))?;
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn managed(mut self) -> Self {
        self.0.set_is_managed(1);
        self
    }
}
