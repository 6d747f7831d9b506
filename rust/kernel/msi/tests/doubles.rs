// SPDX-License-Identifier: GPL-2.0

//! What the tests share.

use crate::{
    cpu::CpuId,
    cpumask::CpumaskVar,
    irq::{
        self,
        Flags,
        IrqReturn,
        ThreadedHandler, //
    },
    msi::{
        fake::FakeDevice,
        Handler,
        Interrupt,
        Message,
        Request,
        Store,
        Table,
        Vector,
        VectorRef, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};
use core::{
    mem::{
        self,
        MaybeUninit, //
    },
    ptr, //
};
use pin_init::Wrapper;

pub(super) const FLAGS: Flags = Flags::TRIGGER_NONE;

/// Counts what happens to a [`Strict`] store, its cookies and its handlers. Outlives them all.
pub(super) struct Counts {
    pub(super) stores_dropped: Atomic<u32>,
    pub(super) cookies_dropped: Atomic<u32>,
    pub(super) handlers_dropped: Atomic<u32>,
    pub(super) handled: Atomic<u32>,
    pub(super) inits: Atomic<u32>,
    pub(super) exits: Atomic<u32>,
    pub(super) calls: Atomic<u32>,
    /// Calls in an order which the documentation of [`Store`] rules out.
    pub(super) bad: Atomic<u32>,
    /// Label of the vector which `init_vector` fails for.
    pub(super) refused: Atomic<u32>,
}

impl Counts {
    pub(super) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                stores_dropped: Atomic::new(0),
                cookies_dropped: Atomic::new(0),
                handlers_dropped: Atomic::new(0),
                handled: Atomic::new(0),
                inits: Atomic::new(0),
                exits: Atomic::new(0),
                calls: Atomic::new(0),
                bad: Atomic::new(0),
                refused: Atomic::new(u32::MAX),
            },
            GFP_KERNEL,
        )?)
    }

    pub(super) fn check(&self, good: bool) {
        if !good {
            self.bad.add(1, Relaxed);
        }
    }
}

/// What a vector of a [`Strict`] store carries: the state of its slot.
pub(super) struct Slot {
    pub(super) counts: Arc<Counts>,
    inited: Atomic<bool>,
    pub(super) masked: Atomic<bool>,
    pub(super) valid: Atomic<bool>,
    pub(super) masks: Atomic<u32>,
}

impl Slot {
    pub(super) fn new(counts: &Arc<Counts>) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                counts: counts.clone(),
                inited: Atomic::new(false),
                masked: Atomic::new(true),
                valid: Atomic::new(false),
                masks: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.counts.check(!self.inited.load(Relaxed));
        self.counts.cookies_dropped.add(1, Relaxed);
    }
}

/// A store which checks the order of the calls.
pub(super) struct Strict(pub(super) Arc<Counts>);

impl Strict {
    fn called(&self, slot: &Slot) {
        self.0.calls.add(1, Relaxed);
        self.0.check(slot.inited.load(Relaxed));
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.0
            .check(self.0.inits.load(Relaxed) == self.0.exits.load(Relaxed));
        self.0.stores_dropped.add(1, Relaxed);
    }
}

#[vtable]
impl Store for Strict {
    type Cookie = KBox<Slot>;

    fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
        self.called(vector.cookie());
        self.0.check(msg.is_valid());
        vector.cookie().valid.store(true, Relaxed);
    }

    fn clear_msg(&self, vector: &VectorRef<Self>) {
        self.called(vector.cookie());
        self.0.check(vector.cookie().masked.load(Relaxed));
        vector.cookie().valid.store(false, Relaxed);
    }

    fn mask(&self, vector: &VectorRef<Self>) {
        self.called(vector.cookie());
        vector.cookie().masked.store(true, Relaxed);
        vector.cookie().masks.add(1, Relaxed);
    }

    fn unmask(&self, vector: &VectorRef<Self>) {
        self.called(vector.cookie());
        self.0.check(vector.cookie().valid.load(Relaxed));
        vector.cookie().masked.store(false, Relaxed);
    }

    fn init_vector(&self, vector: &VectorRef<Self>) -> Result {
        if self.0.refused.load(Relaxed) == vector.label() {
            return Err(EIO);
        }

        self.0.inits.add(1, Relaxed);
        self.0.check(!vector.cookie().inited.load(Relaxed));
        vector.cookie().inited.store(true, Relaxed);
        Ok(())
    }

    fn exit_vector(&self, vector: &VectorRef<Self>) {
        let slot = vector.cookie();

        self.0.exits.add(1, Relaxed);
        self.called(slot);
        self.0.check(slot.masked.load(Relaxed));
        self.0.check(!slot.valid.load(Relaxed));
        slot.inited.store(false, Relaxed);
    }
}

