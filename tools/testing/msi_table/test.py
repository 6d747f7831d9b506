#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""test.py [SUITE] - boot the kernels which were built, and look at results."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import configure
import rust_errors
from machine import (AMD, AMD_APPEND, BUILD, CARDS, HERE, HOST_LOGS, INTEL,
                     INTEL_CM, LOGS, NOMSI_BUILD, ONE_THREAD, PLAIN, UML_BUILD, Boot,
                     ktap, qemu, uml)

# KUnit suites, and single tests, which have to run: one that nobody built, or
# which finds no device, passes for silence. Those on a fake parent need no machine.
C_SUITES = [
    'msi_table_create', 'msi_table_alloc', 'msi_table_irq', 'msi_table_free',
    'msi_table_threads', 'msi_table_batch', 'msi_table_slow', 'msi_table_mmio',
    'msi_table_watch', 'msi_table_power', 'msi_table_aux', 'msi_table_look',
    'msi_table_recycle', 'msi_table_fail', 'msi_table_fail_mmio',
]
RUST_SUITES = [
    'rust_kernel_msi', 'rust_kernel_msi_batch', 'rust_kernel_msi_stores',
    'rust_kernel_msi_mmio', 'rust_kernel_msi_lent', 'rust_kernel_msi_auxiliary',
    'rust_kernel_msi_watch',
]
FAKE_SUITES = ['irq_test_cases', 'rust_doctests_kernel', *C_SUITES, *RUST_SUITES]
# Those which access memory as MMIO, which user mode Linux can not
MMIO_SUITES = {'msi_table_mmio', 'msi_table_fail_mmio', 'rust_kernel_msi_mmio'}
PCI_SUITES = [
    'rust_kernel_msi_pci', 'msi_table_pci', 'msi_table_pci_vectors',
    'msi_table_pci_affinity', 'msi_table_pci_kind', 'msi_table_pci_intx',
    'msi_table_pci_state', 'msi_table_pci_store', 'msi_table_pci_fake',
    'msi_table_pci_recycle', 'msi_table_multi',
    'msi_table_doorbell.msi_table_doorbell_ntb',
    'msi_table_doorbell.msi_table_doorbell_hostile',
    'msi_table_doorbell.msi_table_doorbell_cpu_vectors', 'msi_table_pm',
]
PLAIN_SUITES = [
    'msi_table_pci', 'msi_table_pci_vectors', 'msi_table_pci_affinity',
    'msi_table_pci_kind', 'msi_table_pci_intx', 'msi_table_pci_state',
    'msi_table_pci_store',
    'msi_table_doorbell.msi_table_doorbell_peer',
    'msi_table_doorbell.msi_table_doorbell_hostile',
    'msi_table_doorbell.msi_table_doorbell_cpu_vectors', 'msi_table_pm',
]
# The one test that suspends the machine, when it is told to
SUSPEND_TEST = 'msi_table_pm.msi_table_pm_suspend'
# The one test that takes more than 65536 vectors, for many minutes
MANY_TEST = 'msi_table_look.look_at_many'
# Those that take a CPU away. After that QEMU's is not always as it was before,
# so they have a boot of their own, as suspend has.
HOTPLUG_TESTS = ['msi_table_pci_affinity.pci_affinity_cpu_off',
                 'msi_table_pci_affinity.pci_affinity_cpu_off_firing']
# Those which let everything fail in turn
FAIL_SUITE, MACHINE_FAIL_SUITES = 'msi_table_fail', ['msi_table_fail_mmio',
                                                     'msi_table_pci_fail']

FAILURE_POINTS = re.compile(r'# (msi_table\w*): (\d+) failure points$',
                            re.MULTILINE)
# What a test sends which nobody may get, and what reports that
HOSTILE = re.compile(r'# msi_table_doorbell_hostile: (\d+) hostile messages',
                     re.MULTILINE)
REFUSED = re.compile(r'^.*(?:No irq handler for \d+\.\d+|'
                     r'\[INTR-REMAP\] Request device).*\n', re.MULTILINE)

