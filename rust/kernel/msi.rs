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
//! Somebody besides the device who sends a message reads it with [`Vector::message`].
//!
//! # Leaking
//!
//! The handles carry the lifetime for which their device is bound. Dropping them frees what they
//! stand for, but soundness does not depend on it: when the device is unbound the C side frees the
//! handlers, the vectors and the table which are left, in this order, and calls neither a handler
//! nor an operation of the store afterwards. So a handle that is passed to [`core::mem::forget`]
//! leaks memory and, until the unbind, its label or its name, and that is all.
//!
//! Until the unbind a store, a handler and a watcher have to stay valid. Each is in an allocation
//! of its own, which the handles own and the C side points to. So a handle may be moved, and what
//! is behind it is not deallocated when the handle is leaked, in whatever way: not even if it is
//! put where nothing is dropped, such as [`core::mem::MaybeUninit`], and the memory of that is
//! freed. What a handler refers to might be deallocated, which is why the safe functions ask for it
//! to be `'static`. What borrows from the driver goes by the `unsafe` functions whose name ends in
//! `_with_lt`.
//!
//! One thing is up to the driver: the code of a store and of a handler is part of a module, and may
//! run until the device is unbound. For the driver of the device, that is always before the module
//! is unloaded. A module which creates a table on a device that is bound to another module's
//! driver, or gets a vector of one, must not leak its handles.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use crate::{
    alloc::Allocator,
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::from_err_ptr,
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        Mutex,
        Refcount, //
    },
    types::ForeignOwnable, //
};
use core::{
    marker::PhantomData,
    ops::{
        RangeBounds,
        RangeInclusive, //
    },
    ptr::NonNull,
};

mod affinity;
#[cfg(CONFIG_MSI_TABLE_FAKE)]
pub mod fake;
mod handler;
mod interrupt;
mod options;
mod request;
mod store;
mod vector;

pub use self::affinity::{
    Affinity,
    Spread, //
};
pub use self::handler::{
    Handler,
    ThreadedHandler, //
};
pub use self::interrupt::{
    Disabled,
    Interrupt, //
};
pub use self::options::Options;
pub use self::request::{
    Cookies,
    Each,
    Request, //
};
pub use self::store::Store;
pub use self::vector::{
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

impl From<bindings::msi_msg> for Message {
    #[inline]
    fn from(msg: bindings::msi_msg) -> Self {
        // SAFETY: All bytes of each part are initialized, and any value is a valid `u32`.
        let (low, high, data) = unsafe {
            (
                msg.__bindgen_anon_1.address_lo,
                msg.__bindgen_anon_2.address_hi,
                msg.__bindgen_anon_3.data,
            )
        };

        Self {
            address: u64::from(high) << 32 | u64::from(low),
            data,
        }
    }
}

impl From<Message> for bindings::msi_msg {
    #[inline]
    fn from(msg: Message) -> Self {
        let mut raw = Self::default();

        raw.__bindgen_anon_1.address_lo = msg.address as u32;
        raw.__bindgen_anon_2.address_hi = (msg.address >> 32) as u32;
        raw.__bindgen_anon_3.data = msg.data;
        raw
    }
}

mod private {
    use super::*;

    /// Seals [`Backing`](super::Backing).
    pub trait Sealed {
        /// The lock of the bus which the store is behind, if it may be a slow one.
        type Bus: Send + Sync;

        /// Makes it.
        fn new_bus() -> impl PinInit<Self::Bus>;
    }

    impl<S: Store> Sealed for S {
        type Bus = Mutex<()>;

        fn new_bus() -> impl PinInit<Self::Bus> {
            super::new_bus()
        }
    }

    impl<C> Sealed for Pci<C> {
        type Bus = ();

        fn new_bus() -> impl PinInit<Self::Bus> {}
    }
}

/// What is behind a [`Table`]: every [`Store`], and [`Pci`].
///
/// This trait can not be implemented directly.
///
/// # Examples
///
/// A function for tables of any kind.
///
/// ```
/// use kernel::msi::{
///     fake::{
///         fake_device,
///         Recorder, //
///     },
///     Backing,
///     Table,
///     Vector, //
/// };
///
/// fn last<'a, B: Backing<Cookie = ()>>(table: &Table<'a, B>) -> Result<Vector<'a, B>> {
///     table.alloc(table.size().ok_or(EINVAL)? - 1)
/// }
///
/// let dev = fake_device!(c"msi_backing", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// assert_eq!(last(&table)?.label(), 15);
/// # Ok::<(), Error>(())
/// ```
pub trait Backing: private::Sealed + Send + Sync + Sized {
    /// What a [`Vector`] carries for its user, see [`VectorRef::cookie`].
    type Cookie: ForeignOwnable + Send + Sync + 'static;
}

impl<S: Store> Backing for S {
    type Cookie = S::Cookie;
}

/// The MSI-X table or the MSI capability of a PCI function, which the PCI core looks after.
///
/// Its vectors carry a `C` for the driver.
pub struct Pci<C = ()>(PhantomData<C>);

impl<C: ForeignOwnable + Send + Sync + 'static> Backing for Pci<C> {
    type Cookie = C;
}

