// SPDX-License-Identifier: GPL-2.0

//! Message signalled interrupts.
//!
//! A [`Table`] stands for one physical store of MSI address/data pairs: the MSI-X table or the MSI
//! capability of a PCI function, or a device-specific store (IMS: interrupt message store), which
//! the driver describes with the [`Store`] trait. A [`Vector`] is one message taken from a table;
//! registering a handler turns it into an [`Interrupt`]. A *label* names a slot of the table: MSI-X
//! table index, MSI message number or IMS entry number.
//!
//! A vector keeps its table alive, and an interrupt its vector, so a driver stores all three side
//! by side, in any order, and drops them in any order.
//!
//! # Leaking
//!
//! The handles carry the lifetime for which their device is bound. Dropping them frees what they
//! stand for, but soundness does not depend on it: when the device is unbound the C side frees the
//! handlers, the vectors and the table which are left, in this order, and calls neither a handler
//! nor an operation of the store afterwards. So a handle that is passed to [`core::mem::forget`]
//! leaks memory, and that is all.
//!
//! Until the unbind a store and a handler have to stay valid. Their handles own them, so they are
//! not deallocated when the handle is leaked. What they refer to might be, which is why the safe
//! functions ask for a `'static` store and a `'static` handler. What borrows from the driver goes
//! by the `unsafe` functions whose name ends in `_with_lt`.
//!
//! One thing is up to the driver: the code of a store and of a handler is part of a module, and may
//! run until the device is unbound. For the driver of the device, that is always before the module
//! is unloaded. A module which creates a table on a device that is bound to another module's driver
//! must not leak its handles.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::from_err_ptr,
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};
use core::{
    marker::PhantomData,
    ops::RangeBounds,
    ptr::NonNull, //
};

#[cfg(CONFIG_MSI_TABLE_FAKE)]
pub mod fake;
mod interrupt;
#[cfg(CONFIG_PCI)]
mod pci;
mod store;
#[cfg(CONFIG_MSI_TABLE_FAKE)]
mod tests;
mod vector;

pub use self::interrupt::{
    Handler,
    Interrupt,
    ThreadedHandler, //
};
#[cfg(CONFIG_PCI)]
pub use self::pci::{
    Kind,
    Kinds, //
};
pub use self::store::Store;
pub use self::vector::{
    Request,
    Vector,
    VectorRef, //
};

/// What a device writes, and where, to raise an interrupt.
///
/// # Examples
///
/// ```
/// use kernel::msi::Message;
///
/// assert!(!Message::default().is_valid());
/// assert!(Message { address: 0xfee0_0000, data: 0 }.is_valid());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Bus address of the write.
    pub address: u64,
    /// The value written. 32 bits, little endian on PCI.
    pub data: u32,
}

impl Message {
    /// Returns whether the message may be sent. An all-zero message must not.
    #[inline]
    pub const fn is_valid(&self) -> bool {
        self.address != 0 || self.data != 0
    }
}

impl From<bindings::msi_message> for Message {
    #[inline]
    fn from(msg: bindings::msi_message) -> Self {
        Self {
            address: msg.address,
            data: msg.data,
        }
    }
}

impl From<Message> for bindings::msi_message {
    #[inline]
    fn from(msg: Message) -> Self {
        Self {
            address: msg.address,
            data: msg.data,
        }
    }
}

mod private {
    /// Seals [`Backing`](super::Backing).
    pub trait Sealed {}

    impl<S: super::Store> Sealed for S {}
    impl Sealed for super::Pci {}
}

/// What is behind a [`Table`]: every [`Store`], and [`Pci`].
///
/// This trait can not be implemented directly.
pub trait Backing: private::Sealed + Send + Sync + Sized {
    /// What a [`Vector`] carries for its user, see [`VectorRef::cookie`].
    type Cookie: ForeignOwnable + Send + Sync + 'static;
}

impl<S: Store> Backing for S {
    type Cookie = S::Cookie;
}

/// The MSI-X table or the MSI capability of a PCI function, which the PCI core looks after.
#[cfg_attr(
    CONFIG_PCI,
    doc = "Created by [`pci::Device::msi_table`](kernel::pci::Device::msi_table)."
)]
pub struct Pci(());

