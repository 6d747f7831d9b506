#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""test.py test [SUITE] | run | shell - boot the kernel built, look at results."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import configure
import rust_errors

HERE = pathlib.Path(__file__).resolve().parent
TREE = pathlib.Path(os.environ['TREE'])
BUILD = pathlib.Path(os.environ['BUILDS']) / 'build-debug'
LOGS = pathlib.Path(os.environ['MSI_TABLE_CACHE']) / 'log'
HOST_LOGS = pathlib.Path(os.environ['HOST_CACHE']) / 'log'

sys.path.insert(0, str(TREE / 'tools/testing/kunit'))
from kunit_parser import TestStatus, parse_run_tests  # noqa: E402
from kunit_printer import null_printer  # noqa: E402

# KUnit suites, and single tests, which have to run: one that nobody built, or
# which finds no device, passes for silence.
KUNIT_SUITES = [
    'irq_test_cases', 'rust_doctests_kernel', 'rust_kernel_msi',
    'rust_kernel_msi_batch', 'rust_kernel_msi_stores', 'rust_kernel_msi_mmio',
    'rust_kernel_msi_lent', 'rust_kernel_msi_auxiliary',
    'rust_kernel_msi_watch', 'rust_kernel_msi_pci',
    'msi_table_create', 'msi_table_alloc', 'msi_table_irq', 'msi_table_free',
    'msi_table_threads', 'msi_table_batch', 'msi_table_slow', 'msi_table_mmio',
    'msi_table_watch', 'msi_table_power', 'msi_table_aux', 'msi_table_look',
    'msi_table_recycle', 'msi_table_fail', 'msi_table_pci',
    'msi_table_pci_vectors', 'msi_table_pci_affinity', 'msi_table_pci_store',
    'msi_table_pci_fake', 'msi_table_pci_recycle', 'msi_table_multi',
    'msi_table_doorbell.msi_table_doorbell_ntb',
    'msi_table_doorbell.msi_table_doorbell_hostile',
    'msi_table_doorbell.msi_table_doorbell_cpu_vectors', 'msi_table_pm',
]
PLAIN_SUITES = [
    'msi_table_pci', 'msi_table_pci_vectors', 'msi_table_pci_affinity',
    'msi_table_pci_store', 'msi_table_doorbell.msi_table_doorbell_peer',
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
FAIL_SUITES = ['msi_table_fail', 'msi_table_pci_fail']

SPLAT = re.compile(
    r'WARNING:|BUG:|KASAN:|UBSAN:|ODEBUG:|Oops|Call Trace:|kernel BUG at|'
    r'Kernel panic|general protection|DEBUG_LOCKS_WARN|suspicious RCU|'
    r'INFO: (task|rcu|possible|inconsistent|trying|HARDIRQ|SOFTIRQ)|'
    r'possible .*(deadlock|recursive)|bad unlock balance|held lock freed|'
    r'scheduling while atomic|sleeping function|nobody cared|No irq handler for|'
    r'INTR-REMAP|'
    r'rust_kernel: panicked|'
    r'Cannot allocate a kmemleak_object|Kernel memory leak detector disabled')
# What kmemleak says of one object, and the one test which leaks by design: it
# passes every handle to mem::forget() and shows that nothing else happens.
LEAK = re.compile(r'^unreferenced object.*\n(?: .*\n)*', re.MULTILINE)
LEAKS_BY_DESIGN = 'kernel3msi5tests5suite40kunit_rust_wrapper_whatever_is_forgotten'
END = re.compile(r'msi_table: end of the run, status 0$', re.MULTILINE)
KTAP_START = re.compile(r'^(?=KTAP version 1$)', re.MULTILINE)
FAILURE_POINTS = re.compile(r'# (msi_table\w*): (\d+) failure points$',
                            re.MULTILINE)
# What a test sends which nobody may get, and what reports that
HOSTILE = re.compile(r'# msi_table_doorbell_hostile: (\d+) hostile messages',
                     re.MULTILINE)
REFUSED = re.compile(r'^.*(?:No irq handler for \d+\.\d+|'
                     r'\[INTR-REMAP\] Request device).*\n', re.MULTILINE)
DELIVERED = re.compile(r'\b(\w+): (\d+) of (\d+) expirations delivered')

EDU = 'edu,dma_mask=0xffffffff'
PLAIN = ['-device', EDU]
INTEL = ['-device', 'intel-iommu,intremap=on', *PLAIN]
INTEL_CM = ['-device', 'intel-iommu,intremap=on,caching-mode=on', *PLAIN]
# A message that the edu writes by DMA has no requester id, and the IOMMU takes
# it for one of the IOAPIC, which QEMU says is 00:14.0: so that is where the edu
# goes. Linux wants a south bridge there, or does without remapping; it is told
# to look elsewhere. The pins of the IOAPIC are lost by that, the one of the
# boot-time timer check among them.
AMD = ['-device', 'amd-iommu,intremap=on', '-device', f'{EDU},addr=14.0']
AMD_APPEND = 'ivrs_ioapic=0@0000:00:1f.0 no_timer_check'

# For the KUnit suites: MSI-X and virtual functions, twice, and multiple MSI. On
# one bus the virtual functions of the two would overlap.
CARDS = ['-device', 'pcie-root-port,id=port1,chassis=1',
         '-device', 'pcie-root-port,id=port2,chassis=2',
         '-device', 'igb,bus=port1', '-device', 'igb,bus=port2',
         '-device', 'nec-usb-xhci,msi=on,msix=off']

# The devices, what to tell the kernel, what has to run, and whether a test may
# be skipped. Suites on a fake parent need not run a second time.
SUSPEND = f'kunit.filter_glob={SUSPEND_TEST} msi_table_pci_kunit.suspend=1'
HOTPLUG = ('kunit.filter_glob=msi_table_pci_affinity '
           'msi_table_pci_kunit.hotplug=1')
# Whoever waits for a test does so uninterruptibly.
PATIENT = 'sysctl.kernel.hung_task_timeout_secs=0'
KUNIT_BOOTS = {
    'fail': (INTEL, f'RUN=fail kunit.autorun=0 {PATIENT}', FAIL_SUITES, False),
    'kunit': (INTEL, 'RUN=kunit', KUNIT_SUITES, True),
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
# Suites which take long, in seconds, and those which are not for every day
TIMEOUTS = {'kunit': 2400, 'fail': 2400, 'many': 3600}
BY_NAME = ['many']
# Most of what a guest does, it does on one CPU.
JOBS = min(2, os.cpu_count())

# The devices, and which script of guest/ to run
GUEST_SUITES = {
    'look-intel': (INTEL, 'RUN=look REMAP=yes'),
    'look-plain': (PLAIN, 'RUN=look REMAP=no'),
    'pool': ([*INTEL, '-device', 'igb'], 'RUN=pool'),
}

# The devices, REMAP= for guest/timer.sh, and what the kernel log has to say.
# Caching mode (AMD: NpCache, always set by QEMU) is what a hypervisor shows its
# guest: it would not see a message written to a store that it does not know.
TIMER_SUITES = {
    'timer-intel': (INTEL, 'yes', 'Enabled IRQ remapping'),
    'timer-intel-cm': (INTEL_CM, 'no', 'Enabled IRQ remapping'),
    'timer-amd': (AMD, 'no', 'AMD-Vi: Interrupt remapping enabled'),
    'timer-plain': (PLAIN, 'no', None),
}


BOOT = 'loglevel=8 printk.time=0 printk.devkmsg=on panic=-1'


def qemu(devices, append, build=BUILD, serial='stdio', tcg='tcg'):
    # With 5-level page tables KASAN reports, now and then, an interrupt that
    # comes while identify_boot_cpu() has the features of the CPU cleared.
    accel = ['kvm', '-cpu', 'host'] if os.environ.get('KVM') else \
        [tcg, '-cpu', 'max,la57=off']
    return ['qemu-system-x86_64',
            '-M', 'q35,kernel-irqchip=split', '-accel', *accel,
            '-smp', '2', '-m', '1G', '-nodefaults', '-display', 'none',
            '-no-reboot', '-serial', serial, *devices,
            '-kernel', build / 'arch/x86/boot/bzImage',
            '-initrd', build / 'initramfs.cpio',
            '-append', f'console=ttyS0 {BOOT} {append}']


def uml(append, build, memory):
    """User mode Linux: no hardware, and the speed of the machine."""
    return [build / 'linux', f'mem={memory}', 'con=null', 'con0=null,fd:1',
            'seccomp=on', f'initrd={build}/initramfs.cpio',
            *f'{BOOT} {append}'.split()]


class Boot:
    """One boot, of a command whose output is the console.

    .console is its text, .trouble what went wrong if not None.
    """

    running = set()
    lock = threading.Lock()
    stopping = False

    def __init__(self, name, command, timeout=900):
        log = LOGS / f'boot-{name}.log'
        self.log = HOST_LOGS / log.name
        self.trouble = None
        with log.open('wb') as console, self.start(command, console) as process:
            try:
                errors = self.attend(process, log, timeout)
                if process.returncode:
                    self.trouble = errors or f'exit status {process.returncode}'
            except subprocess.TimeoutExpired as late:
                self.trouble = f'no end within {late.timeout} s\n' + \
                    (late.output or '')
            finally:
                process.kill()
                with self.lock:
                    self.running.remove(process)
        self.console = log.read_text(errors='replace').replace('\r', '')
        if not self.trouble and not END.search(self.console):
            self.trouble = 'the run did not reach its end'

    def start(self, command, console):
        with self.lock:
            if self.stopping:
                sys.exit(1)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       text=True, stdout=console,
                                       stderr=subprocess.PIPE)
            self.running.add(process)
        return process

    @classmethod
    def stop(cls):
        """No boot goes on, and none begins."""
        with cls.lock:
            cls.stopping = True
            for process in cls.running:
                process.kill()

    def attend(self, process, log, timeout):
        """Until it has ended; what it had to say besides."""
        return process.communicate(timeout=timeout)[1]

    def health(self):
        """(name, passed, detail) of what no boot may do."""
        splats = [line for line in self.console.splitlines()
                  if SPLAT.search(line)]
        leaks = [leak for leak in LEAK.findall(self.console)
                 if LEAKS_BY_DESIGN not in leak]
        return [('no splat', not splats, '; '.join(splats[:3])),
                ('no leak', not leaks, '\n'.join(leaks[:3])),
                ('reaches its end', not self.trouble, self.trouble)]

    def results(self):
        """(name, passed or None if skipped, detail) of each test."""
        return [*ktap(self.console), *self.health()]


def ktap(text):
    """Results of the leaves of KTAP output, by the kernel's own parser.

    It knows one document in a text, and here may be several.
    """
    def leaves(test, path):
        path = [*path, test.name] if test.name != 'main' else path
        name = '.'.join(path)
        for subtest in test.subtests:
            yield from leaves(subtest, path)
        if test.status == TestStatus.SKIPPED:
            if not test.subtests:
                yield (name, None, test.skip_reason)
        elif not test.subtests:
            yield (name, test.status == TestStatus.SUCCESS,
                   '\n'.join(test.log[-10:]))
        elif test.counts.errors:
            yield (name, False, 'malformed KTAP, or a test that crashed')

    for document in KTAP_START.split(text)[1:] or [text]:
        yield from leaves(parse_run_tests(document.splitlines(), null_printer),
                          [])


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


def suite_config():
    have = configure.options((BUILD / '.config').read_text())
    for option, line in configure.wanted(['base', 'debug', 'test']).items():
        yield (option, configure.landed(option, line, have), f'wanted: {line}')


def suite_kunit(name):
    devices, append, wanted, may_skip = KUNIT_BOOTS[name]
    boot = Boot(name, qemu([*devices, *CARDS], append), TIMEOUTS.get(name, 900))
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
    if wanted == FAIL_SUITES:
        points = dict(FAILURE_POINTS.findall(boot.console))
        for suite in FAIL_SUITES:
            yield (f'{suite} has failure points', int(points.get(suite, 0)) > 0,
                   f'in {boot.log}')
            yield f'{suite}: {points.get(suite, 0)} failure points'


def suite_guest(name):
    devices, append = GUEST_SUITES[name]
    boot = Boot(name, qemu(devices, f'kunit.enable=0 {append}'))
    results = boot.results()
    yield from results
    # With KDIR= the machine may have no irqbalance.
    if os.environ['BUILDS'] == os.environ['MSI_TABLE_CACHE']:
        yield none_skipped(results)


def suite_timer(name):
    devices, remap, message = TIMER_SUITES[name]
    append = f'kunit.enable=0 RUN=timer REMAP={remap}'
    if devices == AMD:
        append += f' {AMD_APPEND}'
    boot = Boot(name, qemu(devices, append))
    if message:
        yield ('interrupts are remapped', message in boot.console,
               f'no line: {message}')
    yield from boot.results()


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
             'test', 'timer-plain'], env=env,
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
    **{name: lambda name=name: suite_timer(name) for name in TIMER_SUITES},
    'rust-errors': rust_errors.results,
    'tools': suite_tools,
    'config': suite_config,
}