pub(super) struct Counter(pub(super) Arc<Counts>);

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.handlers_dropped.add(1, Relaxed);
    }
}

impl irq::Handler for Counter {
    fn handle(&self) -> IrqReturn {
        self.0.handled.add(1, Relaxed);
        IrqReturn::Handled
    }
}

/// Counts in its thread.
pub(super) struct Threaded(pub(super) Arc<Counts>);

impl ThreadedHandler for Threaded {
    fn handle_threaded(&self) -> IrqReturn {
        self.0.handled.add(1, Relaxed);
        IrqReturn::Handled
    }
}

/// A handler which finds everything by its arguments.
pub(super) struct Stateless;

impl Handler<Strict> for Stateless {
    fn handle(&self, vector: &VectorRef<Strict>, store: &Strict) -> IrqReturn {
        store.0.check(vector.label() == 5);
        vector.cookie().counts.handled.add(1, Relaxed);
        IrqReturn::Handled
    }
}

pub(super) fn table<'a>(dev: &'a FakeDevice, counts: &Arc<Counts>) -> Result<Table<'a, Strict>> {
    Table::new(dev.as_ref(), c"strict", 16, Strict(counts.clone()))
}

pub(super) fn vector<'a>(
    table: &Table<'a, Strict>,
    request: Request<'_>,
    counts: &Arc<Counts>,
) -> Result<Vector<'a, Strict>> {
    table.alloc(request.cookie(Slot::new(counts)?))
}

pub(super) type Counting<'a> = Interrupt<'a, Counter, Strict>;

pub(super) fn interrupt<'a>(
    vector: Vector<'a, Strict>,
    counts: &Arc<Counts>,
) -> Result<Counting<'a>> {
    vector.request_irq(FLAGS, c"kunit", Counter(counts.clone()))
}

/// A mask with this CPU only, if there may be one.
pub(super) fn cpumask(cpu: u32) -> Result<CpumaskVar> {
    let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;

    mask.set(CpuId::from_u32(cpu).ok_or(ENODEV)?);
    Ok(mask)
}

/// A mask with a CPU which an interrupt with a handler can move to from CPU 0, where it is left.
/// There may be none.
pub(super) fn other_cpu(irq: &Interrupt<'_, Counter, Strict>) -> Result<Option<CpumaskVar>> {
    let mask = cpumask(1)
        .ok()
        .filter(|mask| irq.vector().set_affinity(mask).is_ok());

    irq.vector().set_affinity(&*cpumask(0)?)?;
    Ok(mask)
}

/// Like `mem::forget`, except that what is forgotten can still be reached, for `kmemleak`.
pub(super) fn forget<T>(value: T) -> Result {
    #[repr(C)]
    struct Node<T> {
        next: usize,
        value: T,
    }
    static FORGOTTEN: Atomic<usize> = Atomic::new(0);

    // Tests run one after the other.
    let node = KBox::new(
        Node {
            next: FORGOTTEN.load(Relaxed),
            value,
        },
        GFP_KERNEL,
    )?;
    FORGOTTEN.store(KBox::into_raw(node).expose_provenance(), Relaxed);
    Ok(())
}

/// Ways to forget a handle. What does not drop its content may be put into memory which is freed.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Forget,
    MaybeUninit,
    Opaque,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Forget, Self::MaybeUninit, Self::Opaque];

    pub(super) fn forget<T>(self, value: T) -> Result {
        // For `kmemleak`, which can reach the copy
        // SAFETY: `value` is valid for reads. The copy is neither used nor dropped.
        let copy = unsafe { ptr::from_ref(&value).cast::<MaybeUninit<T>>().read() };

        forget(copy)?;
        match self {
            Self::Forget => mem::forget(value),
            Self::MaybeUninit => drop(KBox::pin_init(MaybeUninit::pin_init(value), GFP_KERNEL)?),
            Self::Opaque => drop(KBox::pin_init(Opaque::pin_init(value), GFP_KERNEL)?),
        }
        Ok(())
    }
}