# The devices, what to tell the kernel, what has to run, and whether a test may
# be skipped. In user mode Linux there is no device, nor lockdep, kmemleak, MMIO or
# a second CPU; but it is fast, and has KASAN. Suites on a fake parent run once
# where those are, and need not run a second time.
UML = None
SUSPEND = f'kunit.filter_glob={SUSPEND_TEST} msi_table_pci_kunit.suspend=1'
HOTPLUG = ('kunit.filter_glob=msi_table_pci_affinity '
           'msi_table_pci_kunit.hotplug=1')
# Whoever waits for a test does so uninterruptibly.
PATIENT = 'sysctl.kernel.hung_task_timeout_secs=0'
KUNIT_BOOTS = {
    'kunit': (INTEL, 'RUN=kunit', [*FAKE_SUITES, *PCI_SUITES], True),
    'uml': (UML, 'RUN=kunit', sorted({*FAKE_SUITES} - MMIO_SUITES), True),
    'uml-fail': (UML, f'RUN=fail FAIL={FAIL_SUITE} kunit.autorun=0',
                 [FAIL_SUITE], False),
    'fail': (INTEL, f'RUN=fail FAIL={",".join(MACHINE_FAIL_SUITES)} '
             f'kunit.autorun=0 {PATIENT}', MACHINE_FAIL_SUITES, False),
    'kunit-plain': (PLAIN, 'RUN=kunit kunit.filter_glob=msi_table_[dmp]*',
                    PLAIN_SUITES, True),
    'suspend-intel': (INTEL, f'RUN=kunit {SUSPEND}', [SUSPEND_TEST], False),
    'suspend-plain': (PLAIN, f'RUN=kunit {SUSPEND}', [SUSPEND_TEST], False),
    'hotplug-intel': (INTEL, f'RUN=kunit {HOTPLUG}', HOTPLUG_TESTS, False),
    'hotplug-plain': (PLAIN, f'RUN=kunit {HOTPLUG}', HOTPLUG_TESTS, False),
    'many': ([*PLAIN, '-m', '3G'],
             f'RUN=kunit kunit.filter_glob={MANY_TEST} msi_table_kunit.many=1 '
             f'{PATIENT} kunit.timeout=3600',
             [MANY_TEST], False),
}
# With what changes where registers are, and without x2APIC or with more CPUs than there
# are to emulate them
ONE_THREADED = ['kunit-plain', 'suspend-plain', 'drivers', 'drivers-vfio',
                'drivers-nomsi', 'drivers-intx']
# Suites which take long, in seconds, and those which are not for every day
TIMEOUTS = {'kunit': 2400, 'fail': 2400, 'drivers': 2400, 'drivers-vfio': 2400,
            'many': 3600}
BY_NAME = ['many', 'drivers-intx']
# Of a suite of KUnit: this test alone
TEST = os.environ.get('TEST')
# Most of what a guest does, it does on one CPU.
JOBS = min(2, os.cpu_count())
# What is written to it is gone with the boot.
DISK = LOGS / 'disk.img'


def disks(device, *properties):
    """The controllers which differ in that, each with a disk of its own."""
    for number, more in enumerate(properties):
        name = f'{device.partition("-")[0]}{number}'
        yield from ['-drive', f'file={DISK},snapshot=on,if=none,id={name},format=raw',
                    '-device', f'{device},drive={name},serial={name}{more}']


def networks(*properties):
    """Network cards, each of which can load busybox from the host."""
    folder = pathlib.Path(shutil.which('busybox')).parent
    for number, more in enumerate(properties, 1):
        yield from ['-netdev', f'user,id=net{number},net=10.0.{number}.0/24,'
                    f'restrict=on,tftp={folder}',
                    '-device', f'virtio-net-pci,netdev=net{number},romfile={more}']


CPUS = ['-smp', '4']
# Each in an IOMMU group of its own
FUNCTIONS = ['-device', 'pcie-root-port,id=port1,chassis=1', '-device', 'igb,bus=port1',
             '-device', 'nec-usb-xhci,msi=on,msix=off']

