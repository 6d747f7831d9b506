#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""coverage.py - which lines and branches of what is ours the tests reach.

By what make test left behind, of the files in C, and of the functions which the
patches touch in others. Shows a table, and leaves HTML in build/coverage. A line
which is not reached has to be in coverage.unreached, with the reason, and what
stands there must not be reached, unless the reason is a race. There, * are all
lines of a function that no patch adds.
"""
import base64
import collections
import functools
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import machine
import test

SRC = machine.HERE.parents[2]
OUT = SRC / 'build/coverage'
UNREACHED = machine.HERE / 'coverage.unreached'
OURS = ['kernel/irq/msi_table*.c', 'drivers/pci/msi/table*.c']
DUMP = re.compile(r'^msi_table: coverage$(.*?)^msi_table: end of coverage$',
                  re.MULTILINE | re.DOTALL)
BASE64 = re.compile(r'^[A-Za-z0-9+/=]+$', re.MULTILINE)
PATCHED = re.compile(r'^\+\+\+ b/(\S+)', re.MULTILINE)

BUILT = re.compile(r'\./(.*/build-[^/]*)/')


def trace(name):
    """What gcovr makes of the counters that a suite of make test has left.

    They are named by where the objects were built, from the root on.
    """
    log = machine.LOGS / f'boot-{name}.log'
    dump = log.exists() and DUMP.search(log.read_text().replace('\r', ''))
    if not dump:
        return None
    packed = base64.b64decode(''.join(BASE64.findall(dump[1])))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        counters = {member.name: archive.extractfile(member).read()
                    for member in archive if member.isfile()}
    build = pathlib.Path('/', next(filter(None, map(BUILT.match, counters)))[1])
    for old in build.rglob('*.gcda'):
        old.unlink()
    for path, content in counters.items():
        pathlib.Path('/', path).write_bytes(content)
    result = OUT / f'{name}.json'
    gcovr('--object-directory', build, '--gcov-executable', 'llvm-cov gcov',
          '--json', result, build)
    return result


def gcovr(*arguments):
    filters = [word for pattern in [*OURS, *patched()]
               for word in ('--filter', str(machine.TREE / pattern)
                            .replace('*', '.*'))]
    subprocess.run(['gcovr', '--root', machine.TREE, *filters,
                    '--gcov-ignore-errors=all',
                    '--gcov-ignore-parse-errors=all', *arguments],
                   check=True, cwd=machine.TREE)


@functools.cache
def patched():
    """The C files which patches change, with the lines they add.

    But for the drivers which use tables: they are in modules.
    """
    added = {}
    with tempfile.TemporaryDirectory() as stock:
        for patch in machine.TREE.glob('.msi_table/*.patch'):
            if patch.name.startswith(('drivers-net-', 'drivers-nvme-', 'drivers-vdpa-',
                                      'drivers-vfio-', 'drivers-virtio-',
                                      'drivers-pci-endpoint-')):
                continue
            for path in PATCHED.findall(patch.read_text()):
                if (old := pathlib.Path(stock, path)) not in added:
                    old.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(machine.TREE / path, old)
                    added[old] = path
            subprocess.run(['patch', '-sRp1', '-d', stock, '-i', patch], check=True)
        return {path: {int(number) for number in subprocess.run(
            ['diff', '--unchanged-group-format=', '--old-group-format=',
             '--new-line-format=%dn\n', old, machine.TREE / path],
            stdout=subprocess.PIPE, text=True).stdout.split()}
            for old, path in added.items() if path.endswith('.c')}


def functions(text):
    """(name, first line, last line) of each function of a file in kernel style."""
    begin = name = None
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r'[a-z_].*?\b(\w+)\((?!.*;)', line)
        if head and begin is None:
            name, begin = head[1], number
        elif line == '}' and begin:
            yield name, begin, number
            begin = None
        elif re.match(r'\S.*;$', line):
            begin = None


def wanted(path):
    """function -> its lines, of those which count."""
    text = (machine.TREE / path).read_text()
    added = patched().get(path)
    return {name: range(first, last + 1)
            for name, first, last in functions(text)
            if added is None or not added.isdisjoint(range(first, last + 1))}


def reached(trace):
    """path -> function -> [(line, reached?, branches, branches taken)]"""
    result = collections.defaultdict(dict)
    for file in json.loads(trace.read_text())['files']:
        path = file['file']
        lines = {line['line_number']: line for line in file['lines']
                 if not line.get('gcovr/noncode')}
        for name, span in wanted(path).items():
            found = [(at, lines[at]['count'] > 0, len(lines[at]['branches']),
                      sum(branch['count'] > 0
                          for branch in lines[at]['branches']))
                     for at in span if at in lines]
            if found:
                result[path][name] = found
    return result


def listed():
    """(path, function, text of the line) -> why it is not reached."""
    reasons, where = {}, None
    for line in UNREACHED.read_text().splitlines():
        if line.startswith('\t'):
            text, _, reason = line.strip().rpartition(' -- ')
            reasons[(*where, text)] = reason
        elif line and not line.startswith('#'):
            where = line.split()
    return reasons


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    traces = [*filter(None, map(trace, test.SUITES))]
    if not traces:
        return 'no suite has left its counters; run make coverage'
    merged = OUT / 'all.json'
    gcovr(*(word for trace in traces for word in ('-a', trace)),
          '--json', merged, '--html-details', OUT / 'index.html')
    unreached, known = set(), listed()
    print(f'{"":34} {"lines":>14} {"branches":>18}')
    totals = [0] * 4
    for path, found in sorted(reached(merged).items()):
        source = (machine.TREE / path).read_text().splitlines()
        rows = [row for rows in found.values() for row in rows]
        counts = [len(rows), sum(row[1] for row in rows),
                  sum(row[2] for row in rows), sum(row[3] for row in rows)]
        totals = [sum(pair) for pair in zip(totals, counts)]
        print(row_of(path, *counts))
        added = patched().get(path)
        for name, rows in found.items():
            stock = (path, name, '*')
            unreached |= {stock if stock in known and added and at not in added else
                          (path, name, source[at - 1].strip())
                          for at, hit, *_ in rows if not hit}
    print(row_of('all', *totals))
    print('(HTML: build/coverage/index.html)')
    new = sorted(unreached - known.keys())
    gone = sorted(line for line, reason in known.items()
                  if line not in unreached and not reason.startswith('race:'))
    for path, name, text in new:
        print(f'not reached: {path} {name}\n\t{text}')
    for path, name, text in gone:
        print(f'listed, but reached or not there: {path} {name}\n\t{text}')
    print(f'{totals[0] - len(new)} passed, {len(new) + len(gone)} failed')
    return int(bool(new or gone))


def row_of(name, lines, hit, branches, taken):
    return (f'{name:34} {hit:5}/{lines:<5} {100 * hit / lines:5.1f}% '
            f'{taken:5}/{branches:<5} {100 * taken / max(branches, 1):5.1f}%')


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