def test(names, suites=None):
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
                         zip(total, show(pending[future], said, seconds))]
        finally:
            # When it ends before its time, by a signal or an error
            pool.shutdown(wait=False, cancel_futures=True)
            Boot.stop()
    passed, failed, skipped = total
    print(f'{passed} passed, {failed} failed' +
          (f', {skipped} skipped' if skipped else ''))
    return 1 if failed or not passed else 0


def show(suite, said, seconds):
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
        print(f'    FAILED {name}')
        for line in (detail or '').splitlines():
            print(f'        {line}')
    if bad:
        print(f'    (logs: {HOST_LOGS})')
    sys.stdout.flush()
    return passed, len(bad), skipped


def run():
    """Both drivers behind Intel interrupt remapping, for people to watch."""
    print('boot QEMU, run both timers ... ', end='', flush=True)
    begin = time.monotonic()
    boot = Boot('run', qemu(INTEL, 'kunit.enable=0 RUN=timer REMAP=yes'))
    bad = [(name, detail) for name, good, detail in boot.results()
           if good is not None and not good]
    print(f'{"FAILED" if bad else "ok"} [{time.monotonic() - begin:.1f}s]')
    complete = set()
    for line in boot.console.splitlines():
        if re.match(r'# |(not )?ok \d', line):
            print(line)
        delivered = DELIVERED.search(line)
        if delivered:
            print(delivered[0])
            if delivered[2] == delivered[3] and int(delivered[2]) >= 10:
                complete.add(delivered[1])
    for name, detail in bad:
        print(f'FAILED {name}: {detail}')
    if bad or not complete >= {'ims_timer', 'rust_ims_timer'}:
        print(f'not every expiration was delivered, or something else failed'
              f' (console: {boot.log})')
        return 1
    return 0


def shell():
    os.execvp('qemu-system-x86_64',
              qemu(INTEL, 'kunit.enable=0 RUN=shell', serial='mon:stdio'))


def main(command, suite=None):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if command == 'shell':
        shell()
    if command == 'run':
        return run()
    if suite and suite not in SUITES:
        return f'no suite {suite}; there are: {" ".join(SUITES)}'
    return test([suite] if suite else
                [name for name in SUITES if name not in BY_NAME])


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