# The devices, which scripts of guest/ to run, whether a device-specific store is
# granted to whoever asks, and what the kernel log has to say. Caching mode (AMD:
# NpCache, always set by QEMU) is what a hypervisor shows its guest: it would not
# see a message written to a store that it does not know. What takes CPUs away
# comes last. VFIO has a boot of its own: QEMU's igb has no virtual function any more
# when it was asleep, InitialVFs not being TotalVFs (-EIO), and where VFIO had been
# used before, the queue of an NVMe disk stayed frozen after suspend to RAM, 2 of 2
# times, with all CPUs and workers idle, which is not understood.
GUEST_SUITES = {
    'drivers': ([*INTEL, *CPUS, *disks('nvme', '', ',msix_qsize=3', ',msix_qsize=1'),
                 *disks('virtio-blk-pci,num-queues=4', '', ',vectors=2', ',vectors=0'),
                 *networks('', ',vectors=2', ',vectors=0'), '-m', '3G'],
                'RUN=nvme,queues,virtio MSI=yes', 'Enabled IRQ remapping'),
    'drivers-vfio': ([*INTEL, *CPUS, *FUNCTIONS, '-m', '3G'],
                     'RUN=vfio MSI=yes', 'Enabled IRQ remapping'),
    'drivers-nomsi': ([*PLAIN, *CPUS, *disks('nvme', ''),
                       *disks('virtio-blk-pci,num-queues=4', '', '', ''),
                       *networks('', '', '')],
                      'RUN=nvme,virtio MSI=no pci=nomsi', ''),
    'drivers-intx': ([*CPUS, *disks('nvme', ''),
                      *disks('virtio-blk-pci,num-queues=4', '', '', '')],
                     'RUN=nvme,virtio MSI=no', ''),
    'guest-intel': ([*INTEL, '-device', 'igb'],
                    'RUN=timer,pool,look REMAP=yes', 'Enabled IRQ remapping'),
    'guest-plain': (PLAIN, 'RUN=timer,look REMAP=no', ''),
    'guest-intel-cm': (INTEL_CM, 'RUN=timer REMAP=no', 'Enabled IRQ remapping'),
    'guest-amd': (AMD, f'RUN=timer REMAP=no {AMD_APPEND}',
                  'AMD-Vi: Interrupt remapping enabled'),
}
# Those which have a kernel of their own: one without PCI_MSI
GUEST_BUILDS = {'drivers-intx': NOMSI_BUILD}


def ran(wanted, results):
    """Of each suite or test wanted: is one result of it not a skip?"""
    for name in wanted:
        found = [good for test, good, _ in results
                 if test == name or test.startswith(f'{name}.')]
        yield (f'{name} runs', any(good is not None for good in found),
               'all of it was skipped' if found else 'it is not there')


def none_skipped(results):
    skipped = [test for test, good, _ in results if good is None]
    return ('nothing skipped', not skipped, '\n'.join(skipped))


def threads(name):
    return ONE_THREAD if name in ONE_THREADED else 'tcg'


def suite_config():
    have = configure.options((BUILD / '.config').read_text())
    for option, line in configure.wanted(
            ['base', 'debug', 'debug-qemu', 'kunit', 'test', 'drivers',
             'selftest', 'gcov']).items():
        yield (option, configure.landed(option, line, have), f'wanted: {line}')


def suite_kunit(name):
    devices, append, wanted, may_skip = KUNIT_BOOTS[name]
    if TEST:
        # The last one counts.
        append += f' kunit.filter_glob={TEST}'
        wanted, may_skip = [], True
    command = uml(append, UML_BUILD, '1G') if devices is UML else \
        qemu([*devices, *CARDS], append, tcg=threads(name))
    boot = Boot(name, command, TIMEOUTS.get(name, 900))
    hostile = sum(map(int, HOSTILE.findall(boot.console)))
    if hostile:
        boot.console, refused = REFUSED.subn('', boot.console)
        yield ('each hostile message is reported', refused == hostile,
               f'{refused} of {hostile}')
    results = boot.results()
    yield from ran(wanted, results)
    yield from results
    if not may_skip:
        yield none_skipped(results)
    if 'RUN=fail' in append:
        points = dict(FAILURE_POINTS.findall(boot.console))
        for suite in wanted:
            yield (f'{suite} has failure points', int(points.get(suite, 0)) > 0,
                   f'in {boot.log}')
            yield f'{suite}: {points.get(suite, 0)} failure points'


