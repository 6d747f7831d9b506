#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mutate.py FILE... - show the mutants, small faults, which can be planted.

One source holds all mutants of a file, and msi_mutant=NUMBER on the command
line of the kernel switches one on. Text is only put in, and no line: an error
of the compiler has the line of the mutant which it is about.

negate:     a condition is the other way round
bound:      < is <= or the like, or a 1 which is added or subtracted is 0
logic:      && is || or the like, or an operand or its ! is gone
error:      another error, or the other of true and false, is returned
statement:  a call or an assignment is not done
ignored:    a call is done, and what it returns is taken for success
lock:       another lock is taken
"""
import collections
import dataclasses
import pathlib
import re
import sys

C_DEFINITIONS = '''
#include <linux/moduleparam.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

unsigned int msi_mutant;
core_param(msi_mutant, msi_mutant, uint, 0444);
EXPORT_SYMBOL_GPL(msi_mutant);

DEFINE_MUTEX(msi_mutant_mutex);
EXPORT_SYMBOL_GPL(msi_mutant_mutex);
DEFINE_RAW_SPINLOCK(msi_mutant_raw);
EXPORT_SYMBOL_GPL(msi_mutant_raw);
DEFINE_SPINLOCK(msi_mutant_spin);
EXPORT_SYMBOL_GPL(msi_mutant_spin);
DECLARE_RWSEM(msi_mutant_rwsem);
EXPORT_SYMBOL_GPL(msi_mutant_rwsem);
'''
RUST_DEFINITIONS = '''
/// Whether mutant `n` is switched on.
#[doc(hidden)]
#[inline(never)]
pub fn mutant(n: u32) -> bool {
    extern "C" {
        static msi_mutant: u32;
    }

    // SAFETY: The C side defines it, and writes to it while the kernel boots.
    n == unsafe { core::ptr::read_volatile(&raw const msi_mutant) }
}
'''

# What guard() takes, and what a mutant takes instead
MUTEX = ('struct mutex', 'msi_mutant_mutex')
RAW = ('raw_spinlock_t', 'msi_mutant_raw')
SPIN = ('spinlock_t', 'msi_mutant_spin')
RWSEM = ('struct rw_semaphore', 'msi_mutant_rwsem')
LOCKS = {'mutex': MUTEX, 'spinlock': SPIN, 'raw_spinlock': RAW,
         'raw_spinlock_irq': RAW, 'raw_spinlock_irqsave': RAW,
         'rwsem_read': RWSEM, 'rwsem_write': RWSEM}

STRING = r'"(?:\\.|[^"\\])*"'
# What none of the kernels compiles, only Arm has it
C_ELSEWHERE = r'^#ifdef CONFIG_IRQ_MSI_IOMMU$.*?^#endif$'
C_BLANK = re.compile(rf'{C_ELSEWHERE}|//[^\n]*|/\*.*?\*/|^[ \t]*#(?:\\\n|[^\n])*|'
                     rf"{STRING}|'(?:\\.|[^'\\\n])+'", re.DOTALL | re.MULTILINE)
RUST_BLANK = re.compile(r'//[^\n]*|/\*.*?\*/|'
                        rf'#!?\[(?:{STRING}|\[[^\]]*\]|[^\[\]"])*\]|'
                        rf"{STRING}|'(?:\\[^']+|[^'\\])'", re.DOTALL)
# Where there are spaces around it, it is neither a type nor a closure.
COMPARISON = re.compile(r'(?<=\s)(?:<=?|>=?)(?=\s)')
LOGIC = re.compile(r'(?<=\s)(?:&&|\|\|)(?=\s)')
OTHER = {'<': '<=', '<=': '<', '>': '>=', '>=': '>', '&&': '||', '||': '&&'}
ONE = re.compile(r'(?<=[-+] )1\b(?!\.)')

C_HEAD = re.compile(r'(?:else|do)\b|'
                    r'(if|while|for|switch|scoped_\w+|\w*for_each\w*)\s*\(')
# An assignment or a call, but no declaration
C_EXPRESSION = re.compile(r'(?:\+\+|--)?\**\w+(?:->\w+|\.\w+|\[[^\]]*\])*\s*'
                          r'(?:\(|\+\+|--|[-+*/&|^]?=(?!=))')
C_UNTOUCHED = re.compile(r'trace_|pr_|dev_(?:err|warn|info|dbg)|WARN|lockdep_|'
                         r'XA_STATE|DEFINE_|DECLARE_|BUILD_BUG|'
                         r'xas?_(?:un)?lock')
C_ERROR = re.compile(r'(?<![=!<>]= )-E[A-Z]{2,}\b')

RUST_SKIPPED = re.compile(r'\w+!\s*\w*\s*(?=[({\[])|\bconst\s*(?=\{)')
RUST_CONST = re.compile(r'\b(?:const|static)\s+[A-Z_0-9]+\s*:')
RUST_COMPOUND = re.compile(r'(?:fn|if|match|while|for|loop|unsafe)\b|\{')
RUST_GOES_ON = re.compile(r'\s*(?:else\b|[.?;{])')
RUST_UNTOUCHED = re.compile(r'(?:let|return|break|continue|use|const|static|if|'
                            r'match|while|for|loop)\b|[\w:]+!')
RUST_ERROR = re.compile(r'\b(?:Err|ok_or)\((E[A-Z0-9]+)\)')
RUST_TESTS = re.compile(r'#\[(?:cfg\(test\)|kunit_tests\(\w+\))\]\s*'
                        r'mod\s+\w+\s*(?=\{)')

# Stands for the number of the mutant
NUMBER = '\0'


@dataclasses.dataclass
class Mutant:
    """One fault, and where it is in the original file."""

    number: int
    path: str
    line: int
    kind: str
    index: int
    before: str
    after: str

    @property
    def key(self):
        return self.line, self.kind, self.index

    def __str__(self):
        return (f'{self.path}:{self.line}: {self.kind}: '
                f'{self.before} -> {self.after}')


@dataclasses.dataclass
class Wrap:
    """Something to put before and after a part of the text."""

    start: int
    end: int
    prefix: str
    suffix: str = ''


def one_line(text):
    return ' '.join(text.split())


class Source:
    """A source, and the mutants which are found in it.

    .code is the text without comments and directives, .mask also without
    strings; both have the offsets of the text. .regions are conditions.
    """

    blank = stops = truth = None

    def __init__(self, text):
        def spaces(match, keep=()):
            return match[0] if match[0][0] in keep else \
                re.sub(r'[^\n]', ' ', match[0])

        self.text = text
        self.mask = self.blank.sub(spaces, text)
        self.code = self.blank.sub(lambda match: spaces(match, '"\''), text)
        self.found = []
        self.regions = []
        self.pair, self.opening = {}, {}
        stack = []
        for at, char in enumerate(self.mask):
            if char in '([{':
                stack.append(at)
            elif char in ')]}':
                self.opening[at] = stack.pop()
                self.pair[self.opening[at]] = at
        self.find()
        self.find_operators()

    def skip(self, at):
        while at < len(self.mask) and self.mask[at].isspace():
            at += 1
        return at

    def trim(self, start, end):
        start = self.skip(start)
        return start, start + len(self.mask[start:end].rstrip())

    def until(self, at, end, chars):
        """The first of some characters, not in brackets, or the end."""
        while at < end and self.mask[at] not in chars:
            at = self.pair.get(at, at) + 1
        return min(at, end)

    def add(self, kind, before, after, *wraps):
        self.found.append((kind, one_line(before), one_line(after), wraps))

    def choose(self, kind, start, end, other):
        """Something else in place of a word, shown with its line."""
        first = self.code.rfind('\n', 0, start) + 1
        last = self.code.index('\n', end)
        self.add(kind, self.code[first:last],
                 self.code[first:start] + other + self.code[end:last],
                 Wrap(start, end, *self.choice(other)))

    def add_ones(self, start, end):
        for one in ONE.finditer(self.mask, start, end):
            self.choose('bound', *one.span(), '0')

    def add_region(self, start, end, negate=True):
        start, end = self.trim(start, end)
        if start >= end:
            return
        self.regions.append((start, end))
        text = self.code[start:end]
        if negate and 'WARN' not in text:
            self.add('negate', text, f'!({text})',
                     Wrap(start, end, *self.negation))

    def stop(self, at):
        """Is this where the operands of an operator end?"""
        if self.mask[at] == '=' and '=' in self.stops:
            return not (self.mask[at - 1] in '=!<>' or self.mask[at + 1] == '=')
        return self.mask[at] in self.stops

    def reach_back(self, at, low):
        while at > low and self.mask[at - 1] not in '([{' and \
                not self.stop(at - 1):
            at = self.opening.get(at - 1, at - 1)
        return at

    def reach(self, at, high):
        while at < high and self.mask[at] not in ')]}' and not self.stop(at):
            at = self.pair.get(at, at) + 1
        return min(at, high)

    def find_operators(self):
        """Those of conditions. Each belongs to the innermost one."""
        def region_of(operator):
            around = [(start, end) for start, end in self.regions
                      if start <= operator.start() < end]
            return min(around, key=lambda region: region[1] - region[0],
                       default=None)

        chains = collections.defaultdict(list)
        for operator in COMPARISON.finditer(self.mask):
            if region := region_of(operator):
                self.edit('bound', region, *operator.span(),
                          OTHER[operator[0]])
        for operator in LOGIC.finditer(self.mask):
            if region := region_of(operator):
                chain = self.trim(self.reach_back(operator.start(), region[0]),
                                  self.reach(operator.end(), region[1]))
                chains[region, chain].append(operator)
        for (region, (start, end)), operators in chains.items():
            self.add_chain(region, start, end, operators)

    def edit(self, kind, region, start, end, new, truth='{}'):
        """A copy of the region with one part of it changed."""
        first, last = region
        text = one_line(self.code[first:start] + new + self.code[end:last])
        self.add(kind, self.code[first:last], text,
                 Wrap(first, last, *self.choice(truth.format(text))))

    def add_chain(self, region, start, end, operators):
        """Operands with && and || between them, none of it in brackets."""
        cuts = [start, *(at for op in operators for at in op.span()), end]
        starts, ends = zip(*(self.trim(*cuts[i:i + 2])
                             for i in range(0, len(cuts), 2)))
        # An operand which is left may be a pointer.
        truth = self.truth if (start, end) == region else '{}'

        for i, operator in enumerate(operators):
            first = max((j + 1 for j in range(i) if operators[j][0] == '||'),
                        default=0)
            last = min((j for j in range(i + 1, len(operators))
                        if operators[j][0] == '||'), default=len(operators))
            left = one_line(self.code[starts[first]:ends[i]])
            right = one_line(self.code[starts[i + 1]:ends[last]])
            if first < i:
                left = f'({left})'
            if i + 1 < last:
                right = f'({right})'
            text = f'{left} {OTHER[operator[0]]} {right}'
            if first > 0 or last < len(operators):
                text = f'({text})'
            self.edit('logic', region, starts[first], ends[last], text)

        for i, (at, end) in enumerate(zip(starts, ends)):
            before = operators[i - 1][0] if i else None
            after = operators[i][0] if i < len(operators) else None
            if before == '&&' or before and after != '&&':
                gone = ends[i - 1], ends[i]
            else:
                gone = starts[i], starts[i + 1]
            self.edit('logic', region, *gone, '', truth)
            text = self.mask[at:end]
            if text.startswith('!') and \
                    not re.search(r'[=!<>]=|\s[<>]\s', text):
                self.edit('logic', region, at, at + 1, '')


class C(Source):
    blank = C_BLANK
    stops = ',;?:='
    truth = '!!({})'
    negation = '(!(', f')) == (msi_mutant == {NUMBER})'

    @staticmethod
    def choice(other):
        return f'(msi_mutant == {NUMBER} ? ({other}) : (', '))'

    def find(self):
        end = 0
        while (at := self.mask.find('{', end)) >= 0:
            head = self.mask[end:at].rstrip()
            end = self.pair[at]
            if head.endswith(')'):
                self.init = '__init' in re.search('[^;}]*$', head)[0]
                self.unset = set()
                self.block(at + 1, end)

    def block(self, at, end):
        while (at := self.skip(at)) < end:
            at = self.statement(at)

    def statement(self, at):
        """Look at a statement, or its head only, and return where it ends."""
        at = self.skip(at)
        if self.mask[at] == '{':
            self.block(at + 1, self.pair[at])
            return self.pair[at] + 1
        if head := C_HEAD.match(self.mask, at):
            if not head[1]:
                return self.statement(head.end())
            end = self.pair[head.end() - 1]
            self.head(head[1], head.end(), end)
            return self.statement(end + 1)
        end = self.until(at, len(self.mask), ';')
        self.simple(at, end)
        return end + 1

    def head(self, word, start, end):
        if word == 'for':
            start = self.until(start, end, ';') + 1
            end = self.until(start, end, ';')
        if word == 'scoped_guard':
            comma = self.until(start, end, ',')
            self.lock(self.mask[start:comma], self.skip(comma + 1), end)
        elif word in ('if', 'while', 'for') and not self.init:
            self.add_region(start, end)
            self.values(start, end)

    def simple(self, start, end):
        text = self.mask[start:end]
        value = re.match(r'return\b\s*', text)
        guard = re.match(r'guard\((\w+)\)\(', text)
        if not self.init:
            self.values(start + value.end() if value else start, end)
        if value:
            self.returned(start + value.end(), end)
        elif guard:
            self.lock(guard[1], start + guard.end(), end - 1)
        elif ret := re.match(r'(?:int )?ret\s*=\s*(?=.*\()', text, re.DOTALL):
            self.add('ignored', self.code[start:end], 'ret = 0 after that',
                     Wrap(start + ret.end(), end, '({ typeof(ret) __r = ',
                          f'; msi_mutant == {NUMBER} ? 0 : __r; }})'))
        elif C_EXPRESSION.match(text):
            target = re.match(r'(\w+)\s*=', text)
            if not C_UNTOUCHED.match(text) and \
                    not (target and target[1] in self.unset):
                self.add('statement', self.code[start:end], 'nothing',
                         Wrap(start, end + 1,
                              f'do {{ if (msi_mutant != {NUMBER}) ',
                              ' } while (0);'))
        else:
            self.declared(start, end)

    def declared(self, at, end):
        """Remember variables which have no value yet."""
        while at < end:
            comma = self.until(at, end, ',')
            name = re.search(r'(\w+)\s*$', self.mask[at:comma])
            if name and '=' not in self.mask[at:comma]:
                self.unset.add(name[1])
            at = comma + 1

    def returned(self, start, end):
        text = self.mask[start:end]
        if self.init:
            return
        if text in ('true', 'false'):
            self.add('error', f'return {text}', f'return !{text}',
                     Wrap(start, end, f'(msi_mutant == {NUMBER}) != '))
        elif self.until(start, end, '?') == end:
            while re.search(r'\([^()]*\)', text):
                text = re.sub(r'\([^()]*\)', '', text)
            is_bool = re.match('!', text) or \
                re.search(r'[=!]=|&&|\|\|', text) or COMPARISON.search(text)
            self.add_region(start, end, negate=bool(is_bool))

    def values(self, start, end):
        """Errors and conditional expressions, in any expression."""
        self.add_ones(start, end)
        for error in C_ERROR.finditer(self.mask, start, end):
            other = '-EPERM' if error[0] == '-EIO' else '-EIO'
            self.choose('error', *error.span(), other)
        for mark in re.finditer(r'\?(?!\s*:)', self.mask[start:end]):
            at = start + mark.start()
            self.add_region(self.reach_back(at, start), at)

    def lock(self, kind, start, end):
        if kind in LOCKS and not self.init:
            other = f'&{LOCKS[kind][1]}'
            self.add('lock', self.code[start:end], other,
                     Wrap(start, end, f'msi_mutant == {NUMBER} ? {other} : '))

    def declarations(self, wraps):
        """What the mutants use, on an empty line behind the last #include."""
        names = {'unsigned int': 'msi_mutant'}
        names.update(lock for lock in LOCKS.values()
                     if any(lock[1] in wrap.prefix for wrap in wraps))
        include = [*re.finditer(r'^#include.*$', self.text, re.MULTILINE)][-1]
        at = self.text.index('\n\n', include.end()) + 1
        return [Wrap(at, at, ' '.join(f'extern {kind} {name};'
                                      for kind, name in names.items()))]


