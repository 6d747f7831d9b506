// SPDX-License-Identifier: GPL-2.0

//! Handlers of vectors.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Backing,
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
use core::marker::PhantomData;

/// A handler of a [`Vector`](super::Vector).
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
/// let irq = KBox::pin_init(
///     table
///         .alloc(5)?
///         .request_irq(Flags::TRIGGER_NONE, c"last", LastLabel(Atomic::new(0))),
///     GFP_KERNEL,
/// )?;
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
/// let init = table
///     .alloc(5)?
///     .request_irq(Flags::TRIGGER_NONE, c"queue", queue.clone());
/// let irq = KBox::pin_init(init, GFP_KERNEL)?;
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

/// A handler of a [`Vector`](super::Vector) which does its work in a thread.
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
/// let init = table
///     .alloc(5)?
///     .request_threaded_irq(Flags::TRIGGER_NONE, c"last", handler);
/// let irq = KBox::pin_init(init, GFP_KERNEL)?;
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

/// What is registered as the `dev_id` of a handler.
pub(super) trait Registered {
    /// The handler.
    type Handler;
    /// What is behind the table of its vector.
    type Backing: Backing;

    /// Returns what there is to call the handler, and what to call it with.
    fn parts(&self) -> (&Self::Handler, &VectorRef<Self::Backing>, &Self::Backing);
}

/// The callbacks of a handler whose `dev_id` is an `R`.
///
/// # Invariants
///
/// They expect a `dev_id` that points to an `R`, which is valid at least until the handler is
/// freed.
pub(super) struct Callbacks<R> {
    primary: bindings::irq_handler_t,
    thread: bindings::irq_handler_t,
    _registered: PhantomData<R>,
}

impl<R: Registered> Callbacks<R> {
    /// The callback of a [`Handler`].
    pub(super) fn hard() -> Self
    where
        R::Handler: Handler<R::Backing>,
    {
        Self {
            primary: Some(handle_irq::<R>),
            thread: None,
            _registered: PhantomData,
        }
    }

    /// The callbacks of a [`ThreadedHandler`].
    pub(super) fn threaded() -> Self
    where
        R::Handler: ThreadedHandler<R::Backing>,
    {
        Self {
            primary: Some(handle_threaded_irq::<R>),
            thread: Some(thread_fn::<R>),
            _registered: PhantomData,
        }
    }

    /// Installs the handler on a vector.
    ///
    /// # Safety
    ///
    /// - `vector` must be valid, and nobody must install or free a handler on it meanwhile.
    /// - `dev_id` must point to an initialized `R`, of which there are only shared references until
    ///   the handler is freed. It must be valid until then, and so must be what the handler and the
    ///   store of the table refer to.
    pub(super) unsafe fn request(
        &self,
        vector: *mut bindings::msi_vector,
        flags: Flags,
        name: &CStr,
        dev_id: *mut R,
    ) -> Result {
        // SAFETY:
        // - By the safety requirements of this function `vector` is valid, and there is no other
        //   call for it at the same time.
        // - By the type invariants the callbacks expect a pointer to an `R`. By the safety
        //   requirements of this function `dev_id` is one, as long as they may be called.
        // - The format wants one C string. That is `name`, which is copied.
        to_result(unsafe {
            bindings::msi_vector_request_irq(
                vector,
                self.primary,
                self.thread,
                flags.into_inner(),
                dev_id.cast(),
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })
    }
}

/// # Safety
///
/// `dev_id` must point to an `R` which is valid, and only shared, during the call.
unsafe extern "C" fn handle_irq<R: Registered>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t
where
    R::Handler: Handler<R::Backing>,
{
    // SAFETY: By the safety requirements of this function `dev_id` is a valid `R`, which is shared.
    let (handler, vector, store) = unsafe { &*dev_id.cast::<R>() }.parts();

    bindings::irqreturn_t(handler.handle(vector, store) as c_uint)
}

/// # Safety
///
/// `dev_id` must point to an `R` which is valid, and only shared, during the call.
unsafe extern "C" fn handle_threaded_irq<R: Registered>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t
where
    R::Handler: ThreadedHandler<R::Backing>,
{
    // SAFETY: By the safety requirements of this function `dev_id` is a valid `R`, which is shared.
    let (handler, vector, store) = unsafe { &*dev_id.cast::<R>() }.parts();

    bindings::irqreturn_t(handler.handle(vector, store) as c_uint)
}

/// # Safety
///
/// `dev_id` must point to an `R` which is valid, and only shared, during the call.
unsafe extern "C" fn thread_fn<R: Registered>(
    _irq: c_int,
    dev_id: *mut c_void,
) -> bindings::irqreturn_t
where
    R::Handler: ThreadedHandler<R::Backing>,
{
    // SAFETY: By the safety requirements of this function `dev_id` is a valid `R`, which is shared.
    let (handler, vector, store) = unsafe { &*dev_id.cast::<R>() }.parts();

    bindings::irqreturn_t(handler.handle_threaded(vector, store) as c_uint)
}
