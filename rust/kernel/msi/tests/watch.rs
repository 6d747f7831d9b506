// SPDX-License-Identifier: GPL-2.0

//! Tests of watchers.

use super::doubles::*;
use crate::{
    macros,
    msi::{
        Message,
        Watcher, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Remembers what it was told. Outlives its watch.
struct Record {
    calls: Atomic<u32>,
    address: Atomic<u64>,
    data: Atomic<u32>,
    dropped: Atomic<u32>,
    /// How many handlers were dropped before the watcher.
    handlers: Atomic<u32>,
}

impl Record {
    fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                calls: Atomic::new(0),
                address: Atomic::new(!0),
                data: Atomic::new(!0),
                dropped: Atomic::new(0),
                handlers: Atomic::new(!0),
            },
            GFP_KERNEL,
        )?)
    }

    fn calls(&self) -> u32 {
        self.calls.load(Relaxed)
    }

    fn message(&self) -> Option<Message> {
        Some(Message {
            address: self.address.load(Relaxed),
            data: self.data.load(Relaxed),
        })
        .filter(Message::is_valid)
    }
}

/// The watcher.
struct Told(Arc<Record>, Arc<Counts>);

impl Watcher for Told {
    fn notify(&self, msg: Option<Message>) {
        let msg = msg.unwrap_or_default();

        self.0.address.store(msg.address, Relaxed);
        self.0.data.store(msg.data, Relaxed);
        self.0.calls.add(1, Relaxed);
        self.1.check(self.0.dropped.load(Relaxed) == 0);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let handlers = self.1.handlers_dropped.load(Relaxed);

        self.0.handlers.store(handlers, Relaxed);
        self.0.dropped.add(1, Relaxed);
    }
}

/// Runs `f` with warnings left out of the log, and returns how many there were.
fn warnings(f: impl FnOnce()) -> Result<i32> {
    // SAFETY: There are no requirements.
    let test = unsafe { bindings::kunit_get_current_test() };
    // SAFETY: `test` is the test which is running.
    let suppressed = unsafe { bindings::kunit_start_suppress_warning(test) };

    if suppressed.is_null() {
        return Err(ENOMEM);
    }
    f();
    // SAFETY: `suppressed` was started and has not ended.
    let count = unsafe { bindings::kunit_suppressed_warning_count(suppressed) };
    // SAFETY: `suppressed` was started by this test, has not ended, and is not used again.
    unsafe { bindings::kunit_end_suppress_warning(test, suppressed) };
    Ok(count)
}