class Rust(Source):
    blank = RUST_BLANK
    stops = ',;'
    truth = '{}'
    negation = '(', f') != crate::msi::mutant({NUMBER})'

    @staticmethod
    def choice(other):
        return (f'if crate::msi::mutant({NUMBER}) {{ {other} }} else {{ ', ' }')

    def find(self):
        self.leave_out()
        done = 0
        for function in re.finditer(r'(\bconst\s+(?:unsafe\s+)?)?\bfn\s+\w+',
                                    self.mask):
            start = self.until(function.end(), len(self.mask), '{;')
            if function[1] or start < done or self.mask[start] != '{':
                continue
            done = self.pair[start]
            self.function(start, done)

    def leave_out(self):
        """Blank macros, constants and tests."""
        spans = [(test.end(), self.pair[test.end()])
                 for test in RUST_TESTS.finditer(self.text)
                 if test.end() in self.pair]
        spans += [(skipped.end(), self.pair[skipped.end()])
                  for skipped in RUST_SKIPPED.finditer(self.mask)]
        spans += [(const.end(), self.until(const.end(), len(self.mask), ';'))
                  for const in RUST_CONST.finditer(self.mask)]
        for start, end in spans:
            self.mask = self.mask[:start] + \
                re.sub(r'[^\n]', ' ', self.mask[start:end + 1]) + \
                self.mask[end + 1:]

    def function(self, start, end):
        self.add_ones(start, end)
        for word in re.finditer(r'\b(?:if|while)\b', self.mask[start:end]):
            self.condition(start + word.end(), end)
        for error in RUST_ERROR.finditer(self.mask, start, end):
            other = 'EPERM' if error[1] == 'EIO' else 'EIO'
            self.choose('error', *error.span(1), other)
        for at in range(start, end):
            if self.mask[at] == '{':
                self.block(at + 1, self.pair[at])

    def condition(self, start, end):
        at = start
        while (at := self.until(at, end, '{=')) < end:
            if self.mask.startswith('=>', at):
                return
            if self.mask[at] == '{' and \
                    not self.mask[start:at].rstrip().endswith('unsafe'):
                break
            at = self.pair.get(at, at) + 1
        if not re.search(r'\blet\b', self.mask[start:at]):
            self.add_region(start, at)

    def block(self, at, end):
        """The statements of a block. Of anything else in braces it has none."""
        while (at := self.skip(at)) < end:
            start, compound = at, RUST_COMPOUND.match(self.mask, at)
            while at < end and self.mask[at] != ';':
                brace = self.mask[at] == '{'
                at = self.pair.get(at, at) + 1
                if brace and compound and not RUST_GOES_ON.match(self.mask, at):
                    break
            else:
                if at < end:
                    self.statement(start, at)
                at += 1

    def statement(self, start, end):
        text = self.mask[start:end].rstrip()
        if not text or RUST_UNTOUCHED.match(text):
            return
        mutant = f'crate::msi::mutant({NUMBER})'
        if re.search('[(=]', text):
            self.add('statement', self.code[start:end], 'nothing',
                     Wrap(start, end + 1, f'if !{mutant} {{ ', ' }'))
        if text.endswith('?'):
            last = start + len(text) - 1
            self.add('ignored', self.code[start:end], 'no ?',
                     Wrap(start, last, '{ let r = ', f'; if !{mutant} {{ r'),
                     Wrap(last, end + 1, '', ' } }'))

    def declarations(self, wraps):
        return []


