#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""test.py [SUITE] - boot the kernels which were built, and look at results."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import configure
import rust_errors
from machine import (BUILD, CARDS, HERE, HOST_LOGS, JOBS, LOGS, ONE_THREAD, UML_BUILD,
                     Boot, ktap, qemu, uml)
from suites import (DISK, GUEST_BUILDS, GUEST_SUITES, KUNIT_BOOTS, ONE_THREADED,
                    TIMEOUTS, UML, arch_of, chosen)

FAILURE_POINTS = re.compile(r'# (msi_table\w*): (\d+) failure points$',
                            re.MULTILINE)
# What a test sends which nobody may get, and what reports that
HOSTILE = re.compile(r'# msi_table_doorbell_hostile: (\d+) hostile messages',
                     re.MULTILINE)
REFUSED = re.compile(r'^.*(?:No irq handler for \d+\.\d+|'
                     r'\[INTR-REMAP\] Request device).*\n', re.MULTILINE)

# Of a suite of KUnit: this test alone
TEST = os.environ.get('TEST')


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
        qemu([*devices, *CARDS], append, arch=arch_of(name), tcg=threads(name))
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
                           GUEST_BUILDS.get(name), arch_of(name), tcg=threads(name)),
                TIMEOUTS.get(name, 900))
    if message:
        yield ('interrupts are remapped', message in boot.console,
               f'no line: {message}')
    results = boot.results()
    yield from results
    # With KDIR= the machine may have no irqbalance, and there is none for others.
    if os.environ['BUILDS'] == os.environ['MSI_TABLE_CACHE'] and arch_of(name) == 'x86':
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
    arch = os.environ.get('ARCH')
    command = f'make {target} {f"ARCH={arch} " if arch else ""}SUITE={suite}'
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
    return test([suite] if suite else chosen(SUITES, os.environ.get('ARCH')))


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
