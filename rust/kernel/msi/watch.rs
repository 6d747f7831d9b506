// SPDX-License-Identifier: GPL-2.0

//! Watching messages.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Backing,
    Interrupt,
    Message,
    Vector, //
};
use crate::{
    bindings,
    container_of,
    fmt,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};
use core::ptr;

/// Somebody besides the device who uses a message, such as the peer of an NTB.
///
/// # Examples
///
/// ```
/// use kernel::{
///     msi::{
///         Message,
///         Watcher, //
///     },
///     sync::atomic::{
///         Atomic,
///         Relaxed, //
///     },
/// };
///
/// /// Where the peer writes to, 0 as long as it must not.
/// struct Doorbell(Atomic<u64>);
///
/// impl Watcher for Doorbell {
///     fn notify(&self, msg: Option<Message>) {
///         self.0.store(msg.map_or(0, |msg| msg.address), Relaxed);
///     }
/// }
/// ```
pub trait Watcher: Sync {
    /// Is told the new message whenever it changes, [`None`] when it becomes invalid.
    ///
    /// Called with the lock of the interrupt held and interrupts disabled, from any CPU. It must
    /// not sleep and must not take a [`SpinLock`](crate::sync::SpinLock), which sleeps with
    /// `CONFIG_PREEMPT_RT`; nor must it read or move the vector, for which the same lock is taken.
    fn notify(&self, msg: Option<Message>);
}

mod private {
    use super::bindings;

    /// Keeps others from calling the methods of a trait which seals a public one: they can not name
    /// it.
    pub struct Token;

    /// Seals [`Watchable`](super::Watchable).
    ///
    /// # Safety
    ///
    /// `as_raw` must return the same vector as long as nobody has a mutable reference to `self`,
    /// also after `self` was moved. It must be valid until `self` is dropped, as long as what
    /// `self` borrows is there and the device is bound.
    pub unsafe trait HasVector {
        /// Returns the vector.
        fn as_raw(&self, token: Token) -> *mut bindings::msi_vector;
    }
}
use self::private::Token;

/// What can be watched: a [`Vector`], an [`Interrupt`], what a [`Watch`] watches already, and
/// a reference to or an [`Arc`] of one of them.
///
/// This trait can not be implemented directly.
///
/// # Examples
///
/// ```
/// use kernel::{
///     msi::{
///         fake::{
///             fake_device,
///             Recorder, //
///         },
///         Message,
///         Table,
///         Watch,
///         Watchable,
///         Watcher, //
///     },
///     prelude::*,
///     sync::Arc, //
/// };
///
/// struct Ignore;
///
/// impl Watcher for Ignore {
///     fn notify(&self, _msg: Option<Message>) {}
/// }
///
/// fn watch<V: Watchable>(target: V) -> Result<Watch<Ignore, V>> {
///     Watch::new(target, Ignore)
/// }
///
/// let dev = fake_device!(c"msi_watchable", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let shared = Arc::new(table.alloc(5)?, GFP_KERNEL)?;
/// let first = watch(shared.clone())?;
/// let second = watch(&*shared)?;
/// let third = watch(first)?;
/// # drop((second, third));
/// # Ok::<(), Error>(())
/// ```
pub trait Watchable: private::HasVector {}

impl<T: private::HasVector> Watchable for T {}

// SAFETY: A vector has one pointer, and owns what that points to.
unsafe impl<B: Backing> private::HasVector for Vector<'_, B> {
    #[inline]
    fn as_raw(&self, _: Token) -> *mut bindings::msi_vector {
        Vector::as_raw(self)
    }
}

// SAFETY: An interrupt owns its vector, to which it gives no mutable reference.
unsafe impl<T, B: Backing> private::HasVector for Interrupt<'_, T, B> {
    #[inline]
    fn as_raw(&self, _: Token) -> *mut bindings::msi_vector {
        self.vector().as_raw()
    }
}

// SAFETY: A watch owns its target, to which it gives no mutable reference.
unsafe impl<W, V: Watchable> private::HasVector for Watch<W, V> {
    #[inline]
    fn as_raw(&self, token: Token) -> *mut bindings::msi_vector {
        self.target.as_raw(token)
    }
}

// SAFETY: The `V` which is borrowed is neither dropped nor changed as long as the reference.
unsafe impl<V: Watchable> private::HasVector for &V {
    #[inline]
    fn as_raw(&self, token: Token) -> *mut bindings::msi_vector {
        V::as_raw(self, token)
    }
}