def put_in(text, wraps):
    """The text with all wraps, the smaller ones inside."""
    pieces = []
    for order, wrap in enumerate(wraps):
        pieces += [(wrap.start, 1, -wrap.end, order, wrap.prefix),
                   (wrap.end, 0, -wrap.start, -order, wrap.suffix)]
    new, last = '', 0
    for at, *_, piece in sorted(pieces):
        new += text[last:at] + piece
        last = at
    return new + text[last:]


def mutate(path, text, first, dropped=()):
    """The mutants, numbered from @first on, and the text which has them all.

    Those with a key in @dropped are left out.
    """
    source = (Rust if str(path).endswith('.rs') else C)(text)
    mutants, planted = [], []
    seen = collections.Counter()
    for kind, before, after, wraps in sorted(
            source.found, key=lambda found: found[3][0].start):
        line = text.count('\n', 0, wraps[0].start) + 1
        mutant = Mutant(first + len(mutants), str(path), line, kind,
                        seen[line, kind], before, after)
        seen[line, kind] += 1
        if mutant.key in dropped:
            continue
        mutants.append(mutant)
        planted += [Wrap(wrap.start, wrap.end,
                         wrap.prefix.replace(NUMBER, str(mutant.number)),
                         wrap.suffix.replace(NUMBER, str(mutant.number)))
                    for wrap in wraps]
    if mutants:
        planted += source.declarations(planted)
    return mutants, put_in(text, planted)


def main(paths):
    first = 1
    for path in paths:
        mutants, _ = mutate(path, pathlib.Path(path).read_text(), first)
        first += len(mutants)
        print(*mutants, sep='\n')


if __name__ == '__main__':
    main(sys.argv[1:])
