// SPDX-License-Identifier: GPL-2.0

//! Vectors lent to another driver.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    handler::{
        Arguments,
        Callbacks,
        Installed, //
    },
    interrupt::is_disabled,
    Backing,
    Handler,
    Message,
    ThreadedHandler,
    Vector,
    VectorRef, //
};
use crate::{
    bindings,
    cpumask::Cpumask,
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    fmt,
    irq::Flags,
    prelude::*,
    static_lock_class,
    sync::{
        Arc,
        LockClassKey,
        Mutex, //
    },
};
use core::{
    convert::Infallible,
    mem,
    ops::Deref, //
};

/// A vector which other drivers may handle, one at a time.
///
/// For a driver which hands vectors to its auxiliary devices. It borrows from nothing, so it can be
/// the registration data of an auxiliary device, or part of it: the driver of that device gets it
/// by [`auxiliary::Device::registration_data`] and registers its handler.
///
/// The vector is freed, with its handler, when this is dropped or the device of the table is
/// unbound. The handler is also freed when its [`LentInterrupt`] is dropped or the device of the
/// borrower is unbound. So neither side has to rely on the other one, nor on leaking nothing.
///
/// Neither the cookie of the vector nor what is behind its table may own this. Nobody would drop
/// such a cycle: an [`Arc`] of a queue, say, which is the cookie of a vector that it keeps.
/// Unbinding the device drops the cookie, and with it this, which waits until the vector is freed:
/// for itself, as any [`Devres`] does which its own content owns.
///
/// [`auxiliary::Device::registration_data`]: srctree/rust/kernel/auxiliary.rs
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
///             fake_device,
///             Recorder, //
///         },
///         Lent,
///         Table, //
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
/// let parent = fake_device!(c"msi_lent_parent", 8);
/// let child = fake_device!(c"msi_lent_child", 8);
/// let counter = || Counter(Atomic::new(0));
///
/// let table = Table::new(parent.as_ref(), c"ims", 16, Recorder::default())?;
/// let lent = Lent::new(table.alloc(5)?)?;
///
/// // What the driver of the child does.
/// let irq = lent.request_irq(child.as_ref(), Flags::TRIGGER_NONE, c"child", counter())?;
/// let msg = lent.try_access_with(|vector| vector.message()).ok_or(ENODEV)??;
/// parent.parent().inject(msg)?;
/// irq.synchronize();
/// assert_eq!(irq.handler().0.load(Relaxed), 1);
///
/// // One at a time.
/// let other = lent.request_irq(child.as_ref(), Flags::TRIGGER_NONE, c"other", counter());
/// assert_eq!(other.err(), Some(EBUSY));
///
/// // The owner takes it back.
/// drop(lent);
/// assert_eq!(parent.parent().live(), 0);
/// drop(irq);
/// # Ok::<(), Error>(())
/// ```
pub struct Lent<B: Backing + 'static = super::Pci> {
    _owner: Devres<Owner<B>>,
    state: State<B>,
}

/// What owner and borrowers of a lent vector share.
type State<B> = Arc<Mutex<Slot<B>>>;

/// # Invariants
///
/// Handlers of the vector are installed and freed under the lock of the [`State`] only.
struct Slot<B: Backing + 'static> {
    /// The vector, until it is freed.
    vector: Option<Vector<'static, B>>,
    /// Whether there is a [`Borrower`].
    lent: bool,
}

impl<B: Backing + 'static> Slot<B> {
    /// Frees the handler, if there is one.
    fn free_irq(&mut self) {
        if let Some(vector) = &self.vector {
            // SAFETY: The vector is valid, since it is in the slot. By the type invariant nobody
            // installs or frees a handler at the same time: there is a `&mut` to the slot, and so
            // the lock is held.
            unsafe { bindings::msi_vector_free_irq(vector.as_raw()) };
        }
    }
}

/// Frees the vector when it is dropped.
struct Owner<B: Backing + 'static>(State<B>);

impl<B: Backing + 'static> Drop for Owner<B> {
    fn drop(&mut self) {
        let mut slot = self.0.lock();

        slot.free_irq();
        let vector = slot.vector.take();
        drop(slot);
        drop(vector);
    }
}

/// Frees the handler when it is dropped. There is one at a time.
struct Borrower<B: Backing + 'static>(State<B>);

impl<B: Backing + 'static> Borrower<B> {
    fn new(state: &State<B>) -> Result<Self> {
        let mut slot = state.lock();

        if mem::replace(&mut slot.lent, true) {
            return Err(EBUSY);
        }
        Ok(Self(state.clone()))
    }
}