impl Backing for Pci {
    type Cookie = ();
}

/// Size of the table of a [`Store`], and what else there is to say about it.
///
/// A plain number converts into the options of a store with that many slots.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{FakeDevice, Recorder}, Options, Table};
///
/// let dev = FakeDevice::new(c"msi_options", 8)?;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    size: Option<u32>,
    unremapped: bool,
}

impl Options {
    /// A store of `size` slots. Their labels begin at 0.
    #[inline]
    pub const fn indexed(size: u32) -> Self {
        Self {
            size: Some(size),
            unremapped: false,
        }
    }

    /// A store whose hardware has no index, and whose labels mean nothing to it.
    #[inline]
    pub const fn unindexed() -> Self {
        Self {
            size: None,
            unremapped: false,
        }
    }

    /// Whoever routes the messages of this store understands them without interrupt remapping.
    ///
    /// Behind a hypervisor which does not know about a store, its messages are silently lost unless
    /// interrupts are remapped. So a table on a device that is not behind interrupt remapping is
    /// refused without this word of the driver. It can be given for a device that is fully
    /// emulated, for example.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{FakeDevice, Parent, Recorder}, Options, Table};
    ///
    /// let dev = FakeDevice::with_parent(c"msi_unremapped", Parent::without_ims(8)?)?;
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
        self.unremapped = true;
        self
    }
}

impl From<u32> for Options {
    #[inline]
    fn from(size: u32) -> Self {
        Self::indexed(size)
    }
}

/// The shared part of a table and its vectors, which owns the C table.
///
/// Implements [`Drop`], so it can not outlive `'a`.
///
/// # Invariants
///
/// - `ptr` is valid, and was created for the store `store` on a device which is bound for `'a`.
/// - Everybody who frees `ptr` other than this type does so when the device is unbound.
#[pin_data(PinnedDrop)]
struct Inner<'a, B: Backing> {
    #[pin]
    store: B,
    ptr: NonNull<bindings::msi_table>,
    _dev: PhantomData<&'a Device<Bound>>,
}

// SAFETY: The functions that take a `struct msi_table` may be called from any thread, and `B` is
// `Send`.
unsafe impl<B: Backing> Send for Inner<'_, B> {}

// SAFETY: Vectors may be allocated and freed concurrently, everything else only reads, and `B` is
// `Sync`.
unsafe impl<B: Backing> Sync for Inner<'_, B> {}

#[pinned_drop]
impl<B: Backing> PinnedDrop for Inner<'_, B> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the table is valid, and has not been freed since the
        // device is still bound. Its vectors hold a reference to `self`, so there are none, and
        // nothing else uses the table.
        unsafe { bindings::msi_table_free(self.ptr.as_ptr()) };
    }
}

/// A table of interrupt messages.
///
/// It is freed when the table itself and all of its vectors are dropped, or else when the device is
/// unbound.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{FakeDevice, Recorder}, Table};
///
/// let dev = FakeDevice::new(c"msi_table", 8)?;
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let three = table.alloc(3)?;
/// assert_eq!(three.label(), 3);
/// assert_eq!(table.alloc(3).err(), Some(EBUSY));
/// assert_eq!(table.alloc(16).err(), Some(ERANGE));
///
/// let four = table.alloc_range(3..)?;
/// assert_eq!(four.label(), 4);
/// assert_eq!(table.alloc_range(3..=4).err(), Some(ENOSPC));
///
/// // The vectors keep what they need of the table.
/// drop(table);
/// assert_eq!(dev.parent().live(), 2);
/// drop((three, four));
/// assert_eq!(dev.parent().live(), 0);
/// # Ok::<(), Error>(())
/// ```
pub struct Table<'a, B: Backing = Pci> {
    inner: Arc<Inner<'a, B>>,
}

