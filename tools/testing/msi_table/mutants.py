#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mutants.py N SEED [quick] - plant faults in what is ours, and see which tests notice.

Of all mutants (see mutate.py) N are tried, chosen by SEED; 0 means all, and a
random seed. Two kernels have them, of which a boot switches one on. Whatever
fails in it, or does not end in time, kills the mutant. mutants.equivalent names
those which change nothing that a test could see, and why. Leaves the list of the
others which survive in build/mutants. A quick run is about the core in C, with
its tests in user mode Linux alone.
"""
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import machine
import suites
import test
from mutate import C_DEFINITIONS, RUST_DEFINITIONS, mutate

SRC = pathlib.Path(os.environ['SRC'])
OUT = SRC / 'build/mutants'
EQUIVALENT = machine.HERE / 'mutants.equivalent'
# A tree of its own, since all files with mutants look changed.
TREE = machine.BUILDS / 'linux-mutants'
TOP = {'c': 'kernel/irq/msi_table.c', 'rs': 'rust/kernel/msi.rs'}
GOAL = 95
# Above what the tests need without a mutant: the machine has other work, too.
SLACK = 3

BUILDS = [('uml-mutants', 'debug', 'kunit', 'uml'),
          ('mutants', 'base', 'debug-qemu', 'kunit', 'test')]
QUICK_BUILDS = [('uml-mutants-quick', 'kunit', 'uml', 'norust')]

# What can see a mutant, the quickest first: a name, the command line, and which
# kernel it is for.
C_TESTS = ('fake', 'RUN=kunit kunit.filter_glob=msi_table*', 'uml')
FAIL_TESTS = ('fail', f'RUN=fail FAIL={suites.FAIL_SUITE} kunit.autorun=0', 'uml')
RUST_TESTS = ('rust', 'RUN=kunit kunit.filter_glob=rust_*', 'uml')
MMIO_TESTS = ('mmio', 'RUN=kunit kunit.filter_glob=*msi_*mmio', 'qemu')
PCI_TESTS = ('pci', 'RUN=kunit kunit.filter_glob=*msi_*pci*', 'qemu')
MORE_TESTS = ('more', 'RUN=kunit kunit.filter_glob=msi_table_[dmpw][!c]*', 'qemu')
# Once more where lockdep and kmemleak are
LOCK_TESTS = ('locks', 'RUN=kunit kunit.filter_glob=msi_table_[!dmpw]*', 'qemu')
STAGES = {'kernel/irq/msi_table_mmio': [MMIO_TESTS],
          'kernel': [C_TESTS, FAIL_TESTS, RUST_TESTS, MMIO_TESTS, LOCK_TESTS, PCI_TESTS,
                     MORE_TESTS],
          'drivers': [PCI_TESTS, MORE_TESTS],
          'rust/kernel/msi/mmio': [MMIO_TESTS],
          'rust': [RUST_TESTS, PCI_TESTS]}
QUICK_STAGES = [C_TESTS, FAIL_TESTS]
FAILED = re.compile('^ *not ok ', re.MULTILINE)


class Boot(machine.Boot):
    """One which ends as soon as something has failed.

    That hostile messages are refused is none, but here nobody counts them.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.console = test.REFUSED.sub('', self.console)

    def attend(self, process, log, timeout):
        deadline = time.monotonic() + timeout
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired('boot', timeout)
            time.sleep(0.1)
            lines = log.read_text(errors='replace').rpartition('\n')[0] + '\n'
            text = test.REFUSED.sub('', lines)
            if FAILED.search(text) or machine.SPLAT.search(text):
                process.kill()
        return process.communicate()[1]


def sources():
    """The files of ours which have mutants."""
    tree = machine.TREE
    return [*sorted(tree.glob('kernel/irq/msi_table*.c')),
            *sorted(tree.glob('drivers/pci/msi/table*.c')),
            tree / TOP['rs'],
            *sorted(path for path in tree.glob('rust/kernel/msi/*.rs')
                    if path.name not in ('tests.rs', 'fake.rs'))]


def plant(dropped):
    """All mutants, in the tree for them."""
    mutants = []
    for path in sources():
        name = str(path.relative_to(machine.TREE))
        new, text = mutate(name, path.read_text(), len(mutants) + 1,
                           dropped[name])
        if name == TOP['c']:
            text += C_DEFINITIONS
        if name == TOP['rs']:
            text += RUST_DEFINITIONS
        target = TREE / name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
        mutants += new
    return mutants


def build(name, *fragments):
    env = dict(os.environ, TREE=str(TREE))
    return subprocess.run(['sh', machine.HERE / 'build.sh', name, *fragments],
                          env=env, check=False).returncode == 0


def not_compiled(name, mutants):
    """The mutants on lines which the compiler complains about."""
    log = (machine.LOGS / f'build-{name}.log').read_text(errors='replace')
    lines = set()
    for path, line in re.findall(r'(?:^|-->) *(\S+?):(\d+):\d+', log,
                                 re.MULTILINE):
        lines.add((path.removeprefix(f'{TREE}/'), int(line)))
    return [mutant for mutant in mutants
            if (mutant.path, mutant.line) in lines]


