// SPDX-License-Identifier: GPL-2.0

//! Tests of vectors which are lent to another driver.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_lent)]
mod suite {
    use super::super::doubles::*;
    use crate::{
        irq::Flags,
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent, //
            },
            Lent,
            LentInterrupt,
            Message,
            Request, //
        },
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc,
            Completion, //
        },
        workqueue,
    };

    type Borrowed = LentInterrupt<Counter, Strict>;

    fn borrow(lent: &Lent<Strict>, dev: &FakeDevice, counts: &Arc<Counts>) -> Result<Borrowed> {
        lent.request_irq(dev.as_ref(), FLAGS, c"kunit", Counter(counts.clone()))
    }

    fn message(lent: &Lent<Strict>) -> Result<Message> {
        lent.try_access_with(|vector| vector.message())
            .ok_or(ENODEV)?
    }

    #[test]
    fn can_be_sent_and_shared() {
        fn check<T: Send + Sync>() {}

        check::<Lent<Strict>>();
        check::<Borrowed>();
    }

    #[test]
    fn one_after_the_other() -> Result {
        let counts = Counts::new()?;
        let parent = fake_device!(c"kunit_msi_lent_a", 8);
        let child = fake_device!(c"kunit_msi_lent_b", 8);
        let table = table(parent, &counts)?;
        let lent = Lent::new(vector(&table, Request::at(5), &counts)?)?;

        for n in 1..=3 {
            assert_eq!(message(&lent).err(), Some(EAGAIN));
            let irq = borrow(&lent, child, &counts)?;
            assert_eq!(borrow(&lent, parent, &counts).err(), Some(EBUSY));

            let msg = message(&lent)?;
            parent.parent().inject(msg)?;
            irq.synchronize();
            assert_eq!(counts.handled.load(Relaxed), n);
            drop(irq);
            assert!(parent.parent().inject(msg).is_err());
        }

        // A failure does not keep it.
        parent.parent().fail_activate_nth(1);
        assert_eq!(borrow(&lent, child, &counts).err(), Some(ENOSPC));
        assert!(borrow(&lent, child, &counts).is_ok());

        // Nobody could enable it.
        let handler = Counter(counts.clone());
        let irq = lent.request_irq(child.as_ref(), Flags::NO_AUTOEN, c"kunit", handler);
        assert_eq!(irq.err(), Some(EINVAL));

        drop(table);
        assert_eq!(parent.parent().live(), 1);
        drop(lent);
        assert_eq!(parent.parent().live(), 0);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
        assert_eq!(counts.stores_dropped.load(Relaxed), 1);
        // Three which failed with `EBUSY`, two with `ENOSPC` and `EINVAL`, and four which did not
        // fail
        assert_eq!(counts.handlers_dropped.load(Relaxed), 9);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn threaded() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_lent_t", 8);
        let table = table(dev, &counts)?;
        let lent = Lent::new(vector(&table, Request::at(5), &counts)?)?;

        let handler = Threaded(counts.clone());
        let irq = lent.request_threaded_irq(dev.as_ref(), FLAGS, c"kunit", handler)?;
        dev.parent().inject(message(&lent)?)?;
        irq.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn owner_takes_it_back() -> Result {
        let counts = Counts::new()?;
        let parent = fake_device!(c"kunit_msi_lent_own", 8);
        let child = fake_device!(c"kunit_msi_lent_use", 8);
        let table = table(parent, &counts)?;
        let lent = Lent::new(vector(&table, Request::at(5), &counts)?)?;

        let irq = borrow(&lent, child, &counts)?;
        let msg = message(&lent)?;
        drop(lent);
        assert!(parent.parent().inject(msg).is_err());
        assert_eq!(parent.parent().live(), 0);
        assert_eq!(vector(&table, Request::at(5), &counts)?.label(), 5);

        // The vector is there again, but not its.
        irq.synchronize();
        drop(irq);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    /// Runs on another CPU, if there is one. The [`Completion`] tells when that is done.
    fn elsewhere(run: impl FnOnce() + Send + 'static) -> Result<Arc<Completion>> {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let told = done.clone();

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            run();
            told.complete_all();
        })?;
        Ok(done)
    }

    #[test]
    fn synchronized_while_taken_back() -> Result {
        for _ in 0..20 {
            let counts = Counts::new()?;
            let parent = fake_device!(c"kunit_msi_sync_own", 8);
            let child = fake_device!(c"kunit_msi_sync_use", 8);
            let lent = Lent::new(vector(&table(parent, &counts)?, Request::at(5), &counts)?)?;
            let irq = borrow(&lent, child, &counts)?;
            let begun = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
            let enough = Arc::new(Atomic::new(false), GFP_KERNEL)?;

            let (begins, until) = (begun.clone(), enough.clone());
            let done = elsewhere(move || {
                begins.complete_all();
                while !until.load(Relaxed) {
                    irq.synchronize();
                }
                drop(irq);
            })?;
            begun.wait_for_completion();
            drop(lent);
            // The interrupt as well
            assert_eq!(parent.parent().live(), 0);
            enough.store(true, Relaxed);
            done.wait_for_completion();
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn dropped_while_unbound() -> Result {
        // Who drops his handle while which device is unbound
        for case in 0..40 {
            let counts = Counts::new()?;
            // SAFETY: It is dropped below.
            let parent = unsafe { FakeDevice::new(c"kunit_msi_race_p", Parent::new(8)?) }?;
            // SAFETY: It is dropped below.
            let child = unsafe { FakeDevice::new(c"kunit_msi_race_c", Parent::new(8)?) }?;
            let domain = parent.parent().clone();
            let lent = Lent::new(vector(&table(&parent, &counts)?, Request::at(5), &counts)?)?;
            let irq = borrow(&lent, &child, &counts)?;
            let msg = message(&lent)?;

            let (lent, irq, done) = if case & 1 != 0 {
                (None, Some(irq), elsewhere(move || drop(lent))?)
            } else {
                (Some(lent), None, elsewhere(move || drop(irq))?)
            };
            if case & 2 != 0 {
                drop(parent);
                drop(child);
            } else {
                drop(child);
                drop(parent);
            }
            done.wait_for_completion();

            assert!(domain.inject(msg).is_err());
            assert_eq!(domain.live(), 0);
            drop((lent, irq));
            assert_eq!(counts.handlers_dropped.load(Relaxed), 1);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
            assert_eq!(counts.stores_dropped.load(Relaxed), 1);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn whatever_is_forgotten() -> Result {
        // One bit for each handle: that of the owner and that of the borrower, and one for who is
        // unbound first.
        for (case, way) in (0..24).map(|n| (n % 8, Way::ALL[n / 8])) {
            let counts = Counts::new()?;
            // SAFETY: It is dropped below.
            let parent = unsafe { FakeDevice::new(c"kunit_msi_lent_p", Parent::new(8)?) }?;
            // SAFETY: It is dropped below.
            let child = unsafe { FakeDevice::new(c"kunit_msi_lent_c", Parent::new(8)?) }?;
            let domain = parent.parent().clone();
            let table = table(&parent, &counts)?;

            let lent = Lent::new(vector(&table, Request::at(5), &counts)?)?;
            let irq = borrow(&lent, &child, &counts)?;
            let msg = message(&lent)?;
            drop(table);

            let (mut irq, mut lent) = (Some(irq), Some(lent));
            if case & 1 != 0 {
                way.forget(irq.take())?;
            }
            if case & 2 != 0 {
                way.forget(lent.take())?;
            }
            domain.inject(msg)?;
            assert_eq!(counts.handled.load(Relaxed), 1);

            if case & 4 != 0 {
                drop(parent);
                assert!(domain.inject(msg).is_err());
                assert_eq!(domain.live(), 0);
                if let Some(lent) = &lent {
                    assert_eq!(message(lent).err(), Some(ENODEV));
                    assert_eq!(borrow(lent, &child, &counts).err(), Some(EBUSY));
                }
                drop(child);
            } else {
                drop(child);
                assert!(domain.inject(msg).is_err());
                assert_eq!(domain.live(), 1);
                if let Some(lent) = &lent {
                    // The borrower has gone, with its handle or without it.
                    assert!(borrow(lent, &parent, &counts).is_ok());
                }
                drop(parent);
            }

            drop((irq, lent));
            assert_eq!(domain.live(), 0);
            // The vector is freed in any case, and with it the store.
            assert_eq!(counts.cookies_dropped.load(Relaxed), 1);
            assert_eq!(counts.stores_dropped.load(Relaxed), 1);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }
}

/// What works with the auxiliary bus: the parent puts what it lends into the registration data.
#[cfg(CONFIG_AUXILIARY_BUS)]
#[macros::kunit_tests(rust_kernel_msi_auxiliary)]
mod auxiliary_bus {
    use super::super::doubles::*;
    use crate::{
        auxiliary,
        device::Core,
        device_id::IdArray,
        driver,
        module::this_module,
        msi::{
            fake::{
                fake_device,
                Recorder, //
            },
            Lent,
            LentInterrupt,
            Table, //
        },
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
        types::CovariantForLt,
        LocalModule, //
    };

    const PARENT: &CStr = c"kunit_msi";
    const CHILD: &CStr = c"tenant";

    /// The registration data.
    struct Lease {
        vector: Lent<Recorder>,
        counts: Arc<Counts>,
    }

    type LeaseLt = CovariantForLt!(Lease);

    /// The driver of the child, whose data is the interrupt.
    struct Tenant;

    static TENANT_IDS: IdArray<auxiliary::DeviceId, (), 1> =
        IdArray::new([(auxiliary::DeviceId::new(PARENT, CHILD), &())]);

    impl auxiliary::Driver for Tenant {
        type IdInfo = ();
        type Data<'bound> = LentInterrupt<Counter, Recorder>;

        const ID_TABLE: auxiliary::IdTable<Self::IdInfo> = &TENANT_IDS;

        fn probe<'bound>(
            adev: &'bound auxiliary::Device<Core<'_>>,
            _info: &'bound Self::IdInfo,
        ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
            adev.registration_data::<LeaseLt>().and_then(|lease| {
                let lease = lease.get_ref();
                let handler = Counter(lease.counts.clone());

                lease
                    .vector
                    .request_irq(adev.as_ref(), FLAGS, c"tenant", handler)
            })
        }
    }

    #[test]
    fn lease() -> Result {
        let counts = Counts::new()?;
        let parent = fake_device!(c"kunit_msi_landlord", 8);
        let table = Table::new(parent.as_ref(), c"ims", 16, Recorder::default())?;
        let store = table.store();

        let child = auxiliary::Registration::<LeaseLt>::new(
            parent.as_ref(),
            CHILD,
            0,
            PARENT,
            Lease {
                vector: Lent::new(table.alloc(5)?)?,
                counts: counts.clone(),
            },
        )?;
        let driver = || {
            KBox::pin_init(
                driver::Registration::<auxiliary::Adapter<Tenant>>::new(
                    c"kunit_msi_tenant",
                    this_module::<LocalModule>(),
                ),
                GFP_KERNEL,
            )
        };

        // The driver comes and goes.
        for n in 1..=2 {
            let driver = driver()?;

            parent.parent().inject(store.message(5).ok_or(ENODEV)?)?;
            assert_eq!(counts.handled.load(Relaxed), n);
            drop(driver);
            assert_eq!(counts.handlers_dropped.load(Relaxed), n);
            assert_eq!(store.message(5), None);
            assert_eq!(parent.parent().live(), 1);
        }

        // The device goes, with what was lent to it.
        let driver = driver()?;
        assert!(store.message(5).is_some());
        drop(child);
        assert_eq!(counts.handlers_dropped.load(Relaxed), 3);
        assert_eq!(store.message(5), None);
        assert_eq!(parent.parent().live(), 0);
        drop(driver);
        Ok(())
    }
}