impl<'a, B: Backing> Table<'a, B> {
    /// Creates the table of a store.
    ///
    /// # Safety
    ///
    /// `create` must return an error pointer, or a new table on a device which is bound for `'a`,
    /// whose data is what `create` got if the table has operations.
    unsafe fn create<E>(
        store: impl PinInit<B, E>,
        create: impl FnOnce(*mut B) -> *mut bindings::msi_table,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        // INVARIANT: By the safety requirements of this function. The C side frees a table by
        // itself only when its device is unbound.
        let init = try_pin_init!(&this in Inner {
            store <- store,
            ptr: {
                // SAFETY: `this` is valid, so the field is in bounds.
                let store = unsafe { &raw mut (*this.as_ptr()).store };

                NonNull::new(from_err_ptr(create(store))?).ok_or(ENOMEM)?
            },
            _dev: PhantomData,
        }? Error);

        Ok(Self {
            inner: Arc::pin_init::<Error>(init, GFP_KERNEL)?,
        })
    }

    /// Allocates the vector which is asked for: a label, a range of labels of which the lowest free
    /// one is taken, or a [`Request`].
    ///
    /// This may sleep. It may run concurrently with any other allocation and free. The vector
    /// reserves an interrupt number, and gets its message when a handler is registered.
    ///
    /// # Errors
    ///
    /// - `EBUSY` if the label is taken, and was the only one asked for
    /// - `ENOSPC` if all labels of the range are taken, or the parent is out of vectors
    /// - `ERANGE` if the range is empty, or not inside the table
    /// - `EOPNOTSUPP` if the parent can not allocate this label, or not any more
    /// - `ENOMEM` if there is no memory, or the parent is out of vectors
    /// - an error of [`Store::init_vector`]
    ///
    /// The cookie of a failed request is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{FakeDevice, Recorder}, Request, Table};
    ///
    /// let dev = FakeDevice::new(c"msi_alloc", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let a = table.alloc(3)?;
    /// let b = table.alloc(3..=7)?;
    /// let c = table.alloc(Request::any())?;
    /// assert_eq!((a.label(), b.label(), c.label()), (3, 4, 0));
    ///
    /// // The second allocation from now on fails, and changes nothing.
    /// dev.parent().fail_nth(2);
    /// let five = table.alloc(5)?;
    /// assert!(table.alloc(6).is_err());
    /// assert_eq!(dev.parent().live(), 4);
    /// assert_eq!(table.alloc(6)?.label(), 6);
    /// drop(five);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn alloc(&self, request: impl Into<Request<B::Cookie>>) -> Result<Vector<'a, B>> {
        Vector::new(&self.inner, request.into())
    }

    /// Returns what is behind the table: the store it was created with.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{FakeDevice, Recorder}, Table};
    ///
    /// let dev = FakeDevice::new(c"msi_store", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// assert!(table.store().message(3).is_none());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn store(&self) -> &B {
        &self.inner.store
    }

    /// Returns the number of labels, or [`None`] if the store has no hardware index.
    ///
    /// # Examples
    ///
    /// See [`Options`].
    #[inline]
    pub fn size(&self) -> Option<u32> {
        // SAFETY: By the type invariants of `Inner` the table is valid.
        match unsafe { bindings::msi_table_size(self.inner.ptr.as_ptr()) } {
            0 => None,
            size => Some(size),
        }
    }
}

/// Allocation without a [`Request`], where vectors carry no cookie.
impl<'a, B: Backing<Cookie = ()>> Table<'a, B> {
    /// Allocates the vector of the lowest free label in `range`. See [`Table::alloc`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{FakeDevice, Recorder}, Table};
    ///
    /// let dev = FakeDevice::new(c"msi_range", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", 4, Recorder::default())?;
    ///
    /// let low = table.alloc_range(..2)?;
    /// let high = table.alloc_range(2..)?;
    /// assert_eq!((low.label(), high.label()), (0, 2));
    /// assert_eq!(table.alloc_range(2..2).err(), Some(ERANGE));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn alloc_range(&self, range: impl RangeBounds<u32>) -> Result<Vector<'a, B>> {
        self.alloc(Request::range(range))
    }

    /// Allocates the vector of the lowest free label. See [`Table::alloc`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{FakeDevice, Recorder}, Options, Table};
    ///
    /// let dev = FakeDevice::new(c"msi_any", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", Options::unindexed(), Recorder::default())?;
    ///
    /// let a = table.alloc_any()?;
    /// let b = table.alloc_any()?;
    /// assert!(a.label() != b.label());
    /// assert!(a.irq() != b.irq());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn alloc_any(&self) -> Result<Vector<'a, B>> {
        self.alloc(Request::any())
    }
}