impl<B: Backing + 'static> Drop for Borrower<B> {
    fn drop(&mut self) {
        let mut slot = self.0.lock();

        slot.free_irq();
        slot.lent = false;
    }
}

impl<B: Backing + 'static> Lent<B> {
    /// Makes a vector one which can be lent. This may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory. The vector is freed.
    pub fn new(vector: Vector<'_, B>) -> Result<Self> {
        let dev = vector.table.dev;
        // SAFETY:
        // - Lifetimes make no difference for the layout, and `B` is `'static`. So the lifetime is
        //   that of the device only: for which it is bound, and its table exists.
        // - The vector does not outlive that. It is dropped by `Owner`, a resource of the device,
        //   which is released before the older one of the table, and while the device still
        //   counts as bound. If creating that resource fails then the vector is dropped at once.
        // - Nobody sees the lifetime: the vector does not leave the slot but to be dropped, and
        //   `try_access_with` shortens it to that of a closure, during which the lock is held. So
        //   `Owner` waits, and with it the unbinding of the device.
        let vector = unsafe { mem::transmute::<Vector<'_, B>, Vector<'static, B>>(vector) };
        // INVARIANT: The vector was owned, so it has no handler.
        let slot = Slot {
            vector: Some(vector),
            lent: false,
        };

        let (name, key) = lock_class();
        let state = Arc::pin_init(Mutex::new(slot, name, key), GFP_KERNEL)?;

        Ok(Self {
            _owner: Devres::new(dev, Owner(state.clone()))?,
            state,
        })
    }

    /// Gives access to the vector, unless the device of its table is unbound already.
    ///
    /// A mutex is held meanwhile, so this may sleep, and `f` must not use this vector by another
    /// way, nor wait for somebody who does. It must not be called by a threaded handler of the
    /// vector, which knows it anyway.
    pub fn try_access_with<R>(&self, f: impl for<'a> FnOnce(LentRef<'a, B>) -> R) -> Option<R> {
        self.state
            .lock()
            .vector
            .as_ref()
            .map(|vector| f(LentRef(vector)))
    }

    /// Registers a handler, for the driver which `dev` is bound to.
    ///
    /// `handler` is an initializer, or just a value. It is put into an allocation of its own, so
    /// the interrupt may be moved. This may sleep.
    ///
    /// # Errors
    ///
    /// - `EBUSY` if there is another handler
    /// - `ENODEV` if the device of the table is unbound already
    /// - `EINVAL` with [`Flags::NO_AUTOEN`], as nothing would enable the interrupt
    /// - an error of [`Vector::request_irq`]
    pub fn request_irq<T, E>(
        &self,
        dev: &Device<Bound>,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<LentInterrupt<T, B>>
    where
        T: Handler<B> + 'static,
        Error: From<E>,
    {
        self.request(dev, Callbacks::hard(), flags, name, handler)
    }

    /// Registers a threaded handler, for the driver which `dev` is bound to.
    ///
    /// See [`Lent::request_irq`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         IrqReturn,
    ///         ThreadedHandler, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Lent,
    ///         Table, //
    ///     },
    /// };
    ///
    /// struct Ignore;
    ///
    /// impl ThreadedHandler for Ignore {
    ///     fn handle_threaded(&self) -> IrqReturn {
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_lent_thread", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let lent = Lent::new(table.alloc_any()?)?;
    ///
    /// let irq = lent.request_threaded_irq(dev.as_ref(), Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    /// # drop(irq);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn request_threaded_irq<T, E>(
        &self,
        dev: &Device<Bound>,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<LentInterrupt<T, B>>
    where
        T: ThreadedHandler<B> + 'static,
        Error: From<E>,
    {
        self.request(dev, Callbacks::threaded(), flags, name, handler)
    }

    fn request<T, E>(
        &self,
        dev: &Device<Bound>,
        callbacks: Callbacks<T, B>,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<LentInterrupt<T, B>>
    where
        T: 'static,
        Error: From<E>,
    {
        if is_disabled(flags) {
            return Err(EINVAL);
        }

        let borrower = Devres::new::<Infallible>(dev, Borrower::new(&self.state)?)?;
        let arguments = self
            .try_access_with(|vector| Arguments::new(vector.0))
            .ok_or(ENODEV)?;
        let installed = Installed::new(arguments, handler)?;
        let slot = self.state.lock();

        if slot.vector.is_none() {
            return Err(ENODEV);
        }
        // SAFETY:
        // - A vector is put into the slot once, by `Lent::new`. So the one which is there now is
        //   that of `arguments`, and it is valid.
        // - The lock is held, so nobody installs or frees a handler. `borrower` is the only one, so
        //   there is none.
        // - `installed` is valid until it is dropped, which `LentInterrupt` does after the borrower
        //   and so after the handler is freed, and forever if it is forgotten. There are only
        //   shared references to it from here on. `T` and `B` are `'static`, so what they refer to
        //   is valid as well. The vector and its store are until `Owner` drops the vector, which
        //   frees the handler before.
        unsafe { installed.install(&callbacks, flags, &name) }?;
        drop(slot);

        // INVARIANT: The handler was installed above. It is freed with its borrower.
        Ok(LentInterrupt {
            _borrower: borrower,
            installed,
            state: self.state.clone(),
        })
    }
}

/// A reference to a [`Lent`] vector, as [`Lent::try_access_with`] gives it.
///
/// It can do what a reference to a [`Vector`] can, except that it can not be watched: whoever
/// borrows the vector might forget the [`Watch`](super::Watch), and be unloaded before the vector
/// is freed.
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
///         Lent,
///         Table, //
///     },
/// };
///
/// let dev = fake_device!(c"msi_lent_ref", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
/// let lent = Lent::new(table.alloc(5)?)?;
///
/// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
/// mask.set(CpuId::from_u32(0).ok_or(EINVAL)?);
///
/// let accessed = lent.try_access_with(|vector| {
///     assert_eq!(vector.label(), 5);
///     assert!(vector.store().is_masked(5));
///     // There is no handler yet.
///     assert_eq!(vector.message().err(), Some(EAGAIN));
///     vector.set_affinity(&mask)
/// });
/// assert_eq!(accessed, Some(Ok(())));
/// # Ok::<(), Error>(())
/// ```
pub struct LentRef<'a, B: Backing + 'static = super::Pci>(&'a Vector<'a, B>);

impl<'a, B: Backing + 'static> LentRef<'a, B> {
    /// Returns what is behind the table of the vector, see [`Vector::store`].
    #[inline]
    pub fn store(&self) -> &'a B {
        self.0.store()
    }

    /// Moves the interrupt to other CPUs, see [`Vector::set_affinity`].
    #[inline]
    pub fn set_affinity(&self, mask: &Cpumask) -> Result {
        self.0.set_affinity(mask)
    }

    /// Returns the message, see [`Vector::message`].
    #[inline]
    pub fn message(&self) -> Result<Message> {
        self.0.message()
    }
}