#[macros::kunit_tests(rust_kernel_msi_watch)]
mod suite {
    use super::{
        super::doubles::*,
        warnings,
        Record,
        Told, //
    };
    use crate::{
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent, //
            },
            Interrupt,
            Request,
            Vector,
            Watch,
            Watchable, //
        },
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };
    use core::{
        mem,
        ptr, //
    };

    fn watch<V: Watchable>(
        target: V,
        record: &Arc<Record>,
        counts: &Arc<Counts>,
    ) -> Result<Watch<Told, V>> {
        Watch::new(target, Told(record.clone(), counts.clone()))
    }

    #[test]
    fn can_be_sent_and_shared() {
        fn check<T: Send + Sync>() {}

        check::<Watch<Told, Vector<'_, Strict>>>();
        check::<Watch<Told, Interrupt<'_, Counter, Strict>>>();
    }

    #[test]
    fn tells_at_once() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_watch", 8);
        let table = table(dev, &counts)?;
        let record = Record::new()?;

        let five = vector(&table, Request::at(5), &counts)?;
        drop(watch(&five, &record, &counts)?);
        assert_eq!(record.calls(), 1);
        assert_eq!(record.message(), None);
        assert_eq!(record.dropped.load(Relaxed), 1);

        let record = Record::new()?;
        let five = interrupt(five, &counts)?;
        drop(watch(&five, &record, &counts)?);
        assert_eq!(record.calls(), 1);
        assert_eq!(record.message(), five.vector().message().ok());

        // Nobody is told any more.
        drop(five);
        assert_eq!(record.calls(), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn tells_changes() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_watch_move", 8);
        let table = table(dev, &counts)?;
        let (inner, outer) = (Record::new()?, Record::new()?);

        // Two watchers, the outer one owns the inner one, and that the interrupt.
        let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        let other = other_cpu(&five)?;
        let five = interrupt(five.free_irq(), &counts)?;
        let five = watch(five, &inner, &counts)?;
        let watch = watch(five, &outer, &counts)?;
        let vector = watch.target().target().vector();
        assert_eq!((inner.calls(), outer.calls()), (1, 1));

        for (n, mask) in (2..).zip([other, Some(cpumask(0)?)].iter().flatten()) {
            let stale = outer.message();

            vector.set_affinity(mask)?;
            // Moving it to where it is may or may not be a change.
            assert!(inner.calls() <= n);
            assert_eq!(inner.calls(), outer.calls());
            assert_eq!(inner.message(), outer.message());
            assert_eq!(vector.message().ok(), outer.message());
            if n > 2 {
                assert!(stale != outer.message());
            }

            // What an NTB does.
            dev.parent().inject(outer.message().ok_or(EINVAL)?)?;
        }
        watch.target().target().synchronize();
        assert!(counts.handled.load(Relaxed) > 0);

        let calls = outer.calls();
        drop(watch);
        assert_eq!((inner.calls(), outer.calls()), (calls, calls));
        // The watchers go before what they watch.
        assert_eq!(inner.handlers.load(Relaxed), 1);
        assert_eq!(outer.handlers.load(Relaxed), 1);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 2);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn shares_an_interrupt() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_watch_arc", 8);
        let table = table(dev, &counts)?;
        let (one, two) = (Record::new()?, Record::new()?);

        let irq = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        let irq = Arc::new(irq, GFP_KERNEL)?;
        let watch_one = watch(irq.clone(), &one, &counts)?;
        let watch_two = watch(irq.clone(), &two, &counts)?;
        drop(irq);

        // One goes on without the other one.
        drop(watch_one);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 0);
        dev.parent().inject(two.message().ok_or(EINVAL)?)?;
        drop(watch_two);
        assert_eq!(counts.handled.load(Relaxed), 1);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!((one.calls(), two.calls()), (1, 1));
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn failed_watcher() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_watch_fail", 8);
        let table = table(dev, &counts)?;

        // With the watcher goes what it was to watch.
        let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        let res = Watch::<Told, _>::new(five, Err::<Told, Error>(EIO));
        assert_eq!(res.err(), Some(EIO));
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn forgotten_borrow() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_watch_lost", 8);
        let table = table(dev, &counts)?;
        let record = Record::new()?;

        let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        // It borrows no longer than this, so only its address is kept.
        let watch = watch(&five, &record, &counts)?;
        forget(ptr::from_ref(watch.watcher()).addr())?;
        mem::forget(watch);
        assert_eq!(record.message(), five.vector().message().ok());

        // It learns that the message is gone, and then nothing more.
        assert_eq!(warnings(|| drop(five))?, 1);
        assert_eq!(record.calls(), 2);
        assert_eq!(record.message(), None);
        assert!(interrupt(vector(&table, Request::at(5), &counts)?, &counts).is_ok());
        assert_eq!(record.calls(), 2);
        assert_eq!(record.dropped.load(Relaxed), 0);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn forgotten_owner() -> Result {
        for way in Way::ALL {
            let counts = Counts::new()?;
            // SAFETY: It is dropped below.
            let dev = unsafe { FakeDevice::new(c"kunit_msi_watch_leak", Parent::new(8)?) }?;
            let parent = dev.parent().clone();
            let table = table(&dev, &counts)?;
            let record = Record::new()?;

            let five = vector(&table, Request::at(5), &counts)?;
            forget(ptr::from_ref(five.cookie()))?;
            let five = interrupt(five, &counts)?;
            way.forget(watch(five, &record, &counts)?)?;
            drop(table);

            // Leaked, but alive.
            let msg = record.message().ok_or(EINVAL)?;
            parent.inject(msg)?;
            assert_eq!(counts.handled.load(Relaxed), 1);

            assert_eq!(warnings(|| drop(dev))?, 1);
            assert!(parent.inject(msg).is_err());
            assert_eq!(record.calls(), 2);
            assert_eq!(record.message(), None);
            assert_eq!(parent.live(), 0);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }
}
