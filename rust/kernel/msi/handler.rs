// SPDX-License-Identifier: GPL-2.0

//! Handlers of vectors.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Backing,
    Vector,
    VectorRef, //
};
use crate::{
    bindings,
    error::to_result,
    irq::{
        self,
        Flags,
        IrqReturn,
        ThreadedIrqReturn, //
    },
    prelude::*,
    sync::Arc, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// A handler of a [`Vector`].
///
/// Everything that implements [`irq::Handler`] is one. Implement this trait instead to be told
/// which vector it is, for example for its cookie, or to reach the store of its table.
///
/// # Examples
///
/// ```
/// use kernel::{
///     irq::{
///         Flags,
///         IrqReturn, //
///     },
///     msi::{
///         fake::{
///             fake_device,
///             Recorder, //
///         },
///         Handler,
///         Table,
///         VectorRef, //
///     },
///     sync::atomic::{
///         Atomic,
///         Relaxed, //
///     },
/// };
///
/// struct LastLabel(Atomic<u32>);
///
/// impl Handler<Recorder> for LastLabel {
///     fn handle(&self, vector: &VectorRef<Recorder>, _store: &Recorder) -> IrqReturn {
///         self.0.store(vector.label(), Relaxed);
///         IrqReturn::Handled
///     }
/// }
///
/// let dev = fake_device!(c"msi_handler", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
/// let irq = table
///     .alloc(5)?
///     .request_irq(Flags::TRIGGER_NONE, c"last", LastLabel(Atomic::new(0)))?;
///
/// dev.parent().inject(irq.vector().message()?)?;
/// irq.synchronize();
/// assert_eq!(irq.handler().0.load(Relaxed), 5);
/// # Ok::<(), Error>(())
/// ```
pub trait Handler<B: Backing>: Sync {
    /// Handles the interrupt, in interrupt context.
    fn handle(&self, vector: &VectorRef<B>, store: &B) -> IrqReturn;
}

impl<B: Backing, T: irq::Handler> Handler<B> for T {
    #[inline]
    fn handle(&self, _vector: &VectorRef<B>, _store: &B) -> IrqReturn {
        irq::Handler::handle(self)
    }
}

/// What others share with a handler may be the handler itself.
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
///         Table, //
///     },
///     sync::{
///         atomic::{
///             Atomic,
///             Relaxed, //
///         },
///         Arc, //
///     },
/// };
///
/// struct Queue(Atomic<u32>);
///
/// impl Handler for Queue {
///     fn handle(&self) -> IrqReturn {
///         self.0.add(1, Relaxed);
///         IrqReturn::Handled
///     }
/// }
///
/// let dev = fake_device!(c"msi_arc", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
/// let queue = Arc::new(Queue(Atomic::new(0)), GFP_KERNEL)?;
///
/// let irq = table
///     .alloc(5)?
///     .request_irq(Flags::TRIGGER_NONE, c"queue", queue.clone())?;
/// dev.parent().inject(irq.vector().message()?)?;
/// irq.synchronize();
/// assert_eq!(queue.0.load(Relaxed), 1);
/// # Ok::<(), Error>(())
/// ```
impl<B: Backing, T: Handler<B> + Send> Handler<B> for Arc<T> {
    #[inline]
    fn handle(&self, vector: &VectorRef<B>, store: &B) -> IrqReturn {
        T::handle(self, vector, store)
    }
}

/// A handler of a [`Vector`] which does its work in a thread.
///
/// Everything that implements [`irq::ThreadedHandler`] is one. Implement this trait instead to be
/// told which vector it is, for example for its cookie, or to reach the store of its table.
///
/// # Examples
///
/// ```
/// use kernel::{
///     irq::{
///         Flags,
///         IrqReturn,
///         ThreadedIrqReturn, //
///     },
///     msi::{
///         fake::{
///             fake_device,
///             Recorder, //
///         },
///         Table,
///         ThreadedHandler,
///         VectorRef, //
///     },
///     sync::atomic::{
///         Atomic,
///         Relaxed, //
///     },
/// };
///
/// struct LastLabel(Atomic<u32>);
///
/// impl ThreadedHandler<Recorder> for LastLabel {
///     fn handle(&self, vector: &VectorRef<Recorder>, _store: &Recorder) -> ThreadedIrqReturn {
///         self.0.store(vector.label(), Relaxed);
///         ThreadedIrqReturn::WakeThread
///     }
///
///     fn handle_threaded(&self, _vector: &VectorRef<Recorder>, store: &Recorder) -> IrqReturn {
///         if store.is_masked(self.0.load(Relaxed)) {
///             return IrqReturn::None;
///         }
///         IrqReturn::Handled
///     }
/// }
///
/// let dev = fake_device!(c"msi_thread", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
/// let handler = LastLabel(Atomic::new(0));
/// let irq = table
///     .alloc(5)?
///     .request_threaded_irq(Flags::TRIGGER_NONE, c"last", handler)?;
///
/// dev.parent().inject(irq.vector().message()?)?;
/// irq.synchronize();
/// assert_eq!(irq.handler().0.load(Relaxed), 5);
/// # Ok::<(), Error>(())
/// ```
pub trait ThreadedHandler<B: Backing>: Sync {
    /// Handles the interrupt, in interrupt context.
    ///
    /// The default implementation wakes the thread.
    fn handle(&self, vector: &VectorRef<B>, store: &B) -> ThreadedIrqReturn {
        let _ = (vector, store);
        ThreadedIrqReturn::WakeThread
    }

    /// Handles the interrupt in a thread, if [`handle`](ThreadedHandler::handle) woke it.
    fn handle_threaded(&self, vector: &VectorRef<B>, store: &B) -> IrqReturn;
}

impl<B: Backing, T: irq::ThreadedHandler> ThreadedHandler<B> for T {
    #[inline]
    fn handle(&self, _vector: &VectorRef<B>, _store: &B) -> ThreadedIrqReturn {
        irq::ThreadedHandler::handle(self)
    }

    #[inline]
    fn handle_threaded(&self, _vector: &VectorRef<B>, _store: &B) -> IrqReturn {
        irq::ThreadedHandler::handle_threaded(self)
    }
}

/// See the implementation of [`Handler`] for it.
impl<B: Backing, T: ThreadedHandler<B> + Send> ThreadedHandler<B> for Arc<T> {
    #[inline]
    fn handle(&self, vector: &VectorRef<B>, store: &B) -> ThreadedIrqReturn {
        T::handle(self, vector, store)
    }

    #[inline]
    fn handle_threaded(&self, vector: &VectorRef<B>, store: &B) -> IrqReturn {
        T::handle_threaded(self, vector, store)
    }
}

/// What a handler is called with.
///
/// # Invariants
///
/// `vector` is that of a [`Vector`] of `B`, and `store` is what is behind its table. Both are valid
/// at least until the vector is freed.
pub(super) struct Arguments<B: Backing> {
    vector: NonNull<bindings::msi_vector>,
    store: NonNull<B>,
}

// SAFETY: The pointers are for the callbacks of a handler only, and may be used by any thread:
// `VectorRef<B>` and `B` are `Sync`.
unsafe impl<B: Backing> Send for Arguments<B> {}

// SAFETY: As above.
unsafe impl<B: Backing> Sync for Arguments<B> {}

impl<B: Backing> Arguments<B> {
    #[inline]
    pub(super) fn new(vector: &Vector<'_, B>) -> Self {
        // INVARIANT: The vector is one of `B`, which owns a reference to its table.
        Self {
            vector: vector.as_non_null(),
            store: NonNull::from(vector.store()),
        }
    }
}

/// A handler in an allocation of its own, where the C side finds it.
///
/// Its owner may be moved, or forgotten in any way: then this is leaked, and stays valid. Nobody
/// has a mutable reference to it once it is installed.
#[pin_data]
pub(super) struct Installed<T, B: Backing> {
    arguments: Arguments<B>,

    #[pin]
    handler: T,
}

impl<T, B: Backing> Installed<T, B> {
    /// Makes a handler, which is not installed yet.
    #[inline]
    pub(super) fn new<E>(
        arguments: Arguments<B>,
        handler: impl PinInit<T, E>,
    ) -> Result<Pin<KBox<Self>>>
    where
        Error: From<E>,
    {
        KBox::try_pin_init(
            try_pin_init!(Self {
                arguments,
                handler <- handler,
            }? Error),
            GFP_KERNEL,
        )
    }

    #[inline]
    pub(super) fn handler(&self) -> &T {
        &self.handler
    }

    #[inline]
    pub(super) fn vector(&self) -> *mut bindings::msi_vector {
        self.arguments.vector.as_ptr()
    }

    /// Installs the handler on its vector.
    ///
    /// # Safety
    ///
    /// - The vector must be valid, and nobody must install or free a handler on it meanwhile.
    /// - Until the handler is freed there must be only shared references to `self`. It must be
    ///   valid until then, and so must be the vector, its store, and what these and the handler
    ///   refer to.
    pub(super) unsafe fn install(
        &self,
        callbacks: &Callbacks<T, B>,
        flags: Flags,
        name: &CStr,
    ) -> Result {
        let mut flags = flags.into_inner();

        // Whether the line is quiet before the thread has run nobody knows.
        // SAFETY: By the safety requirements of this function the vector is valid.
        if callbacks.thread.is_some() && unsafe { is_intx(self.vector()) } {
            flags |= Flags::ONESHOT.into_inner();
        }

        // SAFETY:
        // - By the safety requirements of this function the vector is valid, and there is no other
        //   call for it at the same time.
        // - By the type invariants the callbacks expect a pointer to a `Self`, which is only
        //   shared. By the safety requirements of this function `self` is one, as long as they may
        //   be called.
        // - The format wants one C string. That is `name`, which is copied.
        to_result(unsafe {
            bindings::msi_vector_request_irq(
                self.vector(),
                callbacks.primary,
                callbacks.thread,
                flags,
                ptr::from_ref(self).cast_mut().cast(),
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })
    }

    /// Returns the handler, and what to call it with.
    ///
    /// # Safety
    ///
    /// `dev_id` must point to a `Self` which is valid, and only shared, for `'b`. So must be its
    /// vector and store.
    #[inline]
    unsafe fn from_dev_id<'b>(dev_id: *mut c_void) -> (&'b T, &'b VectorRef<B>, &'b B) {
        // SAFETY: By the safety requirements of this function.
        let this: &'b Self = unsafe { &*dev_id.cast() };
        // SAFETY: By the safety requirements of this function it is valid. By the type invariants
        // of `Arguments` it is one of a table of `B`, and its cookie a foreign-owned `B::Cookie`:
        // it belongs to a `Vector<B>`, which takes it back after it has freed the vector.
        let vector = unsafe { VectorRef::from_raw(this.vector()) };
        // SAFETY: By the safety requirements of this function it is valid. Stores are only shared.
        let store = unsafe { this.arguments.store.as_ref() };

        (&this.handler, vector, store)
    }
}

/// Returns whether the interrupt is the line of INTx, which other devices may share.
///
/// # Safety
///
/// `vector` must be valid.
pub(super) unsafe fn is_intx(vector: *mut bindings::msi_vector) -> bool {
    // SAFETY: By the safety requirements of this function the vector is valid, and so is its table.
    let kind = unsafe { bindings::msi_table_kind(bindings::msi_vector_table(vector)) };

    kind == bindings::MSI_TABLE_INTX
}

/// The callbacks of a handler.
///
/// # Invariants
///
/// They expect a `dev_id` that points to an `Installed<T, B>` which is valid, and only shared,
/// during the call, as are its vector and its store.
pub(super) struct Callbacks<T, B> {
    primary: bindings::irq_handler_t,
    thread: bindings::irq_handler_t,
    _handler: PhantomData<(T, B)>,
}

impl<T, B: Backing> Callbacks<T, B> {
    /// The callback of a [`Handler`].
    pub(super) fn hard() -> Self
    where
        T: Handler<B>,
    {
        // INVARIANT: By the safety requirements of the function.
        Self {
            primary: Some(handle_irq::<T, B>),
            thread: None,
            _handler: PhantomData,
        }
    }

    /// The callbacks of a [`ThreadedHandler`].
    pub(super) fn threaded() -> Self
    where
        T: ThreadedHandler<B>,
    {
        // INVARIANT: By the safety requirements of the functions.
        Self {
            primary: Some(handle_threaded_irq::<T, B>),
            thread: Some(thread_fn::<T, B>),
            _handler: PhantomData,
        }
    }
}

/// # Safety
///
/// As for `Installed::from_dev_id`, during the call.
unsafe extern "C" fn handle_irq<T: Handler<B>, B: Backing>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t {
    // SAFETY: By the safety requirements of this function.
    let (handler, vector, store) = unsafe { Installed::<T, B>::from_dev_id(dev_id) };

    bindings::irqreturn_t(handler.handle(vector, store) as c_uint)
}

/// # Safety
///
/// As for `Installed::from_dev_id`, during the call.
unsafe extern "C" fn handle_threaded_irq<T: ThreadedHandler<B>, B: Backing>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t {
    // SAFETY: By the safety requirements of this function.
    let (handler, vector, store) = unsafe { Installed::<T, B>::from_dev_id(dev_id) };

    bindings::irqreturn_t(handler.handle(vector, store) as c_uint)
}

/// # Safety
///
/// As for `Installed::from_dev_id`, during the call.
unsafe extern "C" fn thread_fn<T: ThreadedHandler<B>, B: Backing>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t {
    // SAFETY: By the safety requirements of this function.
    let (handler, vector, store) = unsafe { Installed::<T, B>::from_dev_id(dev_id) };

    bindings::irqreturn_t(handler.handle_threaded(vector, store) as c_uint)
}
