// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the abstractions for MSI tables.

mod batch;
mod doubles;
mod stores;

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi)]
mod suite {
    use super::doubles::*;
    use crate::{
        faux,
        irq::{
            Flags,
            IrqReturn,
            ThreadedHandler, //
        },
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent, //
            },
            Affinity,
            Interrupt,
            Options,
            Request,
            Table,
            Vector, //
        },
        prelude::*,
        str::CString,
        sync::{
            atomic::Relaxed,
            Arc,
            Completion, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };
    use core::{
        mem,
        ops::Bound,
        ptr, //
    };

    #[test]
    fn handles_can_be_sent_and_shared() {
        fn check<T: Send + Sync>() {}

        check::<Table<'_, Strict>>();
        check::<Vector<'_, Strict>>();
        check::<Interrupt<'_, Counter, Strict>>();
        check::<Affinity>();
        check::<Table<'_>>();
        check::<Vector<'_>>();
    }

    #[test]
    fn errors_of_tables() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_tables", 8);
        let dev = dev.as_ref();
        let new = |name, options: Options| Table::new(dev, name, options, Strict(counts.clone()));

        let first = new(c"one", 1.into())?;
        assert_eq!(new(c"one", 1.into()).err(), Some(EEXIST));
        assert_eq!(new(c"two", 0.into()).err(), Some(EINVAL));
        assert!(new(c"two", 1.into()).is_ok());
        drop(first);
        assert!(new(c"one", Options::unindexed()).is_ok());
        assert_eq!(counts.stores_dropped.load(Relaxed), 5);

        let res = Table::<Strict>::new(dev, c"one", 1, Err::<Strict, Error>(EIO));
        assert_eq!(res.err(), Some(EIO));

        let faux = faux::Registration::new(c"kunit_msi_none", None)?;
        let none: &faux::Device<crate::device::Bound> = faux.as_ref();
        let res = Table::new(none.as_ref(), c"one", 1, Strict(counts.clone()));
        assert_eq!(res.err(), Some(ENODEV));

        let dev = fake_device!(c"kunit_msi_plain", parent = Parent::without_ims(8)?);
        assert_eq!(table(dev, &counts).err(), Some(EOPNOTSUPP));
        assert_eq!(counts.stores_dropped.load(Relaxed), 7);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn options_show_no_pointer() -> Result {
        let parent = Parent::new(1)?;
        // SAFETY: No table is created with these options.
        let options = unsafe { Options::indexed(1).parent(parent.domain()) };
        let text = CString::try_from_fmt(fmt!("{options:?}"))?;

        assert_eq!(
            text.to_bytes(),
            b"Options { size: Some(1), flags: 0, parent: true }"
        );
        Ok(())
    }

    #[test]
    fn handles_are_shown_without_pointers() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_debug", 8);
        let table = table(dev, &counts)?;
        let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        let irq = five.vector().irq();

        let text = CString::try_from_fmt(fmt!("{table:?} {five:?}"))?;
        let due = CString::try_from_fmt(fmt!(
            "Table {{ size: Some(16), is_dynamic: true, .. }} \
             Interrupt {{ vector: Vector {{ label: 5, irq: {irq}, .. }}, .. }}"
        ))?;
        assert_eq!(text.to_bytes(), due.to_bytes());
        Ok(())
    }

    /// Waits for what is sent again when an interrupt is enabled.
    fn wait_for(counts: &Counts, handled: u32) -> bool {
        (0..1000).any(|_| {
            counts.handled.load(Relaxed) == handled || {
                fsleep(Delta::from_millis(1));
                false
            }
        })
    }

    #[test]
    fn disabled_and_enabled() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_disable", 8);
        let table = table(dev, &counts)?;
        let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
        let inject = || dev.parent().inject(five.vector().message()?);

        // It is enabled, so nothing happens.
        five.enable();
        inject()?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 1);

        // Once is as good as twice.
        five.disable();
        five.disable();
        inject()?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 1);
        five.enable();
        assert!(wait_for(&counts, 2));

        // But these are counted, and do not enable what was disabled otherwise.
        let one = five.disabled();
        let two = five.disabled();
        five.disable();
        drop(one);
        five.enable();
        inject()?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 2);
        drop(two);
        assert!(wait_for(&counts, 3));

        let one = five.disabled();
        five.disable();
        drop(one);
        inject()?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 3);
        five.enable();
        assert!(wait_for(&counts, 4));

        // A vector which is given back does not remember, nor after a guard was forgotten.
        mem::forget(five.disabled());
        let five = interrupt(five.free_irq(), &counts)?;
        dev.parent().inject(five.vector().message()?)?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 5);

        let five = five.free_irq().request_irq(
            FLAGS | Flags::NO_AUTOEN,
            c"kunit",
            Counter(counts.clone()),
        )?;
        assert!(five.vector().cookie().masked.load(Relaxed));
        five.enable();
        assert!(!five.vector().cookie().masked.load(Relaxed));
        dev.parent().inject(five.vector().message()?)?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 6);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn interrupts_are_freed_together() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_irqs", 16);
        let table = table(dev, &counts)?;
        let mut irqs = KVec::with_capacity(16, GFP_KERNEL)?;

        for label in (0..16).rev() {
            let vector = vector(&table, Request::at(label), &counts)?;
            irqs.push(interrupt(vector, &counts)?, GFP_KERNEL)?;
        }
        drop(table);
        assert_eq!(dev.parent().live(), 16);

        Interrupt::free_many(irqs);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 16);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 16);
        assert_eq!(counts.stores_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn handlers_are_shared() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_shared", 8);
        let table = table(dev, &counts)?;
        let handler = Arc::new(Counter(counts.clone()), GFP_KERNEL)?;
        let stateless = Arc::new(Stateless, GFP_KERNEL)?;
        let threaded = Arc::new(Threaded(counts.clone()), GFP_KERNEL)?;

        let three = vector(&table, Request::at(3), &counts)?;
        let four = vector(&table, Request::at(4), &counts)?;
        let five = vector(&table, Request::at(5), &counts)?;
        let six = vector(&table, Request::at(6), &counts)?;
        let three = three.request_irq(FLAGS, c"three", handler.clone())?;
        let four = four.request_irq(FLAGS, c"four", handler)?;
        let five = five.request_irq(FLAGS, c"five", stateless)?;
        let six = six.request_threaded_irq(FLAGS, c"six", threaded)?;

        dev.parent().inject(three.vector().message()?)?;
        dev.parent().inject(four.vector().message()?)?;
        dev.parent().inject(five.vector().message()?)?;
        dev.parent().inject(six.vector().message()?)?;
        six.synchronize();
        drop((three, five, six));
        assert_eq!(counts.handled.load(Relaxed), 4);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 0);
        drop(four);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn errors_of_vectors() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_vectors", 3);
        let table = table(dev, &counts)?;
        let alloc = |request| vector(&table, request, &counts);

        let three = alloc(Request::at(3))?;
        assert_eq!(alloc(Request::at(3)).err(), Some(EBUSY));
        assert_eq!(alloc(Request::at(16)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::at(u32::MAX)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(8..=16)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(8..8)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(..0)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(16..)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(..u32::MAX)).err(), Some(ERANGE));
        assert_eq!(alloc(Request::range(..=u32::MAX)).err(), Some(ERANGE));
        let behind = (Bound::Excluded(u32::MAX), Bound::<u32>::Unbounded);
        assert_eq!(alloc(Request::range(behind)).err(), Some(ERANGE));
        assert_eq!(counts.cookies_dropped.load(Relaxed), 10);

        let four = alloc(Request::range(3..5))?;
        assert_eq!((three.label(), four.label()), (3, 4));
        assert_eq!(alloc(Request::range(3..=4)).err(), Some(ENOSPC));

        // The parent is full.
        let zero = alloc(Request::any())?;
        assert_eq!(zero.label(), 0);
        assert_eq!(alloc(Request::any()).err(), Some(ENOSPC));
        assert_eq!(dev.parent().live(), 3);

        // A label which is free again.
        drop(four);
        assert_eq!(dev.parent().live(), 2);
        assert_eq!(alloc(Request::at(4))?.label(), 4);
        drop((three, zero));

        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 16);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn tables_of_any_size() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_sizes", 8);

        for (options, size) in [
            (Options::indexed(1), Some(1)),
            (Options::indexed(u32::MAX), Some(u32::MAX)),
            (Options::unindexed(), None),
        ] {
            let table = Table::new(dev.as_ref(), c"size", options, Strict(counts.clone()))?;
            let last = size.unwrap_or(u32::MAX) - 1;
            let alloc = |request| vector(&table, request, &counts);

            assert_eq!(table.size(), size);
            assert_eq!(alloc(Request::range(last..))?.label(), last);
            assert_eq!(alloc(Request::range(..=last))?.label(), 0);
            assert_eq!(alloc(Request::at(last + 1)).err(), Some(ERANGE));
            assert_eq!(alloc(Request::range(..=last + 1)).err(), Some(ERANGE));
        }

        // A parent which never has an interrupt
        let dev = fake_device!(c"kunit_msi_empty", 0);
        let table = table(dev, &counts)?;
        assert_eq!(vector(&table, Request::any(), &counts).err(), Some(ENOSPC));
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn tables_of_any_name() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_names", 8);
        let mut long = [b'n'; 101];
        long[100] = 0;
        let long = CStr::from_bytes_with_nul(&long).map_err(|_| EINVAL)?;

        for name in [c"a/b", c"..", c" ", c"%s%n", long] {
            let table = Table::new(dev.as_ref(), name, 16, Strict(counts.clone()))?;
            let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;

            dev.parent().inject(five.vector().message()?)?;
            five.synchronize();
        }
        assert_eq!(counts.handled.load(Relaxed), 5);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn failures_change_nothing() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_fail", 8);
        let table = table(dev, &counts)?;

        dev.parent().fail_nth(1);
        assert!(vector(&table, Request::at(5), &counts).is_err());
        assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
        assert_eq!(counts.exits.load(Relaxed), 1);

        counts.refused.store(5, Relaxed);
        let res = vector(&table, Request::at(5), &counts);
        assert_eq!(res.err(), Some(EIO));
        counts.refused.store(u32::MAX, Relaxed);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 2);
        assert_eq!(counts.exits.load(Relaxed), 1);

        // The initializer of the handler fails.
        let five = vector(&table, Request::at(5), &counts)?;
        let irq = five.request_irq::<Counter, Error>(FLAGS, c"kunit", Err(EIO));
        assert_eq!(irq.err(), Some(EIO));
        assert_eq!(dev.parent().live(), 0);

        assert_eq!(vector(&table, Request::at(5), &counts)?.label(), 5);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 4);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn handler_runs_once_per_message() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_inject", 8);
        let table = table(dev, &counts)?;

        let five = vector(&table, Request::at(5), &counts)?;
        assert_eq!(five.message().err(), Some(EAGAIN));
        assert!(!five.cookie().valid.load(Relaxed));
        assert_eq!(five.cookie().masks.load(Relaxed), 1);

        let irq = interrupt(five, &counts)?;
        let msg = irq.vector().message()?;
        assert!(irq.vector().cookie().valid.load(Relaxed));
        assert!(!irq.vector().cookie().masked.load(Relaxed));

        for n in 1..=3 {
            dev.parent().inject(msg)?;
            irq.synchronize();
            assert_eq!(irq.handler().0.handled.load(Relaxed), n);
        }

        drop(irq);
        assert!(dev.parent().inject(msg).is_err());
        assert_eq!(counts.handled.load(Relaxed), 3);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);

        let five = vector(&table, Request::at(5), &counts)?;
        let irq = five.request_irq(FLAGS, c"kunit", Stateless)?;
        dev.parent().inject(irq.vector().message()?)?;
        irq.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 4);

        drop(irq);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    /// Whatever a handler is requested with, the next one has nothing of it. `ONESHOT` is for
    /// handlers with a thread, and is warned about without one.
    #[test]
    fn handlers_of_any_flags() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_flags", 8);
        let table = table(dev, &counts)?;
        let request = |flags| {
            let five = vector(&table, Request::at(5), &counts)?;

            five.request_irq(flags, c"kunit", Counter(counts.clone()))
        };

        for flags in [
            Flags::TRIGGER_RISING,
            Flags::TRIGGER_FALLING,
            Flags::TRIGGER_HIGH,
            Flags::TRIGGER_LOW,
            Flags::SHARED,
            Flags::PROBE_SHARED,
            Flags::TIMER,
            Flags::PERCPU,
            Flags::NOBALANCING,
            Flags::IRQPOLL,
            Flags::NO_SUSPEND,
            Flags::FORCE_RESUME,
            Flags::NO_THREAD,
            Flags::EARLY_RESUME,
            Flags::NO_DEBUG,
        ] {
            for flags in [flags, FLAGS] {
                let before = counts.handled.load(Relaxed);
                let irq = request(flags)?;

                dev.parent().inject(irq.vector().message()?)?;
                irq.synchronize();
                assert_eq!(counts.handled.load(Relaxed), before + 1);
            }
        }

        assert_eq!(request(Flags::COND_SUSPEND).err(), Some(EINVAL));
        let both = Flags::SHARED | Flags::NO_AUTOEN;
        assert_eq!(request(both).err(), Some(EINVAL));
        // It is not enabled, so what arrives is pending, and gone with the handler. Others are
        // called for a try if they are shared, with CONFIG_DEBUG_SHIRQ.
        let before = counts.handled.load(Relaxed);
        let irq = request(Flags::NO_AUTOEN)?;
        dev.parent().inject(irq.vector().message()?)?;
        assert_eq!(counts.handled.load(Relaxed), before);
        drop(irq);

        let irq = request(FLAGS)?;
        dev.parent().inject(irq.vector().message()?)?;
        irq.synchronize();
        assert_eq!(counts.handled.load(Relaxed), before + 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn handler_is_freed_alone() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_free_irq", 8);
        let table = table(dev, &counts)?;

        let mut five = vector(&table, Request::at(5), &counts)?;
        for n in 1..=3 {
            let irq = interrupt(five, &counts)?;
            let msg = irq.vector().message()?;

            dev.parent().inject(msg)?;
            five = irq.free_irq();
            assert_eq!(counts.handled.load(Relaxed), n);
            assert_eq!(counts.handlers_dropped.load(Relaxed), n);
            assert!(dev.parent().inject(msg).is_err());
            assert_eq!(five.message().err(), Some(EAGAIN));
            assert_eq!(dev.parent().live(), 1);
        }

        drop(five);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn taken_out_of_data() -> Result {
        /// Of a driver.
        struct Data<'a> {
            error: Counting<'a>,
            queues: KVec<Counting<'a>>,
        }

        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_data", 8);
        let table = table(dev, &counts)?;
        let irq = |label| interrupt(vector(&table, Request::at(label), &counts)?, &counts);
        let data = Data {
            error: irq(0)?,
            queues: KVec::new(),
        };
        let mut data = KBox::new(data, GFP_KERNEL)?;
        for label in 1..=3 {
            data.queues.push(irq(label)?, GFP_KERNEL)?;
        }

        // One of several, and one in whose place there is another one.
        let two = data.queues.remove(1).map_err(|_| EINVAL)?.free_irq();
        let zero = mem::replace(&mut data.error, irq(4)?).free_irq();
        assert_eq!((two.label(), zero.label()), (2, 0));
        assert_eq!(two.message().err(), Some(EAGAIN));
        assert_eq!(counts.handlers_dropped.load(Relaxed), 2);
        assert_eq!(dev.parent().live(), 5);

        // All others work, wherever they are.
        data.queues.push(interrupt(two, &counts)?, GFP_KERNEL)?;
        data.queues.swap(0, 2);
        let irqs = Iterator::chain(data.queues.iter(), [&data.error]);
        for (n, irq) in (1..).zip(irqs) {
            dev.parent().inject(irq.vector().message()?)?;
            irq.synchronize();
            assert_eq!(counts.handled.load(Relaxed), n);
        }

        let Data { error, queues } = KBox::into_inner(data);
        let four = error.free_irq();
        Interrupt::free_many(queues);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 6);
        assert_eq!(dev.parent().live(), 2);
        drop((zero, four));
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    /// Takes its time.
    struct Slow {
        counts: Arc<Counts>,
        entered: Arc<Completion>,
    }

    impl ThreadedHandler for Slow {
        fn handle_threaded(&self) -> IrqReturn {
            self.entered.complete_all();
            fsleep(Delta::from_millis(50));
            self.counts.handled.add(1, Relaxed);
            IrqReturn::Handled
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            self.counts.check(self.counts.handled.load(Relaxed) == 1);
            self.counts.handlers_dropped.add(1, Relaxed);
        }
    }

    #[test]
    fn drop_waits_for_handler() -> Result {
        let counts = Counts::new()?;
        let entered = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let dev = fake_device!(c"kunit_msi_wait", 8);
        let table = table(dev, &counts)?;
        let handler = Slow {
            counts: counts.clone(),
            entered: entered.clone(),
        };

        let five = vector(&table, Request::at(5), &counts)?;
        let irq = five.request_threaded_irq(FLAGS, c"kunit", handler)?;
        dev.parent().inject(irq.vector().message()?)?;
        entered.wait_for_completion();
        drop(irq);

        assert_eq!(counts.handled.load(Relaxed), 1);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn no_cpu_vector() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_activate", 8);
        let table = table(dev, &counts)?;

        dev.parent().fail_activate_nth(1);
        let res = interrupt(vector(&table, Request::at(5), &counts)?, &counts);
        assert_eq!(res.err(), Some(ENOSPC));
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
        assert_eq!(dev.parent().live(), 0);

        assert!(interrupt(vector(&table, Request::at(5), &counts)?, &counts).is_ok());
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn dropped_in_any_order() -> Result {
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];

        for order in orders {
            let counts = Counts::new()?;
            let dev = fake_device!(c"kunit_msi_drop", 8);

            let mut table = Some(table(dev, &counts)?);
            let mut four = None;
            let mut five = None;
            if let Some(table) = &table {
                four = Some(vector(table, Request::at(4), &counts)?);
                five = Some(interrupt(vector(table, Request::at(5), &counts)?, &counts)?);
            }
            assert_eq!(dev.parent().live(), 2);

            for handle in order {
                assert_eq!(counts.stores_dropped.load(Relaxed), 0);
                match handle {
                    0 => drop(table.take()),
                    1 => drop(four.take()),
                    _ => drop(five.take()),
                }
            }

            assert_eq!(dev.parent().live(), 0);
            assert_eq!(counts.stores_dropped.load(Relaxed), 1);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 2);
            assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
            assert_eq!(counts.exits.load(Relaxed), 2);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn whatever_is_forgotten() -> Result {
        // One bit for each handle: table, vector, interrupt, the same with a thread.
        for forgotten in 1..16 {
            let counts = Counts::new()?;
            // SAFETY: It is dropped below.
            let dev = unsafe { FakeDevice::new(c"kunit_msi_forget", Parent::new(8)?) }?;
            let parent = dev.parent().clone();

            let table = table(&dev, &counts)?;
            let four = vector(&table, Request::at(4), &counts)?;
            let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
            let msg = five.vector().message()?;
            let six = vector(&table, Request::at(6), &counts)?;
            let six = six.request_threaded_irq(FLAGS, c"kunit", Threaded(counts.clone()))?;
            let msg_six = six.vector().message()?;

            if forgotten & 1 != 0 {
                mem::forget(table);
            } else {
                drop(table);
            }
            if forgotten & 2 != 0 {
                mem::forget(four);
            } else {
                drop(four);
            }
            if forgotten & 4 != 0 {
                mem::forget(five);
                // Leaked, but alive.
                parent.inject(msg)?;
                assert_eq!(counts.handled.load(Relaxed), 1);
            } else {
                drop(five);
            }
            if forgotten & 8 != 0 {
                let handled = counts.handled.load(Relaxed);

                parent.inject(msg_six)?;
                six.synchronize();
                assert_eq!(counts.handled.load(Relaxed), handled + 1);
                mem::forget(six);
            } else {
                drop(six);
            }

            drop(dev);
            let calls = counts.calls.load(Relaxed);

            assert!(parent.inject(msg).is_err());
            assert!(parent.inject(msg_six).is_err());
            assert_eq!(parent.live(), 0);
            assert_eq!(counts.exits.load(Relaxed), 3);
            assert_eq!(counts.calls.load(Relaxed), calls);
            assert_eq!(counts.stores_dropped.load(Relaxed), 0);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    /// The C side does not point to the handles, so their memory may be freed.
    #[test]
    fn forgotten_in_any_way() -> Result {
        for way in Way::ALL {
            let counts = Counts::new()?;
            // SAFETY: It is dropped below.
            let dev = unsafe { FakeDevice::new(c"kunit_msi_freed", Parent::new(8)?) }?;
            let parent = dev.parent().clone();
            let table = table(&dev, &counts)?;

            let five = interrupt(vector(&table, Request::at(5), &counts)?, &counts)?;
            let six = vector(&table, Request::at(6), &counts)?;
            let six = six.request_threaded_irq(FLAGS, c"kunit", Threaded(counts.clone()))?;
            let msg = five.vector().message()?;
            let msg_six = six.vector().message()?;
            forget(ptr::from_ref(five.vector().cookie()))?;
            forget(ptr::from_ref(six.vector().cookie()))?;
            way.forget(five)?;
            way.forget(six)?;
            drop(table);

            // Leaked, but alive.
            for n in 1..=3 {
                parent.inject(msg)?;
                parent.inject(msg_six)?;
                assert!(wait_for(&counts, 2 * n));
            }
            assert_eq!(parent.live(), 2);

            drop(dev);
            let calls = counts.calls.load(Relaxed);

            assert!(parent.inject(msg).is_err());
            assert!(parent.inject(msg_six).is_err());
            assert_eq!(parent.live(), 0);
            assert_eq!(counts.exits.load(Relaxed), 2);
            assert_eq!(counts.calls.load(Relaxed), calls);
            assert_eq!(counts.handlers_dropped.load(Relaxed), 0);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 0);
            assert_eq!(counts.stores_dropped.load(Relaxed), 0);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }
}
