// SPDX-License-Identifier: GPL-2.0

//! Tests of batches and affinities.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_batch)]
mod suite {
    use super::super::doubles::*;
    use crate::{
        cpumask::CpumaskVar,
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent,
                Recorder, //
            },
            Affinity,
            Options,
            Request,
            Table,
            Vector, //
        },
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };
    use core::{
        ops::RangeInclusive,
        ptr, //
    };

    /// A batch with eight cookies.
    fn batch<'a>(
        table: &Table<'a, Strict>,
        request: Request<'_>,
        count: RangeInclusive<u32>,
        counts: &Arc<Counts>,
    ) -> Result<KVVec<Vector<'a, Strict>>> {
        let mut cookies = KVec::with_capacity(8, GFP_KERNEL)?;

        for _ in 0..8 {
            cookies.push(Slot::new(counts)?, GFP_KERNEL)?;
        }
        table.alloc_many(request.cookies(cookies), count)
    }

    fn labels<'a>(vectors: &'a [Vector<'_, Strict>]) -> impl Iterator<Item = u32> + 'a {
        vectors.iter().map(|vector| vector.label())
    }

    #[test]
    fn lowest_free_labels() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_batch", 16);
        let table = table(dev, &counts)?;

        let three = vector(&table, Request::at(3), &counts)?;
        let vectors = batch(&table, Request::range(1..), 5..=5, &counts)?;
        assert!(labels(&vectors).eq([1, 2, 4, 5, 6]));
        assert_eq!(dev.parent().live(), 6);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 3);

        let rest = batch(&table, Request::range(5..=8), 1..=8, &counts)?;
        assert!(labels(&rest).eq([7, 8]));
        assert_eq!(counts.cookies_dropped.load(Relaxed), 9);

        // Each is as good as any other one, and has a cookie of its own.
        let parent = dev.parent();
        for (n, vector) in (1..).zip(vectors) {
            let irq = interrupt(vector, &counts)?;

            parent.inject(irq.vector().message()?)?;
            irq.synchronize();
            assert_eq!(counts.handled.load(Relaxed), n);
            assert!(irq.vector().cookie().valid.load(Relaxed));
        }
        assert_eq!(counts.cookies_dropped.load(Relaxed), 14);

        drop((three, rest));
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 17);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn errors() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_batch_err", 32);
        let table = table(dev, &counts)?;
        let cases = [
            (Request::any(), 0..=4, EINVAL),
            (Request::any(), 0..=0, EINVAL),
            (Request::any(), RangeInclusive::new(5, 4), EINVAL),
            (Request::any(), RangeInclusive::new(u32::MAX, 0), EINVAL),
            // There are eight cookies.
            (Request::any(), 9..=9, EINVAL),
            (Request::range(5..5), 1..=1, ERANGE),
            (Request::range(16..), 1..=1, ERANGE),
            (Request::range(..=16), 1..=1, ERANGE),
            (Request::range(4..=6), 4..=8, ENOSPC),
            (Request::at(3), 2..=2, ENOSPC),
        ];

        for (n, (request, count, err)) in (1..).zip(cases) {
            assert_eq!(batch(&table, request, count, &counts).err(), Some(err));
            assert_eq!(counts.cookies_dropped.load(Relaxed), 8 * n);
        }
        assert_eq!(dev.parent().alloc_calls(), 0);

        let three = batch(&table, Request::at(3), 1..=8, &counts)?;
        assert_eq!(three.len(), 1);
        let res = batch(&table, Request::at(3), 1..=1, &counts);
        assert_eq!(res.err(), Some(EBUSY));
        drop(three);

        assert_eq!(counts.inits.load(Relaxed), counts.exits.load(Relaxed));
        assert_eq!(counts.cookies_dropped.load(Relaxed), 8 * 12);
        Ok(())
    }

    #[test]
    fn as_many_as_possible() -> Result {
        let dev = fake_device!(c"kunit_msi_batch_all", 32);
        let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;

        // Neither does this try to allocate memory for all these vectors.
        let all = table.alloc_many(.., 1..=u32::MAX)?;
        assert_eq!(all.len(), 16);
        assert_eq!(table.alloc_many(.., 1..=u32::MAX).err(), Some(ENOSPC));
        let min = u32::MAX;
        assert_eq!(table.alloc_many(.., min..=u32::MAX).err(), Some(ENOSPC));
        assert_eq!(dev.parent().alloc_calls(), 1);
        Vector::free_many(all);

        let options = Options::unindexed();
        let table = Table::new(dev.as_ref(), c"many", options, Recorder::default())?;
        assert_eq!(table.alloc_many(16..=31, 1..=u32::MAX)?.len(), 16);
        assert_eq!(table.alloc_many(.., 1..=64)?.len(), 32);
        assert_eq!(table.alloc_many(.., 1..=u32::MAX).err(), Some(ENOMEM));
        assert_eq!(dev.parent().live(), 0);
        Ok(())
    }

    #[test]
    fn into_room() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_batch_into", 16);
        let table = table(dev, &counts)?;
        let into = |vectors: &mut KVec<_>, request: Request<'_>, count| {
            let mut cookies = KVec::with_capacity(3, GFP_KERNEL)?;

            for _ in 0..3 {
                cookies.push(Slot::new(&counts)?, GFP_KERNEL)?;
            }
            table.alloc_many_into(request.cookies(cookies), count, vectors)
        };

        let mut vectors = KVec::with_capacity(6, GFP_KERNEL)?;
        let room = (vectors.as_ptr(), vectors.capacity());
        for n in 0..3 {
            assert_eq!(into(&mut vectors, Request::range(4..), 3..=3)?, 3);
            assert_eq!(into(&mut vectors, Request::range(..=1), 1..=3)?, 2);
            assert!(labels(&vectors).eq([4, 5, 6, 0, 1]));
            assert_eq!(counts.cookies_dropped.load(Relaxed), 9 * n + 1);

            // What is there already stays.
            let res = into(&mut vectors, Request::range(..=1), 1..=1);
            assert_eq!(res.err(), Some(ENOSPC));
            assert!(labels(&vectors).eq([4, 5, 6, 0, 1]));
            assert_eq!(counts.cookies_dropped.load(Relaxed), 9 * n + 4);

            Vector::free_all(&mut vectors);
            assert!(vectors.is_empty());
            assert_eq!((vectors.as_ptr(), vectors.capacity()), room);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 9 * (n + 1));
            assert_eq!(dev.parent().live(), 0);
            Vector::free_all(&mut vectors);
        }

        // It grows where there is no room.
        for n in 1..=4 {
            let labels = Request::range(3 * n..=3 * n + 2);
            assert_eq!(into(&mut vectors, labels, 3..=3)?, 3);
        }
        assert!(labels(&vectors).eq(3..15));
        assert!(vectors[11].cookie().masks.load(Relaxed) > 0);
        drop(vectors);
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 9 * 3 + 12);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn parent_has_less() -> Result {
        // The second one allocates one at a time.
        for parent in [Parent::new(5)?, Parent::single(5)?] {
            let counts = Counts::new()?;
            let dev = fake_device!(c"kunit_msi_batch_few", parent = parent.clone());
            let table = table(dev, &counts)?;

            let res = batch(&table, Request::any(), 6..=8, &counts);
            assert_eq!(res.err(), Some(ENOSPC));
            assert_eq!(parent.live(), 0);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 8);

            let vectors = batch(&table, Request::any(), 3..=8, &counts)?;
            assert!(labels(&vectors).eq(0..5));
            assert_eq!(counts.cookies_dropped.load(Relaxed), 11);

            Vector::free_many(vectors);
            assert_eq!(parent.live(), 0);
            assert_eq!(counts.cookies_dropped.load(Relaxed), 16);
            assert_eq!(counts.inits.load(Relaxed), counts.exits.load(Relaxed));
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn store_refuses_one() -> Result {
        for label in 0..8 {
            let counts = Counts::new()?;
            let dev = fake_device!(c"kunit_msi_batch_no", 32);
            let table = table(dev, &counts)?;

            counts.refused.store(label, Relaxed);
            let res = batch(&table, Request::any(), 8..=8, &counts);
            assert_eq!(res.err(), Some(EIO));
            assert_eq!(counts.cookies_dropped.load(Relaxed), 8);
            assert_eq!(dev.parent().live(), 0);

            // What is in front of it may be enough.
            if label > 0 {
                let vectors = batch(&table, Request::any(), label..=8, &counts)?;
                assert!(labels(&vectors).eq(0..label));
                assert_eq!(counts.cookies_dropped.load(Relaxed), 16 - label);
                drop(vectors);
                assert_eq!(counts.cookies_dropped.load(Relaxed), 16);
            }

            assert_eq!(dev.parent().live(), 0);
            assert_eq!(counts.inits.load(Relaxed), counts.exits.load(Relaxed));
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn more_than_are_freed_at_a_time() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_long", 70);
        let table = Table::new(dev.as_ref(), c"long", 70, Strict(counts.clone()))?;

        for len in [31, 32, 33, 64, 70] {
            let mut slots = KVec::with_capacity(70, GFP_KERNEL)?;
            for _ in 0..len {
                slots.push(Slot::new(&counts)?, GFP_KERNEL)?;
            }

            let vectors = table.alloc_many(Request::any().cookies(slots), len..=len)?;
            assert_eq!(dev.parent().live(), len);
            Vector::free_many(vectors);
            assert_eq!(dev.parent().live(), 0);
        }
        assert_eq!(counts.cookies_dropped.load(Relaxed), 31 + 32 + 33 + 64 + 70);

        // The last ones are freed with a table which they are the last of.
        let cookies = [Slot::new(&counts)?, Slot::new(&counts)?];
        let vectors = table.alloc_many(Request::any().cookies(cookies), 2..=2)?;
        drop(table);
        assert_eq!(counts.stores_dropped.load(Relaxed), 0);
        Vector::free_many(vectors);
        assert_eq!(counts.stores_dropped.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn freed_in_any_order() -> Result {
        let (counts, other) = (Counts::new()?, Counts::new()?);
        let dev = fake_device!(c"kunit_msi_batch_free", 64);
        let one = table(dev, &counts)?;
        let two = Table::new(dev.as_ref(), c"two", 16, Strict(other.clone()))?;

        Vector::<Strict>::free_many(KVec::new());

        // Two tables in turns, one of them backwards, then some of one.
        let mut vectors = KVec::with_capacity(24, GFP_KERNEL)?;
        let a = batch(&one, Request::any(), 8..=8, &counts)?;
        let b = batch(&two, Request::any(), 8..=8, &other)?;
        for (a, b) in a.into_iter().zip(b) {
            vectors.push(a, GFP_KERNEL)?;
            vectors.insert_within_capacity(1, b).map_err(|_| ENOMEM)?;
        }
        for vector in batch(&two, Request::any(), 8..=8, &other)? {
            vectors.push(vector, GFP_KERNEL)?;
        }
        assert_eq!(dev.parent().live(), 24);

        drop((one, two));
        assert_eq!(counts.stores_dropped.load(Relaxed), 0);
        assert_eq!(other.stores_dropped.load(Relaxed), 0);
        Vector::free_many(vectors);
        assert_eq!(dev.parent().live(), 0);
        for (counts, vectors) in [(counts, 8), (other, 16)] {
            assert_eq!(counts.cookies_dropped.load(Relaxed), vectors);
            assert_eq!(counts.exits.load(Relaxed), vectors);
            assert_eq!(counts.stores_dropped.load(Relaxed), 1);
            assert_eq!(counts.bad.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn forgotten() -> Result {
        let counts = Counts::new()?;
        // SAFETY: It is dropped below.
        let dev = unsafe { FakeDevice::new(c"kunit_msi_batch_lost", Parent::new(16)?) }?;
        let parent = dev.parent().clone();
        let table = table(&dev, &counts)?;

        let vectors = batch(&table, Request::any(), 8..=8, &counts)?;
        for vector in &vectors {
            forget(ptr::from_ref(vector.cookie()))?;
        }
        forget(vectors)?;
        drop(table);
        assert_eq!(parent.live(), 8);
        drop(dev);
        assert_eq!(parent.live(), 0);
        assert_eq!(counts.exits.load(Relaxed), 8);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn affinity() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_affinity", 16);
        let table = table(dev, &counts)?;

        let first = Affinity::new(&*cpumask(0)?);
        let request = Request::any().affinity(&first);
        let on_first = interrupt(vector(&table, request, &counts)?, &counts)?;
        let first_address = on_first.vector().message()?.address;

        // One for each vector, by its place and not by its label
        if let Some(mask) = other_cpu(&on_first)? {
            let other = Affinity::new(&mask);

            for managed in [false, true] {
                let (first, other) = if managed {
                    (first.clone().managed(), other.clone().managed())
                } else {
                    (first.clone(), other.clone())
                };
                let affinities = [first.clone(), other.clone(), other, first];
                let request = Request::range(6..).affinities(&affinities);
                let seven = vector(&table, Request::at(7), &counts)?;
                let vectors = batch(&table, request, 4..=4, &counts)?;
                assert!(labels(&vectors).eq([6, 8, 9, 10]));

                for (vector, on_first) in vectors.into_iter().zip([true, false, false, true]) {
                    let irq = interrupt(vector, &counts)?;
                    let msg = irq.vector().message()?;

                    assert_eq!((msg.address == first_address), on_first);
                    dev.parent().inject(msg)?;
                }
                drop(seven);
            }

            // The message goes with the interrupt.
            on_first.vector().set_affinity(&mask)?;
            assert!(on_first.vector().message()?.address != first_address);
            on_first.vector().set_affinity(&*cpumask(0)?)?;
            assert_eq!(on_first.vector().message()?.address, first_address);
            assert_eq!(counts.handled.load(Relaxed), 8);
        }

        // Nowhere is no place to move to. Before there is a handler it does no harm.
        let nowhere = CpumaskVar::new_zero(GFP_KERNEL)?;
        let res = on_first.vector().set_affinity(&nowhere);
        assert_eq!(res.err(), Some(EINVAL));
        let before = counts.handled.load(Relaxed);
        dev.parent().inject(on_first.vector().message()?)?;
        on_first.synchronize();
        let later = vector(&table, Request::any(), &counts)?;
        let _ = later.set_affinity(&nowhere);
        let later = interrupt(later, &counts)?;
        dev.parent().inject(later.vector().message()?)?;
        later.synchronize();
        assert_eq!(counts.handled.load(Relaxed), before + 2);

        drop((on_first, later));
        assert_eq!(dev.parent().live(), 0);
        assert_eq!(counts.bad.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn missing_affinities() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_aff_few", 16);
        let table = table(dev, &counts)?;
        let one = Affinity::new(&*cpumask(0)?);
        let two = [one.clone(), one];

        let none = Request::any().affinities(&[]);
        assert_eq!(vector(&table, none, &counts).err(), Some(EINVAL));
        assert_eq!(batch(&table, none, 1..=1, &counts).err(), Some(EINVAL));
        let request = Request::any().affinities(&two);
        assert_eq!(batch(&table, request, 3..=4, &counts).err(), Some(EINVAL));
        assert_eq!(dev.parent().alloc_calls(), 0);

        // The first one is for the first vector.
        assert!(vector(&table, request, &counts).is_ok());
        assert_eq!(batch(&table, request, 1..=4, &counts)?.len(), 2);
        assert_eq!(counts.cookies_dropped.load(Relaxed), 1 + 8 + 8 + 1 + 8);

        // There is one, but it has no CPU.
        let nowhere = Affinity::new(&*CpumaskVar::new_zero(GFP_KERNEL)?);
        for nowhere in [nowhere.clone(), nowhere.managed()] {
            let request = Request::any().affinity(&nowhere);
            assert_eq!(vector(&table, request, &counts).err(), Some(EINVAL));
            let two = [two[0].clone(), nowhere];
            let request = Request::any().affinities(&two);
            assert_eq!(batch(&table, request, 1..=2, &counts).err(), Some(EINVAL));
        }
        assert_eq!(dev.parent().live(), 0);
        Ok(())
    }
}