// SAFETY: The `V` which is shared is neither dropped nor changed as long as the reference.
unsafe impl<V: Watchable> private::HasVector for Arc<V> {
    #[inline]
    fn as_raw(&self, token: Token) -> *mut bindings::msi_vector {
        V::as_raw(self, token)
    }
}

/// A watched vector.
///
/// It owns what it watches, an [`Interrupt`] for example, or borrows it, or shares it by an
/// [`Arc`]. A vector may be watched by several. Dropping it ends the watch, then drops the watcher,
/// which is not called any more, and what it watched after that: if this is the vector the watcher
/// can take back the message in its own [`Drop`], before it becomes invalid.
///
/// When it is leaked the watcher is told until the vector is freed. The C side warns about that.
///
/// # Invariants
///
/// `watching` watches the vector of `target`, to which nobody gets a mutable reference.
///
/// # Examples
///
/// A peer, which sends the message instead of the device.
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
///             fake_device,
///             Recorder, //
///         },
///         Message,
///         Table,
///         Watch,
///         Watcher, //
///     },
///     prelude::*,
///     sync::atomic::{
///         Atomic,
///         Relaxed, //
///     },
/// };
///
/// struct Counter(Atomic<u32>);
///
/// impl Handler for Counter {
///     fn handle(&self) -> IrqReturn {
///         self.0.add(1, Relaxed);
///         IrqReturn::Handled
///     }
/// }
///
/// struct Peer {
///     address: Atomic<u64>,
///     data: Atomic<u32>,
/// }
///
/// impl Watcher for Peer {
///     fn notify(&self, msg: Option<Message>) {
///         let msg = msg.unwrap_or_default();
///
///         self.address.store(msg.address, Relaxed);
///         self.data.store(msg.data, Relaxed);
///     }
/// }
///
/// let dev = fake_device!(c"msi_watch", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let doorbell = table
///     .alloc(5)?
///     .request_irq(Flags::TRIGGER_NONE, c"doorbell", Counter(Atomic::new(0)))?;
/// let peer = Peer {
///     address: Atomic::new(0),
///     data: Atomic::new(0),
/// };
/// let watch = Watch::new(doorbell, peer)?;
///
/// let peer = watch.watcher();
/// dev.parent().inject(Message {
///     address: peer.address.load(Relaxed),
///     data: peer.data.load(Relaxed),
/// })?;
///
/// let doorbell = watch.target();
/// doorbell.synchronize();
/// assert_eq!(doorbell.handler().0.load(Relaxed), 1);
/// # Ok::<(), Error>(())
/// ```
pub struct Watch<W, V: Watchable> {
    // Dropped first, before the vector.
    watching: Pin<KBox<Watching<W>>>,
    target: V,
}

/// A watcher in an allocation of its own, where the C side finds it.
///
/// Its owner may be moved, or forgotten in any way: then this is leaked, and stays valid. Nobody
/// has a mutable reference to it once it watches.
#[pin_data]
struct Watching<W> {
    raw: Opaque<bindings::msi_watcher>,

    #[pin]
    watcher: W,
}

// SAFETY: `raw` may be used by any thread, and `W` is `Send`.
unsafe impl<W: Send> Send for Watching<W> {}

// SAFETY: `raw` is for the C side, which has a lock for it, and `W` is `Sync`.
unsafe impl<W: Sync> Sync for Watching<W> {}

impl<W: Watcher> Watching<W> {
    /// # Safety
    ///
    /// Must only be called by the C side, for the `raw` of a `Self`, with a pointer which is good
    /// for all of that, and before `msi_vector_unwatch()` has returned.
    unsafe extern "C" fn notify(
        watcher: *mut bindings::msi_watcher,
        msg: *const bindings::msi_msg,
    ) {
        let raw = Opaque::cast_from(watcher);
        // SAFETY: By the safety requirements of this function `raw` is the field of a `Self`.
        let this = unsafe { container_of!(raw, Self, raw) };
        // SAFETY: `this` is not dropped before `msi_vector_unwatch()` has returned, which waits for
        // this call. It is initialized, and only shared. What the watcher refers to is valid by the
        // safety requirements of `Watch::new_with_lt`.
        let watcher = unsafe { &(*this).watcher };
        // SAFETY: The C side passes a valid message.
        let msg = Message::from(unsafe { *msg });

        watcher.notify(Some(msg).filter(Message::is_valid));
    }
}

