// SPDX-License-Identifier: GPL-2.0

//! Tests of stores which are restored, behind a slow bus, or plain MMIO.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_stores)]
mod suite {
    use super::super::doubles::*;
    use crate::{
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent,
                Recorder, //
            },
            Affinity,
            Message,
            Request,
            Store,
            Table,
            VectorRef, //
        },
        new_mutex,
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Mutex, //
        },
    };

    #[test]
    fn restore() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_restore", 8);
        let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
        let store = table.store();

        table.restore();
        let four = table.alloc(4)?;
        let five = table.alloc(5)?;
        let five = five.request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
        let msg = store.message(5);

        for _ in 0..2 {
            store.wipe();
            assert_eq!(store.message(5), None);
            table.restore();
            assert_eq!(store.message(5), msg);
            assert_eq!(store.message(4), None);
            assert!(!store.is_masked(5));
            assert!(store.is_masked(4));
            // Of no vector at all
            assert!(!store.is_masked(3));
        }

        dev.parent().inject(store.message(5).ok_or(EINVAL)?)?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 1);
        drop(four);
        Ok(())
    }

    /// Returns whether `irqbalance` finds an interrupt of this device.
    #[cfg(CONFIG_SYSFS)]
    fn in_sysfs(dev: &FakeDevice, irq: u32) -> Result<bool> {
        let path = crate::str::CString::try_from_fmt(fmt!("msi_irqs/{irq}"))?;
        // SAFETY: The device is valid and registered, and the name is a string.
        let node = unsafe {
            bindings::kernfs_walk_and_get_ns(
                (*dev.as_ref().as_raw()).kobj.sd,
                path.as_char_ptr(),
                core::ptr::null(),
            )
        };

        // SAFETY: This is null, which does nothing, or comes with a reference.
        unsafe { bindings::kernfs_put(node) };
        Ok(!node.is_null())
    }

    #[test]
    fn slots_behind_the_end() -> Result {
        let dev = fake_device!(c"kunit_msi_recorder", 8);
        let table = Table::new(dev.as_ref(), c"ims", 17, Recorder::default())?;

        // More labels than slots: the store does not keep the message.
        let vector = table.alloc(16)?;
        let irq = vector.request_irq(FLAGS, c"kunit", Counter(Counts::new()?))?;
        for label in [16, 17, u32::MAX] {
            assert_eq!(table.store().message(label), None);
            assert!(!table.store().is_masked(label));
        }
        drop(irq);
        Ok(())
    }

    #[cfg(CONFIG_SYSFS)]
    #[test]
    fn no_sysfs() -> Result {
        use crate::msi::Options;

        let dev = fake_device!(c"kunit_msi_sysfs", 8);
        let new =
            |name, options: Options| Table::new(dev.as_ref(), name, options, Recorder::default());

        let shown = new(c"shown", Options::indexed(16))?.alloc(5)?;
        let hidden = new(c"hidden", Options::indexed(16).no_sysfs())?.alloc(5)?;
        assert!(in_sysfs(dev, shown.irq())?);
        assert!(!in_sysfs(dev, hidden.irq())?);

        // It does not take back the other word of the driver.
        let dev = fake_device!(c"kunit_msi_both", parent = Parent::without_ims(8)?);
        let options = Options::indexed(16).unremapped().no_sysfs();
        let both = Table::new(dev.as_ref(), c"both", options, Recorder::default())?.alloc(5)?;
        assert!(!in_sysfs(dev, both.irq())?);
        Ok(())
    }

    /// What the device sees of one label.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Register {
        data: u32,
        masked: bool,
    }

    /// A store behind a slow bus, of eight labels.
    #[pin_data]
    struct Slow {
        data: [Atomic<u32>; 8],
        masked: [Atomic<bool>; 8],
        flushes: Atomic<u32>,
        #[pin]
        device: Mutex<[Register; 8]>,
    }

    impl Slow {
        fn new() -> impl PinInit<Self> {
            let device = [Register {
                data: 0,
                masked: false,
            }; 8];

            pin_init!(Self {
                data: core::array::from_fn(|_| Atomic::new(0)),
                masked: core::array::from_fn(|_| Atomic::new(false)),
                flushes: Atomic::new(0),
                device <- new_mutex!(device),
            })
        }

        fn register(&self, label: usize) -> Register {
            self.device.lock()[label]
        }

        fn flushes(&self) -> u32 {
            self.flushes.load(Relaxed)
        }
    }

    #[vtable]
    impl Store for Slow {
        type Cookie = ();

        fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
            self.data[vector.label() as usize].store(msg.data, Relaxed);
        }

        fn mask(&self, vector: &VectorRef<Self>) {
            self.masked[vector.label() as usize].store(true, Relaxed);
        }

        fn unmask(&self, vector: &VectorRef<Self>) {
            self.masked[vector.label() as usize].store(false, Relaxed);
        }

        fn flush(&self) {
            // Sleeps, so the kernel would complain if this were called in atomic context.
            for (label, register) in self.device.lock().iter_mut().enumerate() {
                register.data = self.data[label].load(Relaxed);
                register.masked = self.masked[label].load(Relaxed);
            }
            self.flushes.add(1, Relaxed);
        }
    }

    const OFF: Register = Register {
        data: 0,
        masked: true,
    };

    #[test]
    fn slow_reaches_device() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_slow", parent = Parent::stable(16)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let store = table.store();
        assert_eq!(store.flushes(), 0);

        for _ in 0..2 {
            let five = table.alloc(5)?;
            assert_eq!(store.register(5), OFF);

            let before = store.flushes();
            let irq = five.request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
            let msg = irq.vector().message()?;
            assert!(store.flushes() > before);
            assert_eq!(
                store.register(5),
                Register {
                    data: msg.data,
                    masked: false,
                }
            );

            drop(irq);
            assert_eq!(store.register(5), OFF);
        }
        Ok(())
    }

    #[test]
    fn slow_flushes_once() -> Result {
        let dev = fake_device!(c"kunit_msi_flush", parent = Parent::stable(16)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let store = table.store();

        let vectors = table.alloc_many(.., 8..=8)?;
        let flushes = store.flushes();
        assert!(flushes > 0);
        for label in 0..8 {
            assert_eq!(store.register(label), OFF);
        }

        // The device has lost it.
        for register in store.device.lock().iter_mut() {
            register.masked = false;
        }
        table.restore();
        assert_eq!(store.flushes(), flushes + 1);
        for label in 0..8 {
            assert_eq!(store.register(label), OFF);
        }
        drop(vectors);
        assert_eq!(dev.parent().live(), 0);
        Ok(())
    }

    #[test]
    fn slow_needs_stable_messages() -> Result {
        let dev = fake_device!(c"kunit_msi_unstable", 8);
        let res = Table::new(dev.as_ref(), c"slow", 8, Slow::new());
        assert_eq!(res.err(), Some(EOPNOTSUPP));

        // CPU hotplug does not take the lock of the bus.
        let dev = fake_device!(c"kunit_msi_slow_cpu", parent = Parent::stable(8)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let affinity = Affinity::new(&*cpumask(0)?);
        let managed = affinity.clone().managed();
        let request = Request::any().affinity(&managed);
        assert_eq!(table.alloc(request).err(), Some(EOPNOTSUPP));
        assert!(table.alloc(Request::any().affinity(&affinity)).is_ok());
        Ok(())
    }
}
