// SPDX-License-Identifier: GPL-2.0

//! Allocated messages.

use super::{
    Backing,
    Inner,
    Message, //
};
use crate::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::Arc,
    types::{
        ForeignOwnable,
        Opaque, //
    },
};
use core::{
    marker::PhantomData,
    ops::{
        Bound,
        Deref,
        RangeBounds,
        RangeFrom,
        RangeInclusive, //
    },
    ptr::NonNull,
};

/// Which vector to allocate from a [`Table`](super::Table).
///
/// A label and a range of labels convert into it.
///
/// # Examples
///
/// ```
/// use kernel::{
///     msi::{
///         fake::FakeDevice,
///         Message,
///         Request,
///         Store,
///         Table,
///         VectorRef, //
///     },
///     prelude::*,
///     sync::Arc, //
/// };
///
/// struct Named;
///
/// #[vtable]
/// impl Store for Named {
///     type Cookie = Arc<&'static str>;
///
///     fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}
///     fn mask(&self, _vector: &VectorRef<Self>) {}
///     fn unmask(&self, _vector: &VectorRef<Self>) {}
/// }
///
/// let dev = FakeDevice::new(c"msi_request", 8)?;
/// let table = Table::new(dev.as_ref(), c"ims", 4, Named)?;
/// let name = Arc::new("rx", GFP_KERNEL)?;
///
/// let rx = table.alloc(Request::at(3).cookie(name.clone()))?;
/// assert_eq!(*rx.cookie(), "rx");
///
/// // The cookie goes with a failed request.
/// assert_eq!(table.alloc(Request::at(3).cookie(name)).err(), Some(EBUSY));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is allocated before the request is passed to `Table::alloc`"]
pub struct Request<C = ()> {
    lowest: u32,
    highest: u32,
    cookie: C,
}

impl Request {
    /// The vector of this label.
    #[inline]
    pub const fn at(label: u32) -> Self {
        Self {
            lowest: label,
            highest: label,
            cookie: (),
        }
    }

    /// The vector of the lowest free label in `range`. A range without an end goes to the end of
    /// the table.
    #[inline]
    pub fn range(range: impl RangeBounds<u32>) -> Self {
        let lowest = match range.start_bound() {
            Bound::Included(&label) => Some(label),
            Bound::Excluded(&label) => label.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let highest = match range.end_bound() {
            Bound::Included(&label) => Some(label),
            Bound::Excluded(&label) => label.checked_sub(1),
            Bound::Unbounded => Some(bindings::MSI_LABEL_ANY),
        };

        // A range which ends before its begin is how to say empty to the C side.
        let (lowest, highest) = lowest.zip(highest).unwrap_or((1, 0));

        Self {
            lowest,
            highest,
            cookie: (),
        }
    }

    /// The vector of the lowest free label of the table.
    #[inline]
    pub fn any() -> Self {
        Self::range(..)
    }

    /// Gives the vector a cookie, which it owns from then on.
    #[inline]
    pub fn cookie<C>(self, cookie: C) -> Request<C> {
        Request {
            lowest: self.lowest,
            highest: self.highest,
            cookie,
        }
    }
}

impl From<u32> for Request {
    #[inline]
    fn from(label: u32) -> Self {
        Self::at(label)
    }
}

impl From<RangeInclusive<u32>> for Request {
    #[inline]
    fn from(range: RangeInclusive<u32>) -> Self {
        Self::range(range)
    }
}

impl From<RangeFrom<u32>> for Request {
    #[inline]
    fn from(range: RangeFrom<u32>) -> Self {
        Self::range(range)
    }
}

/// A reference to a vector, as the methods of a [`Store`](super::Store) and handlers get it.
///
/// # Invariants
///
/// The `struct msi_vector` is valid, was allocated from a table of `B`, and its cookie is a
/// foreign-owned `B::Cookie` which is borrowed immutably only while the vector exists.
#[repr(transparent)]
pub struct VectorRef<B: Backing>(Opaque<bindings::msi_vector>, PhantomData<B>);

// SAFETY: All methods only read what does not change while the vector exists, and the cookie is
// `Sync`.
unsafe impl<B: Backing> Sync for VectorRef<B> {}

impl<B: Backing> VectorRef<B> {
    /// # Safety
    ///
    /// - `ptr` must be valid for `'b`.
    /// - It must have been allocated from a table of `B` with a cookie which was a `B::Cookie` and
    ///   does not become one again, nor is borrowed mutably, for `'b`.
    #[inline]
    pub(super) unsafe fn from_raw<'b>(ptr: *mut bindings::msi_vector) -> &'b Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `Self` is a transparent wrapper of `struct msi_vector`, which is valid for `'b`.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    fn as_raw(&self) -> *mut bindings::msi_vector {
        self.0.get()
    }

    /// Returns the Linux interrupt number.
    #[inline]
    pub fn irq(&self) -> u32 {
        // SAFETY: By the type invariants the vector is valid.
        unsafe { bindings::msi_vector_irq(self.as_raw()) }
    }

    /// Returns the label: MSI-X table index, MSI message number, or entry number of the store.
    #[inline]
    pub fn label(&self) -> u32 {
        // SAFETY: By the type invariants the vector is valid.
        unsafe { bindings::msi_vector_label(self.as_raw()) }
    }