/// What the operations of a store find as the data of its table.
#[pin_data]
struct Data<B: Backing> {
    #[pin]
    store: B,

    /// What [`Store::flush`] is called with, and held while the store is told what to write.
    #[pin]
    bus: B::Bus,
}

/// The shared part of a table and its vectors, which owns the C table.
///
/// Implements [`Drop`], so it can not outlive `'a`.
///
/// # Invariants
///
/// - `ptr` is a table, and was created for `data` on `dev`.
/// - Everybody who frees `ptr` other than this type does so when `dev` is unbound. So it is valid
///   as long as there is an `Inner<'a, B>`, whose `dev` is bound.
#[pin_data(PinnedDrop)]
struct Inner<'a, B: Backing> {
    /// How many handles there are. An `Arc` can not count those of a batch at a time.
    refs: Refcount,
    #[pin]
    data: Data<B>,
    ptr: NonNull<bindings::msi_table>,
    dev: &'a Device<Bound>,
    /// A subtype of `B` may have another type of cookie.
    _invariant: PhantomData<fn(B) -> B>,
}

// SAFETY: The functions that take a `struct msi_table` may be called from any thread, and so may
// `msi_table_free()`. Of the fields, `B` and its lock are `Send`, and the device is shared, which
// is `Sync`.
unsafe impl<B: Backing> Send for Inner<'_, B> {}

// SAFETY:
// - Of the functions which get the table by a shared reference, allocation, free and
//   `msi_table_restore()` may run concurrently with each other and with themselves;
//   `msi_table_enable()` takes the lock of an allocation; all others only read what the table was
//   created with, or its kind, which is a word.
// - The count is atomic, a device is `Sync`, and so are `B` and its lock.
unsafe impl<B: Backing> Sync for Inner<'_, B> {}

impl<B: Backing> Inner<'_, B> {
    /// Counts `n` handles less.
    ///
    /// # Safety
    ///
    /// `obj` must have `n` handles, which are counted, and which are neither used nor dropped any
    /// more.
    #[inline]
    unsafe fn put(obj: NonNull<Self>, n: i32) {
        // SAFETY: `obj` is valid as long as a handle is counted, which these are. The reference is
        // not used after they are not.
        let refs = unsafe { &(*obj.as_ptr()).refs };

        if refs.sub_and_test(n) {
            // SAFETY: `obj` is valid, and these were the last handles.
            unsafe { Self::release(obj) };
        }
    }

    /// # Safety
    ///
    /// `obj` must be valid, and the caller must just have taken off the last handle.
    #[cold]
    unsafe fn release(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements of this function nobody else frees or uses `obj`.
        // `Table::create` has made it with a `KBox`, and it has not been moved since.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(obj.as_ptr())) });
    }
}

// SAFETY: `inc_ref` counts one more, and `put` frees an object, which `Table::create` has made with
// a count of one, only when the last one is taken off. If the count overflows it saturates, and the
// object is leaked.
unsafe impl<B: Backing> AlwaysRefCounted for Inner<'_, B> {
    #[inline]
    fn inc_ref(&self) {
        self.refs.inc();
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements of this function this is one handle, which was counted
        // and is not used any more.
        unsafe { Self::put(obj, 1) };
    }
}

#[pinned_drop]
impl<B: Backing> PinnedDrop for Inner<'_, B> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the table is valid, and has not been freed since the
        // device is still bound. Tables and vectors hold a reference to `self`, so none is left
        // which uses it. What the C side frees with it, vectors whose handles were leaked, are not
        // there either, as they have leaked their reference.
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
/// use kernel::msi::{fake::{fake_device, Recorder}, Table};
///
/// let dev = fake_device!(c"msi_table", 8);
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
    inner: ARef<Inner<'a, B>>,
}

