// SPDX-License-Identifier: GPL-2.0

//! What there is to say about a store.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use crate::{
    bindings,
    fmt,
    prelude::*, //
};
use core::ptr::{
    self,
    NonNull, //
};

/// Size of the table of a [`Store`](super::Store), and what else there is to say about it.
///
/// A plain number converts into the options of a store with that many slots.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{fake_device, Recorder}, Options, Table};
///
/// let dev = fake_device!(c"msi_options", 8);
///
/// let table = Table::new(dev.as_ref(), c"a", 16, Recorder::default())?;
/// assert_eq!(table.size(), Some(16));
///
/// let table = Table::new(dev.as_ref(), c"b", Options::unindexed(), Recorder::default())?;
/// assert_eq!(table.size(), None);
///
/// let res = Table::new(dev.as_ref(), c"c", Options::indexed(0), Recorder::default());
/// assert_eq!(res.err(), Some(EINVAL));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub(super) size: Option<u32>,
    pub(super) expected: u32,
    pub(super) flags: u32,
    pub(super) parent: Option<NonNull<bindings::irq_domain>>,
}

impl Options {
    /// A store of `size` slots. Their labels begin at 0.
    #[inline]
    pub const fn indexed(size: u32) -> Self {
        Self {
            size: Some(size),
            expected: 0,
            flags: 0,
            parent: None,
        }
    }

    /// A store whose hardware has no index, and whose labels mean nothing to it.
    #[inline]
    pub const fn unindexed() -> Self {
        Self {
            size: None,
            expected: 0,
            flags: 0,
            parent: None,
        }
    }

    /// There are going to be about so many vectors at a time.
    ///
    /// Some parents make room for them when the table is created, as the GICv3 ITS does. Without
    /// this it is for 64, and never for more than the store has slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Options, Table};
    ///
    /// let dev = fake_device!(c"msi_expected", 128);
    ///
    /// let options = Options::unindexed().expected(100);
    /// let table = Table::new(dev.as_ref(), c"ims", options, Recorder::default())?;
    /// assert_eq!(table.alloc_many(.., 100..=100)?.len(), 100);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub const fn expected(mut self, vectors: u32) -> Self {
        self.expected = vectors;
        self
    }

    /// Whoever routes the messages of this store understands them without interrupt remapping.
    ///
    /// Behind a hypervisor which does not know about a store, its messages are silently lost unless
    /// the hardware translates them. So a table below a parent which does not see to that is
    /// refused without this word of the driver. It can be given for a device that is fully
    /// emulated, for example. There are parents which no table of a store can be below, whatever
    /// is said of the messages.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Parent, Recorder}, Options, Table};
    ///
    /// let dev = fake_device!(c"msi_unremapped", parent = Parent::without_ims(8)?);
    ///
    /// let res = Table::new(dev.as_ref(), c"ims", 16, Recorder::default());
    /// assert_eq!(res.err(), Some(EOPNOTSUPP));
    ///
    /// let options = Options::indexed(16).unremapped();
    /// assert!(Table::new(dev.as_ref(), c"ims", options, Recorder::default()).is_ok());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub const fn unremapped(mut self) -> Self {
        self.flags |= bindings::MSI_TABLE_UNREMAPPED;
        self
    }

    /// The interrupts do not appear in `msi_irqs/` of the device.
    ///
    /// `irqbalance` finds them there. This is for a driver which alone says where they go, or which
    /// has very many of them that come and go.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Options, Table};
    ///
    /// let dev = fake_device!(c"msi_no_sysfs", 8);
    ///
    /// let options = Options::indexed(16).no_sysfs();
    /// let table = Table::new(dev.as_ref(), c"ims", options, Recorder::default())?;
    /// assert_eq!(table.alloc(5)?.label(), 5);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub const fn no_sysfs(mut self) -> Self {
        self.flags |= bindings::MSI_TABLE_NO_SYSFS;
        self
    }

    /// The interrupts come from this domain, and not from the device's own MSI parent.
    ///
    /// # Safety
    ///
    /// `parent` must be valid until every device which a table is created on with these options is
    /// unbound.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     device::Bound,
    ///     faux,
    ///     msi::{
    ///         fake::{
    ///             Parent,
    ///             Recorder, //
    ///         },
    ///         Options,
    ///         Table, //
    ///     },
    /// };
    ///
    /// let parent = Parent::new(8)?;
    /// // Without an MSI domain of its own
    /// let faux = faux::Registration::new(c"msi_no_domain", None)?;
    /// let dev: &faux::Device<Bound> = faux.as_ref();
    ///
    /// let options = Options::indexed(16);
    /// let res = Table::new(dev.as_ref(), c"ims", options, Recorder::default());
    /// assert_eq!(res.err(), Some(ENODEV));
    ///
    /// // SAFETY: The device is unbound before the parent is destroyed.
    /// let options = unsafe { options.parent(parent.domain()) };
    /// let table = Table::new(dev.as_ref(), c"ims", options, Recorder::default())?;
    /// let vector = table.alloc(5)?;
    /// assert_eq!(parent.live(), 1);
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub const unsafe fn parent(mut self, parent: NonNull<bindings::irq_domain>) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Returns what to tell the C side, but for what the store is.
    ///
    /// This fails with `EINVAL` if there would be no slots.
    pub(super) fn to_info(self, name: &CStr) -> Result<bindings::msi_table_info> {
        let size = match self.size {
            // To the C side this is a store without an index.
            Some(0) => return Err(EINVAL),
            Some(size) => size,
            None => 0,
        };

        Ok(bindings::msi_table_info {
            name: name.as_char_ptr(),
            size,
            expected: self.expected,
            parent: self
                .parent
                .map_or(ptr::null_mut(), |parent| parent.as_ptr()),
            flags: self.flags,
            ..pin_init::zeroed()
        })
    }
}

impl From<u32> for Options {
    #[inline]
    fn from(size: u32) -> Self {
        Self::indexed(size)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("size", &self.size)
            .field("flags", &self.flags)
            .field("parent", &self.parent.is_some())
            .finish()
    }
}