    /// Returns the cookie which the vector was allocated with, see [`Request::cookie`].
    #[inline]
    pub fn cookie(&self) -> <B::Cookie as ForeignOwnable>::Borrowed<'_> {
        // SAFETY: By the type invariants the vector is valid, and its cookie comes from
        // `into_foreign` and becomes Rust-owned again, if at all, after the vector is gone.
        unsafe { B::Cookie::borrow(bindings::msi_vector_cookie(self.as_raw())) }
    }
}

/// An allocated interrupt message.
///
/// Dropping it frees the message, and the cookie after that. It keeps the table alive.
///
/// # Invariants
///
/// - `ptr` is a valid vector, which was allocated from the table of `table` with a foreign-owned
///   `B::Cookie`.
/// - Everybody who frees `ptr` other than this type does so when the device is unbound.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{FakeDevice, Recorder}, Table};
///
/// let dev = FakeDevice::new(c"msi_vector", 8)?;
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let vector = table.alloc(5)?;
/// assert_eq!(vector.label(), 5);
/// assert!(vector.irq() != 0);
/// assert_eq!(dev.parent().live(), 1);
///
/// drop(vector);
/// assert_eq!(dev.parent().live(), 0);
/// assert!(table.alloc(5).is_ok());
/// # Ok::<(), Error>(())
/// ```
pub struct Vector<'a, B: Backing = super::Pci> {
    ptr: NonNull<bindings::msi_vector>,
    table: Arc<Inner<'a, B>>,
}

// SAFETY: The functions that take a `struct msi_vector` may be called from any thread, the cookie
// is `Send`, and so is the reference to the table.
unsafe impl<B: Backing> Send for Vector<'_, B> {}

// SAFETY: A shared vector can only be read, and the cookie is `Sync`.
unsafe impl<B: Backing> Sync for Vector<'_, B> {}

impl<'a, B: Backing> Vector<'a, B> {
    pub(super) fn new(table: &Arc<Inner<'a, B>>, request: Request<B::Cookie>) -> Result<Self> {
        let cookie = request.cookie.into_foreign();
        let req = bindings::msi_vector_request {
            lowest: request.lowest,
            highest: request.highest,
            cookie,
            ..pin_init::zeroed()
        };

        // SAFETY: By the type invariants of `Inner` the table is valid, and still exists since the
        // device is bound. The request is valid, and not used after the call.
        let vector = from_err_ptr(unsafe { bindings::msi_table_alloc(table.ptr.as_ptr(), &req) });

        match vector.and_then(|ptr| NonNull::new(ptr).ok_or(ENOMEM)) {
            // INVARIANT: The vector was just allocated from the table with this cookie. The C side
            // frees a vector by itself only when the device is unbound.
            Ok(ptr) => Ok(Self {
                ptr,
                table: table.clone(),
            }),
            Err(err) => {
                // SAFETY: `cookie` comes from `into_foreign` above, and the vector which it was for
                // does not exist any more.
                drop(unsafe { B::Cookie::from_foreign(cookie) });
                Err(err)
            }
        }
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::msi_vector {
        self.ptr.as_ptr()
    }

    #[inline]
    pub(super) fn store(&self) -> &B {
        &self.table.store
    }

    /// Returns the message, for others than the device who want to send it.
    ///
    /// It may change at any time when the affinity of the interrupt does. This must not be called
    /// by the methods of a [`Store`](super::Store), which get a [`VectorRef`] for that reason.
    ///
    /// # Errors
    ///
    /// `EAGAIN` as long as there is no handler.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
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
    /// let dev = FakeDevice::new(c"msi_message", 8)?;
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let vector = table.alloc(5)?;
    /// assert_eq!(vector.message().err(), Some(EAGAIN));
    ///
    /// let irq = KBox::pin_init(
    ///     vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore),
    ///     GFP_KERNEL,
    /// )?;
    /// assert_eq!(table.store().message(5), irq.vector().message().ok());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn message(&self) -> Result<Message> {
        let mut msg = bindings::msi_message::default();

        // SAFETY: By the type invariants the vector is valid, and `msg` is valid for writes.
        to_result(unsafe { bindings::msi_vector_get_msg(self.as_raw(), &mut msg) })?;

        Ok(msg.into())
    }
}

impl<B: Backing> Deref for Vector<'_, B> {
    type Target = VectorRef<B>;

    #[inline]
    fn deref(&self) -> &VectorRef<B> {
        // SAFETY: By the type invariants. `self` owns the cookie, and takes it back when dropped.
        unsafe { VectorRef::from_raw(self.as_raw()) }
    }
}

impl<B: Backing> Drop for Vector<'_, B> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the vector is valid.
        let cookie = unsafe { bindings::msi_vector_cookie(self.as_raw()) };

        // SAFETY: By the type invariants the vector belongs to this table. Neither has been freed
        // since the device is still bound. Handlers are registered by `Interrupt` only, which owns
        // its vector and has freed the handler by now.
        unsafe { bindings::msi_table_free_vector(self.table.ptr.as_ptr(), self.as_raw()) };

        // SAFETY: The cookie comes from `into_foreign` in `Self::new`. The vector is gone, and with
        // it everybody who borrowed the cookie.
        drop(unsafe { B::Cookie::from_foreign(cookie) });
    }
}