/// Not part of a generic function, so that there is one lock class, in the kernel itself.
#[inline(never)]
fn new_bus() -> impl PinInit<Mutex<()>> {
    new_mutex!((), "msi::Table::bus")
}

impl<'a, B: Backing> Table<'a, B> {
    /// Creates the table of a store.
    ///
    /// # Safety
    ///
    /// `create` must return an error pointer, or a new table on `dev` which nobody else frees
    /// before `dev` is unbound. If the table has operations of its own then they must expect what
    /// `create` got as its data: an initialized `Data<B>`, which stays where it is and is dropped
    /// after the table is freed, or not at all.
    unsafe fn create<E>(
        dev: &'a Device<Bound>,
        store: impl PinInit<B, E>,
        create: impl FnOnce(*mut Data<B>) -> Result<*mut bindings::msi_table>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        // INVARIANT: By the safety requirements of this function. The C side frees a table by
        // itself only when its device is unbound.
        let init = try_pin_init!(&this in Inner {
            refs: Refcount::new(1),
            data <- try_pin_init!(Data {
                store <- store,
                bus <- B::new_bus(),
            }? Error),
            ptr: {
                // SAFETY: `this` is allocated, so the field is in bounds. It was initialized
                // before.
                let data = unsafe { &raw mut (*this.as_ptr()).data };

                NonNull::new(from_err_ptr(create(data)?)?).ok_or(ENOMEM)?
            },
            dev,
            _invariant: PhantomData,
        }? Error);

        // SAFETY: `inner` is not moved out of the box: `Inner::put` drops it where it is.
        let inner =
            unsafe { Pin::into_inner_unchecked(KBox::pin_init::<Error>(init, GFP_KERNEL)?) };
        // SAFETY: What comes from a box is not null.
        let inner = unsafe { NonNull::new_unchecked(KBox::into_raw(inner)) };

        Ok(Self {
            // SAFETY: `inner` is valid, and its count is one, which is the handle made here.
            inner: unsafe { ARef::from_raw(inner) },
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
    /// - `EINVAL` if the affinity has no CPU, or the PCI function is not in D0
    /// - `EIO` if the PCI function sends to addresses below 4 GiB, and the parent's is above
    /// - `EOPNOTSUPP` if the parent can not allocate this label, or not any more
    /// - `ENOMEM` if there is no memory, or the parent is out of vectors
    /// - an error of [`Store::init_vector`]
    ///
    /// The cookie of a failed request is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Request, Table};
    ///
    /// let dev = fake_device!(c"msi_alloc", 8);
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
    #[inline]
    pub fn alloc<'r>(&self, request: impl Into<Request<'r, B::Cookie>>) -> Result<Vector<'a, B>> {
        Vector::new(&self.inner, request.into())
    }

    /// Allocates several vectors, at least the lower and at most the upper bound of `count`.
    ///
    /// They get the lowest free labels of the request, and are in ascending order. This is faster
    /// than one by one: where the labels are consecutive and the parent can take several interrupts
    /// at a time they are allocated at a time, and MSI-X is switched on with all of them.
    ///
    /// There are not more vectors than labels in the range, and not more than
    /// [`Request::cookies`] or [`Request::affinities`] where these were given. So an upper bound of
    /// [`u32::MAX`] asks for as many as possible, except of a table without a size.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the lower bound is 0 or above the upper one, or if there are less cookies or
    ///   affinities than that
    /// - `ENOSPC` if less labels of the range are free, or the parent is out of vectors
    /// - another error of [`Table::alloc`]
    ///
    /// Cookies which are not used, in particular those of a failed request, are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table, Vector};
    ///
    /// let dev = fake_device!(c"msi_alloc_many", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let five = table.alloc(5)?;
    ///
    /// let vectors = table.alloc_many(4.., 2..=3)?;
    /// assert!(vectors.iter().map(|v| v.label()).eq([4, 6, 7]));
    ///
    /// // There are 8 vectors in all.
    /// assert_eq!(table.alloc_many(.., 5..=5).err(), Some(ENOSPC));
    /// assert_eq!(table.alloc_many(.., 1..=u32::MAX)?.len(), 4);
    /// assert_eq!(table.alloc_many(.., 0..=1).err(), Some(EINVAL));
    ///
    /// // Faster than to drop them.
    /// Vector::free_many(vectors);
    /// drop(five);
    /// assert_eq!(dev.parent().live(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn alloc_many<'r, K: Cookies<B::Cookie>>(
        &self,
        request: impl Into<Request<'r, K>>,
        count: RangeInclusive<u32>,
    ) -> Result<KVVec<Vector<'a, B>>> {
        let mut vectors = KVVec::new();