impl<B: Backing + 'static> Deref for LentRef<'_, B> {
    type Target = VectorRef<B>;

    #[inline]
    fn deref(&self) -> &VectorRef<B> {
        self.0
    }
}

/// Not part of a generic function, so that there is one lock class with one name, in the kernel
/// itself.
#[inline(never)]
fn lock_class() -> (&'static CStr, Pin<&'static LockClassKey>) {
    (c"msi::Lent::slot", static_lock_class!())
}

/// A handler of a [`Lent`] vector.
///
/// Made by [`Lent::request_irq`] and [`Lent::request_threaded_irq`]. Dropping it frees the handler,
/// which does not run any more after that. The vector can be borrowed again then.
///
/// # Invariants
///
/// The handler was installed, and is freed when `_borrower` is dropped, or before.
pub struct LentInterrupt<T, B: Backing + 'static = super::Pci> {
    // Dropped first, before the handler.
    _borrower: Devres<Borrower<B>>,
    installed: Pin<KBox<Installed<T, B>>>,
    state: State<B>,
}

impl<T, B: Backing + 'static> LentInterrupt<T, B> {
    /// Returns the handler.
    #[inline]
    pub fn handler(&self) -> &T {
        self.installed.handler()
    }

    /// Waits for handlers which run on other CPUs, and for the handler's thread.
    ///
    /// This may sleep, and holds the mutex of [`Lent::try_access_with`] meanwhile, so it must not
    /// be called by the handler or its thread. It does nothing when the vector was freed.
    pub fn synchronize(&self) {
        if let Some(vector) = &self.state.lock().vector {
            // SAFETY: `synchronize_irq()` takes any number. This is one of an interrupt which
            // exists, as it does as long as the vector, which nobody takes out of the slot while it
            // is locked.
            unsafe { bindings::synchronize_irq(vector.irq()) };
        }
    }
}

// The vector of a `Lent` is behind a mutex.
impl<B: Backing + 'static> fmt::Debug for Lent<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<B: Backing + 'static> fmt::Debug for LentRef<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentRef")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}

impl<T, B: Backing + 'static> fmt::Debug for LentInterrupt<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentInterrupt").finish_non_exhaustive()
    }
}