def suite_guest(name):
    devices, append, message = GUEST_SUITES[name]
    with DISK.open('ab') as disk:
        disk.truncate(16 << 20)
    boot = Boot(name, qemu(devices, f'kunit.enable=0 {append}',
                           GUEST_BUILDS.get(name, BUILD), tcg=threads(name)),
                TIMEOUTS.get(name, 900))
    if message:
        yield ('interrupts are remapped', message in boot.console,
               f'no line: {message}')
    results = boot.results()
    yield from results
    # With KDIR= the machine may have no irqbalance.
    if os.environ['BUILDS'] == os.environ['MSI_TABLE_CACHE']:
        yield none_skipped(results)


def suite_tools():
    output = subprocess.run(['sh', HERE / 'test_tools.sh'], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False).stdout
    (LOGS / 'tools.log').write_text(output)
    yield from ktap(output)
    yield ('Ctrl-C leaves no QEMU', *interrupt_qemu())


def interrupt_qemu():
    """As from a terminal: the signal goes to the whole process group.

    A shell which runs something in the background has it ignore the signal.
    """
    with tempfile.TemporaryDirectory() as cache:
        (pathlib.Path(cache) / 'log').mkdir()
        env = dict(os.environ, MSI_TABLE_CACHE=cache)
        harness = subprocess.Popen(
            ['env', '--default-signal=INT', sys.executable, '-B', __file__,
             'guest-plain'], env=env,
            start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

        def qemus():
            found = []
            for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
                with contextlib.suppress(OSError):
                    # pid (name) state parent group
                    name, _, rest = stat.read_text().rpartition(') ')
                    if 'qemu-system' in name and \
                       rest.split()[2] == str(harness.pid):
                        found.append(name)
            return found

        deadline = time.monotonic() + 20
        while not qemus() and time.monotonic() < deadline:
            time.sleep(0.1)
        started = bool(qemus())
        os.killpg(harness.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            harness.wait(10)
        left = qemus()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(harness.pid, signal.SIGKILL)
        harness.wait()
        return started and not left, f'started: {started}, left: {left}'


# What takes longest comes first.
SUITES = {
    **{name: lambda name=name: suite_kunit(name) for name in KUNIT_BOOTS},
    **{name: lambda name=name: suite_guest(name) for name in GUEST_SUITES},
    'rust-errors': rust_errors.results,
    'tools': suite_tools,
    'config': suite_config,
}


def test(names, suites=None, target='test'):
    suites = suites or SUITES
    total = [0, 0, 0]

    def timed(name):
        begin = time.monotonic()
        print(f'{name} ...', flush=True)
        return list(suites[name]()), time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        try:
            pending = {pool.submit(timed, name): name for name in names}
            for future in concurrent.futures.as_completed(pending):
                said, seconds = future.result()
                total = [sum(pair) for pair in
                         zip(total, show(target, pending[future], said, seconds))]
        finally:
            # When it ends before its time, by a signal or an error
            pool.shutdown(wait=False, cancel_futures=True)
            Boot.stop()
    passed, failed, skipped = total
    print(f'{passed} passed, {failed} failed' +
          (f', {skipped} skipped' if skipped else ''))
    return 1 if failed or not passed else 0


def again(target, suite, name):
    """What runs that one test again, as far as one can be run alone."""
    command = f'make {target} SUITE={suite}'
    case = suite in KUNIT_BOOTS and re.match(r'\w+\.\w+', name)
    return f'{command} TEST={case[0]}' if case else command


def show(target, suite, said, seconds):
    """Print what came of a suite, and return how many passed, failed, skipped."""
    results = [result for result in said if not isinstance(result, str)]
    bad = [(name, detail) for name, good, detail in results
           if good is not None and not good]
    skipped = sum(good is None for _, good, _ in results)
    passed = len(results) - len(bad) - skipped
    print(f'{suite}: {passed} passed, {len(bad)} failed [{seconds:.1f}s]')
    for note in said:
        if isinstance(note, str):
            print(f'    {note}')
    for name, detail in bad:
        print(f'    FAILED {name} (again: {again(target, suite, name)})')
        for line in (detail or '').splitlines():
            print(f'        {line}')
    if bad:
        print(f'    (logs: {HOST_LOGS})')
    sys.stdout.flush()
    return passed, len(bad), skipped


def main(suite=None):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if suite and suite not in SUITES:
        return f'no suite {suite}; there are: {" ".join(SUITES)}'
    return test([suite] if suite else
                [name for name in SUITES if name not in BY_NAME])


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