impl<W: Watcher, V: Watchable> Watch<W, V> {
    /// Watches the message of a vector.
    ///
    /// The current message is told at once. `watcher` is an initializer, or just a value. It is put
    /// into an allocation of its own, so the watch may be moved. This may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory, or an error of the initializer of the watcher. `target` is
    /// dropped in these cases.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Message,
    ///         Table,
    ///         Watch,
    ///         Watcher, //
    ///     },
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Invalid(Atomic<u32>);
    ///
    /// impl Watcher for Invalid {
    ///     fn notify(&self, msg: Option<Message>) {
    ///         self.0.add(msg.is_none().into(), Relaxed);
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_watch_new", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let vector = table.alloc(5)?;
    ///
    /// // Two at a time. There is no message yet.
    /// let one = Watch::new(&vector, Invalid(Atomic::new(0)))?;
    /// let two = Watch::new(&vector, Invalid(Atomic::new(0)))?;
    /// assert_eq!(one.watcher().0.load(Relaxed), 1);
    /// assert_eq!(two.watcher().0.load(Relaxed), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new<E>(target: V, watcher: impl PinInit<W, E>) -> Result<Self>
    where
        W: 'static,
        Error: From<E>,
    {
        // SAFETY: `W` is `'static`, so there is nothing whose borrow could end.
        unsafe { Self::new_with_lt(target, watcher) }
    }

    /// Watches the message of a vector, with a watcher which borrows from the driver.
    ///
    /// Like [`Watch::new`], for a watcher that is not `'static`.
    ///
    /// # Safety
    ///
    /// The caller must not `mem::forget()` the watch, nor keep it from being dropped in any other
    /// way, before what `W` borrows ends: the watcher may be called until it is dropped, or the
    /// vector freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Message,
    ///         Table,
    ///         Watch,
    ///         Watcher, //
    ///     },
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Invalid<'a>(&'a Atomic<u32>);
    ///
    /// impl Watcher for Invalid<'_> {
    ///     fn notify(&self, msg: Option<Message>) {
    ///         self.0.add(msg.is_none().into(), Relaxed);
    ///     }
    /// }
    ///
    /// let count = Atomic::new(0u32);
    /// let dev = fake_device!(c"msi_watch_lt", 8);
    /// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
    ///
    /// // SAFETY: The watch is not leaked.
    /// let watch = unsafe { Watch::new_with_lt(vector, Invalid(&count)) }?;
    /// drop(watch);
    /// assert_eq!(count.load(Relaxed), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub unsafe fn new_with_lt<E>(target: V, watcher: impl PinInit<W, E>) -> Result<Self>
    where
        Error: From<E>,
    {
        let raw = bindings::msi_watcher {
            notify: Some(Watching::<W>::notify),
            ..pin_init::zeroed()
        };
        let watching = KBox::pin_init::<Error>(
            try_pin_init!(Watching {
                raw: Opaque::new(raw),
                watcher <- watcher,
            }? Error),
            GFP_KERNEL,
        )?;
        let this = ptr::from_ref(&*watching);
        // SAFETY: `this` is valid, so the field is in bounds.
        let raw = unsafe { &raw const (*this).raw };

        // SAFETY:
        // - By the safety requirements of `HasVector` the vector is valid, since `target` is.
        // - `raw` is new, so it does not watch yet. Its callback is that for the `raw` of a
        //   `Watching`, to which this pointer is good for all of it.
        // - `watching` is valid, and only shared, until it is dropped, which `Watch` does after it
        //   has ended the watch, and forever if it is forgotten. So is `raw`, which only the C side
        //   uses. By the safety requirements of this function the same holds for what the watcher
        //   refers to. If the vector is freed meanwhile the C side drops the watcher.
        unsafe { bindings::msi_vector_watch(target.as_raw(Token), Opaque::cast_into(raw)) };

        // INVARIANT: It has just begun.
        Ok(Self { watching, target })
    }
}

impl<W, V: Watchable> Watch<W, V> {
    /// Returns the watcher.
    #[inline]
    pub fn watcher(&self) -> &W {
        &self.watching.watcher
    }

    /// Returns what is watched.
    #[inline]
    pub fn target(&self) -> &V {
        &self.target
    }
}

impl<W, V: Watchable> Drop for Watch<W, V> {
    fn drop(&mut self) {
        // SAFETY: By the safety requirements of `HasVector` the vector of `target` is valid:
        // `target` is, what it borrows is still there, and with it the device is still bound. By
        // the type invariants it is the one which `raw` watches.
        unsafe { bindings::msi_vector_unwatch(self.target.as_raw(Token), self.watching.raw.get()) };
    }
}

impl<W, V: Watchable + fmt::Debug> fmt::Debug for Watch<W, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("target", self.target())
            .finish_non_exhaustive()
    }
}
