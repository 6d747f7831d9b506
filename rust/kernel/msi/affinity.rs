// SPDX-License-Identifier: GPL-2.0

//! Initial affinities of interrupts.
//!
//! C header: [`include/linux/interrupt.h`](srctree/include/linux/interrupt.h)

use crate::{
    bindings,
    cpumask::Cpumask,
    fmt,
    prelude::*, //
};

/// How to spread a batch of vectors over the CPUs, so that together they serve each.
///
/// They get a managed affinity, see [`Affinity::managed`], and there are no more of them than
/// CPUs. When there are fewer than wanted then those are spread. Corresponds to the C `struct
/// irq_affinity`, without its sets.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{fake_device, Recorder}, Request, Spread, Table};
///
/// let dev = fake_device!(c"msi_spread", 64);
/// let table = Table::new(dev.as_ref(), c"ims", 64, Recorder::default())?;
///
/// // One for the housekeeping, and one for each CPU.
/// let spread = Spread::default().pre_vectors(1);
/// let vectors = table.alloc_many(Request::any().spread(&spread), 2..=64)?;
/// assert!(vectors.len() >= 2 && vectors.len() <= 1 + usize::try_from(kernel::cpu::nr_cpu_ids())?);
///
/// // At least those which are not spread are needed.
/// let spread = Spread::default().post_vectors(2);
/// assert!(table.alloc_many(Request::any().spread(&spread), 1..=4).is_err());
/// # drop(vectors);
/// # Ok::<(), Error>(())
/// ```
#[derive(Default)]
pub struct Spread(bindings::irq_affinity);

impl Spread {
    /// So many of the first vectors are not spread.
    #[inline]
    pub fn pre_vectors(mut self, n: u32) -> Self {
        self.0.pre_vectors = n;
        self
    }

    /// So many of the last vectors are not spread.
    #[inline]
    pub fn post_vectors(mut self, n: u32) -> Self {
        self.0.post_vectors = n;
        self
    }

    /// Returns what the C side reads.
    #[inline]
    pub(super) fn as_raw(&self) -> *const bindings::irq_affinity {
        &self.0
    }
}

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
///             fake_device,
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
/// let dev = fake_device!(c"msi_affinity", 8);
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
/// let irq = five.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
/// dev.parent().inject(irq.vector().message()?)?;
/// # drop(more);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Zeroable)]
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
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Affinity,
    ///         Request,
    ///         Table, //
    ///     },
    /// };
    ///
    /// let dev = fake_device!(c"msi_managed", 8);
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

    /// Initializes an affinity where it is going to be.
    ///
    /// An affinity has room for as many CPUs as the kernel was built for: 1 KiB if these are 8192.
    /// For a kernel stack, [`Affinity::new`] is too much of that where there are several.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpu::CpuId,
    ///     cpumask::CpumaskVar,
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Affinity,
    ///         Request,
    ///         Table, //
    ///     },
    /// };
    ///
    /// let dev = fake_device!(c"msi_aff_init", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    /// mask.set(CpuId::from_u32(0).ok_or(EINVAL)?);
    ///
    /// let mut first = KBox::init(Affinity::init(&mask), GFP_KERNEL)?;
    /// first.set_managed();
    /// let vector = table.alloc(Request::any().affinity(&first))?;
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn init(mask: &Cpumask) -> impl Init<Self> + '_ {
        pin_init::init_zeroed::<Self>().chain(|this| {
            // SAFETY: The mask is valid for writing, and not used otherwise meanwhile.
            mask.copy(unsafe { Cpumask::from_raw_mut(&mut this.0.mask) });
            Ok(())
        })
    }

    /// Leaves the affinity to the kernel, see [`Affinity::managed`].
    #[inline]
    pub fn set_managed(&mut self) {
        self.0.set_is_managed(1);
    }

    /// Returns whether the affinity is left to the kernel.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpumask::CpumaskVar,
    ///     msi::Affinity, //
    /// };
    ///
    /// let mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    ///
    /// assert!(!Affinity::new(&mask).is_managed());
    /// assert!(Affinity::new(&mask).managed().is_managed());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn is_managed(&self) -> bool {
        self.0.is_managed() != 0
    }
}

impl fmt::Debug for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Affinity")
            .field("is_managed", &self.is_managed())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spread").finish_non_exhaustive()
    }
}