        self.alloc_many_into(request, count, &mut vectors)?;
        Ok(vectors)
    }

    /// Allocates several vectors, behind those which are in `vectors` already.
    ///
    /// Like [`Table::alloc_many`], but where `vectors` has room for the upper bound of `count`, or
    /// for as many vectors as there can be, this allocates no memory for them. Returns how many it
    /// allocated. On failure `vectors` has the same elements as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table, Vector};
    ///
    /// let dev = fake_device!(c"msi_alloc_into", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let mut vectors = KVec::with_capacity(8, GFP_KERNEL)?;
    /// assert_eq!(table.alloc_many_into(4.., 1..=3, &mut vectors)?, 3);
    /// assert_eq!(table.alloc_many_into(.., 1..=5, &mut vectors)?, 5);
    /// assert!(vectors.iter().map(|v| v.label()).eq([4, 5, 6, 0, 1, 2, 3, 7]));
    ///
    /// // Leaves the room to the next ones.
    /// Vector::free_all(&mut vectors);
    /// assert_eq!(table.alloc_many_into(.., 2..=2, &mut vectors)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn alloc_many_into<'r, K: Cookies<B::Cookie>, A: Allocator>(
        &self,
        request: impl Into<Request<'r, K>>,
        count: RangeInclusive<u32>,
        vectors: &mut Vec<Vector<'a, B>, A>,
    ) -> Result<usize> {
        Vector::new_many(&self.inner, request.into(), count, vectors)
    }

    /// Writes messages and masks to the device again, after it was suspended or reset.
    ///
    /// While a device can not be reached the methods of its store are not called, and what they
    /// would have written is remembered. Call this as soon as the device works again. Vectors
    /// without a handler are masked, or cleared, as if they were new. What
    /// [`Store::init_vector`] did has to be repeated by the driver, before.
    ///
    /// The PCI core restores MSI and MSI-X by itself when it resets or resumes the function. For
    /// such a table this is for a reset of the driver's own, a self-test or firmware which wipes
    /// them.
    ///
    /// This must not be called in atomic context, nor by a method of the table's own store. It may
    /// sleep if the store has a [`flush`](Store::flush), or for a table of MSI or MSI-X. It may run
    /// concurrently with allocation and free.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_restore", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let vector = table.alloc(5)?;
    /// assert!(table.store().is_masked(5));
    ///
    /// // What a reset of the device does.
    /// table.store().wipe();
    /// assert!(!table.store().is_masked(5));
    ///
    /// table.restore();
    /// assert!(table.store().is_masked(5));
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn restore(&self) {
        // SAFETY: By the type invariants of `Inner` the table is valid, and still exists since the
        // device is bound. It may be restored concurrently with everything.
        unsafe { bindings::msi_table_restore(self.inner.ptr.as_ptr()) };
    }

    /// Returns what is behind the table: the store it was created with.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_store", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// assert!(table.store().message(3).is_none());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn store(&self) -> &B {
        &self.inner.data.store
    }

    /// Returns the number of labels, or [`None`] if the store has no hardware index.
    #[inline]
    pub fn size(&self) -> Option<u32> {
        // SAFETY: By the type invariants of `Inner` the table is valid.
        match unsafe { bindings::msi_table_size(self.inner.ptr.as_ptr()) } {
            0 => None,
            size => Some(size),
        }
    }

    /// Returns whether vectors can be allocated whenever one is needed. If not then the first
    /// allocation has to ask for all of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_dynamic", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// assert!(table.is_dynamic());
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn is_dynamic(&self) -> bool {
        // SAFETY: By the type invariants of `Inner` the table is valid.
        unsafe { bindings::msi_table_is_dynamic(self.inner.ptr.as_ptr()) }
    }
}

/// Allocation without a [`Request`], where vectors carry no cookie.
impl<'a, B: Backing<Cookie = ()>> Table<'a, B> {
    /// Allocates the vector of the lowest free label in `range`. See [`Table::alloc`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_range", 8);
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
    /// use kernel::msi::{fake::{fake_device, Recorder}, Options, Table};
    ///
    /// let dev = fake_device!(c"msi_any", 8);
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

impl<B: Backing> fmt::Debug for Table<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("size", &self.size())
            .field("is_dynamic", &self.is_dynamic())
            .finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for Pci<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pci").finish()
    }
}
