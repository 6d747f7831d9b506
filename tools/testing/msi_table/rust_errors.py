#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compile the programs of rust/ against the kernel that was built.

Each is made of cases which must not compile. A case is a cfg, which puts one
thing wrong, and has a comment on the line where the compiler has to find it:

    //[CASE]~ CODE TEXT

With ~^ it is the line above, as in rustc's own tests. TEXT is optional: a part
of what the compiler says. With --cfg CASE there must be this error and no other.
Without it the program must compile, and without a warning: this is the control.

Programs are compiled as a sample of the kernel is, with unsafe code forbidden.
So are the samples, since a driver needs none.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ['BUILDS']) / 'build-debug'
SAMPLES = HERE.parents[2] / 'samples/rust'
COMMAND = BUILD / 'samples/rust/.rust_ims_timer.o.cmd'

MARKER = re.compile(r'//\[(\w+)\]~(\^*) (\w+) ?(.*)')
OPTION = re.compile(r'#\[cfg\((.*)\)\]')


def sample_command():
    """What built a sample, without source and output: (environment, words)."""
    line = COMMAND.read_text().splitlines()[0].partition(' := ')[2]
    # Behind the semicolon is objtool.
    words = shlex.split(line.partition(' ; ')[0])
    env = dict(os.environ, RUSTC_BOOTSTRAP='1')
    while '=' in words[0]:
        name, _, env[name] = words.pop(0).partition('=')
    del words[words.index('--out-dir'):][:2]
    return env, [word for word in words if
                 not word.startswith('--emit=') and not word.endswith('.rs')]


def own_line(span, source):
    """Where in the program a span is, be it by way of macros, or None."""
    while span:
        if span['file_name'] == str(source):
            return span['line_start']
        span = (span['expansion'] or {}).get('span')
    return None


def compile_program(source, *flags):
    """All errors and warnings, as (line, code, text)."""
    env, words = sample_command()
    with tempfile.TemporaryDirectory() as out:
        # Not only metadata, which would not evaluate constants of generics.
        rustc = subprocess.run(
            [*words, '-Funsafe_code', '--error-format=json',
             f'--emit=obj={out}/o', *flags, source],
            cwd=BUILD, env=env, text=True, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    found = []
    for line in rustc.stderr.splitlines():
        if not line.startswith('{'):
            found.append((None, None, line))
            continue
        message = json.loads(line)
        if message['level'] not in ('error', 'warning') or \
           message['message'].startswith('aborting due to'):
            continue
        lines = [own_line(span, source) for span in message['spans']
                 if span['is_primary']]
        found.append((lines[0] if lines else None,
                      (message['code'] or {}).get('code'),
                      message['rendered']))
    if rustc.returncode and not found:
        found.append((None, None, f'status {rustc.returncode}'))
    return found


def report(found):
    return '\n'.join(text.rstrip() for _, _, text in found)


def check_control(source):
    found = compile_program(source)
    return not found, report(found)


def check_case(source, case, due):
    """due: (line, code, text) of each error."""
    # What is unused without the right line is none of this.
    found = compile_program(source, '--cfg', case, '-Awarnings')
    rest = found
    for line, code, text in due:
        # What is wrong in a line may be said of its parts as well. A constant
        # is wrong in the kernel crate, and the message says which.
        places = [line, None] if text else [line]
        here = [error for error in rest
                if error[0] in places and error[1] == code]
        if not any(text in error[2] for error in here):
            return False, f'no {code} {text} in line {line}:\n{report(found)}'
        rest = [error for error in rest if error not in here]
    return not rest, report(rest)


def cases(source):
    """The errors which are due for each case of a program."""
    due = {}
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if marker := MARKER.search(line):
            case, up, code, text = marker.groups()
            due.setdefault(case, []).append((number - len(up), code, text))
    return due


def results():
    """(name, passed, detail) of each test."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tests = []

        def test(name, function, *args):
            tests.append((name, pool.submit(function, *args)))

        for source in sorted((HERE / 'rust').glob('*.rs')):
            due = cases(source)
            options = {name for text in OPTION.findall(source.read_text())
                       for name in re.findall(r'\w+', text)} - {'any', 'not'}
            if source.name != 'prelude.rs':
                yield (f'{source.stem}: an error is due for every option',
                       options and options == set(due),
                       f'options: {options}, errors: {set(due)}')
            for case, errors in due.items():
                test(f'{source.stem}: {case} does not compile',
                     check_case, source, case, errors)
            test(f'{source.stem}: the control compiles', check_control, source)
        for source in sorted(SAMPLES.glob('*.rs')):
            test(f'{source.stem}: a driver needs no unsafe',
                 check_control, source)
        for name, future in tests:
            yield (name, *future.result())


def main():
    failed = 0
    for name, passed, detail in results():
        print('ok' if passed else 'not ok', name)
        if not passed:
            failed += 1
            print(detail)
    return f'{failed} failed' if failed else 0


if __name__ == '__main__':
    sys.exit(main())