def build_all(builds):
    """The mutants which compile, and how many did not.

    What has none is a link to the tree for everything else.
    """
    skip = [f'--exclude=/{path.relative_to(machine.TREE)}' for path in sources()]
    subprocess.run(['rsync', '-a', '--delete', *skip,
                    f'--link-dest={machine.TREE}', f'{machine.TREE}/',
                    f'{TREE}/'], check=True)
    dropped = collections.defaultdict(set)
    n_dropped = 0
    for name, *fragments in builds:
        mutants = plant(dropped)
        while not build(name, *fragments):
            bad = not_compiled(name, mutants)
            if not bad:
                sys.exit('the kernel with the mutants does not build')
            for mutant in bad:
                print(f'does not compile: {mutant}')
                dropped[mutant.path].add(mutant.key)
            n_dropped += len(bad)
            mutants = plant(dropped)
    return mutants, n_dropped


def boot(builds, name, stage, number, timeout):
    _, append, kind = stage
    append += f' msi_mutant={number}'
    build = machine.BUILDS / f'build-{builds[kind == "qemu"][0]}'
    command = machine.uml(append, build, '1G') if kind == 'uml' else \
        machine.qemu([*machine.INTEL, *machine.CARDS], append, build)
    return Boot(f'mutant-{name}', command, timeout)


def time_outs(builds, stages):
    """What each needs without a mutant, with which nothing fails."""
    needs = {}
    for stage in stages:
        begin = time.monotonic()
        booted = boot(builds, stage[0], stage, 0, 1800)
        needs[stage] = SLACK * (time.monotonic() - begin) + 10
        print(f'{stage[0]}: {time.monotonic() - begin:.0f} s')
        bad = [name for name, good, _ in booted.results()
               if good is not None and not good]
        if bad:
            sys.exit(f'without a mutant these fail: {bad} ({booted.log})')
    return needs


def stages_of(mutant, of):
    """Those of a list of stages which can see it."""
    return next([stage for stage in stages if stage in of]
                for prefix, stages in STAGES.items() if mutant.path.startswith(prefix))


def killer(builds, mutant, timeouts):
    """The name of the stage which sees it, or None."""
    for stage in stages_of(mutant, timeouts):
        booted = boot(builds, mutant.number, stage, mutant.number,
                      timeouts[stage])
        (machine.LOGS / f'boot-mutant-{mutant.number}.log').unlink()
        if any(good is not None and not good
               for _, good, _ in booted.results()):
            return stage[0]
    return None


def equivalents():
    """How often the list has a name, which is that of a mutant without its line."""
    names = collections.Counter()
    for block in EQUIVALENT.read_text().strip().split('\n\n'):
        *lines, reason = block.splitlines()
        if not reason.startswith(('\t', '#')):
            sys.exit(f'no reason is given for: {reason}')
        names.update(line for line in lines if line[0] not in '\t#')
    return names


def without_line(mutant):
    return re.sub(r':\d+:', ':', str(mutant), count=1)


def main(n, seed, quick=''):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    OUT.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    builds = QUICK_BUILDS if quick else BUILDS
    planted, n_dropped = build_all(builds)
    none = equivalents()
    there = collections.Counter(map(without_line, planted))
    wrong = [f'{n} times, there are {there[name]}: {name}'
             for name, n in none.items() if there[name] != n]
    if wrong:
        print('mutants.equivalent names', *wrong, sep='\n')
        return 1
    seed = int(seed) or random.randrange(1, 2**31)
    stages = QUICK_STAGES if quick else STAGES['kernel']
    planted = [mutant for mutant in planted if stages_of(mutant, stages)]
    chosen = random.Random(seed).sample(planted, int(n) or len(planted))
    todo = [mutant for mutant in chosen if without_line(mutant) not in none]
    print(f'{len(planted)} mutants, {n_dropped} more do not compile; '
          f'{len(chosen)} are tried (N={len(chosen)} SEED={seed}), '
          f'{len(chosen) - len(todo)} of them are equivalent')
    timeouts = time_outs(builds, stages)

    survivors = []
    counts = collections.defaultdict(collections.Counter)
    for mutant in chosen:
        counts[mutant.path]['tried'] += 1
        counts[mutant.path]['equivalent'] += without_line(mutant) in none
    with concurrent.futures.ThreadPoolExecutor(test.JOBS) as pool:
        try:
            pending = {pool.submit(killer, builds, mutant, timeouts): mutant
                       for mutant in todo}
            for i, done in enumerate(
                    concurrent.futures.as_completed(pending), 1):
                mutant, stage = pending[done], done.result()
                counts[mutant.path][stage or 'survived'] += 1
                if not stage:
                    survivors.append(mutant)
                    print(f'survives ({mutant.number}): {mutant}', flush=True)
                if i % 25 == 0:
                    print(f'    {i} of {len(todo)}, '
                          f'{time.monotonic() - begin:.0f} s', flush=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            Boot.stop()

    columns = ['tried', *(name for name, _, _ in stages), 'equivalent', 'survived']
    counts['all'] = sum(counts.values(), collections.Counter())
    report = [f'{"":30}' + ''.join(f'{name:>11}' for name in columns)]
    report += [f'{path:30}' + ''.join(f'{count[name]:11}' for name in columns)
               for path, count in counts.items()]
    killed = len(todo) - len(survivors)
    percent = 100 * (killed + len(chosen) - len(todo)) / len(chosen)
    report.append(f'{percent:.1f}% are killed or equivalent; the goal of a run '
                  f'which is not quick is {GOAL}%')
    print(*report, sep='\n')
    survivors.sort(key=lambda mutant: mutant.number)
    (OUT / 'survivors').write_text(''.join(f'{mutant}\n'
                                           for mutant in survivors))
    (OUT / 'report').write_text('\n'.join(report) + '\n')
    # What survives a quick run others may kill. It shows that all of this works.
    return int(killed == 0 if quick else percent < GOAL)


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
